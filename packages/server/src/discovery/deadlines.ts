const tickMs = 100

/** Calls back when a time is up: never early, a tenth of a second late at most. However many there are, they cost one timer. */
export class Deadlines<T> implements Disposable {
  readonly #due = new Map<number, Set<T>>()
  readonly #onDue: (item: T) => void
  readonly #now: () => number
  #timer: NodeJS.Timeout | undefined
  /** All before it have been called. */
  #next = 0

  constructor(onDue: (item: T) => void, now: () => number = () => performance.now()) {
    this.#onDue = onDue
    this.#now = now
  }

  /** Gives what {@link delete} wants to hear. */
  add(item: T, afterMs: number): number {
    const now = this.#now()
    const tick = Math.ceil((now + afterMs) / tickMs)
    let items = this.#due.get(tick)
    if (items === undefined) {
      items = new Set()
      this.#due.set(tick, items)
    }
    items.add(item)
    if (this.#timer === undefined) {
      this.#next = Math.floor(now / tickMs)
      this.#timer = setInterval(() => this.look(), tickMs).unref()
    }
    return tick
  }

  delete(item: T, tick: number): void {
    const items = this.#due.get(tick)
    if (items?.delete(item) === true && items.size === 0) this.#due.delete(tick)
  }

  /** Calls those whose time is up. */
  look(): void {
    const last = Math.floor(this.#now() / tickMs)
    for (; this.#next <= last; this.#next += 1) {
      const items = this.#due.get(this.#next)
      if (items === undefined) continue
      this.#due.delete(this.#next)
      for (const item of items) this.#onDue(item)
    }
    if (this.#due.size === 0) this[Symbol.dispose]()
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}
