import { randomUUID } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { Worker } from 'node:worker_threads'
import type { Logger } from 'pino'
import { abortable } from '../abortable.ts'
import { type CompactionPolicy, defaultCompactionPolicy, runAutoCompaction } from '../auto-compaction.ts'
import { checkKey, checkLeaseTime, checkPositive, checkText, checkTransaction } from '../check-transaction.ts'
import { listPages, pageItems } from '../list-pages.ts'
import type {
  CallOptions,
  Lease,
  ListOptions,
  ListResult,
  Store,
  StoreHealth,
  Transaction,
  TransactionResult,
  WatchBatch,
  WatchOptions,
} from '../store.ts'
import { futureRevisionError, isStoreError, leaseNotFoundError, type StoreError, storeError } from '../store-error.ts'
import { CommitQueue } from './commit-queue.ts'
import { packGroup, unpackAnswer } from './group-codec.ts'
import { LeaseClock } from './lease-clock.ts'
import type { CommitAnswer, CommitEntry, GetAnswer, OpenAnswer, RequestName, Requests } from './protocol.ts'
import { StoreThread } from './store-thread.ts'
import { WatchHub } from './watch-hub.ts'

export interface SqliteStoreOptions {
  /** The database file. Its directory is made if it is missing. */
  readonly path: string
  readonly log: Logger
  /**
   * Makes the store's thread, by default from the source file. A bundled executable has no such file: it bundles
   * `sqlite-worker.ts` into one CommonJS text, keeps it as an asset, and passes
   * `() => new Worker(getAsset('sqlite-worker.cjs', 'utf8'), { eval: true })`.
   */
  readonly worker?: () => Worker
  /** History that is dropped by itself. `false`: only by {@link Store.compact}. */
  readonly compaction?: CompactionPolicy | false
  /** What a watch may buffer for a slow reader. */
  readonly watchBufferBytes?: number
  /** How long to wait for another process to let go of the file: a predecessor that is just ending. */
  readonly lockWaitMs?: number
  /** Called once when the store has failed for good; every call then rejects with this error, and only a restart helps. */
  readonly onFailure?: (error: StoreError) => void
  readonly signal?: AbortSignal
}

const defaultWatchBufferBytes = 16 * 1_048_576
const defaultLockWaitMs = 1_000

const workerFromSource = (): Worker => new Worker(new URL('./sqlite-worker.ts', import.meta.url))

/** Opens the store at `path`, or creates it. Throws `store.locked`, `store.corrupt`, `store.newer` or `store.failed`. */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<Store> {
  const { path, log, lockWaitMs = defaultLockWaitMs, signal } = options
  signal?.throwIfAborted()
  const thread = new StoreThread((options.worker ?? workerFromSource)())
  try {
    const opened = await abortable(thread.call('open', { path, lockWaitMs }), signal)
    log.info({ path, epoch: opened.epoch, revision: opened.revision }, 'opened the store')
    return new SqliteStore(thread, opened, options)
  } catch (error) {
    await thread.terminate()
    throw error
  }
}

class SqliteStore implements Store {
  readonly epoch: string
  readonly #thread: StoreThread
  readonly #options: SqliteStoreOptions
  readonly #log: Logger
  readonly #queue = new CommitQueue((entries) => this.#commitGroup(entries))
  readonly #hub: WatchHub
  readonly #leases: LeaseClock
  readonly #background = new AbortController()
  readonly #compaction: Promise<void> | undefined
  #full = false
  /** Watchers that are told what changes replaced. */
  #previousWanted = 0
  /** Why no further call is taken: closed, or failed. */
  #end: StoreError | undefined
  #closing: Promise<void> | undefined

