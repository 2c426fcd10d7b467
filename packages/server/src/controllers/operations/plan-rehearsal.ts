import type { RehearsalView } from '@berth/api'
import {
  type AppSpec,
  type Books,
  defaultGroupName,
  type Instance,
  type InstanceRequest,
  isSystem,
  keepsAddresses,
  type NodeUse,
  type ObservedInstance,
  type Pool,
  type PoolSnapshot,
  placementOf,
  placingSites,
  type RehearsedInstance,
  type RehearsedPlace,
  type RehearsedRollout,
  rehearseRollout,
  siteLabel,
} from '@berth/core'
import { quotaProblem } from '../../schedule/quota-problem.ts'
import { requestOf } from '../../schedule/request-of.ts'
import { atSites } from '../place-instances.ts'
import { specsOf } from '../pool-specs.ts'
import { clusterNodes, hasSystem } from '../pool-view.ts'
import type { OperationsContext } from './operations-context.ts'
import { imagineRollout } from './start-rollout.ts'

interface Planned {
  readonly app: string
  readonly pool: string
  /** `v7`, or the commit that would become the next release. */
  readonly release: string
  /** As its environment has it, without sizes that were set. */
  readonly spec: AppSpec
  readonly replicas: Pool['replicas']
  /** Nodes that are thought away. */
  readonly without: readonly string[]
}

export interface PlannedRehearsal {
  readonly view: RehearsalView
  /** Node of each new instance, by entrypoint; undefined: not all of them have one, or it is not known. */
  readonly slots?: Readonly<Record<string, readonly string[]>>
}

/** Gangs start together and displacing asks others to leave: neither is gone through. */
export function unrehearsed({ entrypoints }: AppSpec): RehearsalView['unknown'] {
  const services = Object.values(entrypoints).filter(({ type }) => type === 'service')
  return [
    ...(services.some(({ gang }) => gang === true) ? (['gang'] as const) : []),
    ...(services.some(({ preempt }) => preempt === true) ? (['preempt'] as const) : []),
  ]
}

/** Goes through the rollout as it would be decided, on a copy of the books. */
export function planRehearsal(context: OperationsContext, books: Books, planned: Planned): PlannedRehearsal {
  const unable = unrehearsed(planned.spec)
  if (unable.length > 0) return { view: { stages: [], end: 'unknown', unplaced: [], unknown: unable, kept: [] } }
  const now = context.now()
  const snapshot = beginningOf(context, planned, now)
  const result = rehearseRollout(snapshot, nodesOf(context, books), now)
  const names = snapshot.rollout?.stages?.map(({ name }) => name) ?? []
  const view: RehearsalView = {
    stages: result.stages.map((stage, index) => ({
      name: names[index] ?? 'all',
      created: counted(stage.created, planned.release),
      left: counted(stage.left, planned.release),
      serving: { ...stage.serving },
      peaks: Object.entries(stage.peaks)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([node, use]) => ({ node, ...use })),
    })),
    end: result.end,
    unplaced: unplacedOf(result),
    unknown: unknownOf(snapshot, planned),
    kept: keptOf(context, planned, result),
  }
  return result.end === 'done' ? { view, slots: result.slots } : { view }
}

function beginningOf(context: OperationsContext, planned: Planned, now: number): PoolSnapshot {
  const { state, isOnline } = context
  const release = { app: planned.app, id: planned.release }
  const start = { release, pool: planned.pool, reason: 'deploy', createdBy: '', now } as const
  const { pool, rollout } = imagineRollout(state, start, planned.spec, planned.replicas)
  const before = state.pools.find(planned.app, planned.pool)
  const specs = new Map([...(before === undefined ? [] : specsOf(state, before)), [planned.release, planned.spec]])
  const instances = state.instances
    .byPool(planned.app, planned.pool)
    .filter((each) => each.type === 'service' && !planned.without.includes(each.node ?? ''))
    .map((each) => observe(context, each, now))
  const sites = new Map(
    state.nodes.all().flatMap(({ name, labels }) => (labels[siteLabel] ? [[name, labels[siteLabel]] as const] : [])),
  )
  const nodes = hasSystem(specs.values())
    ? { nodes: clusterNodes({ state, isOnline }).filter(({ name }) => !planned.without.includes(name)) }
    : {}
  return { pool, rollout, specs, instances, sites, listeningSince: 0, ...nodes }
}

/** What is on its way to serve is taken to serve; what does not serve is taken to go on like that. */
function observe({ state, isOnline }: OperationsContext, instance: Instance, now: number): ObservedInstance {
  const status = state.statuses.get(instance.id)
  const serves = status?.ready === true && instance.desired === 'run'
  const isStarting = status !== undefined && !status.ready && status.phase !== 'ended' && status.restarts === 0
  return {
    ...{ instance, nodeOnline: instance.node !== undefined && isOnline(instance.node) },
    ...{ since: serves ? 0 : now, routed: false, inTraffic: serves, outOfTraffic: !serves, inflight: 0 },
    ...(status === undefined || (isStarting && instance.desired === 'run') ? {} : { status }),
  }
}

