import { type Bits, lowestBit, wordsFor } from './bits.ts'

/** Fine enough that one small instance on a large machine is seen. */
export const steps = 1024

/**
 * Positions sorted into {@link steps} steps of a measure (how much of a node is free), each step a bit set with a summary of its words
 * that are not empty: the fullest or emptiest node among any set of candidates is found by looking at few words, whatever is placed
 * already and however many nodes there are.
 */
export class StepIndex {
  #words = 0
  #sums = 0
  #bits = new Int32Array(0)
  #summary = new Int32Array(0)
  /** Steps that are not empty. */
  #used = new Int32Array(steps / 32)
  #counts = new Int32Array(steps)
  #stepOf = new Int32Array(0)

  reset(length: number): void {
    this.#words = wordsFor(length)
    this.#sums = wordsFor(this.#words)
    this.#bits = new Int32Array(steps * this.#words)
    this.#summary = new Int32Array(steps * this.#sums)
    this.#used.fill(0)
    this.#counts.fill(0)
    this.#stepOf = new Int32Array(length).fill(-1)
  }

  step(position: number): number {
    return this.#stepOf[position]!
  }

  set(position: number, step: number): void {
    const old = this.#stepOf[position]!
    if (old === step) return
    if (old >= 0) this.#remove(position, old)
    this.#stepOf[position] = step
    const word = position >>> 5
    const at = step * this.#words + word
    this.#bits[at] = this.#bits[at]! | (1 << (position & 31))
    const sum = step * this.#sums + (word >>> 5)
    this.#summary[sum] = this.#summary[sum]! | (1 << (word & 31))
    if (this.#counts[step]!++ === 0) this.#used[step >>> 5] = this.#used[step >>> 5]! | (1 << (step & 31))
  }

  /**
   * The first position of `mask` that `admits`, by steps upwards from `from` (`up`) or downwards, within a step from `start` on around
   * the ring; -1: none.
   */
  find(mask: Bits, start: number, up: boolean, from: number, admits: (position: number) => boolean): number {
    for (let step = this.#nextUsed(from, up); step >= 0; step = this.#nextUsed(up ? step + 1 : step - 1, up)) {
      const position = this.#findIn(step, mask, start, admits)
      if (position >= 0) return position
    }
    return -1
  }

  #remove(position: number, step: number): void {
    const word = position >>> 5
    const at = step * this.#words + word
    this.#bits[at] = this.#bits[at]! & ~(1 << (position & 31))
    if (this.#bits[at] === 0) {
      const sum = step * this.#sums + (word >>> 5)
      this.#summary[sum] = this.#summary[sum]! & ~(1 << (word & 31))
    }
    if (--this.#counts[step]! === 0) this.#used[step >>> 5] = this.#used[step >>> 5]! & ~(1 << (step & 31))
  }

  #nextUsed(from: number, up: boolean): number {
    if (from < 0 || from >= steps) return -1
    const direction = up ? 1 : -1
    const bit = from & 31
    let left = this.#used[from >>> 5]! & (up ? -1 << bit : -1 >>> (31 - bit))
    for (let word = from >>> 5; ; left = this.#used[word]!) {
      if (left !== 0) return word * 32 + (up ? lowestBit(left) : 31 - Math.clz32(left))
      word += direction
      if (word < 0 || word >= this.#used.length) return -1
    }
  }

  #findIn(step: number, mask: Bits, start: number, admits: (position: number) => boolean): number {
    const word = start >>> 5
    const after = -1 << (start & 31)
    const here = this.#firstIn(step * this.#words + word, word, mask[word]! & after, admits)
    if (here >= 0) return here
    const right = this.#findBetween(step, mask, word + 1, this.#words, admits)
    if (right >= 0) return right
    const left = this.#findBetween(step, mask, 0, word, admits)
    return left >= 0 ? left : this.#firstIn(step * this.#words + word, word, mask[word]! & ~after, admits)
  }

  /** Words `from` to `to`, the latter not included. */
  #findBetween(step: number, mask: Bits, from: number, to: number, admits: (position: number) => boolean): number {
    if (from >= to) return -1
    const last = (to - 1) >>> 5
    for (let sum = from >>> 5; sum <= last; sum++) {
      let words = this.#summary[step * this.#sums + sum]!
      if (sum === from >>> 5) words &= -1 << (from & 31)
      if (sum === last) words &= -1 >>> (31 - ((to - 1) & 31))
      for (; words !== 0; words &= words - 1) {
        const word = sum * 32 + lowestBit(words)
        const position = this.#firstIn(step * this.#words + word, word, mask[word]!, admits)
        if (position >= 0) return position
      }
    }
    return -1
  }

  #firstIn(at: number, word: number, mask: number, admits: (position: number) => boolean): number {
    for (let left = this.#bits[at]! & mask; left !== 0; left &= left - 1) {
      const position = word * 32 + lowestBit(left)
      if (admits(position)) return position
    }
    return -1
  }
}
