import { hasSettled, isReady, isUp, mayServe, type ObservedInstance } from './pool-snapshot.ts'
import {
  createStep,
  drainStep,
  type EntrypointGoal,
  type EntrypointPlan,
  type Groups,
  oldLeaving,
  planOf,
  resizeSteps,
  roomFor,
} from './replace-entrypoint.ts'
import { rolloutLimits } from './rollout-limits.ts'
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
  const { excess, ...groups } = group(goal, here, now)
  const missing = missingPlaces(places, groups)
  const creations = missing.slice(0, Math.max(0, Math.min(missing.length, roomFor(wanted, limits, groups))))
  const leaving = oldLeaving({ ...goal, wanted }, limits, groups, creations.length, (olds) =>
    inTurn(olds, places, groups),
  )
  const steps = [
    ...leaving.map((each) => drainStep(each, whyLeaving(goal, each))),
    ...excess.map((each) => drainStep(each, `scaled to ${places.perNode} a node`)),
    ...resizeSteps(groups.good),
    ...creations.map((node) => ({ ...createStep({ ...goal, wanted }), node })),
  ]
  return planOf({ ...goal, wanted }, groups, steps)
}

/** Of the right generation on a node that matches and is silent. */
const isAside = ({ generation, places }: SystemGoal, { instance, nodeOnline }: ObservedInstance): boolean =>
  instance.desired === 'run' &&
  instance.generation === generation &&
  instance.node !== undefined &&
  !nodeOnline &&
  places.matching.has(instance.pinnedTo ?? '')

function group(
  { generation, places, limits }: SystemGoal,
  services: readonly ObservedInstance[],
  now: number,
): Groups & { readonly excess: readonly ObservedInstance[] } {
  const open = new Set(places.open)
  const up = services.filter(isUp)
  const isPlaced = ({ instance }: ObservedInstance): boolean =>
    instance.generation === generation && open.has(instance.pinnedTo ?? '')
  const byNode = byPin(up.filter(isPlaced))
  const good = [...byNode.values()].flatMap((each) => bestFirst(each).slice(0, places.perNode))
  const excess = [...byNode.values()].flatMap((each) => bestFirst(each).slice(places.perNode))
  return {
    good,
    excess,
    settled: new Set(good.filter((each) => hasSettled(each, limits.settleMs, now))),
    old: up.filter((each) => !isPlaced(each)),
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

/** One entry for each instance that a node is short of; nodes on which nothing serves come first. */
function missingPlaces({ open, perNode }: SystemPlaces, { good, old }: Groups): string[] {
  const have = byPin(good)
  const served = new Set(old.filter(mayServe).map((each) => each.instance.node))
  const short = open.flatMap((node) => Array<string>(Math.max(0, perNode - (have.get(node)?.length ?? 0))).fill(node))
  return short.sort((a, b) => Number(served.has(a)) - Number(served.has(b)))
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
