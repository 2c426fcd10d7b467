/** Sets of positions as words of 32 bits. */
export type Bits = Int32Array

export const wordsFor = (length: number): number => (length + 31) >>> 5

export const setBit = (bits: Bits, position: number): void => {
  bits[position >>> 5] = bits[position >>> 5]! | (1 << (position & 31))
}

export const clearBit = (bits: Bits, position: number): void => {
  bits[position >>> 5] = bits[position >>> 5]! & ~(1 << (position & 31))
}

export const hasBit = (bits: Bits, position: number): boolean => ((bits[position >>> 5]! >>> (position & 31)) & 1) === 1

export function andBits(into: Bits, other: Bits): void {
  for (let word = 0; word < into.length; word++) into[word] = into[word]! & other[word]!
}

export function andNotBits(into: Bits, other: Bits): void {
  for (let word = 0; word < into.length; word++) into[word] = into[word]! & ~other[word]!
}

export function copyAndBits(into: Bits, a: Bits, b: Bits): void {
  for (let word = 0; word < into.length; word++) into[word] = a[word]! & b[word]!
}

export function orBits(into: Bits, other: Bits): void {
  for (let word = 0; word < into.length; word++) into[word] = into[word]! | other[word]!
}

export function isEmpty(bits: Bits): boolean {
  for (let word = 0; word < bits.length; word++) if (bits[word] !== 0) return false
  return true
}

export function countBits(bits: Bits): number {
  let count = 0
  for (let word = 0; word < bits.length; word++) count += popCount(bits[word]!)
  return count
}

export function forEachBit(bits: Bits, visit: (position: number) => void): void {
  for (let word = 0; word < bits.length; word++) {
    for (let left = bits[word]!; left !== 0; left &= left - 1) visit(word * 32 + lowestBit(left))
  }
}

/** Of a word that is not 0. */
export const lowestBit = (word: number): number => 31 - Math.clz32(word & -word)

/** Hacker's Delight (Warren), 5-1. */
function popCount(word: number): number {
  let x = word - ((word >>> 1) & 0x55555555)
  x = (x & 0x33333333) + ((x >>> 2) & 0x33333333)
  return Math.imul((x + (x >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24
}
