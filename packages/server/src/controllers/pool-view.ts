import { type AppSpec, type ObservedInstance, type Pool, type PoolSnapshot, resolveSpec } from '@berth/core'
import type { State } from '../records/index.ts'
import type { TrafficView } from './traffic-controller.ts'

/** Specs, as the pool's environment runs them, of every release that the pool has something to do with. */
export function specsOf(state: State, pool: Pool): Map<string, AppSpec> {
  const rollout = pool.rollout === undefined ? undefined : state.rollouts.get(pool.rollout)
  const named = state.instances.byPool(pool.app, pool.name).map((instance) => instance.release)
  const specs = new Map<string, AppSpec>()
  for (const id of new Set([pool.release, rollout?.from, rollout?.to, ...named])) {
    const release = id === undefined ? undefined : state.releases.find(pool.app, id)
    if (release !== undefined) specs.set(release.id, resolveSpec(release.spec, pool.environment))
  }
  return specs
}

export interface Surroundings {
  readonly state: State
  readonly isOnline: (node: string) => boolean
  readonly traffic: { view(instance: ObservedInstance['instance']): TrafficView }
}

/** Everything that a decision about this pool may look at, as of the state's revision. */
export function poolSnapshot({ state, isOnline, traffic }: Surroundings, pool: Pool): PoolSnapshot {
  const rollout = pool.rollout === undefined ? undefined : state.rollouts.get(pool.rollout)
  const instances = state.instances.byPool(pool.app, pool.name).map((instance): ObservedInstance => {
    const status = state.statuses.get(instance.id)
    const nodeOnline = instance.node !== undefined && isOnline(instance.node)
    const observed = { instance, nodeOnline, ...traffic.view(instance) }
    return status === undefined ? observed : { ...observed, status }
  })
  const snapshot = { pool, specs: specsOf(state, pool), instances }
  return rollout === undefined ? snapshot : { ...snapshot, rollout }
}
