import type { Pool, Rollout, RolloutFailure, RolloutState } from '../model/index.ts'
import type { PoolGoal } from '../reconcile/plan-entrypoints.ts'
import type { PoolStep } from '../reconcile/pool-snapshot.ts'
import { restoreCounts } from '../reconcile/replica-counts.ts'
import { failedText } from './failed-text.ts'

interface RolloutEnd {
  readonly state: RolloutState
  readonly message: string
  readonly failure?: RolloutFailure
}

/** It has arrived where it was heading: the rollout ends and the pool is free. The two steps belong together. */
export const settle = (pool: Pool, rollout: Rollout, goal: PoolGoal, now: number): PoolStep[] =>
  end(pool, rollout, goal, endOf(rollout), now)

/** Going back has failed too. The pool is free all the same, and goes on moving to the release of before without a rollout. */
export function settleFailed(
  pool: Pool,
  rollout: Rollout,
  goal: PoolGoal,
  failure: RolloutFailure,
  now: number,
): PoolStep[] {
  const message = `going back to ${goal.release} failed too: ${failedText(failure)}`
  return end(pool, rollout, goal, { state: 'failed', message, failure: rollout.failure ?? failure }, now)
}

function endOf(rollout: Rollout): RolloutEnd {
  const { failure, from, to } = rollout
  if (rollout.state === 'running') return { state: 'succeeded', message: `${to} serves` }
  const why = failure === undefined ? 'aborted' : failedText(failure)
  if (from === undefined)
    return { state: failure === undefined ? 'aborted' : 'failed', message: `${why}; ${to} was removed` }
  return { state: failure === undefined ? 'aborted' : 'rolled-back', message: `${why}; ${from} serves` }
}

function end(pool: Pool, rollout: Rollout, goal: PoolGoal, how: RolloutEnd, now: number): PoolStep[] {
  const { rollout: _held, release: _old, ...rest } = how.state === 'succeeded' ? pool : whereItWas(pool, rollout)
  const replicas = how.state === 'succeeded' ? pool.replicas : restoreCounts(pool.replicas, rollout.replicasBefore)
  const free: Pool = { ...rest, replicas, generation: goal.generation }
  return [
    { type: 'update-rollout', rollout: { ...rollout, ...how, updatedAt: now, endedAt: now } },
    { type: 'update-pool', pool: goal.spec === undefined ? free : { ...free, release: goal.release } },
  ]
}

/** A move to another node group that did not succeed is undone, and sizes that it gave up are set again. */
function whereItWas(pool: Pool, { groupBefore, sizesBefore }: Rollout): Pool {
  const sized = sizesBefore === undefined ? pool : { ...pool, sizes: sizesBefore }
  if (groupBefore === undefined) return sized
  const { group: _, ...rest } = sized
  return groupBefore === null ? rest : { ...rest, group: groupBefore }
}
