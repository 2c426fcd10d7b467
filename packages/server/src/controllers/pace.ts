/** So much is not made up for at once: in a small cluster everybody whom a change has woken is there immediately. */
const freeMs = 4

/**
 * Lets pieces of work go on one after the other, in the order in which they asked, with pauses in proportion to what they took: under
 * load they get this share of the time, and what everybody else has to do the rest. A short one now and then waits for nothing.
 */
export class Pace implements Disposable {
  readonly #share: number
  readonly #waiting: (() => void)[] = []
  #next = 0
  #notBefore = 0
  /** What has been taken beyond the share, as of `#spentAt`. */
  #debtMs = 0
  #spentAt = 0
  #isScheduled = false
  #disposed = false

  constructor(share: number) {
    this.#share = share
  }

  /** Resolves when it is the caller's turn, who then works without waiting for anything and tells how long it took. */
  turn(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
      this.#schedule()
    })
  }

  /** Of the processor, not of the clock: what others on the machine take is nothing to be made up for. */
  spent(timeMs: number): void {
    const now = performance.now()
    const restedMs = Math.max(0, now - this.#spentAt - timeMs)
    this.#debtMs = Math.max(0, this.#debtMs - restedMs * this.#share) + timeMs * (1 - this.#share)
    this.#spentAt = now
    if (this.#debtMs > freeMs) this.#notBefore = now + this.#debtMs / this.#share
  }

  /** Everybody's turn comes at once. */
  [Symbol.dispose](): void {
    this.#disposed = true
    for (const resolve of this.#waiting.splice(0).slice(this.#next)) resolve()
    this.#next = 0
  }

  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    const waitMs = this.#disposed ? 0 : this.#notBefore - performance.now()
    if (waitMs <= 0) setImmediate(() => this.#admit())
    else setTimeout(() => this.#admit(), waitMs).unref()
  }

  #admit(): void {
    this.#isScheduled = false
    const resolve = this.#waiting[this.#next]
    if (resolve === undefined) return
    this.#next += 1
    if (this.#next === this.#waiting.length) {
      this.#waiting.length = 0
      this.#next = 0
    }
    resolve()
    if (this.#waiting.length > 0) this.#schedule()
  }
}
