import type { Instance, InstanceRequest } from '@berth/core'
import type { State } from '../records/index.ts'

export interface LiveBooksOptions {
  readonly now?: () => number
  readonly state: State
  readonly isOnline: (node: string) => boolean
  /** Of the address pool `default`; absent: no node is to get further blocks. */
  readonly addressPool?: string
}

export interface Found {
  readonly placed: true
  readonly record: Partial<Instance> & { readonly node: string; readonly address: string }
}

export type Placed = Found | { readonly placed: false; readonly message: string }

/** `room`: its node has too little; `quota`: its node group gives no more, wherever it runs. */
export interface ResizeRefusal {
  readonly reason: 'room' | 'quota'
  readonly message: string
}

/** `isShort`: it lacks an address, and nothing that is about to give its node one. */
export type Attempt = Found | { readonly placed: false; readonly message: string; readonly isShort: boolean }

/** What a decision under way has entered of an instance. */
export interface Promised {
  readonly request: InstanceRequest
  readonly address: string
  /** Its node was chosen by more than its own terms: for an address that it keeps, or since others had none left. */
  readonly isPinned: boolean
}

export type Holder = Pick<Instance, 'node' | 'address' | 'group' | 'borrowedFrom'>

export interface PromiseOptions {
  /** The address that it has to have. */
  readonly kept: string | undefined
  readonly isPinned?: boolean
  /** Of another node, where its own has no address for it. */
  readonly mayBorrow?: boolean
}
