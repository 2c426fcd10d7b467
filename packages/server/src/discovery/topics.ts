/** More than so many that have changed are not told apart: the others have all changed with the last of them. */
const maxRemembered = 100_000

/**
 * At which revision what last changed, by topic (`service shop-production`, `nodes`, `key a/b`), and who waits for it. What was before
 * this server started is not known, so everything has changed at its start at least.
 */
export class Topics {
  readonly #indexes = new Map<string, number>()
  readonly #waiting = new Map<string, Set<() => void>>()
  #floor: number

  constructor(startedAt: number) {
    this.#floor = Math.max(1, startedAt)
  }

  get floor(): number {
    return this.#floor
  }

  indexOf(topic: string): number {
    return this.#indexes.get(topic) ?? this.#floor
  }

  /** It is another since this revision; all who wait for it are called, once each. */
  touch(topic: string, revision: number): void {
    if (this.#indexes.size >= maxRemembered) {
      this.#indexes.clear()
      this.#floor = Math.max(this.#floor, revision)
    }
    this.#indexes.set(topic, Math.max(revision, this.indexOf(topic)))
    const waiting = this.#waiting.get(topic)
    if (waiting === undefined) return
    this.#waiting.delete(topic)
    for (const wake of waiting) wake()
  }

  isWaitedFor(topic: string): boolean {
    return this.#waiting.has(topic)
  }

  /** Calls once, at the next change. Returns how to give that up. */
  next(topic: string, wake: () => void): () => void {
    let waiting = this.#waiting.get(topic)
    if (waiting === undefined) {
      waiting = new Set()
      this.#waiting.set(topic, waiting)
    }
    waiting.add(wake)
    return () => {
      const still = this.#waiting.get(topic)
      still?.delete(wake)
      if (still?.size === 0) this.#waiting.delete(topic)
    }
  }
}
