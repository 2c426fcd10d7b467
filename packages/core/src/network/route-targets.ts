import type { AppSpec, EntrypointSpec, Instance, InstanceStatus, Pool, PortSpec, RouteSpec } from '../model/index.ts'
import type { TrafficSplit } from '../rollout/traffic-split.ts'
import { reachedPort } from './network-mode.ts'
import type { Member, RouteTarget } from './route-table.ts'

export interface PooledInstance {
  readonly instance: Instance
  readonly status?: InstanceStatus
  /** Of its node. Absent: that is nowhere in particular. */
  readonly site?: string
  /** Its address's twin of IPv6. */
  readonly address6?: string
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

export const routedPoolId = (pool: Pool): string => `${pool.app}/${pool.name}`

/** Who of a pool serves a route, or a port. */
export function targetsOfRoute(each: RoutedPool, route: Pick<RouteSpec, 'entrypoint' | 'port'>): RouteTarget[] {
  const members = each.instances.flatMap((pooled) =>
    memberOf(each, route, pooled).map((member) => ({ member, generation: pooled.instance.generation })),
  )
  return targetsOf(each, route, `${routedPoolId(each.pool)}/${route.entrypoint}`, members)
}

interface PooledMember {
  readonly member: Member
  readonly generation: number
}

/** One target; while a stage shares requests out, one for each release: one without a member leaves its share to the other. */
function targetsOf(
  { split, instances, pool: record }: RoutedPool,
  route: Pick<RouteSpec, 'entrypoint'>,
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

function memberOf(
  each: RoutedPool,
  route: Pick<RouteSpec, 'entrypoint' | 'port'>,
  { instance, status, site }: PooledInstance,
): Member[] {
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
