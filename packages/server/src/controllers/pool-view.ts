import {
  type AppSpec,
  askedSizes,
  type ClusterNode,
  defaultGroupName,
  dueSizes,
  type GateSample,
  type HookAnswer,
  type ImageArrival,
  type Instance,
  isAtWork,
  isSystem,
  type NodeFate,
  type ObservedInstance,
  type Pool,
  type PoolSnapshot,
  placementOf,
  type RebalanceMove,
  type Rollout,
  type RolloutRequests,
  resolveSpec,
  type ServiceTimes,
  siteLabel,
  sizeChange,
} from '@berth/core'
import type { State } from '../records/index.ts'
import { displacedBy } from '../schedule/displacements.ts'
import type { LiveBooks } from '../schedule/live-books.ts'
import { specOfInstance } from '../schedule/spec-of-instance.ts'
import { hasEnded } from './has-ended.ts'
import { specsOf } from './pool-specs.ts'
import type { TrafficView } from './traffic-controller.ts'

export interface Surroundings {
  readonly state: State
  readonly isOnline: (node: string) => boolean
  readonly books: Pick<LiveBooks, 'resizeRefusal' | 'displacements' | 'mayLeave'>
  readonly traffic: { view(instance: ObservedInstance['instance']): TrafficView }
  /** Absent: nobody brings images before instances are placed. */
  readonly images?: {
    look(pool: Pool, rollout: Rollout, spec: AppSpec | undefined): readonly ImageArrival[]
  }
  /** Absent: gates that go by a source have no data. */
  readonly gates?: {
    look(pool: Pool, rollout: Rollout, spec: AppSpec | undefined): readonly (GateSample | undefined)[]
    /** undefined: nobody counts. */
    requests(rollout: Rollout): RolloutRequests | undefined
  }
  /** Absent: hooks that are URLs are never answered. */
  readonly hooks?: {
    look(pool: Pool, rollout: Rollout, spec: AppSpec | undefined): ReadonlyMap<string, HookAnswer>
  }
  readonly nodes: {
    /** `afterMs`: how long the app waits for it; undefined: for ever. */
    fate(node: string, afterMs: number | undefined): NodeFate
  }
}

/** Everything that a decision about this pool may look at, as of the state's revision. */
export function poolSnapshot(from: Surroundings, pool: Pool, times: ServiceTimes, now: number): PoolSnapshot {
  const { state } = from
  const rollout = pool.rollout === undefined ? undefined : state.rollouts.get(pool.rollout)
  const specs = specsOf(state, pool)
  const instances = state.instances
    .byPool(pool.app, pool.name)
    .map(
      (instance): ObservedInstance =>
        Object.assign(
          observe(from, instance, times, now),
          leaving(from, instance),
          due(from, instance, pool, rollout, specs),
        ),
    )
  const nodes = hasSystem(specs.values()) ? { nodes: clusterNodes(from) } : {}
  const kept = state.keptAddresses.byPool(pool.app, pool.name)
  const snapshot = { pool, specs, instances, kept, listeningSince: times.startedAt, ...nodes }
  if (rollout === undefined) return snapshot
  const spec = specs.get(rollout.to)
  const requests = from.gates?.requests(rollout)
  return {
    ...(requests === undefined ? {} : { requests }),
    ...{ ...snapshot, rollout, images: from.images?.look(pool, rollout, spec) ?? [] },
    gates: from.gates?.look(pool, rollout, spec) ?? [],
    ...(rollout.stages?.some(({ sites }) => sites !== undefined) === true ? { sites: sitesOf(state) } : {}),
    hooks: from.hooks?.look(pool, rollout, spec) ?? new Map(),
  }
}

const sitesOf = ({ nodes }: State): ReadonlyMap<string, string> =>
  new Map(nodes.all().flatMap(({ name, labels }) => (labels[siteLabel] ? [[name, labels[siteLabel]] as const] : [])))

/** Something in it runs on every node that matches. */
export function hasSystem(specs: Iterable<AppSpec>): boolean {
  for (const { entrypoints } of specs) if (Object.values(entrypoints).some(isSystem)) return true
  return false
}

/** Of what it runs, and of what it is on its way to. */
export function runsOnEveryNode(state: State, pool: Pool): boolean {
  const rollout = pool.rollout === undefined ? undefined : state.rollouts.get(pool.rollout)
  return [pool.release, rollout?.to].some((id) => {
    const release = id === undefined ? undefined : state.releases.find(pool.app, id)
    return release !== undefined && mayBeSystem(release.spec)
  })
}

const systemSpecs = new WeakMap<AppSpec, boolean>()

