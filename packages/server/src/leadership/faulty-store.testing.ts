import { setTimeout as delay } from 'node:timers/promises'
import type { Lease, Store, TransactionResult } from '../store/store.ts'
import { storeError } from '../store/store-error.ts'

/** A server's way to a real store, which can be slow, lossy or cut. */
export class FaultyStore implements Store {
  readonly #store: Store
  /** Nothing gets through. */
  isCut = false
  /** Commits take effect, but their answers are lost. */
  losesAnswers = false
  /** Keep-alives arrive only after so long. */
  keepAliveDelayMs = 0
  /** Answers to keep-alives come only after so long. */
  answerDelayMs = 0

  constructor(store: Store) {
    this.#store = store
  }

  get epoch(): string {
    return this.#store.epoch
  }

  readonly get: Store['get'] = (...args) => this.#through(() => this.#store.get(...args))
  readonly list: Store['list'] = (...args) => this.#through(() => this.#store.list(...args))
  readonly watch: Store['watch'] = (...args) => this.#store.watch(...args)
  readonly compact: Store['compact'] = (...args) => this.#store.compact(...args)
  readonly health: Store['health'] = (...args) => this.#store.health(...args)
  readonly grantLease: Store['grantLease'] = (...args) => this.#through(() => this.#store.grantLease(...args))
  readonly revokeLease: Store['revokeLease'] = (...args) => this.#through(() => this.#store.revokeLease(...args))

  async commit(...args: Parameters<Store['commit']>): Promise<TransactionResult> {
    const result = await this.#through(() => this.#store.commit(...args))
    if (this.losesAnswers) throw storeError('store.failed', 'the answer was lost')
    return result
  }

  async keepLeaseAlive(...args: Parameters<Store['keepLeaseAlive']>): Promise<Lease> {
    if (this.keepAliveDelayMs > 0) await delay(this.keepAliveDelayMs)
    const lease = await this.#through(() => this.#store.keepLeaseAlive(...args))
    if (this.answerDelayMs > 0) await delay(this.answerDelayMs)
    return lease
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  async #through<T>(call: () => Promise<T>): Promise<T> {
    if (this.isCut) throw storeError('store.failed', 'no way to the store')
    const result = await call()
    if (this.isCut) throw storeError('store.failed', 'the way to the store was cut')
    return result
  }
}
