import type { AppSpec, EntrypointSpec, Pool, RolloutProgress } from '../model/index.ts'
import { advanceRollout } from '../rollout/advance-rollout.ts'
import { isUp, type ObservedInstance, type PoolPlan, type PoolSnapshot, type PoolStep } from './pool-snapshot.ts'
import { type EntrypointGoal, type EntrypointPlan, replaceEntrypoint } from './replace-entrypoint.ts'
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

export interface PoolGoal {
  /** undefined: nothing should run. */
  readonly spec: AppSpec | undefined
  readonly release: string
  readonly generation: number
  readonly rollout?: string
}

/** One plan for each service entrypoint of the goal and for each that still has instances. */
export function planEntrypoints(snapshot: PoolSnapshot, goal: PoolGoal, now: number): Map<string, EntrypointPlan> {
  const services = snapshot.instances.filter((each) => each.instance.type === 'service')
  const names = new Set([...serviceNames(goal.spec), ...services.map((each) => each.instance.entrypoint)])
  const plans = new Map<string, EntrypointPlan>()
  for (const name of [...names].sort()) {
    const own = services.filter((each) => each.instance.entrypoint === name)
    plans.set(name, replaceEntrypoint(entrypointGoal(snapshot.pool, goal, name), own, now))
  }
  return plans
}

function entrypointGoal(pool: Pool, goal: PoolGoal, name: string): EntrypointGoal {
  const spec = goal.spec?.entrypoints[name]
  const base = {
    name,
    wanted: spec?.type === 'service' ? wantedCount(pool, name, spec) : 0,
    generation: goal.generation,
    release: goal.release,
    limits: goal.spec?.rollout ?? { surge: 1, unavailable: 0, settleMs: 0, before: [] },
  }
  return goal.rollout === undefined ? base : { ...base, rollout: goal.rollout }
}

/** `scale` wins over the yaml until the yaml's number changes (settled when a rollout starts). */
export const wantedCount = (pool: Pool, name: string, spec: EntrypointSpec): number =>
  pool.replicas[name]?.count ?? spec.replicas

export const serviceNames = (spec: AppSpec | undefined): string[] =>
  Object.entries(spec?.entrypoints ?? {})
    .filter(([, each]) => each.type === 'service')
    .map(([name]) => name)

export const progressOf = (plans: ReadonlyMap<string, EntrypointPlan>): Record<string, RolloutProgress> =>
  Object.fromEntries([...plans].map(([name, plan]) => [name, plan.progress]))

function removePool(snapshot: PoolSnapshot): PoolStep[] {
  if (snapshot.instances.length === 0) return [{ type: 'remove-pool' }]
  return snapshot.instances.filter(isUp).map((each) => leave(each))
}

function leave(each: ObservedInstance): PoolStep {
  const reason = 'the pool is being removed'
  const quick = each.instance.type === 'job' || each.instance.node === undefined
  return { type: quick ? 'stop' : 'drain', instance: each.instance.id, reason }
}
