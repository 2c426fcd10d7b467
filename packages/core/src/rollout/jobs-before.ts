import type { Rollout, RolloutFailure } from '../model/index.ts'
import type { PoolGoal } from '../reconcile/plan-entrypoints.ts'
import { isUp, type ObservedInstance, type PoolPlan, type PoolSnapshot } from '../reconcile/pool-snapshot.ts'

interface JobsOutcome {
  readonly plan: PoolPlan
  readonly failure?: RolloutFailure
}

/** How much later than it should a job may be heard of. */
const lateMs = 60_000

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
  const jobs = snapshot.instances.filter(({ instance }) => instance.type === 'job' && instance.rollout !== undefined)
  const job = jobs.find(({ instance }) => instance.rollout === rollout.id && instance.entrypoint === name)
  const earlier = jobs.find((each) => each.instance.rollout !== rollout.id && mayRun(each))
  if (job === undefined && earlier !== undefined) return yieldTo(earlier, snapshot, rollout, now)
  if (job === undefined) return start(rollout, goal, name, now)
  if (!isUp(job)) return failed(job, `was ended before the rollout: ${job.instance.stopReason ?? 'stopped'}`)
  if (job.status?.phase === 'ended') return ended(job, rollout, name, now)
  const { late, nextAt } = lateJob(job, goal, now)
  if (late !== undefined) return failed(job, late)
  return { plan: nextAt === undefined ? { steps: [] } : { steps: [], nextAt } }
}

const mayRun = ({ instance, status }: ObservedInstance): boolean =>
  instance.node !== undefined && status?.phase !== 'ended'

function failed({ instance, status }: ObservedInstance, reason: string): JobsOutcome {
  return { plan: { steps: [] }, failure: { instance: instance.id, reason, logTail: status?.logTail ?? [] } }
}

function start(rollout: Rollout, goal: PoolGoal, name: string, now: number): JobsOutcome {
  const { release, generation } = goal
  const message = `running ${name} first`
  const create = { type: 'create', entrypoint: name, release, generation, kind: 'job', rollout: rollout.id } as const
  return { plan: { steps: [create, { type: 'update-rollout', rollout: { ...rollout, message, updatedAt: now } }] } }
}

/** A job of a rollout that was given up is being stopped: two migrations never run side by side. */
function yieldTo(job: ObservedInstance, snapshot: PoolSnapshot, rollout: Rollout, now: number): JobsOutcome {
  const { entrypoint, release } = job.instance
  const graceMs = snapshot.specs.get(release)?.entrypoints[entrypoint]?.stop.graceMs ?? 0
  const until = Math.max(rollout.createdAt, snapshot.listeningSince) + graceMs + lateMs
  return now < until ? { plan: { steps: [], nextAt: until } } : failed(job, 'of an earlier rollout has not ended yet')
}

function ended(job: ObservedInstance, rollout: Rollout, name: string, now: number): JobsOutcome {
  const code = job.status?.lastExit?.code
  if (code !== 0) return failed(job, `failed before the rollout with exit code ${code ?? 'unknown'}`)
  const done = { ...rollout, jobsDone: [...rollout.jobsDone, name], updatedAt: now }
  return { plan: { steps: [{ type: 'update-rollout', rollout: done }] } }
}

/**
 * Of one that has not ended: since when that is too late, or why it is already. A job that finds no node, or whose image never comes, must
 * not hold a rollout for ever; nor one whose node has died with it.
 */
export function lateJob(
  job: ObservedInstance,
  { spec: release }: PoolGoal,
  now: number,
): { readonly late?: string; readonly nextAt?: number } {
  const spec = release?.entrypoints[job.instance.entrypoint]
  const started = job.status?.startedAt !== undefined
  const limitMs = spec?.jobTimeoutMs ?? 0
  if (started && limitMs === 0) return {}
  const until = job.since + (started ? limitMs + lateMs : (spec?.readyTimeoutMs ?? lateMs))
  if (now < until) return { nextAt: until }
  if (started) return { late: `has not ended within its time limit: ${where(job)}` }
  return { late: `did not start: ${job.instance.unplaced ?? job.status?.message ?? 'no report from its node'}` }
}

const where = ({ instance, nodeOnline }: ObservedInstance): string =>
  nodeOnline ? `${instance.node} has not ended it` : `node ${instance.node} is offline`
