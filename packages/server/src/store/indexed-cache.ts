import { messageOf } from '@berth/core'
import type { Logger } from 'pino'
import { abortable } from './abortable.ts'
import { BatchBuffer } from './batch-buffer.ts'
import { followStore, type StoreFollower } from './follow-store.ts'
import { KeyIndex, type TermsOf } from './key-index.ts'
import type { Change, KeyValue, ListResult, Store, WatchBatch } from './store.ts'
import { storeError } from './store-error.ts'

/** A key with its value decoded. Entries are never changed in place. */
export interface CacheEntry<T> extends Omit<KeyValue, 'value'> {
  readonly value: T
}

export type CacheChange<T> =
  | { readonly type: 'put'; readonly entry: CacheEntry<T>; readonly previous?: CacheEntry<T> }
  | { readonly type: 'delete'; readonly key: string; readonly modRevision: number; readonly previous: CacheEntry<T> }

/** What one revision changed here; without changes it says that the cache has reached `revision`. */
export interface CacheBatch<T> {
  readonly revision: number
  readonly changes: readonly CacheChange<T>[]
}

export interface IndexedCacheOptions<T, I extends string> {
  /** Throws when it cannot read the value. Such a key keeps its last readable value and is named in `unreadable`. */
  readonly decode: (kv: KeyValue) => T
  readonly indexes: { readonly [Name in I]: TermsOf<T> }
  readonly log: Logger
  /** Ends the cache. */
  readonly signal: AbortSignal
  /** What {@link IndexedCache.changes} keeps for a slow reader. */
  readonly maxBufferedChanges?: number
}

/**
 * Everything below a prefix, in memory, at one revision. Reads do not wait and agree with each other until the next `await`;
 * so does a read together with a `subscribe` or `changes` beside it: no change falls between.
 */
export interface IndexedCache<T, I extends string> extends AsyncDisposable {
  readonly revision: number
  readonly size: number
  /** Keys whose newest value cannot be read, with the error. While there are any, absence here proves nothing. */
  readonly unreadable: ReadonlyMap<string, Error>
  get(key: string): CacheEntry<T> | undefined
  all(): IterableIterator<CacheEntry<T>>
  by(index: I, term: string): readonly CacheEntry<T>[]
  /** Calls back for every batch after now, when all reads show it. Returns how to stop. */
  subscribe(listener: (batch: CacheBatch<T>) => void): () => void
  /** The same as a stream that begins with this call. Throws `store.slow-watcher` when its reader falls too far behind. */
  changes(options: { readonly signal: AbortSignal }): AsyncIterable<CacheBatch<T>>
  /** Resolves when the cache shows `revision`, say that of a commit. */
  waitFor(revision: number, options?: { readonly signal?: AbortSignal }): Promise<void>
}

const defaultMaxBufferedChanges = 10_000

/** Lists the prefix, then follows it until `signal` aborts or the cache is disposed. Resolves with the first listing loaded. */
export async function createIndexedCache<T, I extends string>(
  store: Store,
  prefix: string,
  options: IndexedCacheOptions<T, I>,
): Promise<IndexedCache<T, I>> {
  const closing = new AbortController()
  const signal = AbortSignal.any([options.signal, closing.signal])
  const list = await store.list(prefix, { signal })
  const cache = new FollowingCache(prefix, options, closing)
  cache.replace(list)
  cache.follow(followStore(store, prefix, cache, { fromRevision: list.revision + 1, signal, log: options.log }))
  return cache
}

class FollowingCache<T, I extends string> implements IndexedCache<T, I>, StoreFollower {
  readonly unreadable = new Map<string, Error>()
  readonly #prefix: string
  readonly #options: IndexedCacheOptions<T, I>
  readonly #closing: AbortController
  readonly #entries = new Map<string, CacheEntry<T>>()
  readonly #indexes: ReadonlyMap<I, KeyIndex<T, CacheEntry<T>>>
  readonly #listeners = new Set<(batch: CacheBatch<T>) => void>()
  readonly #buffers = new Set<BatchBuffer<CacheBatch<T>>>()
  readonly #ended = Promise.withResolvers<never>()
  #revision = 0
  #following: Promise<void> | undefined

  constructor(prefix: string, options: IndexedCacheOptions<T, I>, closing: AbortController) {
    this.#prefix = prefix
    this.#options = options
    this.#closing = closing
    const indexes = Object.entries(options.indexes) as [I, TermsOf<T>][]
    this.#indexes = new Map(indexes.map(([name, termsOf]) => [name, new KeyIndex(termsOf)]))
    this.#ended.promise.catch(() => undefined) // it ends even if nobody waits
  }

  get revision(): number {
    return this.#revision
  }

  get size(): number {
    return this.#entries.size
  }

  get(key: string): CacheEntry<T> | undefined {
    return this.#entries.get(key)
  }

  all(): IterableIterator<CacheEntry<T>> {
    return this.#entries.values()
  }

