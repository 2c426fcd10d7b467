import { hasSettled, isReady, isUp, mayServe, type ObservedInstance } from './pool-snapshot.ts'
import {
  createStep,
  drainStep,
  type EntrypointGoal,
  type EntrypointPlan,
  type Groups,
  oldLeaving,
  planOf,
  refillStep,
  resizeSteps,
  roomFor,
} from './replace-entrypoint.ts'
import { rolloutLimits } from './rollout-limits.ts'
import { keptOnes, type StageBounds, stageBounds, withAtLeast } from './stage-bounds.ts'
import type { SystemPlaces } from './system-places.ts'

export interface SystemGoal extends Omit<EntrypointGoal, 'wanted'> {
  readonly places: SystemPlaces
}

/**
 * Moves a system service towards its places, by the same bounds as any other service: never more than `wanted + surge`, never fewer than
 * `wanted - unavailable` serving because of a step taken here. On each node the old one stays until the new one serves, as far as these
 * bounds leave a choice.
 *
 * A node that is not heard of has no place, and nothing waits for it: what runs there of the right generation is left alone and counts
 * for nothing, whether or not it serves.
 */
export function replaceSystem(goal: SystemGoal, services: readonly ObservedInstance[], now: number): EntrypointPlan {
  const { places } = goal
  const wanted = places.open.length * places.perNode
  const limits = rolloutLimits(goal.limits, wanted)
  const here = services.filter((each) => !isAside(goal, each))
  const { excess, bounds, ...groups } = group(goal, wanted, here, now)
  const missing = missingPlaces(places, groups, goal.stage?.at)
  const room = Math.min(missing.length, roomFor(wanted, limits, bounds, groups))
  const open = missing.filter((node) => goal.stage?.at?.has(node) !== false).length
  const created = Math.max(0, Math.min(bounds.target - groups.good.length, room, open))
  const refilled = Math.max(0, Math.min(bounds.kept - groups.kept.length, room - created))
  const leaving = oldLeaving(bounds, limits, groups, created + refilled, (olds) => inTurn(olds, places, groups))
  const counted = { ...goal, wanted }
  const steps = [
    ...leaving.map((each) => drainStep(each, whyLeaving(goal, each))),
    ...excess.map((each) => drainStep(each, `scaled to ${places.perNode} a node`)),
    ...resizeSteps([...groups.good, ...groups.kept]),
    ...missing.slice(0, created).map((node) => ({ ...createStep(counted), node })),
    ...missing.slice(created, created + refilled).map((node) => ({ ...refillStep(counted), node })),
  ]
  return planOf(counted, bounds, groups, steps)
}

/** Of the right generation on a node that matches and is silent. */
const isAside = ({ generation, places }: SystemGoal, { instance, nodeOnline }: ObservedInstance): boolean =>
  instance.desired === 'run' &&
  instance.generation === generation &&
  instance.node !== undefined &&
  !nodeOnline &&
  places.matching.has(instance.pinnedTo ?? '')

function group(
  { generation, places, limits, stage }: SystemGoal,
  wanted: number,
  services: readonly ObservedInstance[],
  now: number,
): Groups & { readonly excess: readonly ObservedInstance[]; readonly bounds: StageBounds } {
  const open = new Set(places.open)
  const up = services.filter(isUp)
  const isPlaced = ({ instance }: ObservedInstance): boolean =>
    instance.generation === generation && open.has(instance.pinnedTo ?? '')
  const byNode = byPin(up.filter(isPlaced))
  const good = [...byNode.values()].flatMap((each) => bestFirst(each).slice(0, places.perNode))
  const excess = [...byNode.values()].flatMap((each) => bestFirst(each).slice(places.perNode))
  const others = up.filter((each) => !isPlaced(each))
  const filled = byPin(good)
  const inPlaces = others.filter(({ instance }) => open.has(instance.pinnedTo ?? ''))
  const bounds = withAtLeast(stageBounds(stage, wanted), good.length, wanted)
  const kept = keptOnes(stage, bounds.kept, inPlaces, ({ instance }) =>
    (filled.get(instance.pinnedTo ?? '')?.length ?? 0) < places.perNode ? 1 : 0,
  )
  return {
    good,
    bounds,
    excess,
    settled: new Set(good.filter((each) => hasSettled(each, limits.settleMs, now))),
    old: kept.length === 0 ? others : others.filter((each) => !kept.includes(each)),
    kept,
    draining: services.filter((each) => each.instance.desired === 'drain'),
  }
}

function byPin(instances: Iterable<ObservedInstance>): Map<string, ObservedInstance[]> {
  const groups = new Map<string, ObservedInstance[]>()
  for (const each of instances) {
    const node = each.instance.pinnedTo ?? ''
    groups.set(node, [...(groups.get(node) ?? []), each])
  }
  return groups
}

/** Those that serve most, then the oldest. */
const bestFirst = (instances: readonly ObservedInstance[]): ObservedInstance[] => {
  const worth = (each: ObservedInstance): number => Number(mayServe(each)) + Number(isReady(each))
  return [...instances].sort((a, b) => worth(b) - worth(a) || a.instance.ordinal - b.instance.ordinal)
}

/** One entry for each instance that a node is short of; those where a stage replaces come first, then nodes on which nothing serves. */
function missingPlaces(
  { open, perNode }: SystemPlaces,
  { good, old, kept }: Groups,
  at: ReadonlySet<string> | undefined,
): string[] {
  const have = byPin([...good, ...kept])
  const served = new Set(old.filter(mayServe).map((each) => each.instance.node))
  const short = open.flatMap((node) => Array<string>(Math.max(0, perNode - (have.get(node)?.length ?? 0))).fill(node))
  const last = (node: string): number => Number(at?.has(node) === false) * 2 + Number(served.has(node))
  return short.sort((a, b) => last(a) - last(b))
}

/** First those whose node is no place any more, then those whose successor serves, then those in the way of one that waits for room. */
function inTurn(
  olds: readonly ObservedInstance[],
  places: SystemPlaces,
  { good, settled }: Groups,
): ObservedInstance[] {
  const served = byPin(settled)
  const waiting = new Set(good.filter((each) => !settled.has(each)).map((each) => each.instance.pinnedTo))
  const rank = ({ instance: { node = '' } }: ObservedInstance): number => {
    if (!places.open.includes(node)) return 0
    if ((served.get(node)?.length ?? 0) >= places.perNode) return 1
    return waiting.has(node) ? 2 : 3
  }
  return [...olds].sort((a, b) => rank(a) - rank(b) || a.instance.ordinal - b.instance.ordinal)
}

function whyLeaving({ generation, release, places }: SystemGoal, { instance }: ObservedInstance): string {
  if (places.open.length === 0) return 'no node matches any more'
  if (instance.generation !== generation) return `replaced by ${release}`
  return `${instance.pinnedTo ?? instance.node} is no place for it any more`
}
