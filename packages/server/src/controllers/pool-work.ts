import type { Instance, Pool, PoolStep, Rollout } from '@berth/core'

/** A step of the pool's plan; the search of a place for one that waits; the start of one whose place has become free. */
export type PoolWork = PoolStep | { readonly type: 'place' | 'begin'; readonly instance: Instance }
/** Pool and rollout as a part of a plan leaves them. */
export interface Outcome {
  readonly pool: Pool
  readonly rollout: Rollout | undefined
}
