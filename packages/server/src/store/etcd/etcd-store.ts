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
} from '../store.ts'
import { compactedError, futureRevisionError, leaseNotFoundError, type StoreError, storeError } from '../store-error.ts'
import { commitTransaction } from './commit-transaction.ts'
import { Committer } from './committer.ts'
import { type CallScope, EtcdClient, type EtcdClientOptions } from './etcd-client.ts'
import { EtcdFailure } from './etcd-failure.ts'
import { type OpenedIdentity, openIdentity } from './etcd-identity.ts'
import { EtcdKeys, justAfter } from './etcd-keys.ts'
import { grantLease, keepLeaseAlive, revokeLease } from './etcd-leases.ts'
import { calls, type Header, type RangeRequest, type RangeResponse } from './etcd-messages.ts'
import { compactedRevision, EtcdWatch } from './etcd-watch.ts'
import { deleteOldSlots } from './old-slots.ts'
import { ProgressMarks } from './progress-marks.ts'

export interface EtcdStoreOptions {
  /** `host:port` of the members that are asked, one after the other. */
  readonly addresses: readonly string[]
  /** The keys of the store are below it: `/berth`. */
  readonly prefix: string
  readonly tls?: EtcdClientOptions['tls']
  readonly login?: EtcdClientOptions['login']
  readonly log: Logger
  /** History that is dropped by itself, of the whole etcd. `false`: by etcd's own --auto-compaction, or {@link Store.compact}. */
  readonly compaction?: CompactionPolicy | false
  /** What a watch may buffer for a slow reader. */
  readonly watchBufferBytes?: number
  /** How long a commit is tried while no member takes it. Default 20 s. */
  readonly commitWithinMs?: number
  /** Gives the store a new epoch. */
  readonly newEpoch?: boolean
  /** Called once when the store has failed for good; every call then rejects with this error, and only a restart helps. */
  readonly onFailure?: (error: StoreError) => void
  readonly signal?: AbortSignal
}

const defaultWatchBufferBytes = 16 * 1_048_576
/** Dropping the rows of a million changes takes etcd a while. */
const compactWithinMs = 600_000

/**
 * Opens the store below `prefix`, or begins it. Throws `store.unavailable`, `store.denied`, `store.newer`, `store.incomplete` or
 * `store.corrupt`.
 */
export async function openEtcdStore(options: EtcdStoreOptions): Promise<Store> {
  options.signal?.throwIfAborted()
  const store = new EtcdStore(options)
  try {
    await store.open(options.signal)
    return store
  } catch (error) {
    await store[Symbol.asyncDispose]()
    throw error
  }
}

class EtcdStore implements Store {
  epoch = ''
  readonly #options: EtcdStoreOptions
  readonly #log: Logger
  readonly #client: EtcdClient
  readonly #keys: EtcdKeys
  readonly #committer: Committer
  readonly #watches = new Set<EtcdWatch>()
  readonly #commits = new Set<Promise<unknown>>()
  /** Aborts with the reason why no further call is taken: closed, or failed. */
  readonly #end = new AbortController()
  /** Commits under way may finish after the end. */
  readonly #closed = new AbortController()
  #marks: ProgressMarks | undefined
  #compaction: Promise<void> | undefined
  #cluster: string | undefined
  /** The highest revision that an answer named. */
  #revision = 0
  #closing: Promise<void> | undefined

