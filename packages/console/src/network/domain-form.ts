import type { CallInput } from '@berth/api/client'
import type { DomainView } from '@berth/api/name-resources'

export const meanings = ['target', 'addresses', 'resolvers'] as const
export type Meaning = (typeof meanings)[number]

export interface DomainForm {
  readonly name: string
  readonly meaning: Meaning
  /** One name, or several addresses; resolvers of one site as `SITE=ADDRESS`. */
  readonly is: string
}

export const meaningOf = ({ target, resolvers }: DomainView): Meaning =>
  target !== undefined ? 'target' : resolvers.length > 0 ? 'resolvers' : 'addresses'

export const isText = ({ target, addresses, resolvers }: DomainView): string =>
  target ??
  [...addresses, ...resolvers.map(({ address, site }) => (site === undefined ? address : `${site}=${address}`))].join(
    ' ',
  )

export const domainForm = (domain: DomainView | undefined): DomainForm =>
  domain === undefined
    ? { name: '', meaning: 'target', is: '' }
    : { name: domain.name, meaning: meaningOf(domain), is: isText(domain) }

type Document = NonNullable<CallInput<'setDomain'>['body']>

/** What was typed, as the server takes it, which says what is wrong with it. */
export function domainDocument({ meaning, is }: DomainForm): Document {
  if (meaning === 'target') return { target: is.trim() }
  const words = is.split(/[\s,]+/).filter((word) => word !== '')
  return meaning === 'addresses' ? { addresses: words } : { resolvers: words.map(resolverOf) }
}

function resolverOf(word: string): { address: string; site?: string } {
  const split = word.lastIndexOf('=')
  return split < 0 ? { address: word } : { site: word.slice(0, split), address: word.slice(split + 1) }
}
