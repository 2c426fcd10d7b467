interface Timed {
  readonly at: number
}

interface Source<T> {
  readonly iterator: AsyncIterator<T>
  /** When its next item was asked for. */
  askedAt: number
  head?: { readonly item: T; readonly since: number }
}

/**
 * Merges streams that are each in order of time (milliseconds since 1970). Without `holdMs` the result is in order, and waits for the
 * slowest source. With it, for live streams, where nobody knows whether anything earlier will come, a source that has been silent for
 * that long is waited for no more, and a fresh item waits that long for earlier ones of others. What is old, as the lines are with
 * which a stream begins, waits only for sources that were asked just now: hundreds of lines take no longer than one.
 * More sources may be added while it runs; it ends when all have ended and `isOpen` says no more will come.
 */
export class TimeMerge<T extends Timed> {
  readonly #sources = new Set<Source<T>>()
  readonly #holdMs: number | undefined
  readonly #isOpen: () => boolean
  #wake: () => void = () => undefined

  constructor(options: { readonly holdMs?: number | undefined; readonly isOpen?: () => boolean } = {}) {
    this.#holdMs = options.holdMs
    this.#isOpen = options.isOpen ?? (() => false)
  }

  /** The source must not throw: say what went wrong as an item. */
  add(items: AsyncIterable<T>): void {
    const source: Source<T> = { iterator: items[Symbol.asyncIterator](), askedAt: 0 }
    this.#sources.add(source)
    this.#pull(source)
  }

  /** Looks at `isOpen` again. */
  poke(): void {
    this.#wake()
  }

  async *items(): AsyncGenerator<T> {
    try {
      while (this.#sources.size > 0 || this.#isOpen()) {
        const source = this.#next()
        if (source?.head === undefined) {
          await this.#change()
          continue
        }
        const { item } = source.head
        delete source.head
        this.#pull(source)
        yield item
      }
    } finally {
      for (const { iterator } of this.#sources) void iterator.return?.()
    }
  }

  /** The source whose item is due: the earliest, once nothing earlier can come or it has waited long enough. */
  #next(): Source<T> | undefined {
    const now = performance.now()
    let earliest: Source<T> | undefined
    let waiting = false
    let silentMs = Number.POSITIVE_INFINITY
    for (const source of this.#sources) {
      if (source.head === undefined) {
        waiting = true
        silentMs = Math.min(silentMs, now - source.askedAt)
      } else if (earliest?.head === undefined || source.head.item.at < earliest.head.item.at) earliest = source
    }
    if (earliest?.head === undefined || !waiting) return earliest
    if (this.#holdMs === undefined || silentMs < this.#holdMs) return undefined
    const { item, since } = earliest.head
    // The later of the two clocks decides, so that a node whose clock is ahead holds up nobody for longer.
    const heldMs = Math.max(now - since, Date.now() - item.at)
    return heldMs >= this.#holdMs ? earliest : undefined
  }

  #pull(source: Source<T>): void {
    source.askedAt = performance.now()
    void source.iterator
      .next()
      .then(({ done, value }) => {
        if (done === true) this.#sources.delete(source)
        else source.head = { item: value, since: performance.now() }
      })
      .catch(() => this.#sources.delete(source))
      .then(() => this.#wake())
  }

  async #change(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#wake = resolve
    const hasHead = [...this.#sources].some((source) => source.head !== undefined)
    const timer = hasHead && this.#holdMs !== undefined ? setTimeout(resolve, this.#holdMs / 2) : undefined
    await promise
    clearTimeout(timer)
  }
}
