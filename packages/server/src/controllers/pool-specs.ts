import { type AppSpec, type Pool, resolveSpec } from '@berth/core'
import type { State } from '../records/index.ts'

/** Specs, as the pool's environment runs them, of every release that the pool has something to do with. */
export function specsOf(state: State, pool: Pool): Map<string, AppSpec> {
  const rollout = pool.rollout === undefined ? undefined : state.rollouts.get(pool.rollout)
  const named = state.instances.valuesInPool(pool.app, pool.name, 'release')
  const specs = new Map<string, AppSpec>()
  for (const id of new Set([pool.release, rollout?.from, rollout?.to, ...named])) {
    const release = id === undefined ? undefined : state.releases.find(pool.app, id)
    if (release !== undefined) specs.set(release.id, resolveSpec(release.spec, pool.environment))
  }
  return specs
}