  by(index: I, term: string): readonly CacheEntry<T>[] {
    return this.#indexes.get(index)?.get(term) ?? []
  }

  subscribe(listener: (batch: CacheBatch<T>) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  changes({ signal }: { readonly signal: AbortSignal }): AsyncIterable<CacheBatch<T>> {
    const capacity = this.#options.maxBufferedChanges ?? defaultMaxBufferedChanges
    const buffer = new BatchBuffer<CacheBatch<T>>(
      `changes of ${this.#prefix}`,
      capacity,
      ({ changes }) => changes.length,
    )
    if (this.#closing.signal.aborted) buffer.fail(this.#closedError())
    this.#buffers.add(buffer)
    // A reader that is gone before it began to read must not leave its buffer behind.
    signal.addEventListener('abort', () => this.#buffers.delete(buffer), { once: true })
    return this.#drain(buffer, signal)
  }

  async waitFor(revision: number, { signal }: { readonly signal?: AbortSignal } = {}): Promise<void> {
    if (this.#revision >= revision) return
    signal?.throwIfAborted()
    const reached = Promise.withResolvers<void>()
    const stop = this.subscribe((batch) => {
      if (batch.revision >= revision) reached.resolve()
    })
    try {
      await abortable(Promise.race([reached.promise, this.#ended.promise]), signal)
    } finally {
      stop()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(this.#closedError())
    await this.#following
  }

  /** Takes over the task that keeps this cache up to date; what waits for it fails when that ends. */
  follow(following: Promise<void>): void {
    this.#following = following.then(() => this.#end())
  }

  /** A listing becomes the changes that lead to it from what is known. */
  replace({ items, revision }: ListResult): void {
    const present = new Set(items.map(({ key }) => key))
    const changed = items.filter(({ key, modRevision }) => this.#entries.get(key)?.modRevision !== modRevision)
    const changes = [
      ...changed.map((kv) => this.#put(kv)),
      ...[...this.#entries.keys()].filter((key) => !present.has(key)).map((key) => this.#delete(key, revision)),
    ]
    for (const key of this.unreadable.keys()) if (!present.has(key)) this.unreadable.delete(key)
    this.#publish(revision, changes)
  }

  apply({ revision, changes }: WatchBatch): void {
    this.#publish(
      revision,
      changes.map((change: Change) =>
        change.type === 'put' ? this.#put(change.kv) : this.#delete(change.key, revision),
      ),
    )
  }

  #put(kv: KeyValue): CacheChange<T> | undefined {
    const entry = this.#decode(kv)
    if (!entry) return undefined
    const previous = this.#entries.get(kv.key)
    for (const index of this.#indexes.values()) {
      if (previous) index.remove(previous)
      index.add(entry)
    }
    this.#entries.set(kv.key, entry)
    return previous ? { type: 'put', entry, previous } : { type: 'put', entry }
  }

  #decode(kv: KeyValue): CacheEntry<T> | undefined {
    try {
      const entry = { ...kv, value: this.#options.decode(kv) }
      this.unreadable.delete(kv.key)
      return entry
    } catch (error) {
      this.unreadable.set(kv.key, error instanceof Error ? error : new Error(messageOf(error)))
      this.#options.log.error({ err: error, key: kv.key, revision: kv.modRevision }, 'cannot read a value of the store')
      return undefined
    }
  }

  #delete(key: string, modRevision: number): CacheChange<T> | undefined {
    this.unreadable.delete(key)
    const previous = this.#entries.get(key)
    if (!previous) return undefined
    this.#entries.delete(key)
    for (const index of this.#indexes.values()) index.remove(previous)
    return { type: 'delete', key, modRevision, previous }
  }

  #publish(revision: number, changes: readonly (CacheChange<T> | undefined)[]): void {
    this.#revision = revision
    const batch = { revision, changes: changes.filter((change) => change !== undefined) }
    for (const buffer of this.#buffers) buffer.push(batch)
    for (const listener of [...this.#listeners]) this.#tell(listener, batch)
  }

  #tell(listener: (batch: CacheBatch<T>) => void, batch: CacheBatch<T>): void {
    try {
      listener(batch)
    } catch (error) {
      this.#options.log.error({ err: error, prefix: this.#prefix }, 'a listener of a cache failed')
    }
  }

  async *#drain(buffer: BatchBuffer<CacheBatch<T>>, signal: AbortSignal): AsyncGenerator<CacheBatch<T>> {
    try {
      while (!signal.aborted)
        for (const batch of await buffer.take(signal)) {
          if (signal.aborted) return
          yield batch
        }
    } finally {
      this.#buffers.delete(buffer)
    }
  }

  #end(): void {
    const error = this.#closedError()
    this.#ended.reject(error)
    for (const buffer of this.#buffers) buffer.fail(error)
  }

  #closedError() {
    return storeError('store.closed', `the cache of ${this.#prefix} is closed`)
  }
}
