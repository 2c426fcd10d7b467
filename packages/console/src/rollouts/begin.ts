import type { PoolView, ReleaseView } from '@berth/api/app-resources'
import type { PlanView } from '@berth/api/planning-resources'
import type { FreezeView } from '@berth/api/release-resources'
import type { RolloutSpec } from '@berth/core/model/app-spec'
import type { StageSpec } from '@berth/core/model/stage-spec'
import { gateText } from '@berth/core/rollout/gate-text'
import { hookText } from '@berth/core/rollout/hook-text'

export interface CourseStage {
  readonly name: string
  /** Thousandths of the requests; of one that grows, first and last. */
  readonly traffic?: readonly number[]
  /** Hooks, gates and hooks, in the order in which they come. */
  readonly gates: readonly string[]
}

/** What a release will go through in an environment. */
export interface Course {
  readonly stages: readonly CourseStage[]
  readonly approvals: number
  readonly before: readonly string[]
}

interface SpecParts {
  readonly rollout?: Partial<RolloutSpec>
  readonly environments?: Readonly<Record<string, { readonly rollout?: Partial<RolloutSpec> }>>
}

/** By the release's own berth.yaml. A first deployment has no stages, nor has the same release again. */
export function courseOf(release: ReleaseView, pool: PoolView): Course {
  const spec = (release.spec ?? {}) as SpecParts
  const {
    stages = [],
    approvals = 0,
    before = [],
  } = {
    ...spec.rollout,
    ...spec.environments?.[pool.environment]?.rollout,
  }
  const staged = pool.release !== undefined && pool.release !== release.id
  return {
    stages: staged ? stages.map(stageOf) : [],
    approvals: staged ? approvals : 0,
    before,
  }
}

const stageOf = ({ name, traffic, grow, gates, before = [], after = [] }: StageSpec): CourseStage => ({
  name,
  ...(traffic === undefined ? {} : { traffic: grow === undefined ? [traffic] : [grow.from, traffic] }),
  gates: [...before.map(hookText), ...gates.map(gateText), ...after.map(hookText)],
})

/** Freezes that hold for the pool: those of now, and those that come. */
export function freezesOf(
  freezes: readonly FreezeView[],
  { app, name }: PoolView,
  now: number,
): { readonly active: readonly FreezeView[]; readonly ahead: readonly FreezeView[] } {
  const mine = freezes.filter((each) => (each.app ?? app) === app && (each.pool ?? name) === name)
  return {
    active: mine.filter(({ until }) => until !== undefined && until > now),
    ahead: mine.filter(({ until, when }) => until === undefined && (when.type === 'again' || when.until > now)),
  }
}

/** Why the button cannot be pressed; the first that fits. */
export type Obstacle = 'role' | 'same' | 'problems' | 'busy' | 'frozen'

export function obstacleOf(state: {
  readonly may: boolean
  readonly plan: Pick<PlanView, 'changes' | 'problems'>
  readonly pool: PoolView
  readonly frozen: boolean
  readonly reason: string
  readonly force: boolean
}): Obstacle | undefined {
  const { may, plan, pool, frozen, reason, force } = state
  if (!may) return 'role'
  if (frozen && reason.trim() === '') return 'frozen'
  if (force) return undefined
  if (pool.rollout !== undefined) return 'busy'
  if (plan.problems.length > 0) return 'problems'
  return plan.changes ? undefined : 'same'
}
