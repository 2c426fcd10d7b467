import type { EntrypointSpec } from './app-spec.ts'
import type { PoolSizes } from './sizes.ts'

export interface Pool {
  readonly app: string
  /** Also the environment's name unless said otherwise. */
  readonly name: string
  readonly environment: string
  /** Node group of all its instances, whatever the spec says; set by `berth pool move`. Read it with `nodeGroupOf`. */
  readonly group?: string
  readonly release?: string
  /** Instances of this generation are the ones that should run; a rollout moves it to its own `toGeneration` at its end. */
  readonly generation: number
  /** Given to the next rollout (also to a restart of the same release); never used twice. */
  readonly nextGeneration: number
  /** Set by `removePool` and `removeApp`: everything drains and stops, then the pool goes. */
  readonly removing?: boolean
  readonly replicas: Readonly<Record<string, ReplicaCount>>
  /** CPU and memory set by `resize`. Read them with `sizesOf`. */
  readonly sizes?: PoolSizes
  /** Set by `resize` once their memory has been approved. */
  readonly awaitedSizes?: PoolSizes
  /** Next ordinal per entrypoint; ordinals are never used twice. */
  readonly nextOrdinal: Readonly<Record<string, number>>
  /** Where a plan that was applied puts instances of this generation; those beyond it are placed freely. */
  readonly planned?: PlannedSlots
  /** Gangs up to this number, by entrypoint, may start. */
  readonly openGangs?: Readonly<Record<string, number>>
  /** Id of the one rollout that holds the pool. */
  readonly rollout?: string
  readonly createdAt: number
}

export interface PlannedSlots {
  readonly generation: number
  /** Node of each instance, by entrypoint. */
  readonly slots: Readonly<Record<string, readonly string[]>>
}

/** A count set by `scale` survives deploys unless the yaml's own number has changed since. */
export interface ReplicaCount {
  readonly count: number
  readonly setBy: 'spec' | 'scale'
  /** The yaml's number when `count` was set. */
  readonly specCount: number
}

/** An entrypoint's spec as one pool runs it: overrides of the environment applied. */
export interface ResolvedEntrypoint {
  readonly name: string
  readonly spec: EntrypointSpec
}
