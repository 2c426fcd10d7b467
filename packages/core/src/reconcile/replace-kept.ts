import { hasSettled, isUp, type ObservedInstance } from './pool-snapshot.ts'
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

/**
 * Moves an entrypoint that keeps its addresses towards `wanted` good instances, one for each of the slots 1 … `wanted`. A slot is taken until
 * its instance has ended and is forgotten, or its node is given up: so there are never two at one address, and never more than `wanted`.
 * Never fewer than `wanted - unavailable` serve because of a step taken here, and one may always be missing.
 */
export function replaceKept(goal: EntrypointGoal, services: readonly ObservedInstance[], now: number): EntrypointPlan {
  const { wanted } = goal
  const limits = rolloutLimits({ surge: 0, unavailable: goal.limits.unavailable }, wanted)
  const groups = group(goal, services, now)
  const free = freeSlots(wanted, services)
  const room = Math.max(0, Math.min(wanted - groups.good.length, roomFor(wanted, limits, groups)))
  const slots = free.slice(0, room)
  // Whoever is ending makes room; nothing is stuck while there is one.
  const coming = slots.length + services.filter(isEnding).length
  const leaving = oldLeaving(goal, limits, groups, coming)
  return planOf(goal, groups, [
    ...leaving.map((each) => drainStep(each, whyLeaving(goal, each))),
    ...resizeSteps(groups.good),
    ...slots.map((slot) => ({ ...createStep(goal), slot })),
  ])
}

const isEnding = ({ instance, lost }: ObservedInstance): boolean => instance.desired === 'stop' && lost === undefined

function group(goal: EntrypointGoal, services: readonly ObservedInstance[], now: number): Groups {
  const up = services.filter((each) => isUp(each) && each.lost === undefined)
  const isGood = ({ instance, moves, resize }: ObservedInstance): boolean =>
    instance.generation === goal.generation &&
    isWanted(instance.slot, goal.wanted) &&
    moves === undefined &&
    resize?.refused === undefined
  const good = up.filter(isGood)
  return {
    good,
    settled: new Set(good.filter((each) => hasSettled(each, goal.limits.settleMs, now))),
    old: up.filter((each) => !isGood(each)),
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
