import type { InstanceShare } from './instance-share.ts'

/** A part of a rollout: how far it goes before it waits, and what must be true before the next part begins. */
export interface StageSpec {
  readonly name: string
  /** How many of each service are of the new release at its end; a share is rounded up. Absent: all. */
  readonly instances?: InstanceShare
  /** In order; all of them have to pass. */
  readonly gates: readonly GateSpec[]
}

/** What a stage waits for once its instances serve. One without data never passes. */
export type GateSpec =
  /** All new instances have served for so long without a break. */
  | { readonly type: 'health'; readonly forMs: number }
  /** Somebody says so (`berth rollout continue`). */
  | { readonly type: 'person' }

export type GateType = GateSpec['type']
