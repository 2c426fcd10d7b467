import type { ImageRules } from '@berth/core'

interface Waiter {
  readonly to: string
  /** Nodes that could give, the best first; undefined: there is no use in waiting any more. */
  readonly sources: () => readonly string[] | undefined
  readonly grant: (slot: CopySlot | undefined) => void
}

/** The right to copy one image; it is given back by `Symbol.dispose`. */
export interface CopySlot extends Disposable {
  readonly from: string
}

/**
 * Who copies from whom: no node takes or gives more at once than its rules say. Who came first goes first, unless others can go where
 * they cannot.
 */
export class CopySlots {
  readonly #rulesOf: (node: string) => ImageRules
  readonly #taking = new Map<string, number>()
  readonly #giving = new Map<string, number>()
  readonly #waiting = new Set<Waiter>()
  /** All that wait are looked at with the next turn of the event loop. */
  #due: NodeJS.Immediate | undefined

  constructor(rulesOf: (node: string) => ImageRules) {
    this.#rulesOf = rulesOf
  }

  /** Undefined when nobody could give it any more. */
  acquire(to: string, sources: Waiter['sources'], signal: AbortSignal): Promise<CopySlot | undefined> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted()
      const stop = (): void => {
        this.#waiting.delete(waiter)
        reject(signal.reason)
      }
      const waiter: Waiter = {
        ...{ to, sources },
        grant: (slot) => {
          signal.removeEventListener('abort', stop)
          this.#waiting.delete(waiter)
          resolve(slot)
        },
      }
      signal.addEventListener('abort', stop, { once: true })
      this.#waiting.add(waiter)
      // One more that waits opens no way for the others, who came before it.
      if (this.#due === undefined) this.#offer(waiter)
    })
  }

  /** Something may be possible now that was not before: a node has an image, rules are others, a node has gone. */
  look(): void {
    if (this.#waiting.size === 0) return
    this.#due ??= setImmediate(() => {
      this.#due = undefined
      for (const waiter of [...this.#waiting]) this.#offer(waiter)
    })
  }

  /** Who gives is asked last: that may be any of thousands. */
  #offer(waiter: Waiter): void {
    if (countOf(this.#taking, waiter.to) >= this.#rulesOf(waiter.to).takes) return
    const sources = waiter.sources()
    const from = sources?.find((node) => countOf(this.#giving, node) < this.#rulesOf(node).gives)
    if (from !== undefined) waiter.grant(this.#take(from, waiter.to))
    else if (sources === undefined || sources.length === 0) waiter.grant(undefined)
  }

  #take(from: string, to: string): CopySlot {
    add(this.#giving, from, 1)
    add(this.#taking, to, 1)
    let held = true
    return {
      from,
      [Symbol.dispose]: () => {
        if (!held) return
        held = false
        add(this.#giving, from, -1)
        add(this.#taking, to, -1)
        this.look()
      },
    }
  }
}

const countOf = (counts: ReadonlyMap<string, number>, node: string): number => counts.get(node) ?? 0

function add(counts: Map<string, number>, node: string, more: number): void {
  const count = countOf(counts, node) + more
  if (count === 0) counts.delete(node)
  else counts.set(node, count)
}
