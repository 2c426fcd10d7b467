import { messageOf } from '@berth/core'
import { status as grpc } from '@grpc/grpc-js'
import type { Logger } from 'pino'
import { BatchBuffer } from '../batch-buffer.ts'
import { bytesOfBatch } from '../batch-size.ts'
import type { WatchBatch } from '../store.ts'
import { compactedError, futureRevisionError } from '../store-error.ts'
import type { CallScope, EtcdClient } from './etcd-client.ts'
import { deniedError, EtcdFailure } from './etcd-failure.ts'
import type { EtcdKeys } from './etcd-keys.ts'
import { calls, type WatchResponse } from './etcd-messages.ts'
import { RevisionBatches } from './revision-batches.ts'

export interface EtcdWatchOptions {
  readonly client: EtcdClient
  readonly keys: EtcdKeys
  readonly prefix: string
  readonly fromRevision: number
  readonly capacityBytes: number
  readonly log: Logger
  /** Told how far it is. */
  readonly onRevision: (revision: number) => void
}

const maxRefusals = 2

/**
 * One watch. It follows all of the store's keys, whatever its prefix, so that it knows by itself how far it is (etcd's progress answers on
 * demand may overtake events before 3.4.25 and 3.5.8), and picks out its own. A stream that breaks is opened again elsewhere where it ended.
 */
export class EtcdWatch implements Disposable {
  readonly buffer: BatchBuffer<WatchBatch>
  readonly #options: EtcdWatchOptions
  readonly #batches: RevisionBatches
  readonly #closing = new AbortController()
  readonly #scope: CallScope
  #refusals = 0

  constructor(options: EtcdWatchOptions) {
    const { keys, prefix, fromRevision, capacityBytes } = options
    this.#options = options
    const what = `watch ${prefix}`
    this.buffer = new BatchBuffer(what, capacityBytes, bytesOfBatch)
    this.#batches = new RevisionBatches(keys, prefix, fromRevision)
    this.#scope = { what, signal: this.#closing.signal }
    void this.#run()
  }

  [Symbol.dispose](): void {
    this.#closing.abort()
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing
    const { client, log } = this.#options
    for (let attempt = 1; !signal.aborted; attempt++) {
      try {
        const next = this.#batches.next
        await this.#follow(await this.#currentRevision())
        if (this.buffer.hasFailed) return
        if (this.#batches.next > next) attempt = 0
      } catch (error) {
        if (signal.aborted) return
        if (!(error instanceof EtcdFailure) || !mayPass(error))
          return this.buffer.fail(client.toStoreError(error, this.#scope.what))
        log.warn(
          { err: error, next: this.#batches.next },
          `${this.#scope.what}: ${messageOf(error)}; going on elsewhere`,
        )
      }
      await client.pause(attempt, signal).catch(() => undefined)
    }
  }

  /** Fails when the store went back behind what was handed out: its data was replaced. */
  async #currentRevision(): Promise<number> {
    const { client, keys } = this.#options
    // A watch that can wait does: a cluster that is down comes back, and its reader has nothing better to do.
    const { header } = await client.ask(
      calls.range,
      { key: keys.identity, count_only: true },
      { ...this.#scope, withinMs: Number.POSITIVE_INFINITY },
    )
    const { next } = this.#batches
    if (next > header.revision + 1) throw futureRevisionError(this.#scope.what, next, header.revision)
    return header.revision
  }

  async #follow(current: number): Promise<void> {
    const { client, keys } = this.#options
    this.#batches.restart()
    const create_request = {
      ...keys.everything,
      start_revision: this.#batches.next,
      ...{ progress_notify: true, prev_kv: true, fragment: true },
    }
    for await (const answer of client.stream(calls.watch, { create_request }, this.#scope)) {
      if (answer.canceled) throw this.#canceled(answer)
      for (const batch of this.#batches.take(answer)) {
        this.buffer.push(batch)
        this.#refusals = 0
        this.#options.onRevision(batch.revision)
        // What was there before waits for its reader; what is new does not, or one who sleeps would never be told.
        if (batch.revision <= current) await this.buffer.room(this.#closing.signal)
      }
      if (this.buffer.hasFailed) return
    }
  }

  #canceled({ compact_revision, cancel_reason }: WatchResponse): unknown {
    const { next } = this.#batches
    if (compact_revision > 0) return compactedError(this.#scope.what, next, compact_revision)
    // Also what a token that is over comes to here.
    this.#options.client.renewToken()
    this.#refusals += 1
    if (this.#refusals > maxRefusals) return deniedError(this.#scope.what, 'members', cancel_reason)
    return new EtcdFailure(grpc.UNAUTHENTICATED, cancel_reason, 'watch')
  }
}

/** A connection, a member or a token that was lost: the watch goes on with another. */
const mayPass = (failure: EtcdFailure): boolean => failure.isTransient || failure.needsNewToken

/** The oldest revision whose history is there: a watch from the beginning is told. 0 when nothing was compacted. */
export async function compactedRevision(client: EtcdClient, keys: EtcdKeys, scope: CallScope): Promise<number> {
  return client.insist(scope, async () => {
    const create_request = { ...keys.everything, start_revision: 1 }
    for await (const answer of client.stream(calls.watch, { create_request }, scope)) {
      if (answer.canceled) return answer.compact_revision
      if (!answer.created) return 0
    }
    return 0
  })
}