/** As `InstancePlacer` and the server's books find places, on books of its own. */
function nodesOf(context: OperationsContext, books: Books) {
  const loans = context.books.loans.planner(books)
  return {
    place: (instance: Instance, snapshot: PoolSnapshot): RehearsedPlace => {
      const { pool, rollout, specs } = snapshot
      const spec = specs.get(instance.release)?.entrypoints[instance.entrypoint]
      if (spec === undefined) return { refused: `release ${instance.release} has no entrypoint ${instance.entrypoint}` }
      const isNew = instance.generation === rollout?.toGeneration && instance.pinnedTo === undefined
      const sites = isNew ? placingSites(rollout, specs.get(rollout.to)) : undefined
      return placeOn(context, books, instance, atSites(requestOf(instance, spec, pool, rollout), sites), loans)
    },
    leave: (id: string): void => void books.release(id),
    usedOn: (node: string): NodeUse | undefined => useOf(books, node),
  }
}

function placeOn(
  { state, books: live }: OperationsContext,
  books: Books,
  { id, app, pool, entrypoint, slot }: Instance,
  request: InstanceRequest,
  loans: ReturnType<OperationsContext['books']['loans']['planner']>,
): RehearsedPlace {
  const { group: name = defaultGroupName, cpuMilli = 0, memoryBytes = 0 } = request
  const group = state.groups.get(name)
  const quota = group === undefined ? undefined : quotaProblem(group, books.reservedIn(name), { cpuMilli, memoryBytes })
  if (quota !== undefined) return { refused: quota }
  const kept = slot === undefined ? undefined : state.keptAddresses.find({ app, pool, entrypoint, slot })?.address
  const refusals: string[] = []
  for (const wish of kept === undefined ? [request] : live.kept.wishes(request, kept)) {
    const decision = books.place(id, wish)
    if (decision.placed) return { node: decision.booking.node }
    const lent = kept === undefined ? loans(id, wish, decision.refusal) : undefined
    if (lent !== undefined) return { node: lent }
    refusals.push(decision.refusal.message)
  }
  return { refused: kept === undefined ? (refusals[0] ?? '') : live.kept.explain(kept, refusals) }
}

function useOf(books: Books, node: string): NodeUse | undefined {
  const free = books.freeOn(node)
  if (free === undefined) return undefined
  let [cpuMilli, memoryBytes] = [0, 0]
  for (const id of books.instancesOn(node)) {
    cpuMilli += books.booking(id)?.reservedCpuMilli ?? 0
    memoryBytes += books.booking(id)?.reservedMemoryBytes ?? 0
  }
  const all = { ofCpuMilli: cpuMilli + free.cpuFreeMilli, ofMemoryBytes: memoryBytes + free.memoryFreeBytes }
  return { cpuMilli, memoryBytes, ...all }
}

type CountedView = RehearsalView['stages'][number]['created'][number]

/** By entrypoint, node, and whether they are of the release that comes. */
function counted(list: readonly RehearsedInstance[], release: string): CountedView[] {
  const counts = new Map<string, CountedView>()
  for (const each of list) {
    const isNew = each.release === release
    const key = `${each.entrypoint} ${each.node} ${isNew}`
    const { entrypoint, node } = each
    counts.set(key, { entrypoint, node, isNew, count: (counts.get(key)?.count ?? 0) + 1 })
  }
  return [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, each]) => each)
}

function unplacedOf({ unplaced }: RehearsedRollout): RehearsalView['unplaced'] {
  const groups = Map.groupBy(unplaced, ({ entrypoint }) => entrypoint)
  return [...groups].map(([entrypoint, all]) => ({ entrypoint, count: all.length, why: all[0]?.refused ?? '' }))
}

/** What this plan cannot know, beside what every plan cannot. */
function unknownOf({ instances, rollout }: PoolSnapshot, { spec }: Planned): RehearsalView['unknown'] {
  const services = Object.values(spec.entrypoints).filter((each) => each.type === 'service' && !isSystem(each))
  const up = instances.filter(({ instance }) => instance.desired === 'run')
  return [
    ...(services.some((each) => placementOf(each).strategy.type === 'balance') ? (['balance'] as const) : []),
    ...(up.some(({ status }) => status !== undefined && !status.ready) ? (['not-serving'] as const) : []),
    ...(up.some(({ nodeOnline, instance }) => !nodeOnline && instance.node !== undefined) ? (['silent'] as const) : []),
    ...(up.some(({ instance }) => instance.generation !== rollout?.fromGeneration) ? (['mixed'] as const) : []),
  ]
}

/** Of every address that is kept: where it would be after, and where else it could be. */
function keptOf(
  { state, books: { kept } }: OperationsContext,
  { app, pool, spec }: Planned,
  { stages }: RehearsedRollout,
): RehearsalView['kept'] {
  const created = stages.flatMap((stage) => stage.created)
  return state.keptAddresses
    .byPool(app, pool)
    .filter(
      ({ entrypoint }) => spec.entrypoints[entrypoint] !== undefined && keepsAddresses(spec.entrypoints[entrypoint]),
    )
    .sort((a, b) => (a.entrypoint === b.entrypoint ? a.slot - b.slot : a.entrypoint < b.entrypoint ? -1 : 1))
    .map(({ address, entrypoint, slot }) => {
      const node = created.findLast((each) => each.entrypoint === entrypoint && each.slot === slot)?.node
      const [home, only] = [kept.homeOf(address), kept.whyNowhereElse(address)]
      return {
        ...{ address, entrypoint, slot },
        ...(node === undefined ? {} : { node }),
        ...(home === undefined ? {} : { home }),
        ...(only === undefined ? {} : { onlyThere: only }),
      }
    })
}
