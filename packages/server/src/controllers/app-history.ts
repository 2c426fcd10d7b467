import type { AppHistory } from '@berth/core'
import type { State } from '../records/index.ts'

/** An app's pools, releases and rollouts as they are at this moment. */
export const historyOf = (state: State, app: string): AppHistory => ({
  release: (id) => state.releases.find(app, id),
  pool: (name) => state.pools.find(app, name),
  rollouts: (pool) => state.rollouts.byPool(app, pool),
})