  constructor(thread: StoreThread, opened: OpenAnswer, options: SqliteStoreOptions) {
    this.epoch = opened.epoch
    this.#thread = thread
    this.#options = options
    this.#log = options.log
    this.#hub = new WatchHub(opened.revision, options.watchBufferBytes ?? defaultWatchBufferBytes)
    this.#leases = new LeaseClock({ end: (id) => this.#endLease(id) })
    for (const lease of opened.leases) this.#leases.start(lease)
    thread.onDeath = (error) => this.#fail(error)
    this.#compaction = this.#startCompaction(options.compaction ?? defaultCompactionPolicy)
  }

  async get(key: string, { signal }: CallOptions = {}): Promise<GetAnswer> {
    checkKey(key)
    return abortable(this.#ask('get', { key }), signal)
  }

  async list(prefix: string, options: ListOptions = {}): Promise<ListResult> {
    checkText(prefix, 'prefix')
    const { limit, after, revision, signal } = options
    for (const [what, number] of Object.entries({ limit, revision })) checkPositive(what, number)
    const read = (size: number, start: string | undefined, at: number | undefined) =>
      abortable(this.#ask('list', { prefix, limit: size, after: start, revision: at }), signal)
    if (limit !== undefined) return read(limit, after, revision)
    return listPages((start, at) => read(pageItems, start, at), after, revision)
  }

  async commit(transaction: Transaction, { signal }: CallOptions = {}): Promise<TransactionResult> {
    checkTransaction(transaction)
    this.#assertOpen()
    return this.#queue.submit({ type: 'transaction', transaction }, signal)
  }

  async *watch(prefix: string, { fromRevision, signal, previous = true }: WatchOptions): AsyncIterable<WatchBatch> {
    checkText(prefix, 'prefix')
    checkPositive('fromRevision', fromRevision)
    using _wish = previous ? await this.#wantPrevious() : undefined
    if (fromRevision > this.#hub.revision + 1)
      throw futureRevisionError(`watch ${prefix}`, fromRevision, this.#hub.revision)
    yield* this.#catchUp(prefix, fromRevision, signal)
    // Nothing is awaited between the end of catching up and here, so no revision can slip through.
    using watcher = this.#hub.subscribe(prefix)
    while (!signal.aborted)
      for (const batch of await watcher.buffer.take(signal)) {
        if (signal.aborted) return
        yield batch
      }
  }

  async grantLease(ttlMs: number, { signal }: CallOptions = {}): Promise<Lease> {
    checkLeaseTime(ttlMs)
    this.#assertOpen()
    const lease = { id: randomUUID(), ttlMs }
    const granted = this.#queue.submit({ type: 'grant-lease', lease }).then(() => this.#leases.start(lease))
    try {
      await abortable(granted, signal)
      return lease
    } catch (error) {
      // Nobody will ever know the id: give it back when it arrives; if even that fails, its time runs out.
      granted.then(() => this.revokeLease(lease.id)).catch(() => undefined)
      throw error
    }
  }

  async keepLeaseAlive(id: string, { signal }: CallOptions = {}): Promise<Lease> {
    signal?.throwIfAborted()
    this.#assertOpen()
    const lease = this.#leases.keepAlive(id)
    if (!lease) throw leaseNotFoundError(id, 'keep the lease alive')
    return lease
  }

  async revokeLease(id: string, { signal }: CallOptions = {}): Promise<void> {
    this.#assertOpen()
    await this.#queue.submit({ type: 'end-lease', leaseId: id }, signal)
    this.#leases.forget(id)
  }

  async compact(revision: number, { signal }: CallOptions = {}): Promise<void> {
    checkPositive('revision', revision)
    await abortable(this.#ask('compact', { revision }), signal)
  }

  async health(): Promise<StoreHealth> {
    this.#assertOpen()
    const { path } = this.#options
    const sizes = await Promise.all([path, `${path}-wal`].map((file) => stat(file).catch(() => undefined)))
    return {
      ...{ kind: 'sqlite', location: path, revision: this.#hub.revision, healthy: !this.#full },
      sizeBytes: sizes.reduce((sum, found) => sum + (found?.size ?? 0), 0),
    }
  }

  /** Takes no new calls, finishes the commits under way, and closes the file. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close()
    await this.#closing
  }

  async #close(): Promise<void> {
    this.#end ??= storeError('store.closed', `the store ${this.#options.path} is closed`)
    this.#background.abort()
    this.#leases[Symbol.dispose]()
    await this.#queue.drain()
    this.#hub.fail(this.#end)
    // A failed thread has nothing to say: its file is as good as it gets.
    await this.#thread
      .call('close', null)
      .catch((error: unknown) => this.#log.debug({ err: error }, 'closed a failed store'))
    await this.#thread.terminate()
    await this.#compaction
  }

  async *#catchUp(prefix: string, fromRevision: number, signal: AbortSignal): AsyncGenerator<WatchBatch> {
    let from = fromRevision
    this.#assertOpen()
    while (from <= this.#hub.revision && !signal.aborted) {
      const { batches, through } = await this.#ask('scan', { prefix, from, to: this.#hub.revision })
      from = through + 1
      for (const batch of batches) {
        if (signal.aborted) return
        yield batch
      }
      if (batches.at(-1)?.revision !== through) yield { revision: through, changes: [] }
    }
  }

  async #commitGroup(entries: readonly CommitEntry[]): Promise<CommitAnswer> {
    const packed = await this.#call('commit', packGroup(entries, this.#previousWanted > 0))
    const answer = unpackAnswer(entries, packed)
    this.#noteFull(answer)
    this.#hub.publish(answer.batches, answer.revision)
    return answer
  }

  /** From its answer on, commits tell what they replaced. Answers come in order: those under way have been handed out by then. */
  async #wantPrevious(): Promise<Disposable> {
    this.#previousWanted += 1
    const wish = {
      [Symbol.dispose]: () => {
        this.#previousWanted -= 1
      },
    }
    try {
      await this.#ask('get', { key: '/' })
      return wish
    } catch (error) {
      wish[Symbol.dispose]()
      throw error
    }
  }

  async #endLease(id: string): Promise<void> {
    try {
      const { revision } = await this.#queue.submit({ type: 'end-lease', leaseId: id })
      this.#log.info({ lease: id, revision }, 'a lease ran out')
    } catch (error) {
      if (!isStoreError(error, 'store.lease-not-found')) throw error // revoked at the same moment
    }
  }

  #startCompaction(policy: CompactionPolicy | false): Promise<void> | undefined {
    if (policy === false) return undefined
    return runAutoCompaction({
      policy,
      revision: () => this.#hub.revision,
      compact: (revision) => this.compact(revision),
      signal: this.#background.signal,
      log: this.#log,
    })
  }

  #ask<N extends RequestName>(name: N, ask: Requests[N]['ask']): Promise<Requests[N]['answer']> {
    this.#assertOpen()
    return this.#call(name, ask)
  }

  async #call<N extends RequestName>(name: N, ask: Requests[N]['ask']): Promise<Requests[N]['answer']> {
    try {
      return await this.#thread.call(name, ask)
    } catch (error) {
      if (isStoreError(error, 'store.failed', 'store.corrupt')) this.#fail(error)
      throw error
    }
  }

  #assertOpen(): void {
    if (this.#end) throw this.#end
  }

  #fail(error: StoreError): void {
    if (this.#end) return
    this.#end = error
    this.#log.error({ err: error }, 'the store failed')
    this.#background.abort()
    this.#leases[Symbol.dispose]()
    this.#hub.fail(error)
    this.#options.onFailure?.(error)
  }

  #noteFull({ outcomes }: CommitAnswer): void {
    const refused = outcomes.find((outcome) => 'error' in outcome && outcome.error.code === 'store.full')
    const full = refused !== undefined
    if (full === this.#full) return
    this.#full = full
    if (full) this.#log.error({ err: 'error' in refused ? refused.error : undefined }, 'the store cannot grow')
    else this.#log.info('the store can grow again')
  }
}
