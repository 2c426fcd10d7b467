import { andBits, type Bits, clearBit, setBit, wordsFor } from './bits.ts'

/** Levels of an amount: eight for every doubling, so that two amounts of one level differ by less than an eighth. */
const levels = 256

/** The level of an amount (below 2³¹); 0: nothing. */
export function roomLevel(amount: number): number {
  if (amount < 1) return 0
  const whole = Math.min(amount, 0x7fffffff) | 0
  const exponent = 31 - Math.clz32(whole)
  const fraction = exponent >= 3 ? (whole >>> (exponent - 3)) & 7 : (whole << (3 - exponent)) & 7
  return Math.min(levels - 1, exponent * 8 + fraction + 1)
}

/**
 * For every level of an amount the positions that have at least so much: nodes that are too full for a request are taken out of the
 * candidates a word of 32 at a time, instead of being looked at one by one.
 */
export class RoomIndex {
  #bits: Bits[] = []
  #levelOf = new Uint8Array(0)
  #words = 0

  reset(length: number): void {
    this.#words = wordsFor(length)
    this.#bits = []
    this.#levelOf = new Uint8Array(length)
  }

  set(position: number, amount: number): void {
    const level = roomLevel(amount)
    const old = this.#levelOf[position]!
    if (level === old) return
    this.#levelOf[position] = level
    for (let each = old + 1; each <= level; each++) setBit(this.#atLeast(each), position)
    for (let each = level + 1; each <= old; each++) clearBit(this.#atLeast(each), position)
  }

  /** Takes out what certainly has less. */
  keep(mask: Bits, amount: number): void {
    const level = roomLevel(amount)
    if (level > 0) andBits(mask, this.#atLeast(level))
  }

  #atLeast(level: number): Bits {
    const known = this.#bits[level]
    if (known !== undefined) return known
    for (let each = this.#bits.length; each <= level; each++) this.#bits.push(new Int32Array(this.#words))
    return this.#bits[level]!
  }
}
