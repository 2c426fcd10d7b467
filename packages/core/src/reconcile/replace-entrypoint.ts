import type { RolloutProgress, RolloutSpec } from '../model/index.ts'
import { hasSettled, isReady, isUp, type ObservedInstance, type PoolStep } from './pool-snapshot.ts'

export interface EntrypointGoal {
  readonly name: string
  readonly wanted: number
  /** Instances of this generation are the good ones; all others have to go. */
  readonly generation: number
  readonly release: string
  readonly limits: RolloutSpec
  readonly rollout?: string
}

export interface EntrypointPlan {
  readonly steps: readonly PoolStep[]
  readonly progress: RolloutProgress
  /** As many good ones as wanted serve, and nothing else does. */
  readonly complete: boolean
}

/**
 * Moves one entrypoint towards `wanted` good instances. Never more than `wanted + surge` instances exist, and never fewer than
 * `wanted - unavailable` serve because of a step taken here: an old one leaves only when what remains is enough.
 */
export function replaceEntrypoint(
  goal: EntrypointGoal,
  services: readonly ObservedInstance[],
  now: number,
): EntrypointPlan {
  const up = services.filter(isUp)
  const good = up.filter((each) => each.instance.generation === goal.generation)
  const old = up.filter((each) => each.instance.generation !== goal.generation)
  const draining = services.filter((each) => each.instance.desired === 'drain')
  const settled = good.filter((each) => hasSettled(each, goal.limits.settleMs, now))
  const oldReady = old.filter(isReady)

  const room = goal.wanted + goal.limits.surge - up.length - draining.length
  const creations = Math.max(0, Math.min(goal.wanted - good.length, room))
  const spare = Math.max(0, settled.length + oldReady.length - Math.max(0, goal.wanted - goal.limits.unavailable))
  const surplus = goodSurplus(goal, good)
  const leaving = [...old.filter((each) => !isReady(each)), ...byOrdinal(oldReady).slice(0, spare)]

  const steps: PoolStep[] = [
    ...leaving.map((each) => drain(each, goal.wanted === 0 ? 'no longer wanted' : `replaced by ${goal.release}`)),
    ...surplus.map((each) => drain(each, `scaled to ${goal.wanted}`)),
    ...Array.from({ length: creations }, () => create(goal)),
  ]
  return {
    steps,
    progress: {
      wanted: goal.wanted,
      newReady: settled.length,
      newStarting: good.length - settled.length,
      oldServing: old.length,
      oldDraining: draining.length,
    },
    complete:
      settled.length === goal.wanted && good.length === goal.wanted && old.length === 0 && draining.length === 0,
  }
}

/** Above the wanted number: those that do not serve go first, then the youngest. */
function goodSurplus(goal: EntrypointGoal, good: readonly ObservedInstance[]): readonly ObservedInstance[] {
  const count = Math.max(0, good.length - goal.wanted)
  return [...good]
    .sort((a, b) => Number(isReady(a)) - Number(isReady(b)) || b.instance.ordinal - a.instance.ordinal)
    .slice(0, count)
}

const byOrdinal = (instances: readonly ObservedInstance[]): ObservedInstance[] =>
  [...instances].sort((a, b) => a.instance.ordinal - b.instance.ordinal)

const drain = (each: ObservedInstance, reason: string): PoolStep => ({
  type: 'drain',
  instance: each.instance.id,
  reason,
})

function create(goal: EntrypointGoal): PoolStep {
  const step = {
    type: 'create',
    entrypoint: goal.name,
    release: goal.release,
    generation: goal.generation,
    kind: 'service',
  } as const
  return goal.rollout === undefined ? step : { ...step, rollout: goal.rollout }
}
