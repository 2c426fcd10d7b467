import type { ExternalRoute, ExternalService, RouteSpec } from '../model/index.ts'
import { resolveRoutes } from '../spec/resolve-environment.ts'
import { compilePortRoutes } from './compile-port-routes.ts'
import type { Certificate, Member, Route, RouteTable } from './route-table.ts'
import { type RoutedPool, routedPoolId, targetsOfRoute } from './route-targets.ts'

/**
 * The gateway's table. Members are the ready instances that should run (active) and those that drain while they still run (draining:
 * they get nothing new). Where two pools claim one host and path, the older pool keeps it (deploying the younger is refused before), and a pool
 * before an external service.
 */
export function compileRoutes(
  pools: readonly RoutedPool[],
  certificates: readonly Certificate[],
  version: number,
  externals: readonly ExternalService[] = [],
  maintenance: Pick<ReadonlyMap<string, Maintenance>, 'get' | 'size'> = new Map(),
  challenges: Iterable<HostChallenge> = [],
): RouteTable {
  const routes = new Map<string, Route>()
  const byAge = [...pools].sort(
    (a, b) => a.pool.createdAt - b.pool.createdAt || (routedPoolId(a.pool) < routedPoolId(b.pool) ? -1 : 1),
  )
  for (const each of byAge) {
    for (const route of madeOnce(compiled, each, routesOf)) {
      const key = `${route.host}${route.path}`
      if (!routes.has(key)) routes.set(key, route)
    }
  }
  for (const external of externals) {
    for (const route of madeOnce(compiledExternals, external, externalRoutesOf)) {
      const key = `${route.host}${route.path}`
      if (!routes.has(key)) routes.set(key, route)
    }
  }
  const all = [...routes.values()]
  const ports = compilePortRoutes(byAge)
  return {
    version,
    routes: [
      ...(maintenance.size === 0 ? all : all.map((route) => withMaintenance(route, maintenance.get(route.host)))),
      ...[...challenges].map(challengeRoute),
    ],
    certificates,
    ...(ports.length === 0 ? {} : { ports }),
  }
}

/** Of a pool nobody has changed the routes are what they were, the very objects: among thousands, a change costs one pool. */
const compiled = new WeakMap<RoutedPool, readonly Route[]>()
const compiledExternals = new WeakMap<ExternalService, readonly Route[]>()

function madeOnce<T extends object>(
  made: WeakMap<T, readonly Route[]>,
  key: T,
  make: (key: T) => readonly Route[],
): readonly Route[] {
  const known = made.get(key)
  if (known !== undefined) return known
  const routes = make(key)
  made.set(key, routes)
  return routes
}

const externalRoutesOf = (external: ExternalService): Route[] =>
  external.routes.map((route) => compileExternalRoute(external, route))

/** What an authority of certificates looks for at a host, by HTTP. */
export interface HostChallenge {
  readonly host: string
  readonly token: string
  readonly answer: string
}

const challengeRoute = ({ host, token, answer }: HostChallenge): Route => ({
  ...{ id: `acme ${host} ${token}`, host, path: `/.well-known/acme-challenge/${token}` },
  ...{ targets: [], tls: 'on', timeoutMs: 60_000, allowEmpty: true, answer },
})

/** Of the routes of one host. The page of one that is off is shown by routes that say so while they are empty. */
export interface Maintenance {
  readonly isOn: boolean
  readonly page?: string | undefined
}

function withMaintenance(route: Route, maintenance: Maintenance | undefined): Route {
  if (maintenance === undefined) return route
  const { isOn, page = '' } = maintenance
  if (isOn) return { ...route, maintenance: { page } }
  return route.emptyPage === undefined ? route : { ...route, emptyPage: page }
}

function routesOf(each: RoutedPool): Route[] {
  const spec = each.routesFrom === undefined ? undefined : each.specs.get(each.routesFrom)
  if (spec === undefined || each.pool.removing === true) return []
  return resolveRoutes(spec, each.pool.environment).map((route) => compileRoute(each, route))
}

function compileRoute(each: RoutedPool, route: RouteSpec): Route {
  const wanted = each.pool.replicas[route.entrypoint]?.count
  return {
    id: `${routedPoolId(each.pool)}/${route.entrypoint} ${route.host}${route.path}`,
    host: route.host,
    path: route.path,
    targets: targetsOfRoute(each, route),
    tls: route.tls,
    timeoutMs: route.timeoutMs,
    maxBodyBytes: route.maxBodyBytes,
    stripPath: route.stripPath,
    allowEmpty: wanted === 0 || route.options?.whenEmpty === 'maintenance',
    ...(route.options === undefined ? {} : { options: route.options }),
    ...(route.options?.whenEmpty === 'maintenance' ? { emptyPage: '' } : {}),
  }
}

/** Nobody tells whether it is ready: a gateway finds out by itself who of them answers. */
function compileExternalRoute({ name, addresses, ports }: ExternalService, route: ExternalRoute): Route {
  const { host, path, tls, timeoutMs, maxBodyBytes, stripPath, options } = route
  const pool = `external/${name}`
  const port = ports.find((each) => each.name === route.port)?.port
  const members = addresses.flatMap((address): Member[] =>
    port === undefined ? [] : [{ instance: `${pool}/${address}`, address, port, weight: 1, state: 'active' }],
  )
  const targets = [{ pool, external: name, weight: 1, members }]
  return {
    ...{ id: `${pool} ${host}${path}`, host, path, targets, tls, timeoutMs, maxBodyBytes, stripPath },
    ...(options === undefined ? {} : { options }),
  }
}
