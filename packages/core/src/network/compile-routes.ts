import type {
  AppSpec,
  EntrypointSpec,
  ExternalRoute,
  ExternalService,
  Instance,
  InstanceStatus,
  Pool,
  PortSpec,
  RouteSpec,
} from '../model/index.ts'
import type { TrafficSplit } from '../rollout/traffic-split.ts'
import { resolveRoutes } from '../spec/resolve-environment.ts'
import { reachedPort } from './network-mode.ts'
import type { Certificate, Member, Route, RouteTable, RouteTarget } from './route-table.ts'

export interface PooledInstance {
  readonly instance: Instance
  readonly status?: InstanceStatus
  /** Of its node. Absent: that is nowhere in particular. */
  readonly site?: string
}

export interface RoutedPool {
  readonly pool: Pool
  /** Spec by release id, for the pool's release and for those that its instances run. */
  readonly specs: ReadonlyMap<string, AppSpec>
  /** The release whose routes count: the pool's, or while it has none yet the one being rolled out. */
  readonly routesFrom: string | undefined
  readonly instances: readonly PooledInstance[]
  /** A stage of a rollout says how much of the requests its new release gets. */
  readonly split?: TrafficSplit
}

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
    (a, b) => a.pool.createdAt - b.pool.createdAt || (poolId(a.pool) < poolId(b.pool) ? -1 : 1),
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
  return {
    version,
    routes: [
      ...(maintenance.size === 0 ? all : all.map((route) => withMaintenance(route, maintenance.get(route.host)))),
      ...[...challenges].map(challengeRoute),
    ],
    certificates,
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

const poolId = (pool: Pool): string => `${pool.app}/${pool.name}`

function routesOf(each: RoutedPool): Route[] {
  const spec = each.routesFrom === undefined ? undefined : each.specs.get(each.routesFrom)
  if (spec === undefined || each.pool.removing === true) return []
  return resolveRoutes(spec, each.pool.environment).map((route) => compileRoute(each, route))
}

function compileRoute(each: RoutedPool, route: RouteSpec): Route {
  const members = each.instances.flatMap((pooled) =>
    memberOf(each, route, pooled).map((member) => ({ member, generation: pooled.instance.generation })),
  )
  const wanted = each.pool.replicas[route.entrypoint]?.count
  return {
    id: `${poolId(each.pool)}/${route.entrypoint} ${route.host}${route.path}`,
    host: route.host,
    path: route.path,
    targets: targetsOf(each, route, `${poolId(each.pool)}/${route.entrypoint}`, members),
    tls: route.tls,
    timeoutMs: route.timeoutMs,
    maxBodyBytes: route.maxBodyBytes,
    stripPath: route.stripPath,
    allowEmpty: wanted === 0 || route.options?.whenEmpty === 'maintenance',
    ...(route.options === undefined ? {} : { options: route.options }),
    ...(route.options?.whenEmpty === 'maintenance' ? { emptyPage: '' } : {}),
  }
}

interface PooledMember {
  readonly member: Member
  readonly generation: number
}

/** One target; while a stage shares requests out, one for each release: one without a member leaves its share to the other. */
function targetsOf(
  { split, instances, pool: record }: RoutedPool,
  route: RouteSpec,
  pool: string,
  members: readonly PooledMember[],
): RouteTarget[] {
  const of = (isFresh: boolean): Member[] =>
    members.filter(({ generation }) => (generation === split?.generation) === isFresh).map(({ member }) => member)
  const wanted = instances.filter(
    ({ instance }) => instance.entrypoint === route.entrypoint && instance.type === 'service',
  )
  const [fresh, old] = [of(true), of(false)]
  if (split === undefined || fresh.length === 0 || old.length === 0)
    return [{ pool, weight: 1, members: members.map(({ member }) => member), ...wantedBySite(wanted) }]
  const active = (list: readonly Member[]): number => list.filter(({ state }) => state === 'active').length
  const share = sharedNow(split, active(fresh), active(old), record.replicas[route.entrypoint]?.count)
  const divisor = commonDivisor(share, 1000 - share)
  return [
    { pool, weight: share / divisor, members: fresh, ...wantedBySite(wanted, isNew(split)) },
    { pool, weight: (1000 - share) / divisor, members: old, ...wantedBySite(wanted, isOld(split)) },
  ]
}

type IsIn = (instance: Pick<Instance, 'generation'>) => boolean

const isNew =
  (split: TrafficSplit): IsIn =>
  ({ generation }) =>
    generation === split.generation
const isOld =
  (split: TrafficSplit): IsIn =>
  ({ generation }) =>
    generation !== split.generation

/** How many are to run in each site, ready or not. */
function wantedBySite(instances: readonly PooledInstance[], isIn: IsIn = () => true): Pick<RouteTarget, 'wanted'> {
  const wanted: Record<string, number> = {}
  for (const { instance, site } of instances)
    if (site !== undefined && instance.desired === 'run' && isIn(instance)) wanted[site] = (wanted[site] ?? 0) + 1
  return Object.keys(wanted).length === 0 ? {} : { wanted }
}

/** Thousandths that the new release gets, by how many of each are active. */
function sharedNow({ share, phase }: TrafficSplit, fresh: number, old: number, wanted: number | undefined): number {
  const part = fresh + old === 0 ? 0 : Math.floor((fresh * 1000) / (fresh + old))
  if (phase === 'there') return share
  if (phase === 'leaving') return wanted !== undefined && old >= wanted ? 0 : Math.min(share, part)
  return fresh >= old ? share : Math.min(share, part)
}

const commonDivisor = (a: number, b: number): number => (b === 0 ? a : commonDivisor(b, a % b))

/** Nobody tells whether it is ready: a gateway finds out by itself who of them answers. */
function compileExternalRoute({ name, addresses, ports }: ExternalService, route: ExternalRoute): Route {
  const { host, path, tls, timeoutMs, maxBodyBytes, stripPath } = route
  const pool = `external/${name}`
  const port = ports.find((each) => each.name === route.port)?.port
  const members = addresses.flatMap((address): Member[] =>
    port === undefined ? [] : [{ instance: `${pool}/${address}`, address, port, weight: 1, state: 'active' }],
  )
  const targets = [{ pool, external: name, weight: 1, members }]
  return { id: `${pool} ${host}${path}`, host, path, targets, tls, timeoutMs, maxBodyBytes, stripPath }
}

function memberOf(each: RoutedPool, route: RouteSpec, { instance, status, site }: PooledInstance): Member[] {
  if (instance.type !== 'service' || instance.entrypoint !== route.entrypoint || instance.address === undefined)
    return []
  const declared = portOf(each.specs.get(instance.release)?.entrypoints[route.entrypoint], route.port)
  const port = declared === undefined ? undefined : reachedPort(instance.network, declared)
  const active = instance.desired === 'run' && status?.ready === true
  const draining = instance.desired === 'drain' && status?.phase === 'running'
  if (port === undefined || !(active || draining)) return []
  const state = active ? 'active' : 'draining'
  const where = site === undefined ? {} : { site }
  return [{ instance: instance.id, address: instance.address, port, weight: 1, state, ...where }]
}

/** The named port, or the entrypoint's first where this release has no such name. */
const portOf = (spec: EntrypointSpec | undefined, name: string): PortSpec | undefined =>
  spec?.ports.find((port) => port.name === name) ?? spec?.ports[0]
