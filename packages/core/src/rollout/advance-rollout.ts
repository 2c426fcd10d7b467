import type { Pool, Rollout, RolloutFailure, RolloutState } from '../model/index.ts'
import { failureOf } from '../reconcile/failure.ts'
import { type PoolGoal, planEntrypoints, progressOf } from '../reconcile/plan-entrypoints.ts'
import type { ObservedInstance, PoolPlan, PoolSnapshot, PoolStep } from '../reconcile/pool-snapshot.ts'
import type { EntrypointPlan } from '../reconcile/replace-entrypoint.ts'
import { restoreCounts } from '../reconcile/replica-counts.ts'
import { runJobsBefore } from './jobs-before.ts'

/**
 * One step of a rollout. `running` moves the pool to `toGeneration`; a failure or an abort turns it to `rolling-back`, which moves
 * it back to `fromGeneration` by the very same replacement, so a pool is never left mixed. Ends: `succeeded`, `rolled-back`,
 * `aborted` (rolled back by a person), `failed` (nothing to go back to, or going back failed too).
 */
export function advanceRollout(snapshot: PoolSnapshot, rollout: Rollout, now: number): PoolPlan {
  if (rollout.state === 'paused') return { steps: [] }
  const goal = goalOf(snapshot, rollout)
  if (goal === undefined) return { steps: [] }
  const failure = findFailure(snapshot, goal, now)
  if (failure !== undefined) return fail(snapshot, rollout, goal, failure, now)
  const jobs = runJobsBefore(snapshot, rollout, goal, now)
  if (jobs !== undefined)
    return jobs.failure === undefined ? jobs.plan : fail(snapshot, rollout, goal, jobs.failure, now)
  const plans = planEntrypoints(snapshot, goal, now)
  const strayJobs = rollout.state === 'rolling-back' ? stopJobs(snapshot, rollout) : []
  if ([...plans.values()].every((plan) => plan.complete)) return finish(snapshot.pool, rollout, goal, plans, now)
  return {
    steps: [...strayJobs, ...[...plans.values()].flatMap((plan) => plan.steps), ...report(rollout, plans, now)],
    ...nextLook(snapshot, goal, now),
  }
}

/** Where it is heading; undefined while the release's spec has not arrived in the snapshot. */
function goalOf(snapshot: PoolSnapshot, rollout: Rollout): PoolGoal | undefined {
  const back = rollout.state === 'rolling-back'
  const release = back ? rollout.from : rollout.to
  const generation = back ? rollout.fromGeneration : rollout.toGeneration
  if (release === undefined) return { spec: undefined, release: '', generation, rollout: rollout.id }
  const spec = snapshot.specs.get(release)
  return spec === undefined ? undefined : { spec, release, generation, rollout: rollout.id }
}

function findFailure(snapshot: PoolSnapshot, goal: PoolGoal, now: number): RolloutFailure | undefined {
  for (const each of currentServices(snapshot, goal)) {
    const spec = goal.spec?.entrypoints[each.instance.entrypoint]
    const failure = spec === undefined ? undefined : failureOf(each, spec, now)
    if (failure !== undefined) return failure
  }
  return undefined
}

/** Only what this rollout made can fail it: on the way back, what served before is not put on trial. */
const currentServices = (snapshot: PoolSnapshot, goal: PoolGoal): ObservedInstance[] =>
  snapshot.instances.filter(
    ({ instance }) =>
      instance.type === 'service' && instance.generation === goal.generation && instance.rollout === goal.rollout,
  )

function fail(
  snapshot: PoolSnapshot,
  rollout: Rollout,
  goal: PoolGoal,
  failure: RolloutFailure,
  now: number,
): PoolPlan {
  if (rollout.state === 'rolling-back') {
    const message = `going back to ${goal.release} failed too: ${failure.instance} ${failure.reason}`
    return {
      steps: settle(
        snapshot.pool,
        rollout,
        goal,
        { state: 'failed', message, failure: rollout.failure ?? failure },
        now,
      ),
    }
  }
  const back =
    rollout.from === undefined ? 'there is no release to go back to, removing it' : `going back to ${rollout.from}`
  const message = `${failure.instance} ${failure.reason}; ${back}`
  return {
    steps: [
      { type: 'update-rollout', rollout: { ...rollout, state: 'rolling-back', failure, message, updatedAt: now } },
    ],
  }
}

