import type { CallInput } from '@berth/api/client'
import type { ExternalView } from '@berth/api/name-resources'
import { BerthError } from '@berth/core/model/berth-error'
import { formatBytes } from '@berth/core/spec/quantities'

export interface ExternalForm {
  readonly name: string
  /** Addresses, or one name of somebody else's. */
  readonly is: string
  readonly ports: string
  readonly tags: string
  readonly site: string
  /** One a line. */
  readonly routes: string
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
  routes: external?.routes.map(routeLine).join('\n') ?? '',
})

type Document = NonNullable<CallInput<'setExternal'>['body']>

/** What was typed, as the server takes it; what the form does not tell of routes stays. */
export function externalDocument({ is, ports, tags, site, routes }: ExternalForm, before?: ExternalView): Document {
  const ends = wordsOf(is)
  const isAddress = ends.every((each) => /^[0-9.]+$|:/.test(each))
  if (!isAddress && ends.length > 1) throw new BerthError('usage.external', `${is}: write addresses, or one host name`)
  return {
    ...(isAddress ? { addresses: ends } : { target: ends[0] ?? '' }),
    ...(ports === '' ? {} : { ports: wordsOf(ports).map(portOf) }),
    ...(tags === '' ? {} : { tags: wordsOf(tags) }),
    ...(site === '' ? {} : { site }),
    ...(routes.trim() === '' ? {} : { routes: linesOf(routes).map((line) => routeOf(line, before?.routes ?? [])) }),
  }
}

const wordsOf = (text: string): string[] => text.split(/[\s,]+/).filter((word) => word !== '')

function portOf(text: string): string | { name: string; port: number; protocol: 'tcp' | 'udp' } {
  const [, name, port, protocol] = /^([^=]+)=([0-9]{1,5})(?:\/(tcp|udp))?$/.exec(text) ?? []
  if (name !== undefined) return { name, port: Number(port), protocol: protocol === 'udp' ? 'udp' : 'tcp' }
  if (!text.includes('=')) return text
  throw new BerthError('usage.port', `${text}: write NAME=PORT, such as mysql=3306 or dns=53/udp`)
}

type Route = ExternalView['routes'][number]

/** `old.example.com/app mysql redirect` */
export const routeLine = ({ host, path, port, tls }: Route): string =>
  `${host}${path} ${port}${tls === 'on' ? '' : ` ${tls}`}`

const linesOf = (text: string): string[] => text.split('\n').filter((line) => line.trim() !== '')

const isTls = (word: string): word is Route['tls'] => word === 'off' || word === 'on' || word === 'redirect'

function routeOf(line: string, before: readonly Route[]): Exclude<NonNullable<Document['routes']>[number], string> {
  const [place = '', ...words] = line.trim().split(/\s+/)
  const [tls, ports] = [words.find(isTls) ?? 'on', words.filter((word) => !isTls(word))]
  const [port] = ports
  if (ports.length > 1)
    throw new BerthError('usage.route', `${line}: write HOST/PATH, the name of a port, and off, on or redirect`)
  const slash = place.indexOf('/')
  const [host, path] = slash < 0 ? [place, '/'] : [place.slice(0, slash), place.slice(slash)]
  const known = before.find((each) => each.host === host && each.path === path)
  return { host, path, tls, ...(port === undefined ? {} : { port }), ...(known === undefined ? {} : limitsOf(known)) }
}

const limitsOf = ({ stripPath, timeoutMs, maxBodyBytes, options }: Route) => ({
  ...{ stripPath, timeout: `${timeoutMs}ms`, maxBody: maxBodyBytes === 0 ? 0 : formatBytes(maxBodyBytes), ...options },
})
