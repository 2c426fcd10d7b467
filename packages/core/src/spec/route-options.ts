import {
  type Ejection,
  isCookieName,
  type RouteLimit,
  type RouteOptions,
  retryStatuses,
  routeOptionBounds,
  type SitePreference,
} from '../model/route-options.ts'
import { formatDuration } from './quantities.ts'
import { readCount, readDuration } from './read-values.ts'
import type { RouteDocument, RouteLimitDocument } from './spec-document.ts'
import type { IssueList, SpecPath } from './spec-issue.ts'

const defaultCookie = 'berth_instance'
const defaultEjection: Ejection = { failures: 2, restMs: 2_000 }
const periods: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000 }
const mostRequests = 1_000_000

type At = (key: string) => SpecPath

/** What a route says beyond where it leads; undefined where it says nothing. */
export function routeOptions(issues: IssueList, at: At, document: RouteDocument): RouteOptions | undefined {
  const duration = (key: 'connectTimeout' | 'sendTimeout' | 'slowStart', [min, max]: readonly [number, number]) =>
    readDuration(issues, at(key), document[key], undefined, { min, max })
  const isGrpc = document.protocol === 'grpc'
  if (isGrpc) refuseWithGrpc(issues, at, document)
  const options = {
    protocol: isGrpc ? ('grpc' as const) : undefined,
    connectTimeoutMs: duration('connectTimeout', routeOptionBounds.connectTimeoutMs),
    sendTimeoutMs: duration('sendTimeout', routeOptionBounds.sendTimeoutMs),
    ...readRetries(issues, at, document),
    limit: readLimit(issues, at, document.limit),
    stickyCookie: readCookie(issues, at, document.sticky),
    slowStartMs: duration('slowStart', routeOptionBounds.slowStartMs),
    ejection: readEjection(issues, at, document.ejection),
    whenEmpty: document.whenEmpty === 'maintenance' ? ('maintenance' as const) : undefined,
    sites: readSites(issues, at, document.sites),
  }
  const said = Object.entries(options).filter(([, value]) => value !== undefined)
  return said.length === 0 ? undefined : Object.fromEntries(said)
}

function readRetries(
  issues: IssueList,
  at: At,
  { retries, protocol }: RouteDocument,
): { readonly retries: number | undefined; readonly retryOn?: readonly number[] } {
  const [min, max] = routeOptionBounds.retries
  if (typeof retries !== 'object')
    return { retries: readCount(issues, at('retries'), retries, undefined, { min, max }) }
  const path = at('retries')
  const { count, on = [] } = retries
  const read = { retries: readCount(issues, [...path, 'count'], count, undefined, { min, max }) }
  if (protocol === 'grpc' && on.length > 0)
    issues.add([...path, 'on'], 'answers of gRPC have a status of their own, and what was answered is not sent again')
  for (const [index, status] of on.entries())
    if (!retryStatuses.includes(status))
      issues.add([...path, 'on', index], `for an answer ${status} no request is sent again`, {
        suggestion: `possible are ${retryStatuses.join(', ')}`,
      })
  if (on.length > 0 && read.retries === 0)
    issues.add([...path, 'on'], 'no other instance is asked with `count: 0`', { dependsOn: [[...path, 'count']] })
  return on.length === 0 ? read : { ...read, retryOn: retryStatuses.filter((status) => on.includes(status)) }
}

/** What means nothing to clients of gRPC, or cannot be done for them. */
function refuseWithGrpc(issues: IssueList, at: At, document: RouteDocument): void {
  const { tls, stripPath, maxBody, sticky } = document
  if (tls === 'off')
    issues.add(at('tls'), 'gRPC needs HTTP/2, which gateways speak with TLS only', { suggestion: 'write tls: on' })
  if (stripPath === true)
    issues.add(at('stripPath'), 'the path of gRPC is its service and method, of which nothing can be taken off')
  if (maxBody !== undefined && maxBody !== 0)
    issues.add(at('maxBody'), 'a stream of gRPC has no length', { suggestion: 'limit messages in the server itself' })
  if (sticky !== undefined && sticky !== false) issues.add(at('sticky'), 'clients of gRPC keep no cookies')
}

function readLimit(issues: IssueList, at: At, given: RouteDocument['limit']): RouteLimit | undefined {
  if (given === undefined) return undefined
  const isShort = typeof given !== 'object'
  const document: RouteLimitDocument = isShort ? { requests: given } : given
  const key = (name: string): SpecPath => (isShort ? at('limit') : [...at('limit'), name])
  if (document.requests === undefined && document.concurrent === undefined) {
    issues.add(at('limit'), 'nothing is limited', { suggestion: 'say requests: 100/s, concurrent: 50, or both' })
    return undefined
  }
  const rate = readRate(issues, key('requests'), document.requests)
  const everySecond = Math.ceil((rate.requests * 1_000) / rate.periodMs)
  return {
    ...rate,
    burst: readCount(issues, key('burst'), document.burst, everySecond, { max: mostRequests }),
    concurrent: readCount(issues, key('concurrent'), document.concurrent, 0, { min: 1, max: mostRequests }),
    per: document.per ?? 'client',
  }
}

