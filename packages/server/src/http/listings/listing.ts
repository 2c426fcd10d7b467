import type { ChangedRecord, StateChange } from '../../records/index.ts'

/** What is known of a change: all of it when it is live, where it happened when it was caught up with. */
export type SeenChange = StateChange | ChangedRecord

/**
 * A list of views that can be read and watched. Watching works by ids: a change tells which views it may have touched, and what is sent
 * is how those are now, so a slow reader skips steps but never the last one.
 */
export interface Listing<V> {
  /** What the list answers, in its order. */
  all(): V[]
  /** The view as it is now; undefined when it is gone or does not belong to this list (any more). */
  get(id: string): V | undefined
  /** Ids that this change may have touched. */
  touched(change: SeenChange): Iterable<string>
  /** Records that only come and go, never change (events): what is gone is not told. */
  readonly appendOnly?: boolean
  /** What these views show besides records. */
  readonly beside?: BesideRecords
}

export interface BesideRecords {
  /** Tells of touched ids until stopped. */
  subscribe(touch: (ids: Iterable<string>) => void): () => void
  /** Ids touched at or after a revision. Throws `store.compacted` when that is not known any more. */
  since(revision: number): Iterable<string>
}
