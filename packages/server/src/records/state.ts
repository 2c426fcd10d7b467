import type { RecordKind, RecordTypes } from './record-types.ts'
import type { Tables } from './tables.ts'

/** One record's change, as seen by the state. `revision` is the store's. */
export type StateChange = { readonly [K in RecordKind]: ChangeOf<K> }[RecordKind]

export interface ChangeOf<K extends RecordKind> {
  readonly kind: K
  readonly id: string
  readonly revision: number
  readonly before?: RecordTypes[K]
  /** Absent: deleted. */
  readonly after?: RecordTypes[K]
}

export type StateListener = (change: StateChange) => void

/**
 * All records, in memory, at one revision, kept by one watch over the store. Reads are synchronous and consistent with each other
 * until the next `await`. Records must not be changed in place.
 */
export interface State extends Tables, AsyncDisposable {
  /** See `Store.epoch`. */
  readonly epoch: string
  /** Epochs of stores whose records were moved into this one. */
  readonly follows: readonly string[]
  readonly revision: number
  readonly changes: StateChanges
  /** Resolves once the state has seen `revision`; rejects when the signal aborts or the state is disposed. */
  waitFor(revision: number, options?: { readonly signal?: AbortSignal }): Promise<void>
}

export interface StateChanges {
  /**
   * Calls the listener for every change after now, in order, once all tables are at the change's revision. A listener must not
   * throw or block: it marks what is dirty and returns. Returns how to stop.
   */
  subscribe(listener: StateListener): () => void
  /**
   * What changed after `revision` up to now, oldest first. Recent changes come from memory, older ones from the store's history;
   * throws `store.compacted` when that is gone, `store.future-revision` when `revision` is above the store's.
   */
  since(revision: number, options?: { readonly signal?: AbortSignal }): Promise<readonly ChangedRecord[]>
}

export type ChangedRecord = Pick<StateChange, 'kind' | 'id' | 'revision'>
