import type { AppSpec } from '../model/app-spec.ts'
import type { Instance, InstanceStatus } from '../model/instance.ts'
import type { KeptAddress } from '../model/kept-address.ts'
import type { Pool } from '../model/pool.ts'
import type { Rollout } from '../model/rollout.ts'
import type { RolloutRequests } from '../model/rollout-stage.ts'
import type { Sizes } from '../model/sizes.ts'
import type { GateSample } from '../rollout/gate-sample.ts'
import type { HookAnswer } from '../rollout/hook-answer.ts'
import type { ClusterNode } from './system-places.ts'

/** Everything a decision about one pool may look at. */
export interface PoolSnapshot {
  readonly pool: Pool
  /** The rollout that holds the pool, when there is one that has not ended. */
  readonly rollout?: Rollout
  /** Specs of the releases that the pool's instances and rollout name. */
  readonly specs: ReadonlyMap<string, AppSpec>
  readonly instances: readonly ObservedInstance[]
  /** Since when reports are heard: a deadline that passed before is given again, for nobody could have met it. */
  readonly listeningSince: number
  /** All nodes; needed where a service runs on each of them. */
  readonly nodes?: readonly ClusterNode[]
  /** Addresses that the pool's entrypoints keep. Absent: none. */
  readonly kept?: readonly KeptAddress[]
  /** Nodes that will need the rollout's image, as long as it matters which of them have it. */
  readonly images?: readonly ImageArrival[]
  /** Of nodes, by their names; where a stage of the rollout is about sites. */
  readonly sites?: ReadonlyMap<string, string>
  /** What the sources of the gates of its stage say, in the gates' order; undefined where one has none, or nothing is known. */
  readonly gates?: readonly (GateSample | undefined)[]
  /** What came of its stage's hooks that are URLs, by their ids. Absent, or without it: nothing yet. */
  readonly hooks?: ReadonlyMap<string, HookAnswer>
  /** What has become of requests since the rollout began. */
  readonly requests?: RolloutRequests
}

/** `failed`: it was tried often enough. `message`: what went wrong last. */
export interface ImageArrival {
  readonly node: string
  readonly state: 'there' | 'coming' | 'failed'
  readonly message?: string
}

export interface ObservedInstance {
  readonly instance: Instance
  readonly status?: InstanceStatus
  readonly nodeOnline: boolean
  /** Since when it serves, or does not (a job: has started, or has not), by the clock of `now`; see {@link ServiceTimes}. */
  readonly since: number
  /** No gateway routes to it any more (or none ever did). */
  readonly outOfTraffic: boolean
  /** Some gateway routes requests to it now. */
  readonly inTraffic: boolean
  /** Some route of its entrypoint exists, so being in traffic is something to wait for. */
  readonly routed: boolean
  /** Requests that gateways have under way with it. */
  readonly inflight: number
  /** Why it has to leave its node (`node-3 is drained`): it is replaced like one of an old release. A job is ended. */
  readonly moves?: string
  /** CPU and memory that it is to have instead of what it has. */
  readonly resize?: DueResize
  /** Why its node is given up (`node-3 is lost`): it counts for nothing any more and is stopped, should the node come back. */
  readonly lost?: string
}

export interface DueResize {
  readonly to: Sizes
  /** Why its node cannot give it that: unless it belongs to that node, it is replaced like one of an old release. */
  readonly refused?: string
}

/** A change wanted by a decision; the controller's executor has a case for each. */
export type PoolStep =
  | {
      readonly type: 'create'
      readonly entrypoint: string
      readonly release: string
      readonly generation: number
      readonly kind: 'service' | 'job'
      readonly rollout?: string
      /** On this node and no other. */
      readonly node?: string
      /** Which of the addresses that its entrypoint keeps is its own. */
      readonly slot?: number
    }
  | { readonly type: 'drain'; readonly instance: string; readonly reason: string }
  | { readonly type: 'stop'; readonly instance: string; readonly reason: string }
  /** In place: it runs on, with other CPU and memory. */
  | { readonly type: 'resize'; readonly instance: string; readonly sizes: Sizes }
  /** The record goes: the agent has reported the end, or no agent ever had it. */
  | { readonly type: 'forget'; readonly instance: string }
  | { readonly type: 'update-rollout'; readonly rollout: Rollout }
  | { readonly type: 'update-pool'; readonly pool: Pool }
  /** Nobody keeps it any more. */
  | { readonly type: 'release-address'; readonly address: string }
  | { readonly type: 'remove-pool' }

export interface PoolPlan {
  readonly steps: readonly PoolStep[]
  /** Look again at this time even if nothing changes (a time-out, a drain's end). */
  readonly nextAt?: number
}

export const isUp = (each: ObservedInstance): boolean => each.instance.desired === 'run'

/** Ready when last heard of: with its agent dead it may serve all the same. */
export const mayServe = (each: ObservedInstance): boolean => isUp(each) && each.status?.ready === true

/** Ready on a node that is online. */
export const isReady = (each: ObservedInstance): boolean => mayServe(each) && each.nodeOnline

/** A service: ready, and, where a route leads to it, really in traffic. A job: started. It is what `since` is about. */
export function isAtWork(each: Omit<ObservedInstance, 'since'>): boolean {
  const { status } = each
  if (each.instance.type === 'job') return status?.startedAt !== undefined
  return status?.ready === true && each.nodeOnline && (!each.routed || each.inTraffic)
}

export const isServing = (each: ObservedInstance): boolean => isUp(each) && isAtWork(each)

export const hasSettled = (each: ObservedInstance, settleMs: number, now: number): boolean =>
  isServing(each) && now - each.since >= settleMs
