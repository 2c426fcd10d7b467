import type { Instance, PoolPlan, PoolSnapshot } from '@berth/core'
import type { State } from '../records/index.ts'
import { hasEnded } from './has-ended.ts'
import type { Gang } from './place-gang.ts'
import type { Outcome, PoolWork } from './pool-work.ts'

const highestPriority = 1000

export interface Decision {
  /** Of the state that it was made on. */
  readonly revision: number
  readonly snapshot: PoolSnapshot
  readonly plan: PoolPlan
  /** Instances that wait for a node. */
  readonly waiting: readonly Instance[]
  /** Those whose place has become free. */
  readonly ready: readonly Instance[]
  /** Those that wait for each other. */
  readonly gangs: readonly Gang[]
  readonly now: number
}

export const hasLeft = (state: State, id: string): boolean => {
  const instance = state.instances.get(id)
  return instance === undefined || hasEnded(state, instance)
}

export type Placeable = Pick<Instance, 'release' | 'entrypoint'>

export const priorityOf = ({ specs }: PoolSnapshot, { release, entrypoint }: Placeable): number =>
  specs.get(release)?.entrypoints[entrypoint]?.priority ?? 0

/** The highest priority below the last among those that a decision has to find places for. */
export function nextLevel(decision: Decision | undefined, below = Number.POSITIVE_INFINITY): number | undefined {
  if (decision === undefined) return undefined
  const { plan, waiting, gangs, snapshot } = decision
  const creations = plan.steps.filter((step) => step.type === 'create')
  // What grows where it is comes before what has no place yet.
  const resizes = plan.steps.flatMap((step) => (step.type === 'resize' ? [highestPriority] : []))
  const placing = [...creations, ...waiting].map((each) => priorityOf(snapshot, each))
  const together = gangs.map((each) => gangPriority(snapshot, each))
  const levels = [...resizes, ...placing, ...together].filter((each) => each < below)
  return levels.length === 0 ? undefined : levels.reduce((most, each) => Math.max(most, each))
}

/**
 * Still right when more has happened meanwhile, as long as pool and rollout are what they were: what is created is within the pool's
 * bounds, and what leaves for good does not come back. Who leaves traffic has to be asked again: it depends on who serves.
 */
export function isLasting(work: PoolWork, { rollout }: Outcome): boolean {
  // No more than how far it has come.
  if (work.type === 'update-rollout') return work.rollout.state === rollout?.state
  return (
    work.type === 'create' ||
    work.type === 'place' ||
    work.type === 'begin' ||
    work.type === 'stop' ||
    work.type === 'forget'
  )
}

/** Nobody else has changed the pool or its rollout since this part of the plan was committed. */
export function isAsLeft(state: State, id: string, { pool, rollout }: Outcome): boolean {
  const isSame = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b)
  return isSame(state.pools.get(id), pool) && isSame(rollout && state.rollouts.get(rollout.id), rollout)
}

/** All of them have one entrypoint. */
export function gangPriority(snapshot: PoolSnapshot, { waiting, held }: Gang): number {
  const [first] = [...waiting.slice(0, 1), ...held.slice(0, 1)]
  return first === undefined ? 0 : priorityOf(snapshot, first)
}
