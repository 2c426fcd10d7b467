interface Ticket {
  readonly priority: number
  readonly begin: () => void
}

/**
 * Decisions that place go one after the other: beside each other all but one would lose to it at the nodes' fences. Whoever places what
 * has the highest priority goes first; of equals, who came first.
 */
export class PlacingTurns {
  readonly #tickets: Ticket[] = []
  #busy = false

  async take<T>(priority: number, act: () => Promise<T>): Promise<T> {
    await new Promise<void>((begin) => {
      this.#tickets.push({ priority, begin })
      if (!this.#busy) this.#next()
    })
    try {
      return await act()
    } finally {
      this.#next()
    }
  }

  /** Somebody waits with more important ones. */
  isWanted(above: number): boolean {
    return this.#tickets.some(({ priority }) => priority > above)
  }

  /** One turn of the event loop later, so that all whom the same change has woken are there. */
  #next(): void {
    this.#busy = this.#tickets.length > 0
    if (!this.#busy) return
    setImmediate(() => {
      const priorities = this.#tickets.map((ticket) => ticket.priority)
      const [first] = this.#tickets.splice(priorities.indexOf(Math.max(...priorities)), 1)
      first?.begin()
    })
  }
}
