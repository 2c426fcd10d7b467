export interface PacedWorkOptions {
  /** Does what is due for one key, without waiting for anything. Must not throw. */
  readonly act: (key: string) => void
  /** Part of the time that may be spent on it while there is more to do. */
  readonly share?: number
}

/** So long at a stretch, and so long a stretch is too short to make up for. */
const sliceMs = 10
const freeMs = 1

/**
 * Work that changes mark, by key, and that may be a lot at once: marks coalesce, little is done in the next turn of the event loop, and
 * much in slices with pauses between, so that whatever else is to be done gets its turn.
 */
export class PacedWork implements Disposable {
  readonly #act: (key: string) => void
  readonly #share: number
  readonly #keys = new Set<string>()
  #isScheduled = false
  #notBefore = 0
  #disposed = false

  constructor({ act, share = 0.25 }: PacedWorkOptions) {
    this.#act = act
    this.#share = share
  }

  mark(key: string): void {
    this.#keys.add(key)
    this.#schedule()
  }

  [Symbol.dispose](): void {
    this.#disposed = true
    this.#keys.clear()
  }

  #schedule(): void {
    if (this.#isScheduled || this.#disposed) return
    this.#isScheduled = true
    const waitMs = this.#notBefore - performance.now()
    if (waitMs <= 0) setImmediate(() => this.#run())
    else setTimeout(() => this.#run(), waitMs).unref()
  }

  #run(): void {
    this.#isScheduled = false
    const startedAt = performance.now()
    let endedAt = startedAt
    for (const key of this.#keys) {
      this.#keys.delete(key)
      this.#act(key)
      endedAt = performance.now()
      if (endedAt - startedAt >= sliceMs) break
    }
    const spentMs = endedAt - startedAt
    if (spentMs > freeMs) this.#notBefore = endedAt + spentMs * (1 / this.#share - 1)
    if (this.#keys.size > 0) this.#schedule()
  }
}
