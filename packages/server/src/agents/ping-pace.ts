/**
 * A round of pings in parts, one after the other. On a busy server a timer comes late, and then once for all the times that it should have come: whoever
 * pinged one part each time would take so long for a round that nodes seem silent which are only not asked.
 */
export class PingPace {
  readonly #partMs: number
  readonly #parts: number
  #at: number

  constructor(roundMs: number, parts: number, now: number = performance.now()) {
    this.#partMs = roundMs / parts
    this.#parts = parts
    this.#at = now
  }

  /** How many parts are due, never more than a round. */
  due(now: number = performance.now()): number {
    const passed = Math.floor((now - this.#at) / this.#partMs)
    this.#at += passed * this.#partMs
    return Math.min(passed, this.#parts)
  }
}
