import type { SavedPlan } from '@berth/api'
import {
  type AppSpec,
  countsForSpec,
  type Pool,
  type RolloutReason,
  resolveSpec,
  sizedSpec,
  sizesForSpec,
} from '@berth/core'
import { groupProblems, quotaProblems } from '../../groups/group-checks.ts'
import type { State } from '../../records/index.ts'
import { problemsOf } from './check-release.ts'
import { stageProblems } from './stage-problems.ts'

interface Wanted {
  readonly reason: RolloutReason
  readonly createdBy: string
  /** Moves the pool with it. */
  readonly moveTo?: string | null
  readonly planned?: Pick<SavedPlan, 'replicas'>
}

interface Reckoned {
  /** Of the pool's environment, with the sizes that were set. */
  readonly spec: AppSpec
  readonly sizes: SizesOfRollout
  readonly replicas: Pool['replicas']
  /** Everything for which it is refused, one sentence each with what to do. */
  readonly problems: readonly string[]
}

/** What a rollout of this `berth.yaml` to the pool would be about. The same before its image is built and after. */
export function reckonRollout(state: State, pool: Pool, document: AppSpec, wanted: Wanted): Reckoned {
  const { reason, createdBy, moveTo, planned } = wanted
  const written = resolveSpec(document, pool.environment)
  const sizes = sizesFor(state, pool, written, wanted)
  const spec = sizedSpec(written, sizes.now)
  const counts = reason === 'restart' ? pool.replicas : countsForSpec(pool.replicas, spec)
  const replicas = withPlanned(counts, planned?.replicas ?? {})
  const problems = [
    ...problemsOf(state, document, pool.app, pool.name, pool.environment),
    ...groupProblems(state, pool, spec, createdBy),
    // A restart asks for no more than there is, and going back is never kept from those who are in need of it.
    ...(reason === 'deploy' ? stageProblems(state, spec) : []),
    ...(reason === 'deploy' || moveTo !== undefined ? quotaProblems(state, pool, spec, replicas) : []),
  ]
  return { spec, sizes, replicas, problems }
}

interface SizesOfRollout {
  readonly now: Pool['sizes']
  /** Where they change: those to go back to. */
  readonly before: Pool['sizes']
  readonly awaited: Pool['sizes']
}

/** Sizes that were set stay unless the yaml's own have changed. One that takes over from another has those of before that one. */
export function sizesFor(state: State, pool: Pool, spec: AppSpec, { reason }: Pick<Wanted, 'reason'>): SizesOfRollout {
  const held = pool.rollout === undefined ? undefined : state.rollouts.get(pool.rollout)
  const before = held?.sizesBefore ?? pool.sizes
  if (reason === 'restart') return { now: pool.sizes, before: held?.sizesBefore, awaited: pool.awaitedSizes }
  const now = sizesForSpec(before, spec)
  const isSame = JSON.stringify(now) === JSON.stringify(before)
  return { now, before: isSame ? held?.sizesBefore : before, awaited: sizesForSpec(pool.awaitedSizes, spec) }
}

export function withPlanned(counts: Pool['replicas'], planned: Readonly<Record<string, number>>): Pool['replicas'] {
  const changed = Object.entries(planned).flatMap(([name, count]) => {
    const held = counts[name]
    return held === undefined || held.count === count ? [] : [[name, { ...held, count, setBy: 'scale' as const }]]
  })
  return { ...counts, ...Object.fromEntries(changed) }
}

export function newPool(app: string, name: string, now: number): Pool {
  return {
    app,
    name,
    environment: name,
    generation: 0,
    nextGeneration: 1,
    replicas: {},
    nextOrdinal: {},
    createdAt: now,
  }
}
