import type {
  KeyValue,
  Lease,
  ListResult,
  StoreErrorCode,
  Transaction,
  TransactionResult,
  WatchBatch,
} from '../store.ts'

/**
 * What the store's thread is asked and what it answers. One request is worked on at a time, and answers leave in the order of
 * requests (only `compact` answers later, when it is done), so whoever has read an answer has also seen every change before it.
 */
export interface Requests {
  readonly open: { readonly ask: OpenRequest; readonly answer: OpenAnswer }
  readonly get: { readonly ask: { readonly key: string }; readonly answer: GetAnswer }
  readonly list: { readonly ask: ListRequest; readonly answer: ListResult }
  readonly commit: { readonly ask: PackedGroup; readonly answer: PackedAnswer }
  readonly scan: { readonly ask: ScanRequest; readonly answer: ScanAnswer }
  readonly compact: { readonly ask: { readonly revision: number }; readonly answer: null }
  readonly close: { readonly ask: null; readonly answer: null }
}

export type RequestName = keyof Requests

export interface OpenRequest {
  readonly path: string
  /** How long to wait for another process to let go of the file. */
  readonly lockWaitMs: number
}

export interface OpenAnswer {
  readonly epoch: string
  readonly revision: number
  readonly compactedRevision: number
  readonly leases: readonly Lease[]
}

export interface GetAnswer {
  readonly kv: KeyValue | undefined
  readonly revision: number
}

export interface ListRequest {
  readonly prefix: string
  readonly limit: number
  readonly after: string | undefined
  readonly revision: number | undefined
}

/** One member of a group commit. Each succeeds or fails by itself. */
export type CommitEntry =
  | { readonly type: 'transaction'; readonly transaction: Transaction }
  | { readonly type: 'grant-lease'; readonly lease: Lease }
  | { readonly type: 'end-lease'; readonly leaseId: string }

export type CommitOutcome = TransactionResult | { readonly error: SerializedError }

export interface CommitAnswer {
  /** One per entry, in their order. */
  readonly outcomes: readonly CommitOutcome[]
  /** What the group changed, one batch a revision. */
  readonly batches: readonly WatchBatch[]
  readonly revision: number
}

/** See `group-codec.ts`. */
export interface PackedGroup {
  readonly texts: readonly string[]
  readonly numbers: Float64Array
  readonly others: readonly CommitEntry[]
  /** Changes are to tell what they replaced. */
  readonly previous: boolean
}

export interface PackedAnswer {
  readonly numbers: Float64Array
  readonly batches: readonly WatchBatch[]
  readonly errors: readonly SerializedError[]
  readonly revision: number
}

/** History of `prefix` from revision `from` to `to`, both inclusive. */
export interface ScanRequest {
  readonly prefix: string
  readonly from: number
  readonly to: number
}

export interface ScanAnswer {
  readonly batches: readonly WatchBatch[]
  /** The answer is complete up to this revision, which may be below `to`: ask again from the next one. */
  readonly through: number
}

export interface SerializedError {
  readonly code: StoreErrorCode
  readonly message: string
  readonly retryable: boolean
  readonly details: Readonly<Record<string, unknown>>
}

export interface RequestMessage {
  readonly id: number
  readonly name: RequestName
  readonly ask: unknown
}

export type AnswerMessage =
  | { readonly id: number; readonly answer: unknown }
  | { readonly id: number; readonly error: SerializedError }
