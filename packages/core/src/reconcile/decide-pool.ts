import { advanceRollout } from '../rollout/advance-rollout.ts'
import { planEntrypoints } from './plan-entrypoints.ts'
import { isUp, type ObservedInstance, type PoolPlan, type PoolSnapshot, type PoolStep } from './pool-snapshot.ts'
import { retire } from './retire.ts'

/**
 * What to do about one pool now. Pure: the same snapshot and time give the same plan; applying a plan and asking again gives
 * nothing until something has happened.
 */
export function decidePool(snapshot: PoolSnapshot, now: number): PoolPlan {
  const leaving = retire(snapshot, now)
  const main = decideMain(snapshot, now)
  const times = [leaving.nextAt, main.nextAt].filter((time) => time !== undefined)
  const steps = [...leaving.steps, ...main.steps]
  return times.length === 0 ? { steps } : { steps, nextAt: Math.min(...times) }
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
  const plans = planEntrypoints(snapshot, { spec, release: pool.release ?? '', generation: pool.generation }, now)
  return { steps: [...plans.values()].flatMap((plan) => plan.steps) }
}

function removePool(snapshot: PoolSnapshot): PoolStep[] {
  if (snapshot.instances.length === 0) return [{ type: 'remove-pool' }]
  return snapshot.instances.filter(isUp).map((each) => leave(each))
}

function leave(each: ObservedInstance): PoolStep {
  const reason = 'the pool is being removed'
  const quick = each.instance.type === 'job' || each.instance.node === undefined
  return { type: quick ? 'stop' : 'drain', instance: each.instance.id, reason }
}
