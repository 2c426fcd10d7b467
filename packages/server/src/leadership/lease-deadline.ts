/**
 * Until when a lease surely lasts, by this machine's monotonic clock. Counted from when the last successful keep-alive was *sent*: the
 * store cannot have begun to count earlier, so by its own clock the lease ends later than this. The margin is for clocks that do not run
 * alike.
 */
export class LeaseDeadline {
  readonly #marginMs: number
  #at = Number.NEGATIVE_INFINITY

  constructor(marginMs: number) {
    this.#marginMs = marginMs
  }

  get at(): number {
    return this.#at
  }

  /** Answers may come in any order; what was sent last counts. */
  renewed(sentAt: number, ttlMs: number): void {
    this.#at = Math.max(this.#at, sentAt + ttlMs - this.#marginMs)
  }

  isPast(now: number): boolean {
    return now >= this.#at
  }
}
