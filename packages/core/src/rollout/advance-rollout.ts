import type { Rollout, RolloutFailure } from '../model/index.ts'
import { failsAt, failureOf } from '../reconcile/failure.ts'
import { earliest, type PoolGoal, planEntrypoints, progressOf } from '../reconcile/plan-entrypoints.ts'
import type { ObservedInstance, PoolPlan, PoolSnapshot, PoolStep } from '../reconcile/pool-snapshot.ts'
import type { EntrypointPlan } from '../reconcile/replace-entrypoint.ts'
import { awaitImages } from './await-images.ts'
import { failedText } from './failed-text.ts'
import { runJobsBefore } from './jobs-before.ts'
import { settle, settleFailed } from './settle.ts'
import { advanceStage, cutStage, stageOf } from './stages.ts'

/**
 * One step of a rollout. `running` moves the pool to `toGeneration`; a failure or an abort turns it to `rolling-back`, which moves
 * it back to `fromGeneration` by the very same replacement, so a pool is never left mixed. Ends: `succeeded`, `rolled-back`,
 * `aborted` (rolled back by a person), `failed` (nothing to go back to, or going back failed too).
 */
export function advanceRollout(snapshot: PoolSnapshot, rollout: Rollout, now: number): PoolPlan {
  if (rollout.state === 'paused') return { steps: [] }
  const goal = goalOf(snapshot, rollout)
  if (goal === undefined) return { steps: [] }
  const trial = judge(snapshot, rollout, goal, now)
  if (trial.failure !== undefined) return fail(snapshot, rollout, goal, trial.failure, now)
  const images = awaitImages(snapshot, rollout, goal, now)
  if (images !== undefined)
    return images.failure === undefined ? images.plan : fail(snapshot, rollout, goal, images.failure, now)
  const jobs = runJobsBefore(snapshot, rollout, goal, now)
  if (jobs !== undefined)
    return jobs.failure === undefined ? jobs.plan : fail(snapshot, rollout, goal, jobs.failure, now)
  const stage = stageOf(snapshot, rollout, goal)
  const plans = planEntrypoints(snapshot, stage === undefined ? goal : { ...goal, stage }, now)
  const all = [...plans.values()]
  const staged = advanceStage(snapshot, rollout, goal, plans, now)
  if (staged.failure !== undefined) {
    const back = fail(snapshot, staged.rollout, goal, staged.failure, now)
    return { ...back, steps: [...(staged.steps ?? []), ...back.steps] }
  }
  if (staged.over === true) {
    const ended = counted({ ...staged.rollout, progress: progressOf(plans) }, snapshot)
    return { steps: [...(staged.steps ?? []), ...settle(snapshot.pool, ended, goal, now)] }
  }
  const told = report(rollout, staged.rollout, plans, now)
  // What the next stage is about is decided with the next look.
  if (staged.moved === true) return { steps: [...(staged.steps ?? []), ...told] }
  const steps = [...all.flatMap((plan) => plan.steps), ...(staged.steps ?? []), ...told]
  const nextAt = earliest(trial.nextAt, staged.nextAt, ...all.map((plan) => plan.nextAt))
  return nextAt === undefined ? { steps } : { steps, nextAt }
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

interface Trial {
  readonly failure?: RolloutFailure
  /** When the first of those that do not serve will have failed. */
  readonly nextAt?: number
}

function judge(snapshot: PoolSnapshot, rollout: Rollout, goal: PoolGoal, now: number): Trial {
  let nextAt: number | undefined
  for (const each of snapshot.instances) {
    const { type, generation, entrypoint } = each.instance
    const spec = goal.spec?.entrypoints[entrypoint]
    if (spec === undefined || type !== 'service' || generation !== goal.generation || isOutOfReach(each)) continue
    const at = failsAt(each, spec, rollout)
    if (at === undefined) continue
    if (at <= now) return { failure: failureOf(each, spec) }
    nextAt = earliest(nextAt, at)
  }
  return nextAt === undefined ? {} : { nextAt }
}

/** Its node is given up, or it belongs to a silent one, for which nothing waits. */
const isOutOfReach = ({ instance, lost, nodeOnline }: ObservedInstance): boolean =>
  lost !== undefined || (instance.pinnedTo !== undefined && instance.node !== undefined && !nodeOnline)

function fail(
  snapshot: PoolSnapshot,
  rollout: Rollout,
  goal: PoolGoal,
  failure: RolloutFailure,
  now: number,
): PoolPlan {
  if (rollout.state === 'rolling-back')
    return { steps: settleFailed(snapshot.pool, counted(rollout, snapshot), goal, failure, now) }
  const back =
    rollout.from === undefined ? 'there is no release to go back to, removing it' : `going back to ${rollout.from}`
  const message = `${failedText(failure)}; ${back}`
  return {
    steps: [
      {
        type: 'update-rollout',
        rollout: { ...cutStage(rollout, now), state: 'rolling-back', failure, message, updatedAt: now },
      },
    ],
  }
}

const counted = (rollout: Rollout, { requests }: PoolSnapshot): Rollout =>
  requests === undefined ? rollout : { ...rollout, requests }

/** How far it has come; without stages it says so itself. */
function report(
  before: Rollout,
  rollout: Rollout,
  plans: ReadonlyMap<string, EntrypointPlan>,
  now: number,
): PoolStep[] {
  const progress = progressOf(plans)
  const isSame = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b)
  const isStaged = rollout.stages !== undefined && rollout.state === 'running'
  const moved = !isSame(progress, before.progress)
  if (!moved && isSame(rollout.stages, before.stages) && (!isStaged || rollout.message === before.message)) return []
  const counts = Object.entries(progress).map(([name, each]) => `${name} ${each.newReady}/${each.wanted}`)
  const own = rollout.state === 'rolling-back' ? rollout.message : `${rollout.to}: ${counts.join(', ')} ready`
  const message = isStaged ? rollout.message : own
  return [{ type: 'update-rollout', rollout: { ...rollout, progress, message, updatedAt: now } }]
}