/** `100/s`, `600/m`; a number alone is a second's. */
function readRate(
  issues: IssueList,
  path: SpecPath,
  value: RouteLimitDocument['requests'],
): Pick<RouteLimit, 'requests' | 'periodMs'> {
  if (value === undefined) return { requests: 0, periodMs: 1_000 }
  const [, count = '', unit = 's'] = /^(\d{1,7})(?:\/([smh]))?$/.exec(String(value)) ?? []
  const requests = Number(count)
  if (count === '' || requests < 1 || requests > mostRequests)
    issues.add(path, `"${value}" is no rate of requests`, { suggestion: 'write 100/s, 600/m or 3600/h' })
  return { requests: Math.max(1, requests), periodMs: periods[unit]! }
}

function readCookie(issues: IssueList, at: At, sticky: RouteDocument['sticky']): string | undefined {
  if (sticky === undefined || sticky === false) return undefined
  if (sticky === true) return defaultCookie
  if (!isCookieName(sticky))
    issues.add(at('sticky'), `"${sticky}" is no name of a cookie here: letters, digits and _, up to 64`)
  return sticky
}

function readEjection(issues: IssueList, at: At, given: RouteDocument['ejection']): Ejection | undefined {
  if (given === undefined) return undefined
  if (given === 'off') return { failures: 0, restMs: 0 }
  const path = at('ejection')
  const { failures, restMs } = defaultEjection
  return {
    failures: readCount(issues, [...path, 'failures'], given.failures, failures, { min: 1, max: 1_000 }),
    restMs: readDuration(issues, [...path, 'rest'], given.rest, restMs, { min: 100, max: 3_600_000 }),
  }
}

export const siteName = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/

/** Of a route. */
export function readSites(issues: IssueList, at: At, given: RouteDocument['sites']): SitePreference | undefined {
  if (given === undefined) return undefined
  const { prefer, spillBelow, spillAt, writes } = given
  const key = (name: string): SpecPath => [...at('sites'), name]
  if (prefer === 'any')
    for (const [name, value] of Object.entries({ spillBelow, spillAt }))
      if (value !== undefined) issues.add(key(name), 'nothing spills over where no site is preferred', { atKey: true })
  if (writes !== undefined && !siteName.test(writes))
    issues.add(key('writes'), `"${writes}" is no name of a site`, {
      suggestion: 'write one that nodes bear as label site',
    })
  const sites = {
    prefer,
    spillBelow: readPart(issues, key('spillBelow'), spillBelow),
    spillAt: readCount(issues, key('spillAt'), spillAt, undefined, { min: 1, max: 100_000 }),
    writes,
  }
  return Object.fromEntries(Object.entries(sites).filter(([, value]) => value !== undefined))
}

/** `70%` → 0.7 */
function readPart(issues: IssueList, path: SpecPath, given: string | undefined): number | undefined {
  if (given === undefined) return undefined
  const percent = Number(/^(\d{1,3})%$/.exec(given)?.[1])
  if (percent >= 1 && percent <= 100) return percent / 100
  issues.add(path, `"${given}" is no share`, { suggestion: 'write one from 1% to 100%' })
  return undefined
}

/** The reverse of {@link routeOptions}. */
export function optionsToDocument(options: RouteOptions): Partial<RouteDocument> {
  const { protocol, connectTimeoutMs, sendTimeoutMs, limit, stickyCookie, slowStartMs, ejection } = options
  const { retries, retryOn, whenEmpty, sites } = options
  return {
    ...(protocol === undefined ? {} : { protocol }),
    ...(connectTimeoutMs === undefined ? {} : { connectTimeout: formatDuration(connectTimeoutMs) }),
    ...(sendTimeoutMs === undefined ? {} : { sendTimeout: formatDuration(sendTimeoutMs) }),
    ...(retryOn !== undefined
      ? { retries: { ...(retries === undefined ? {} : { count: retries }), on: retryOn } }
      : retries === undefined
        ? {}
        : { retries }),
    ...(limit === undefined ? {} : { limit: limitToDocument(limit) }),
    ...(stickyCookie === undefined ? {} : { sticky: stickyCookie }),
    ...(slowStartMs === undefined ? {} : { slowStart: formatDuration(slowStartMs) }),
    ...(ejection === undefined ? {} : { ejection: ejectionToDocument(ejection) }),
    ...(whenEmpty === undefined ? {} : { whenEmpty }),
    ...(sites === undefined ? {} : { sites: sitesToDocument(sites) }),
  }
}

function limitToDocument({ requests, periodMs, burst, concurrent, per }: RouteLimit): RouteLimitDocument {
  const unit = Object.entries(periods).find(([, ms]) => ms === periodMs)?.[0] ?? 's'
  return {
    ...(requests === 0 ? {} : { requests: `${requests}/${unit}`, burst }),
    ...(concurrent === 0 ? {} : { concurrent }),
    per,
  }
}

export const sitesToDocument = ({ spillBelow, ...sites }: SitePreference): NonNullable<RouteDocument['sites']> => ({
  ...sites,
  ...(spillBelow === undefined ? {} : { spillBelow: `${Math.round(spillBelow * 100)}%` }),
})

const ejectionToDocument = ({ failures, restMs }: Ejection): NonNullable<RouteDocument['ejection']> =>
  failures === 0 ? 'off' : { failures, rest: formatDuration(restMs) }
