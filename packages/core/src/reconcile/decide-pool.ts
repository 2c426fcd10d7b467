import { advanceRollout } from '../rollout/advance-rollout.ts'
import { earliest, planEntrypoints } from './plan-entrypoints.ts'
import { isUp, type ObservedInstance, type PoolPlan, type PoolSnapshot, type PoolStep } from './pool-snapshot.ts'
import { releaseAddresses } from './release-addresses.ts'
import { defaultPatience, type Patience, retire } from './retire.ts'

/**
 * What to do about one pool now. Pure: the same snapshot and time give the same plan; applying a plan and asking again gives
 * nothing until something has happened. Steps may be applied from the first to any of them, except that the end of a rollout and the
 * pool's release from it, which come first, belong together.
 */
export function decidePool(snapshot: PoolSnapshot, now: number, patience: Patience = defaultPatience): PoolPlan {
  const main = decideMain(snapshot, now)
  const leaving = retire(snapshot, now, patience)
  const lost = new Map([...giveUp(snapshot), ...displacedJobs(snapshot)])
  const others = [...main.steps, ...leaving.steps].filter((step) => !('instance' in step && lost.has(step.instance)))
  return withTime([...others, ...lost.values(), ...releaseAddresses(snapshot)], earliest(main.nextAt, leaving.nextAt))
}

function decideMain(snapshot: PoolSnapshot, now: number): PoolPlan {
  if (snapshot.pool.removing === true) return { steps: removePool(snapshot) }
  if (snapshot.rollout !== undefined) return advanceRollout(snapshot, snapshot.rollout, now)
  return maintain(snapshot, now)
}

/** Without a rollout: as many instances of the pool's release as wanted, and no others. */
function maintain(snapshot: PoolSnapshot, now: number): PoolPlan {
  const { pool } = snapshot
  const spec = pool.release === undefined ? undefined : snapshot.specs.get(pool.release)
  if (pool.release !== undefined && spec === undefined) return { steps: [] }
  const goal = { spec, release: pool.release ?? '', generation: pool.generation }
  const plans = [...planEntrypoints(snapshot, goal, now).values()]
  return withTime(
    plans.flatMap((plan) => plan.steps),
    earliest(...plans.map((plan) => plan.nextAt)),
  )
}

/** Services on nodes that are lost: others take their places, and the tombstone waits for the node. */
function giveUp({ instances }: PoolSnapshot): Map<string, PoolStep> {
  const steps = new Map<string, PoolStep>()
  for (const { instance, lost } of instances)
    if (lost !== undefined && instance.desired !== 'stop' && instance.type === 'service')
      steps.set(instance.id, { type: 'stop', instance: instance.id, reason: lost })
  return steps
}

/** A job has no successor that could be waited for. */
function displacedJobs({ instances }: PoolSnapshot): Map<string, PoolStep> {
  const steps = new Map<string, PoolStep>()
  for (const { instance, moves } of instances)
    if (moves !== undefined && instance.desired !== 'stop' && instance.type === 'job')
      steps.set(instance.id, { type: 'stop', instance: instance.id, reason: moves })
  return steps
}

const withTime = (steps: readonly PoolStep[], nextAt: number | undefined): PoolPlan =>
  nextAt === undefined ? { steps } : { steps, nextAt }

function removePool(snapshot: PoolSnapshot): PoolStep[] {
  if (snapshot.instances.length === 0) return (snapshot.kept ?? []).length > 0 ? [] : [{ type: 'remove-pool' }]
  return snapshot.instances.filter(isUp).map((each) => leave(each))
}

function leave(each: ObservedInstance): PoolStep {
  const reason = 'the pool is being removed'
  const quick = each.instance.type === 'job' || each.instance.node === undefined
  return { type: quick ? 'stop' : 'drain', instance: each.instance.id, reason }
}
