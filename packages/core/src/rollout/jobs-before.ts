import type { Rollout, RolloutFailure } from '../model/index.ts'
import type { PoolGoal } from '../reconcile/plan-entrypoints.ts'
import type { ObservedInstance, PoolPlan, PoolSnapshot } from '../reconcile/pool-snapshot.ts'

interface JobsOutcome {
  readonly plan: PoolPlan
  readonly failure?: RolloutFailure
}

/**
 * The jobs of `rollout.before` (a database migration), one after the other, each to its end, before anything is replaced.
 * Returns undefined when there is none left to run.
 */
export function runJobsBefore(
  snapshot: PoolSnapshot,
  rollout: Rollout,
  goal: PoolGoal,
  now: number,
): JobsOutcome | undefined {
  if (rollout.state !== 'running') return undefined
  const name = goal.spec?.rollout.before.find((each) => !rollout.jobsDone.includes(each))
  if (name === undefined) return undefined
  const job = snapshot.instances.find(
    ({ instance }) => instance.type === 'job' && instance.rollout === rollout.id && instance.entrypoint === name,
  )
  if (job === undefined) return { plan: start(rollout, goal, name, now) }
  if (job.status?.phase !== 'ended') return waiting(job, goal, name, now)
  const code = job.status.lastExit?.code
  if (code !== 0) {
    const reason = `failed before the rollout with exit code ${code ?? 'unknown'}`
    return { plan: { steps: [] }, failure: { instance: job.instance.id, reason, logTail: job.status.logTail ?? [] } }
  }
  const done = { ...rollout, jobsDone: [...rollout.jobsDone, name], updatedAt: now }
  return { plan: { steps: [{ type: 'update-rollout', rollout: done }] } }
}

function start(rollout: Rollout, goal: PoolGoal, name: string, now: number): PoolPlan {
  const { release, generation } = goal
  return {
    steps: [
      { type: 'create', entrypoint: name, release, generation, kind: 'job', rollout: rollout.id },
      { type: 'update-rollout', rollout: { ...rollout, message: `running ${name} first`, updatedAt: now } },
    ],
  }
}

/** A job that finds no node, or whose image never comes, must not hold a rollout for ever. */
function waiting(job: ObservedInstance, goal: PoolGoal, name: string, now: number): JobsOutcome {
  const spec = goal.spec?.entrypoints[name]
  const until = job.instance.createdAt + (spec?.readyTimeoutMs ?? 60_000)
  if (job.status?.startedAt !== undefined) return { plan: { steps: [] } }
  if (now < until) return { plan: { steps: [], nextAt: until } }
  const why = job.instance.unplaced ?? job.status?.message ?? 'no report from its node'
  return { plan: { steps: [] }, failure: { instance: job.instance.id, reason: `did not start: ${why}`, logTail: [] } }
}