/** In some environment; releases do not change. */
function mayBeSystem(spec: AppSpec): boolean {
  const known = systemSpecs.get(spec)
  if (known !== undefined) return known
  const found = [undefined, ...Object.keys(spec.environments)].some((environment) =>
    hasSystem([environment === undefined ? spec : resolveSpec(spec, environment)]),
  )
  systemSpecs.set(spec, found)
  return found
}

export const clusterNodes = ({ state, isOnline }: Pick<Surroundings, 'state' | 'isOnline'>): ClusterNode[] =>
  [...state.nodes.values()].map(({ name, group = defaultGroupName, labels, taints = [], drain }) => ({
    ...{ name, group, labels, taints },
    ...{ drained: drain !== undefined, online: isOnline(name) },
  }))

function observe(
  { state, isOnline, traffic }: Surroundings,
  instance: ObservedInstance['instance'],
  times: ServiceTimes,
  now: number,
): ObservedInstance {
  const status = state.statuses.get(instance.id)
  const nodeOnline = instance.node !== undefined && isOnline(instance.node)
  const { routed, inTraffic, outOfTraffic, inflight } = traffic.view(instance)
  const observed = { instance, nodeOnline, routed, inTraffic, outOfTraffic, inflight, since: 0 }
  const known = status === undefined ? observed : Object.assign(observed, { status })
  const works = isAtWork(known)
  const first = works ? (status?.readyAt ?? status?.startedAt ?? now) : instance.createdAt
  known.since = times.note(instance.id, works, now, first)
  return known
}

/** What a service is to have instead, and why its node has no room for it. Where its node group's quota is used up it stays as it is. */
function due(
  { books }: Surroundings,
  instance: Instance,
  pool: Pool,
  rollout: Rollout | undefined,
  specs: PoolSnapshot['specs'],
): Pick<ObservedInstance, 'resize'> {
  const spec = specs.get(instance.release)?.entrypoints[instance.entrypoint]
  if (instance.type === 'job' || instance.node === undefined || instance.desired !== 'run' || spec === undefined)
    return {}
  const to = dueSizes(instance, spec, pool, rollout)
  if (to === undefined) return {}
  const refusal = books.resizeRefusal(instance, sizeChange(askedSizes(instance, spec), to))
  if (refusal === undefined) return { resize: { to } }
  return refusal.reason === 'quota' || !books.mayLeave(instance) ? {} : { resize: { to, refused: refusal.message } }
}

/** What begins the reason of one that leaves for somebody more important. */
export const displacedPrefix = 'displaced by '

type Leaving = Pick<ObservedInstance, 'moves' | 'lost'>

const staying: Leaving = {}

/** The move of a rebalancing that is under way for an instance. */
export function moveOf(state: State, instance: string): RebalanceMove | undefined {
  if (state.rebalances.size === 0) return undefined
  for (const { moves } of state.rebalances.values()) {
    const found = moves.find((each) => each.instance === instance)
    if (found !== undefined) return found
  }
  return undefined
}

function moving(state: State, instance: string): Leaving {
  const move = moveOf(state, instance)
  return move === undefined ? staying : { moves: `moved to ${move.to}, which is less full` }
}

/** Why a service cannot stay where it is. */
function leaving({ state, nodes, books, isOnline }: Surroundings, instance: ObservedInstance['instance']): Leaving {
  const displacer = books.displacements.displacerOf(instance.id)
  const displaced =
    displacer === undefined ? moving(state, instance.id) : { moves: `${displacedPrefix}${displacedBy(displacer)}` }
  const node = state.nodes.get(instance.node ?? '')
  if (node === undefined || instance.type === 'job') return displaced
  // It belongs to this node: its places say whether it stays.
  if (instance.pinnedTo !== undefined) return specOfInstance(state, instance) === undefined ? displaced : staying
  // As it is with nearly all of them.
  if (node.drain === undefined && isOnline(node.name)) return displaced
  const spec = specOfInstance(state, instance)
  if (spec === undefined) return displaced
  const { reschedule } = placementOf(spec)
  const fate = nodes.fate(node.name, reschedule === 'never' ? undefined : reschedule.afterMs)
  if (fate === 'lost') return { lost: `${node.name} is lost` }
  if (
    node.drain !== undefined &&
    isNextToLeave(state, node.name, node.drain.limit, instance.id) &&
    books.mayLeave(instance)
  )
    return { moves: `${node.name} is drained` }
  return displaced
}

/** Of a drained node's services so many may be on their way at a time, those that have begun first. */
function isNextToLeave(state: State, node: string, limit: number, id: string): boolean {
  const services = state.instances.byNode(node).filter((each) => each.type === 'service' && !hasEnded(state, each))
  const going = services.filter((each) => each.desired !== 'run').length
  const staying = services.filter((each) => each.desired === 'run').sort((a, b) => (a.id < b.id ? -1 : 1))
  return staying.slice(0, Math.max(0, limit - going)).some((each) => each.id === id)
}
