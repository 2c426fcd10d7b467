import { isAtWork, type ObservedInstance, type Pool, type PoolSnapshot, type ServiceTimes } from '@berth/core'
import type { State } from '../records/index.ts'
import { specsOf } from './pool-specs.ts'
import type { TrafficView } from './traffic-controller.ts'

export interface Surroundings {
  readonly state: State
  readonly isOnline: (node: string) => boolean
  readonly traffic: { view(instance: ObservedInstance['instance']): TrafficView }
}

/** Everything that a decision about this pool may look at, as of the state's revision. */
export function poolSnapshot(from: Surroundings, pool: Pool, times: ServiceTimes, now: number): PoolSnapshot {
  const { state } = from
  const rollout = pool.rollout === undefined ? undefined : state.rollouts.get(pool.rollout)
  const instances = state.instances
    .byPool(pool.app, pool.name)
    .map((instance): ObservedInstance => observe(from, instance, times, now))
  const snapshot = { pool, specs: specsOf(state, pool), instances, listeningSince: times.startedAt }
  return rollout === undefined ? snapshot : { ...snapshot, rollout }
}

function observe(
  { state, isOnline, traffic }: Surroundings,
  instance: ObservedInstance['instance'],
  times: ServiceTimes,
  now: number,
): ObservedInstance {
  const status = state.statuses.get(instance.id)
  const nodeOnline = instance.node !== undefined && isOnline(instance.node)
  const observed = { instance, nodeOnline, ...traffic.view(instance), ...(status === undefined ? {} : { status }) }
  const works = isAtWork(observed)
  const first = works ? (status?.readyAt ?? status?.startedAt ?? now) : instance.createdAt
  return { ...observed, since: times.note(instance.id, works, now, first) }
}
