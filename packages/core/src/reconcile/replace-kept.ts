import { hasSettled, isUp, type ObservedInstance } from './pool-snapshot.ts'
import {
  createStep,
  drainStep,
  type EntrypointGoal,
  type EntrypointPlan,
  type Groups,
  isEnding,
  oldLeaving,
  planOf,
  refillStep,
  resizeSteps,
  roomFor,
} from './replace-entrypoint.ts'
import { rolloutLimits } from './rollout-limits.ts'
import { keptOnes, type StageBounds, stageBounds, withAtLeast } from './stage-bounds.ts'

/**
 * Moves an entrypoint that keeps its addresses towards `wanted` good instances, one for each of the slots 1 … `wanted`. A slot is taken until
 * its instance has ended and is forgotten, or its node is given up: so there are never two at one address, and never more than `wanted`.
 * Never fewer than `wanted - unavailable` serve because of a step taken here, and one may always be missing.
 */
export function replaceKept(goal: EntrypointGoal, services: readonly ObservedInstance[], now: number): EntrypointPlan {
  const { wanted } = goal
  const limits = rolloutLimits({ surge: 0, unavailable: goal.limits.unavailable }, wanted)
  const { bounds, ...groups } = group(goal, services, now)
  const free = freeSlots(wanted, services)
  const room = Math.min(free.length, roomFor(wanted, limits, bounds, groups))
  const created = Math.max(0, Math.min(bounds.target - groups.good.length, room))
  const refilled = Math.max(0, Math.min(bounds.kept - groups.kept.length, room - created))
  // Whoever is ending makes room; nothing is stuck while there is one.
  const coming = created + refilled + services.filter(isEnding).length
  const leaving = oldLeaving(bounds, limits, groups, coming)
  return planOf(goal, bounds, groups, [
    ...leaving.map((each) => drainStep(each, whyLeaving(goal, each))),
    ...resizeSteps([...groups.good, ...groups.kept]),
    ...free.slice(0, created).map((slot) => ({ ...createStep(goal), slot })),
    ...free.slice(created, created + refilled).map((slot) => ({ ...refillStep(goal), slot })),
  ])
}

function group(
  goal: EntrypointGoal,
  services: readonly ObservedInstance[],
  now: number,
): Groups & { readonly bounds: StageBounds } {
  const up = services.filter((each) => isUp(each) && each.lost === undefined)
  const isGood = ({ instance, moves, resize }: ObservedInstance): boolean =>
    instance.generation === goal.generation &&
    isWanted(instance.slot, goal.wanted) &&
    moves === undefined &&
    resize?.refused === undefined
  const good = up.filter(isGood)
  const others = up.filter((each) => !isGood(each))
  const inSlots = others.filter(({ instance }) => isWanted(instance.slot, goal.wanted))
  const bounds = withAtLeast(stageBounds(goal.stage, goal.wanted), good.length, goal.wanted)
  const kept = keptOnes(goal.stage, bounds.kept, inSlots)
  return {
    bounds,
    good,
    settled: new Set(good.filter((each) => hasSettled(each, goal.limits.settleMs, now))),
    old: kept.length === 0 ? others : others.filter((each) => !kept.includes(each)),
    kept,
    draining: services.filter((each) => each.instance.desired === 'drain'),
  }
}

const isWanted = (slot: number | undefined, wanted: number): boolean => slot !== undefined && slot <= wanted

function freeSlots(wanted: number, services: readonly ObservedInstance[]): number[] {
  const taken = new Set(services.filter(({ lost }) => lost === undefined).map(({ instance }) => instance.slot))
  return Array.from({ length: wanted }, (_, index) => index + 1).filter((slot) => !taken.has(slot))
}

function whyLeaving({ wanted, generation, release }: EntrypointGoal, each: ObservedInstance): string {
  if (wanted === 0) return 'no longer wanted'
  if (each.instance.generation !== generation) return `replaced by ${release}`
  return each.moves ?? each.resize?.refused ?? `scaled to ${wanted}`
}
