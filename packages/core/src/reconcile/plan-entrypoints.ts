import type { AppSpec, EntrypointSpec, InstanceShare, Pool, RolloutProgress } from '../model/index.ts'
import { keepsAddresses } from '../spec/keeps-addresses.ts'
import { isSystem, nodeGroupOf } from '../spec/placement-of.ts'
import type { ObservedInstance, PoolSnapshot } from './pool-snapshot.ts'
import { type EntrypointGoal, type EntrypointPlan, replaceEntrypoint } from './replace-entrypoint.ts'
import { replaceKept } from './replace-kept.ts'
import { replaceSystem } from './replace-system.ts'
import type { StageGoal } from './stage-bounds.ts'
import { systemPlaces } from './system-places.ts'

export interface PoolGoal {
  /** undefined: nothing should run. */
  readonly spec: AppSpec | undefined
  readonly release: string
  readonly generation: number
  readonly rollout?: string
  /** Only a part of it is to be there for now. */
  readonly stage?: PoolStage
}

/** A stage that is not about all instances. */
export interface PoolStage {
  /** What this stage and those before it say of an entrypoint. */
  readonly shares: (entrypoint: string) => readonly InstanceShare[]
  /** Nodes on which it replaces. Absent: on any. */
  readonly at?: ReadonlySet<string>
  readonly beside: boolean
  readonly from: { readonly release: string; readonly generation: number; readonly spec: AppSpec }
  /** The counts of before, with which the old ones go on. */
  readonly replicasBefore: Pool['replicas']
}

/** One plan for each service entrypoint of the goal and for each that still has instances. */
export function planEntrypoints(snapshot: PoolSnapshot, goal: PoolGoal, now: number): Map<string, EntrypointPlan> {
  const services = snapshot.instances.filter((each) => each.instance.type === 'service')
  const names = new Set([...serviceNames(goal.spec), ...services.map((each) => each.instance.entrypoint)])
  const plans = new Map<string, EntrypointPlan>()
  for (const name of [...names].sort()) {
    const own = services.filter((each) => each.instance.entrypoint === name)
    plans.set(name, planEntrypoint(snapshot, isLeftAlone(goal, name) ? ofBefore(goal) : goal, name, own, now))
  }
  return plans
}

/** What the new release does not have any more stays until the last stage. */
const isLeftAlone = ({ spec, stage }: PoolGoal, name: string): boolean =>
  stage !== undefined &&
  spec?.entrypoints[name]?.type !== 'service' &&
  stage.from.spec.entrypoints[name]?.type === 'service'

const ofBefore = ({ stage, ...goal }: PoolGoal): PoolGoal => ({ ...goal, ...stage?.from })

function planEntrypoint(
  snapshot: PoolSnapshot,
  goal: PoolGoal,
  name: string,
  own: readonly ObservedInstance[],
  now: number,
): EntrypointPlan {
  const spec = goal.spec?.entrypoints[name]
  const entrypoint = entrypointGoal(snapshot, goal, name)
  if (keepsAddresses(spec)) return replaceKept(entrypoint, own, now)
  if (spec === undefined || !isSystem(spec)) return replaceEntrypoint(entrypoint, own, now)
  const { pool, rollout, nodes } = snapshot
  if (nodes === undefined)
    throw new Error(`${name} runs on every node, and the snapshot of ${pool.app}/${pool.name} has none`)
  const places = systemPlaces(spec, nodeGroupOf(spec, pool, rollout), nodes)
  return replaceSystem({ ...entrypoint, places }, own, now)
}

function entrypointGoal({ pool, rollout, specs }: PoolSnapshot, goal: PoolGoal, name: string): EntrypointGoal {
  // Also on the way back: what must not be there twice must not be so either way.
  const recreates = [pool.release, rollout?.from, rollout?.to].some(
    (id) => id !== undefined && specs.get(id)?.rollout.recreate === true,
  )
  const spec = goal.spec?.entrypoints[name]
  const base = {
    name,
    wanted: spec?.type === 'service' ? wantedCount(pool, name, spec) : 0,
    generation: goal.generation,
    release: goal.release,
    limits: goal.spec?.rollout ?? { surge: 1, unavailable: 0, settleMs: 0, before: [] },
  }
  return {
    ...base,
    ...(recreates ? { recreate: true } : {}),
    ...(goal.rollout === undefined ? {} : { rollout: goal.rollout }),
    ...(goal.stage === undefined ? {} : { stage: stageOf(pool, goal.stage, name, base.wanted) }),
  }
}

/** Of an entrypoint that is new there are none of before. What was scaled since is scaled for both. */
function stageOf(
  pool: Pool,
  { shares, at, beside, from, replicasBefore }: PoolStage,
  name: string,
  wanted: number,
): StageGoal {
  const before = from.spec.entrypoints[name]
  const stage = { shares: shares(name), beside, from, ...(at === undefined ? {} : { at }) }
  if (before?.type !== 'service') return { ...stage, oldWanted: 0 }
  if (isSystem(before) || pool.replicas[name]?.setBy === 'scale') return { ...stage, oldWanted: wanted }
  return { ...stage, oldWanted: replicasBefore[name]?.count ?? before.replicas }
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

export function earliest(...times: readonly (number | undefined)[]): number | undefined {
  const known = times.filter((time) => time !== undefined)
  return known.length === 0 ? undefined : Math.min(...known)
}