  constructor(options: EtcdStoreOptions) {
    const { addresses, tls, login } = options
    this.#options = options
    this.#log = options.log
    this.#keys = new EtcdKeys(options.prefix)
    this.#client = new EtcdClient({
      ...{ addresses, onHeader: (header) => this.#note(header) },
      ...(tls === undefined ? {} : { tls }),
      ...(login === undefined ? {} : { login }),
    })
    this.#committer = new Committer(this.#client, this.#keys, options.commitWithinMs)
  }

  async open(signal: AbortSignal | undefined): Promise<void> {
    const newEpoch = this.#options.newEpoch === true
    const opened = await this.#call('open the store', signal, (scope) =>
      openIdentity(this.#client, this.#keys, scope, newEpoch),
    )
    this.epoch = opened.identity.epoch
    this.#marks = new ProgressMarks(this.#client, this.#keys, {
      reached: opened.revision,
      signal: this.#end.signal,
    })
    this.#logOpened(opened)
    this.#compaction = this.#startCompaction(this.#options.compaction ?? defaultCompactionPolicy)
  }

  async get(key: string, { signal }: CallOptions = {}) {
    checkKey(key)
    const { kvs, header } = await this.#range(`get ${key}`, { key: this.#keys.data(key) }, signal)
    return { kv: kvs[0] && this.#keys.toKeyValue(kvs[0]), revision: header.revision }
  }

  async list(prefix: string, options: ListOptions = {}): Promise<ListResult> {
    checkText(prefix, 'prefix')
    const { limit, after, revision, signal } = options
    for (const [what, number] of Object.entries({ limit, revision })) checkPositive(what, number)
    const read = (size: number, start: string | undefined, at: number | undefined) =>
      this.#page(prefix, { limit: size, after: start, revision: at }, signal)
    if (limit !== undefined) return read(limit, after, revision)
    return listPages((start, at) => read(pageItems, start, at), after, revision)
  }

  async commit(transaction: Transaction, { signal }: CallOptions = {}): Promise<TransactionResult> {
    checkTransaction(transaction)
    this.#assertOpen()
    signal?.throwIfAborted()
    const committing = this.#commit(transaction, signal)
    const settled: Promise<unknown> = committing.catch(() => undefined).then(() => this.#commits.delete(settled))
    this.#commits.add(settled)
    return abortable(committing, signal)
  }

  async *watch(
    prefix: string,
    { fromRevision, signal }: { fromRevision: number; signal: AbortSignal },
  ): AsyncIterable<WatchBatch> {
    checkText(prefix, 'prefix')
    checkPositive('fromRevision', fromRevision)
    this.#assertOpen()
    if (signal.aborted) return
    using watch = new EtcdWatch({
      ...{ client: this.#client, keys: this.#keys, prefix, fromRevision, log: this.#log },
      capacityBytes: this.#options.watchBufferBytes ?? defaultWatchBufferBytes,
      onRevision: (revision) => this.#marks?.reached(revision),
    })
    this.#watches.add(watch)
    try {
      while (!signal.aborted)
        for (const batch of await watch.buffer.take(signal)) {
          if (signal.aborted) return
          yield batch
        }
    } finally {
      this.#watches.delete(watch)
    }
  }

  async grantLease(ttlMs: number, { signal }: CallOptions = {}): Promise<Lease> {
    checkLeaseTime(ttlMs)
    const granted = this.#call(`grant a lease of ${ttlMs} ms`, undefined, (scope) =>
      grantLease(this.#client, ttlMs, scope),
    )
    try {
      return await abortable(granted, signal)
    } catch (error) {
      // Nobody will ever know the id: give it back when it arrives; if even that fails, its time runs out.
      granted.then(({ id }) => this.revokeLease(id)).catch(() => undefined)
      throw error
    }
  }

  keepLeaseAlive(id: string, { signal }: CallOptions = {}): Promise<Lease> {
    return this.#call('keep the lease alive', signal, (scope) => keepLeaseAlive(this.#client, id, scope))
  }

  revokeLease(id: string, { signal }: CallOptions = {}): Promise<void> {
    return this.#call('revoke the lease', signal, (scope) => revokeLease(this.#client, id, scope))
  }

  async compact(revision: number, { signal }: CallOptions = {}): Promise<void> {
    checkPositive('revision', revision)
    const what = `compact to revision ${revision}`
    await this.#call(what, signal, async (scope) => {
      try {
        const limits = { withinMs: compactWithinMs, attemptMs: compactWithinMs }
        await this.#client.ask(calls.compact, { revision, physical: true }, { ...scope, ...limits })
      } catch (error) {
        if (!(error instanceof EtcdFailure)) throw error
        if (error.isFuture) throw futureRevisionError(what, revision, await this.#currentRevision(scope))
        if (!error.isCompacted) throw error
      }
    })
  }

  /** Of every member, asked one by one; one that does not answer within 2 s is not healthy. */
  async health({ signal }: CallOptions = {}): Promise<StoreHealth> {
    this.#assertOpen()
    const { addresses, prefix } = this.#options
    const end = signal === undefined ? this.#end.signal : AbortSignal.any([this.#end.signal, signal])
    const members = await this.#client.health(end)
    const healthy = members.filter((member) => member.healthy).length
    const sizes = members.flatMap(({ sizeBytes }) => sizeBytes ?? [])
    return {
      kind: 'etcd',
      location: `etcd://${addresses.join(',')}${prefix}`,
      revision: this.#revision,
      healthy: healthy * 2 > members.length,
      members,
      ...(sizes.length === 0 ? {} : { sizeBytes: Math.max(...sizes) }),
    }
  }

  /** Takes no new calls, finishes the commits under way, and hangs up. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close()
    await this.#closing
  }

  async #close(): Promise<void> {
    this.#endWith(storeError('store.closed', `the store at ${this.#options.addresses.join(', ')} is closed`))
    await Promise.all(this.#commits)
    this.#closed.abort(this.#end.signal.reason)
    await this.#compaction
    this.#client[Symbol.dispose]()
  }

  async #page(
    prefix: string,
    { limit, after, revision }: { limit: number; after: string | undefined; revision: number | undefined },
    signal: AbortSignal | undefined,
  ): Promise<ListResult> {
    const range = this.#keys.dataBelow(prefix)
    const start = after === undefined ? range.key : justAfter(this.#keys.data(after))
    const key = Buffer.compare(start, range.key) < 0 ? range.key : start
    const question = { ...range, key, limit, ...(revision === undefined ? {} : { revision }) }
    const { kvs, header, more } = await this.#range(`list ${prefix}`, question, signal)
    const items = kvs.map((kv) => this.#keys.toKeyValue(kv))
    const next = more ? items.at(-1)?.key : undefined
    return { items, revision: revision ?? header.revision, ...(next === undefined ? {} : { next }) }
  }

  #range(what: string, question: RangeRequest, signal: AbortSignal | undefined): Promise<RangeResponse> {
    return this.#call(what, signal, async (scope) => {
      try {
        return await this.#client.ask(calls.range, question, scope)
      } catch (error) {
        if (!(error instanceof EtcdFailure) || question.revision === undefined) throw error
        const { revision } = question
        if (error.isFuture) throw futureRevisionError(what, revision, await this.#currentRevision(scope))
        if (error.isCompacted)
          throw compactedError(what, revision, await compactedRevision(this.#client, this.#keys, scope))
        throw error
      }
    })
  }

  async #currentRevision(scope: CallScope): Promise<number> {
    const { header } = await this.#client.ask(calls.range, { key: this.#keys.identity, count_only: true }, scope)
    return header.revision
  }

  async #commit(transaction: Transaction, signal: AbortSignal | undefined): Promise<TransactionResult> {
    const what = `commit of ${describeTransaction(transaction)}`
    const scope = { what, signal: this.#closed.signal }
    const isGone = (): boolean => signal?.aborted === true
    try {
      const result = await commitTransaction(transaction, {
        ...{ client: this.#client, keys: this.#keys, committer: this.#committer, scope, isGone },
      })
      if (result.wrote) this.#marks?.reached(result.revision)
      else this.#marks?.told(result.revision)
      return { ok: result.ok, revision: result.revision }
    } catch (error) {
      const lease = transaction.operations.find((one) => one.type === 'put' && one.lease !== undefined)
      if (error instanceof EtcdFailure && error.isLeaseNotFound && lease?.type === 'put')
        throw leaseNotFoundError(lease.lease as string, `put ${lease.key}`)
      throw this.#client.toStoreError(error, what)
    }
  }

  async #call<T>(what: string, signal: AbortSignal | undefined, work: (scope: CallScope) => Promise<T>): Promise<T> {
    this.#assertOpen()
    signal?.throwIfAborted()
    const end = this.#end.signal
    try {
      return await work({ what, signal: signal === undefined ? end : AbortSignal.any([end, signal]) })
    } catch (error) {
      if (error instanceof EtcdFailure && error.isLeaseNotFound) throw leaseNotFoundError('asked for', what)
      throw this.#client.toStoreError(error, what)
    }
  }

  #note({ cluster_id, revision }: Header): void {
    this.#cluster ??= cluster_id
    if (this.#cluster !== cluster_id) {
      const members = this.#options.addresses.join(', ')
      const error = storeError(
        'store.failed',
        `${members} are not of one etcd cluster, or it was replaced by another: ${this.#cluster} before, now ${cluster_id}; name members of one cluster and start the server again`,
      )
      this.#fail(error)
      throw error
    }
    if (revision > this.#revision) this.#revision = revision
  }

  #startCompaction(policy: CompactionPolicy | false): Promise<void> | undefined {
    if (policy === false) return undefined
    return runAutoCompaction({
      policy,
      revision: () => this.#revision,
      compact: async (revision) => {
        await this.compact(revision)
        await this.#call('delete old slots', undefined, (scope) =>
          deleteOldSlots(this.#client, this.#keys, revision, scope),
        )
      },
      signal: this.#end.signal,
      log: this.#log,
    })
  }

  #logOpened({ identity, revision, renewedFor }: OpenedIdentity): void {
    const { addresses, prefix } = this.#options
    const fields = { addresses, prefix, epoch: identity.epoch, revision }
    if (renewedFor === undefined) this.#log.info(fields, 'opened the store')
    else this.#log.warn(fields, `opened a store that came from elsewhere, so its epoch is a new one: ${renewedFor}`)
  }

  #assertOpen(): void {
    this.#end.signal.throwIfAborted()
  }

  #fail(error: StoreError): void {
    if (this.#end.signal.aborted) return
    this.#log.error({ err: error }, 'the store failed')
    this.#endWith(error)
    this.#closed.abort(error)
    this.#options.onFailure?.(error)
  }

  #endWith(error: StoreError): void {
    this.#end.abort(error)
    for (const watch of this.#watches) watch.buffer.fail(error)
  }
}

function describeTransaction({ compare, operations }: Transaction): string {
  const [first] = operations
  if (first === undefined) return `nothing if ${compare?.[0]?.key ?? 'always'}`
  const target = first.type === 'delete-prefix' ? first.prefix : first.key
  return `${first.type} ${target}${operations.length > 1 ? ` and ${operations.length - 1} more` : ''}`
}
