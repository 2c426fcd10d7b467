const tickMs = 100

/** Something with a time; where it is kept is {@link Deadlines}' own to write. */
export interface Due {
  dueTick: number
  dueAt: number
}

/**
 * Calls back when a time is up: never early, a tenth of a second late at most. However many there are, they cost one timer, and each is an entry
 * of a list, which is far less than one of a set for whoever keeps and forgets ten thousand at a change.
 */
export class Deadlines<T extends Due> implements Disposable {
  readonly #due = new Map<number, T[]>()
  readonly #onDue: (item: T) => void
  readonly #now: () => number
  #timer: NodeJS.Timeout | undefined
  /** All before it have been called. */
  #next = 0

  constructor(onDue: (item: T) => void, now: () => number = () => performance.now()) {
    this.#onDue = onDue
    this.#now = now
  }

  add(item: T, afterMs: number): void {
    const now = this.#now()
    const tick = Math.ceil((now + afterMs) / tickMs)
    let items = this.#due.get(tick)
    if (items === undefined) {
      items = []
      this.#due.set(tick, items)
    }
    item.dueTick = tick
    item.dueAt = items.push(item) - 1
    if (this.#timer === undefined) {
      this.#next = Math.floor(now / tickMs)
      this.#timer = setInterval(() => this.look(), tickMs).unref()
    }
  }

  /** Nothing happens where it was called or given up. */
  delete(item: T): void {
    const items = this.#due.get(item.dueTick)
    if (items?.[item.dueAt] !== item) return
    takeOut(items, item.dueAt, moveTo)
    if (items.length === 0) this.#due.delete(item.dueTick)
  }

  /** Calls those whose time is up. */
  look(): void {
    const last = Math.floor(this.#now() / tickMs)
    for (; this.#next <= last; this.#next += 1) {
      // Whoever is called may give up others.
      for (let items = this.#due.get(this.#next); items !== undefined; items = this.#due.get(this.#next)) {
        const item = items[items.length - 1] as T
        this.delete(item)
        this.#onDue(item)
      }
    }
    if (this.#due.size === 0) this[Symbol.dispose]()
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}

const moveTo = (item: Due, at: number): void => {
  item.dueAt = at
}

/** In the time that it takes for one, however many there are: the last one comes to its place. */
export function takeOut<T>(items: T[], at: number, onMoved: (moved: T, at: number) => void): void {
  const last = items.pop()
  if (last === undefined || at === items.length) return
  items[at] = last
  onMoved(last, at)
}