/** An aborted rollout's own job must not go on behind its back. */
const stopJobs = (snapshot: PoolSnapshot, rollout: Rollout): PoolStep[] =>
  snapshot.instances
    .filter(
      ({ instance, status }) =>
        instance.type === 'job' &&
        instance.rollout === rollout.id &&
        instance.desired === 'run' &&
        status?.phase !== 'ended',
    )
    .map(({ instance }) => ({ type: 'stop', instance: instance.id, reason: 'its rollout was stopped' }))

function finish(
  pool: Pool,
  rollout: Rollout,
  goal: PoolGoal,
  plans: ReadonlyMap<string, EntrypointPlan>,
  now: number,
): PoolPlan {
  const end = endOf(rollout)
  return { steps: settle(pool, { ...rollout, progress: progressOf(plans) }, goal, end, now) }
}

interface RolloutEnd {
  readonly state: RolloutState
  readonly message: string
  readonly failure?: RolloutFailure
}

function endOf(rollout: Rollout): RolloutEnd {
  if (rollout.state === 'running') return { state: 'succeeded', message: `${rollout.to} serves` }
  const why = rollout.failure === undefined ? 'aborted' : `${rollout.failure.instance} ${rollout.failure.reason}`
  if (rollout.from === undefined)
    return { state: rollout.failure === undefined ? 'aborted' : 'failed', message: `${why}; ${rollout.to} was removed` }
  return { state: rollout.failure === undefined ? 'aborted' : 'rolled-back', message: `${why}; ${rollout.from} serves` }
}

function settle(pool: Pool, rollout: Rollout, goal: PoolGoal, end: RolloutEnd, now: number): PoolStep[] {
  const { rollout: _held, release: _old, ...rest } = pool
  const replicas = end.state === 'succeeded' ? pool.replicas : restoreCounts(pool.replicas, rollout.replicasBefore)
  const free: Pool = { ...rest, replicas, generation: goal.generation }
  return [
    { type: 'update-rollout', rollout: { ...rollout, ...end, updatedAt: now, endedAt: now } },
    { type: 'update-pool', pool: goal.spec === undefined ? free : { ...free, release: goal.release } },
  ]
}

function report(rollout: Rollout, plans: ReadonlyMap<string, EntrypointPlan>, now: number): PoolStep[] {
  const progress = progressOf(plans)
  if (JSON.stringify(progress) === JSON.stringify(rollout.progress)) return []
  const counts = Object.entries(progress).map(([name, each]) => `${name} ${each.newReady}/${each.wanted}`)
  const message = rollout.state === 'rolling-back' ? rollout.message : `${rollout.to}: ${counts.join(', ')} ready`
  return [{ type: 'update-rollout', rollout: { ...rollout, progress, message, updatedAt: now } }]
}

/** The next moment at which time alone can change the decision: a readiness time-out or the end of settling. */
function nextLook(snapshot: PoolSnapshot, goal: PoolGoal, now: number): { nextAt?: number } {
  const times = currentServices(snapshot, goal).flatMap(({ instance, status }) => {
    const spec = goal.spec?.entrypoints[instance.entrypoint]
    if (spec === undefined || instance.desired !== 'run') return []
    const readyAt = status?.ready === true ? (status.readyAt ?? now) : undefined
    const marks =
      readyAt === undefined
        ? [instance.createdAt + spec.readyTimeoutMs]
        : [readyAt + (goal.spec?.rollout.settleMs ?? 0), readyAt + spec.readyTimeoutMs]
    return marks.filter((mark) => mark > now)
  })
  return times.length === 0 ? {} : { nextAt: Math.min(...times) }
}
