import { setTimeout as sleep } from 'node:timers/promises'
import type { CallScope, EtcdClient } from './etcd-client.ts'
import type { EtcdKeys } from './etcd-keys.ts'
import { calls } from './etcd-messages.ts'

const patienceMs = 100

/**
 * Somebody was told a revision that no watch may ever reach by itself, since it came from another user of the same etcd. A write below
 * the store's prefix takes the watches there. In an etcd of Berth's own this never happens.
 */
export class ProgressMarks {
  readonly #client: EtcdClient
  readonly #keys: EtcdKeys
  readonly #scope: CallScope
  #reached: number
  #wanted = 0
  #running: Promise<void> | undefined

  constructor(client: EtcdClient, keys: EtcdKeys, options: { readonly reached: number; readonly signal: AbortSignal }) {
    this.#client = client
    this.#keys = keys
    this.#reached = options.reached
    this.#scope = { what: `put ${keys.mark}`, signal: options.signal }
  }

  /** A write of this store, or what a watch has handed out. */
  reached(revision: number): void {
    this.#reached = Math.max(this.#reached, revision)
  }

  /** A caller was told this revision and may wait for it. */
  told(revision: number): void {
    if (revision <= this.#reached) return
    this.#wanted = Math.max(this.#wanted, revision)
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined
    })
  }

  async #run(): Promise<void> {
    const { signal } = this.#scope
    while (this.#wanted > this.#reached && !signal.aborted) {
      // Mostly another server of this cluster wrote it, and the watches are only a moment behind.
      await sleep(patienceMs, undefined, { signal, ref: false }).catch(() => undefined)
      if (this.#wanted <= this.#reached || signal.aborted) return
      const put = { key: this.#keys.mark, value: Buffer.alloc(0) }
      const written = this.#client.ask(calls.txn, { compare: [], success: [{ request_put: put }] }, this.#scope)
      const { header } = await written.catch(() => ({ header: { revision: 0 } }))
      this.reached(header.revision)
    }
  }
}
