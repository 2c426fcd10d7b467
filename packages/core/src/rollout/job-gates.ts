import type { GateSpec, Rollout, RolloutFailure, RolloutGate } from '../model/index.ts'
import type { PoolGoal } from '../reconcile/plan-entrypoints.ts'
import { isUp, type ObservedInstance, type PoolSnapshot, type PoolStep } from '../reconcile/pool-snapshot.ts'
import { lateJob } from './jobs-before.ts'

export type JobGate = Extract<GateSpec, { readonly type: 'job' }>

export interface JobJudgement {
  readonly gate: RolloutGate
  /** The run begins. */
  readonly step?: PoolStep
  /** More than the gate says of why it failed. */
  readonly detail?: Pick<RolloutFailure, 'instance' | 'logTail'>
  readonly nextAt?: number
}

export interface JobGateView {
  readonly snapshot: PoolSnapshot
  readonly rollout: Rollout
  readonly goal: PoolGoal
  /** All instances of the stage serve, and nothing is on its way. */
  readonly complete: boolean
  /** Since when they have served, for the first time. Undefined: they have not yet. */
  readonly readyAt: number | undefined
}

/** One run of a job of the new release, begun when the stage's instances serve. The run itself is the memory of it: instances of a rollout's jobs stay while it goes on. */
export function judgeJob({ job: name }: JobGate, before: RolloutGate, view: JobGateView, now: number): JobJudgement {
  const { snapshot, rollout, goal, complete, readyAt } = view
  if (readyAt === undefined || before.verdict === 'passed' || before.verdict === 'failed') return { gate: before }
  const job = snapshot.instances.find(({ instance }) => {
    const { type, entrypoint, createdAt } = instance
    return type === 'job' && instance.rollout === rollout.id && entrypoint === name && createdAt >= readyAt
  })
  if (job === undefined) {
    const { release, generation } = goal
    const step = { type: 'create', entrypoint: name, release, generation, kind: 'job', rollout: rollout.id } as const
    return complete ? { gate: before, step } : { gate: before }
  }
  const failed = (why: string): JobJudgement => ({
    gate: { ...before, verdict: 'failed', message: `job ${name} ${why}`, at: now },
    detail: { instance: job.instance.id, logTail: job.status?.logTail ?? [] },
  })
  if (!isUp(job)) return failed(`was ended: ${job.instance.stopReason ?? 'stopped'}`)
  if (job.status?.phase !== 'ended') {
    const { late, nextAt } = lateJob(job, goal, now)
    if (late !== undefined) return failed(late)
    return nextAt === undefined ? { gate: before } : { gate: before, nextAt }
  }
  const code = job.status.lastExit?.code
  if (code !== 0) return failed(`failed with exit code ${code ?? 'unknown'}`)
  return { gate: { ...before, verdict: 'passed', message: `job ${name} has ended well${tookText(job)}`, at: now } }
}

function tookText({ status }: ObservedInstance): string {
  const { startedAt, endedAt } = status ?? {}
  return startedAt === undefined || endedAt === undefined
    ? ''
    : ` after ${Math.round((endedAt - startedAt) / 100) / 10} s`
}
