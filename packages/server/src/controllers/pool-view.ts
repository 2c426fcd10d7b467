import type { ObservedInstance, Pool, PoolSnapshot } from '@berth/core'
import type { State } from '../records/index.ts'
import { specsOf } from './pool-specs.ts'
import type { TrafficView } from './traffic-controller.ts'

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
