import { hashText } from './hash-text.ts'

/**
 * The order of nodes that decides between equally good ones: a ring by the hash of their names, so that it depends on which nodes
 * there are and not on when they came. A seed is a place on the ring; the first good node from there on wins. Positions in this order
 * are what all bit sets count by; they hold for one `epoch`, that is until a node comes or goes.
 */
export class Ring {
  epoch = 0
  length = 0
  rowAt = new Int32Array(0)
  positionOf = new Int32Array(0)
  #hashes = new Uint32Array(0)
  #stale = false

  touch(): void {
    this.#stale = true
  }

  /** `names[row]` undefined: no such node. */
  settle(names: readonly (string | undefined)[]): void {
    if (!this.#stale) return
    this.#stale = false
    this.epoch++
    const entries = names.flatMap((name, row) => (name === undefined ? [] : [{ row, name, hash: hashText(name) }]))
    entries.sort((a, b) => a.hash - b.hash || (a.name < b.name ? -1 : 1))
    this.length = entries.length
    this.rowAt = Int32Array.from(entries, (entry) => entry.row)
    this.#hashes = Uint32Array.from(entries, (entry) => entry.hash)
    this.positionOf = new Int32Array(names.length).fill(-1)
    for (const [position, entry] of entries.entries()) this.positionOf[entry.row] = position
  }

  /** The first position at or after the seed's place. */
  start(seed: number): number {
    let low = 0
    let high = this.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#hashes[middle]! < seed) low = middle + 1
      else high = middle
    }
    return low === this.length ? 0 : low
  }

  clone(): Ring {
    const copy = new Ring()
    copy.epoch = this.epoch
    copy.length = this.length
    copy.rowAt = this.rowAt
    copy.positionOf = this.positionOf
    copy.#hashes = this.#hashes
    copy.#stale = this.#stale
    return copy
  }
}
