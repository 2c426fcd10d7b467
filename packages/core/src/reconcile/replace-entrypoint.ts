import type { RolloutProgress, RolloutSpec } from '../model/index.ts'
import {
  hasSettled,
  isReady,
  isServing,
  isUp,
  mayServe,
  type ObservedInstance,
  type PoolStep,
} from './pool-snapshot.ts'
import { type RolloutLimits, rolloutLimits } from './rollout-limits.ts'
import { keptOnes, type StageBounds, type StageGoal, stageBounds } from './stage-bounds.ts'

type CreateStep = Extract<PoolStep, { readonly type: 'create' }>

export interface EntrypointGoal {
  readonly name: string
  readonly wanted: number
  /** Instances of this generation are the good ones; all others have to go. */
  readonly generation: number
  readonly release: string
  readonly limits: RolloutSpec
  readonly rollout?: string
  /** Whoever takes a place waits until the one before has ended. */
  readonly recreate?: true
  /** Only a part of them is to be new for now. */
  readonly stage?: StageGoal
}

export interface EntrypointPlan {
  readonly steps: readonly PoolStep[]
  readonly progress: RolloutProgress
  /** As many good ones as wanted serve, and nothing else does but what a stage keeps. */
  readonly complete: boolean
  /** When the first good one that serves will have settled. */
  readonly nextAt?: number
}

/** The instances of one entrypoint, as a decision sees them. */
export interface Groups {
  /** Of the wanted generation, and where they may stay and have room for what they are to have. */
  readonly good: readonly ObservedInstance[]
  /** Good ones that have served for long enough. */
  readonly settled: ReadonlySet<ObservedInstance>
  /** Those that have to go. */
  readonly old: readonly ObservedInstance[]
  /** Others that stay as long as the stage lasts. */
  readonly kept: readonly ObservedInstance[]
  readonly draining: readonly ObservedInstance[]
}

/**
 * Moves one entrypoint towards `wanted` good instances. Never more than `wanted + surge` instances exist besides at most `surge` that
 * rest, and never fewer than `wanted - unavailable` serve because of a step taken here: an old one leaves only when what remains is
 * enough.
 */
export function replaceEntrypoint(
  goal: EntrypointGoal,
  services: readonly ObservedInstance[],
  now: number,
): EntrypointPlan {
  const { wanted } = goal
  const limits = goal.recreate === true ? { surge: 0, unavailable: wanted } : rolloutLimits(goal.limits, wanted)
  const bounds = stageBounds(goal.stage, wanted)
  const groups = group(goal, bounds, services, now)
  const ending = goal.recreate === true ? services.filter(isEnding).length : 0
  const room = roomFor(wanted, limits, bounds, groups) - ending
  const creations = Math.max(0, Math.min(bounds.target - groups.good.length, room))
  const refilled = Math.max(0, Math.min(bounds.kept - groups.kept.length, room - creations))
  // Whoever is ending makes room; nothing is stuck while there is one.
  const leaving = oldLeaving(bounds, limits, groups, creations + refilled + ending)
  const why = (each: ObservedInstance): string =>
    wanted === 0
      ? 'no longer wanted'
      : each.instance.generation === goal.generation
        ? (each.moves ?? each.resize?.refused ?? '')
        : `replaced by ${goal.release}`
  return planOf(goal, bounds, groups, [
    ...leaving.map((each) => drainStep(each, why(each))),
    ...surplus(bounds.target, groups).map((each) => drainStep(each, `scaled to ${wanted}`)),
    ...resizeSteps([...groups.good, ...groups.kept]),
    ...Array.from({ length: creations }, () => createStep(goal)),
    ...Array.from({ length: refilled }, () => refillStep(goal)),
  ])
}

/** Its container may be there still. */
export const isEnding = ({ instance, lost }: ObservedInstance): boolean =>
  instance.desired === 'stop' && lost === undefined

/** How many may be created. */
export function roomFor(
  wanted: number,
  { surge }: RolloutLimits,
  { target, kept }: StageBounds,
  groups: Omit<Groups, 'settled'>,
): number {
  const resting = Math.min(surge, groups.draining.filter(isResting).length)
  const here = groups.good.length + groups.old.length + groups.kept.length + (groups.draining.length - resting)
  return Math.max(wanted, target + kept) + surge - here
}

export function planOf(
  goal: EntrypointGoal,
  { target, kept }: StageBounds,
  groups: Groups,
  steps: readonly PoolStep[],
): EntrypointPlan {
  const { wanted, limits } = goal
  const { good, settled, old, draining } = groups
  const settling = good.filter((each) => isServing(each) && !settled.has(each))
  const base = {
    steps,
    progress: progressOf(wanted, groups),
    complete:
      settled.size === target &&
      good.length === target &&
      groups.kept.length === kept &&
      old.length + draining.length === 0,
  }
  return settling.length === 0
    ? base
    : { ...base, nextAt: Math.min(...settling.map((each) => each.since)) + limits.settleMs }
}

