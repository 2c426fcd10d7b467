/**
 * The store port. It has etcd's semantics: one global revision that grows with every committed transaction, compare-and-swap
 * transactions, watches from a revision, leases. Adapters: SQLite (embedded) and etcd; one contract suite (`store-contract.ts`) runs on
 * each. The revision grows by one a transaction where the store is alone, and by more where others write to the same etcd: nobody may
 * conclude from a number that something was missed, or that a revision had changes at all.
 *
 * Keys are UTF-8 strings such as `/instances/shop.production.web-4`; values are JSON documents as bytes of UTF-8 text. A
 * transaction holds at most {@link maxOperations} operations, as many compares, and {@link maxBytes} bytes on every adapter, and writes a key at most once. A new store has no keys; its revision is at least 1.
 *
 * Failures are `BerthError`s with a {@link StoreErrorCode}; see `store-error.ts`. An aborted call rejects with the signal's
 * reason; an aborted commit that was already on its way may still take effect. Any other failure of a commit says that nothing was
 * written, but for `store.outcome-unknown` and `store.failed`.
 */
export const maxOperations = 100
export const maxBytes = 1_048_576

export interface KeyValue {
  readonly key: string
  readonly value: string
  /** Revision of the transaction that created the key (after its last deletion). */
  readonly createRevision: number
  /** Revision of the transaction that last wrote the key. */
  readonly modRevision: number
  /** 1 after creation, +1 per write. */
  readonly version: number
  readonly lease?: string
}

/** A missing key has modRevision, createRevision and version 0. */
export type Compare =
  | { readonly key: string; readonly modRevision: number }
  | { readonly key: string; readonly version: number }
  | { readonly key: string; readonly value: string }

export type Operation =
  | { readonly type: 'put'; readonly key: string; readonly value: string; readonly lease?: string }
  | { readonly type: 'delete'; readonly key: string }
  | { readonly type: 'delete-prefix'; readonly prefix: string }

export interface Transaction {
  /** All must hold, else nothing is written and `ok` is false. */
  readonly compare?: readonly Compare[]
  readonly operations: readonly Operation[]
}

export interface TransactionResult {
  readonly ok: boolean
  /** Revision of this transaction when `ok` (the current one when it changed nothing), else the revision at which it was refused. */
  readonly revision: number
}

export interface ListResult {
  readonly items: readonly KeyValue[]
  readonly revision: number
  /** Pass as `after` to go on; absent on the last page. */
  readonly next?: string
}

export type Change =
  | { readonly type: 'put'; readonly kv: KeyValue; readonly previous?: KeyValue }
  | { readonly type: 'delete'; readonly key: string; readonly modRevision: number; readonly previous?: KeyValue }

/** All changes of one revision arrive in one batch, in order. A batch without changes is a progress mark. */
export interface WatchBatch {
  readonly revision: number
  readonly changes: readonly Change[]
}

export interface Lease {
  readonly id: string
  readonly ttlMs: number
}

export interface CallOptions {
  readonly signal?: AbortSignal
}

export interface ListOptions extends CallOptions {
  readonly limit?: number
  readonly after?: string
  readonly revision?: number
}

/** One process that holds the data. */
export interface StoreMember {
  readonly address: string
  readonly healthy: boolean
  readonly version?: string
  readonly sizeBytes?: number
  readonly leader?: boolean
  readonly problem?: string
}

export interface StoreHealth {
  readonly kind: 'sqlite' | 'etcd'
  /** A file, or addresses and prefix. No secrets. */
  readonly location: string
  readonly revision: number
  /** Commits can be made. */
  readonly healthy: boolean
  readonly sizeBytes?: number
  readonly members?: readonly StoreMember[]
}

export interface WatchOptions {
  readonly fromRevision: number
  readonly signal: AbortSignal
  /** False: changes need not tell what they replaced, which spares the store the reading. */
  readonly previous?: boolean
}

export interface Store extends AsyncDisposable {
  /** Changes when the data came from elsewhere (restore, new cluster); see "absence never kills". */
  readonly epoch: string
  get(key: string, options?: CallOptions): Promise<{ readonly kv: KeyValue | undefined; readonly revision: number }>
  /**
   * Keys below `prefix`, sorted by UTF-8 bytes. `revision` reads an older state (throws `compacted` below the compacted one).
   * Without `limit` all keys arrive, of one revision; with it a page holds at most that many, and only `next` tells whether
   * more follow. For a consistent walk over pages, pass the first page's `revision` with `after`.
   */
  list(prefix: string, options?: ListOptions): Promise<ListResult>
  commit(transaction: Transaction, options?: CallOptions): Promise<TransactionResult>
  /**
   * Every change below `prefix` from `fromRevision` on (inclusive), without gap or repetition, in the order of revisions.
   * To go on after a list, pass its revision + 1. Throws `store.compacted` (with `details.compactedRevision`) when that
   * revision is gone: list again; `store.future-revision` when it is more than one above the current: the data was
   * replaced by older data. Ends when `signal` aborts. A reader that is too slow gets `store.slow-watcher` and lists again;
   * memory stays bounded.
   */
  watch(prefix: string, options: WatchOptions): AsyncIterable<WatchBatch>
  /**
   * Keys put with a lease are deleted in one transaction when it ends. A put without `lease` takes its key off the lease.
   * Leases outlive the server: after its start each has its full time again. The time granted may be longer than asked for.
   */
  grantLease(ttlMs: number, options?: CallOptions): Promise<Lease>
  keepLeaseAlive(id: string, options?: CallOptions): Promise<Lease>
  revokeLease(id: string, options?: CallOptions): Promise<void>
  /**
   * Drops history before `revision`: older reads and watches fail from now on, current values stay. Done in slices so that
   * commits go on; resolves when it is done. Compacting what is compacted already does nothing.
   */
  compact(revision: number, options?: CallOptions): Promise<void>
  /** For people: answers also when little else does. */
  health(options?: CallOptions): Promise<StoreHealth>
}

export type StoreErrorCode =
  | 'store.compacted'
  | 'store.slow-watcher'
  | 'store.too-large'
  /** The caller's mistake: an empty key, a key written twice, a lone surrogate, a negative time. */
  | 'store.invalid'
  | 'store.lease-not-found'
  | 'store.future-revision'
  | 'store.closed'
  | 'store.full'
  | 'store.corrupt'
  | 'store.locked'
  /** The data was written by a newer version. */
  | 'store.newer'
  | 'store.failed'
  /** Nothing answers; nothing was changed. */
  | 'store.unavailable'
  /** A commit may have taken effect, or not. */
  | 'store.outcome-unknown'
  /** The store does not let this server in: user, password, certificate, rights. */
  | 'store.denied'
  /** A copy into it was begun and not finished. */
  | 'store.incomplete'
