import type { RouteSpec } from '../model/app-spec.ts'
import { isPortRoute } from './canonical-port-routes.ts'
import { specDefaults } from './defaults.ts'
import { compareText, given, readBytes, readDuration, requireKey } from './read-values.ts'
import { routeOptions } from './route-options.ts'
import { parseHost, parseRoutePath } from './route-place.ts'
import { type RouteEntrypoints, readRouteTarget } from './route-target.ts'
import type { RouteDocument, SpecDocument } from './spec-document.ts'
import type { IssueList, SpecPath } from './spec-issue.ts'

/**
 * Sorted by host, then path: their order has no meaning (the gateway goes by exactness and length). Routes of ports, which are in the same list, are
 * {@link canonicalPortRoutes}'.
 */
export function canonicalRoutes(
  issues: IssueList,
  path: SpecPath,
  list: SpecDocument['routes'],
  entrypoints: RouteEntrypoints,
): readonly RouteSpec[] {
  const seen = new Set<string>()
  const routes: RouteSpec[] = []
  for (const [index, item] of given(list)) {
    if (isPortRoute(item)) continue
    const at = [...path, index]
    const route = readRoute(issues, at, item, entrypoints)
    if (route === undefined) continue
    const key = `${route.host}${route.path}`
    if (seen.has(key)) issues.add(at, `the route ${key} is given twice`)
    seen.add(key)
    routes.push(route)
  }
  return routes.sort((a, b) => compareText(a.host, b.host) || compareText(a.path, b.path))
}

function readRoute(
  issues: IssueList,
  path: SpecPath,
  item: string | RouteDocument,
  entrypoints: RouteEntrypoints,
): RouteSpec | undefined {
  const short = typeof item === 'string'
  const at = (key: string): SpecPath => (short ? path : [...path, key])
  const document = short ? splitPlace(item) : item
  const { timeoutMs, maxBodyBytes, tls, stripPath } = specDefaults.route
  const options = {
    tls: document.tls ?? tls,
    stripPath: document.stripPath ?? stripPath,
    timeoutMs: readDuration(issues, at('timeout'), document.timeout, timeoutMs, { min: 1000 }),
    maxBodyBytes: isUnlimited(document) ? 0 : readBytes(issues, at('maxBody'), document.maxBody, maxBodyBytes),
  }
  refusePortOptions(issues, at, document)
  const more = routeOptions(issues, at, document)
  const prefix = issues.take(at('path'), parseRoutePath(document.path ?? specDefaults.route.path))
  const target = readRouteTarget(issues, path, document, entrypoints, at)
  if (!requireKey(issues, path, 'host', document.host)) return undefined
  const host = issues.take(at('host'), parseHost(document.host))
  if (host === undefined || prefix === undefined || target === undefined) return undefined
  return { host, path: prefix, ...target, ...options, ...(more === undefined ? {} : { options: more }) }
}

/** Nobody knows how long a stream of gRPC will be. */
const isUnlimited = ({ maxBody, protocol }: RouteDocument): boolean =>
  maxBody === 0 || (maxBody === undefined && protocol === 'grpc')

function refusePortOptions(issues: IssueList, at: (key: string) => SpecPath, document: RouteDocument): void {
  if (document.allow !== undefined)
    issues.add(at('allow'), '`allow` is of routes of a port (`tcp`, `udp`)', {
      ...{ atKey: true, suggestion: 'leave it out: requests tell whom they come from in X-Forwarded-For' },
    })
  if (document.whenEmpty === 'refuse')
    issues.add(at('whenEmpty'), 'a host is asked by HTTP, which is always answered', {
      suggestion: 'write keep or maintenance',
    })
}

/** `shop.example.com/api` */
function splitPlace(text: string): RouteDocument {
  const start = /^[a-z]+:\/\//i.exec(text)?.[0].length ?? 0
  const slash = text.indexOf('/', start)
  return slash === -1 ? { host: text } : { host: text.slice(0, slash), path: text.slice(slash) }
}
