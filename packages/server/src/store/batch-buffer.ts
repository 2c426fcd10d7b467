import { type StoreError, storeError } from './store-error.ts'

interface Batch {
  readonly revision: number
  readonly changes: readonly unknown[]
}

/**
 * Batches between a writer that never waits and a reader that may be slow. Progress marks (batches without changes) are
 * merged into one; when the rest outgrows the bounds, all is dropped and the reader gets `store.slow-watcher`. A single
 * batch is let through whatever its size, or its reader would never get past it.
 */
export class BatchBuffer<B extends Batch> {
  readonly #what: string
  readonly #capacity: number
  readonly #weigh: (batch: B) => number
  #batches: B[] = []
  #weight = 0
  #failure: unknown
  #wake: (() => void) | undefined
  #taken: (() => void) | undefined

  constructor(what: string, capacity: number, weigh: (batch: B) => number) {
    this.#what = what
    this.#capacity = capacity
    this.#weigh = weigh
  }

  push(batch: B): void {
    if (this.#failure) return
    if (this.#batches.at(-1)?.changes.length === 0) this.#batches.pop()
    const weight = batch.changes.length === 0 ? 0 : this.#weigh(batch)
    if (weight > 0 && this.#weight > 0 && this.#weight + weight > this.#capacity) {
      this.fail(this.#tooSlow(batch))
      return
    }
    this.#batches.push(batch)
    this.#weight += weight
    this.#wake?.()
  }

  get hasFailed(): boolean {
    return this.#failure !== undefined
  }

  /** For a writer that can wait: resolves when the reader has taken enough, has been failed, or `signal` aborts. */
  async room(signal: AbortSignal): Promise<void> {
    if (this.#weight <= this.#capacity / 2 || this.#failure || signal.aborted) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#taken = resolve
    const stop = (): void => resolve()
    signal.addEventListener('abort', stop, { once: true })
    await promise.finally(() => signal.removeEventListener('abort', stop))
  }

  /** The reader gets the error next: what it has not read yet is dropped. */
  fail(error: unknown): void {
    this.#failure ??= error
    this.#batches = []
    this.#weight = 0
    this.#wake?.()
    this.#taken?.()
  }

  /** All that waits, or what comes next; nothing when `signal` aborts. For one reader. */
  async take(signal: AbortSignal): Promise<readonly B[]> {
    if (this.#batches.length === 0 && !this.#failure && !signal.aborted) await this.#arrival(signal)
    if (signal.aborted) return []
    if (this.#failure) throw this.#failure
    const batches = this.#batches
    this.#batches = []
    this.#weight = 0
    this.#taken?.()
    return batches
  }

  async #arrival(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#wake = resolve
    signal.addEventListener('abort', resolve as () => void, { once: true })
    try {
      await promise
    } finally {
      this.#wake = undefined
      signal.removeEventListener('abort', resolve as () => void)
    }
  }

  #tooSlow({ revision }: B): StoreError {
    return storeError(
      'store.slow-watcher',
      `${this.#what}: the reader fell so far behind that its buffer overflowed at revision ${revision}; list again`,
      { retryable: true, details: { revision } },
    )
  }
}
