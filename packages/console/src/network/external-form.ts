import type { CallInput } from '@berth/api/client'
import type { ExternalView } from '@berth/api/name-resources'
import { BerthError } from '@berth/core/model/berth-error'
import { formatBytes } from '@berth/core/spec/quantities'

export interface ExternalForm {
  readonly name: string
  /** IPv4 addresses, or one name of somebody else's. */
  readonly is: string
  readonly ports: string
  readonly tags: string
  readonly site: string
}

/** `mysql=3306`, `dns=53/udp` */
export const portWord = ({ name, port, protocol }: ExternalView['ports'][number]): string =>
  `${name}=${port}${protocol === 'udp' ? '/udp' : ''}`

export const externalForm = (external: ExternalView | undefined): ExternalForm => ({
  name: external?.name ?? '',
  is: external?.target ?? external?.addresses.join(' ') ?? '',
  ports: external?.ports.map(portWord).join(' ') ?? '',
  tags: external?.tags.join(' ') ?? '',
  site: external?.site ?? '',
})

type Document = NonNullable<CallInput<'setExternal'>['body']>

/** What was typed, as the server takes it; routes, of which the form does not tell, stay. */
export function externalDocument({ is, ports, tags, site }: ExternalForm, before?: ExternalView): Document {
  const ends = wordsOf(is)
  const isAddress = ends.every((each) => /^[0-9.]+$/.test(each))
  if (!isAddress && ends.length > 1)
    throw new BerthError('usage.external', `${is}: write IPv4 addresses, or one host name`)
  return {
    ...(isAddress ? { addresses: ends } : { target: ends[0] ?? '' }),
    ...(ports === '' ? {} : { ports: wordsOf(ports).map(portOf) }),
    ...(tags === '' ? {} : { tags: wordsOf(tags) }),
    ...(site === '' ? {} : { site }),
    ...(before === undefined || before.routes.length === 0 ? {} : { routes: before.routes.map(routeOf) }),
  }
}

const wordsOf = (text: string): string[] => text.split(/[\s,]+/).filter((word) => word !== '')

function portOf(text: string): string | { name: string; port: number; protocol: 'tcp' | 'udp' } {
  const [, name, port, protocol] = /^([^=]+)=([0-9]{1,5})(?:\/(tcp|udp))?$/.exec(text) ?? []
  if (name !== undefined) return { name, port: Number(port), protocol: protocol === 'udp' ? 'udp' : 'tcp' }
  if (!text.includes('=')) return text
  throw new BerthError('usage.port', `${text}: write NAME=PORT, such as mysql=3306 or dns=53/udp`)
}

const routeOf = ({ host, path, port, tls, stripPath, timeoutMs, maxBodyBytes }: ExternalView['routes'][number]) => ({
  ...{ host, path, port, tls, stripPath, timeout: `${timeoutMs}ms`, maxBody: formatBytes(maxBodyBytes) },
})