/** Nothing is left for it to do; it is there only until names of it have expired. What comes next need not wait for that. */
const isResting = (each: ObservedInstance): boolean => each.outOfTraffic && each.inflight === 0

function group(goal: EntrypointGoal, bounds: StageBounds, services: readonly ObservedInstance[], now: number): Groups {
  const up = services.filter((each) => isUp(each) && each.lost === undefined)
  const isGood = (each: ObservedInstance): boolean =>
    each.instance.generation === goal.generation && each.moves === undefined && each.resize?.refused === undefined
  const good = up.filter(isGood)
  const others = up.filter((each) => !isGood(each))
  const kept = keptOnes(goal.stage, bounds.kept, others)
  return {
    good,
    settled: new Set(good.filter((each) => hasSettled(each, goal.limits.settleMs, now))),
    old: kept.length === 0 ? others : others.filter((each) => !kept.includes(each)),
    kept,
    draining: services.filter((each) => each.instance.desired === 'drain'),
  }
}

/**
 * Old ones that do not serve leave at once; of those that do, as many as are not needed any more. One that may be serving for all that
 * is known (its agent is silent, no gateway has said so yet) counts for nothing, yet it stays until the others are enough, or nothing
 * else could ever happen.
 */
export function oldLeaving(
  bounds: StageBounds,
  { unavailable }: RolloutLimits,
  groups: Groups,
  creations: number,
  inTurn: (instances: readonly ObservedInstance[]) => readonly ObservedInstance[] = byOrdinal,
): readonly ObservedInstance[] {
  const { good, settled, old, kept, draining } = groups
  const idle = old.filter((each) => !mayServe(each))
  const unsure = byOrdinal(old.filter((each) => mayServe(each) && !isServing(each)))
  const serving = inTurn(old.filter(isServing))
  const needed = Math.max(0, bounds.needed - unavailable)
  const spare = Math.min(settled.size, bounds.target) + kept.filter(isServing).length + serving.length - needed
  if (spare >= 0) return [...idle, ...unsure, ...serving.slice(0, spare)]
  // One that a stage keeps and that is on its way to serve is waited for.
  const coming = kept.some((each) => each.nodeOnline && !isServing(each))
  const stuck = creations + idle.length + draining.length === 0 && good.length === settled.size && !coming
  if (!stuck) return idle
  return unsure.toSorted((a, b) => Number(a.inTraffic) - Number(b.inTraffic)).slice(0, 1)
}

/** Good ones above the wanted number: those that serve least go first, then the youngest. */
function surplus(wanted: number, { good, settled }: Groups): readonly ObservedInstance[] {
  if (good.length <= wanted) return []
  const worth = (each: ObservedInstance): number =>
    Number(mayServe(each)) + Number(isReady(each)) + Number(settled.has(each))
  return [...good]
    .sort((a, b) => worth(a) - worth(b) || b.instance.ordinal - a.instance.ordinal)
    .slice(0, good.length - wanted)
}

const progressOf = (wanted: number, { good, settled, old, kept, draining }: Groups): RolloutProgress => ({
  wanted,
  newReady: settled.size,
  newStarting: good.length - settled.size,
  oldServing: old.length + kept.length,
  oldDraining: draining.length,
})

const byOrdinal = (instances: readonly ObservedInstance[]): ObservedInstance[] =>
  [...instances].sort((a, b) => a.instance.ordinal - b.instance.ordinal)

/** In place: it costs no capacity, so there is no bound to it. */
export const resizeSteps = (good: readonly ObservedInstance[]): PoolStep[] =>
  byOrdinal(good.filter(({ resize }) => resize !== undefined)).flatMap(({ instance, resize }) =>
    resize === undefined || resize.refused !== undefined || instance.node === undefined
      ? []
      : [{ type: 'resize', instance: instance.id, sizes: resize.to }],
  )

export const drainStep = (each: ObservedInstance, reason: string): PoolStep => ({
  type: 'drain',
  instance: each.instance.id,
  reason,
})

export function createStep(goal: EntrypointGoal): CreateStep {
  const step = {
    type: 'create',
    entrypoint: goal.name,
    release: goal.release,
    generation: goal.generation,
    kind: 'service',
  } as const
  return goal.rollout === undefined ? step : { ...step, rollout: goal.rollout }
}

/** One of the release that is being left, in the place of one that a stage keeps and that is gone. */
export function refillStep(goal: EntrypointGoal): CreateStep {
  const { release, generation } = goal.stage?.from ?? goal
  const { rollout: _, ...step } = createStep(goal)
  return { ...step, release, generation }
}
