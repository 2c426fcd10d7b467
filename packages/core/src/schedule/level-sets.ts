import { type Bits, clearBit, setBit, wordsFor } from './bits.ts'
import type { Ring } from './ring.ts'
import type { RowCounts } from './row-counts.ts'

/** For counts per node: which positions have at least one, two, … Kept for entrypoints that are on many nodes. */
export class LevelSets {
  readonly epoch: number
  /** Index 0: at least one. */
  readonly #sets: Bits[] = []
  readonly #sizes: number[] = []
  readonly #words: number
  readonly #length: number

  constructor(counts: RowCounts, ring: Ring) {
    this.epoch = ring.epoch
    this.#length = ring.length
    this.#words = wordsFor(ring.length)
    counts.visit((row, count) => {
      for (let level = 1; level <= count; level++) this.#set(level, ring.positionOf[row]!)
    })
  }

  /** A position's count went up or down by one. */
  update(position: number, count: number, change: 1 | -1): void {
    if (change === 1) this.#set(count, position)
    else {
      clearBit(this.#sets[count]!, position)
      this.#sizes[count] = this.#sizes[count]! - 1
    }
  }

  /** Undefined: none has so many. */
  atLeast(level: number): Bits | undefined {
    return this.#sizes[level - 1] === 0 ? undefined : this.#sets[level - 1]
  }

  /** Every node has at least so many. */
  isAll(level: number): boolean {
    return this.#sizes[level - 1] === this.#length
  }

  #set(level: number, position: number): void {
    if (this.#sets.length < level) {
      this.#sets.push(new Int32Array(this.#words))
      this.#sizes.push(0)
    }
    setBit(this.#sets[level - 1]!, position)
    this.#sizes[level - 1] = this.#sizes[level - 1]! + 1
  }
}
