import { type Bits, forEachBit, orBits, setBit } from './bits.ts'
import { meets, type Requirement } from './requirement.ts'
import { around } from './rules.ts'
import type { Tables } from './tables.ts'
import type { Terms } from './terms.ts'

/**
 * Splits candidates by the sum of the wishes that a node grants (less those that it denies), the best first. Few sums are different, so
 * that the strategy decides within each set.
 */
export function byWishes(mask: Bits, terms: Terms, tables: Tables): Bits[] {
  const sums = sumWishes(terms, tables, mask.length)
  const sets = new Map<number, Bits>()
  forEachBit(mask, (position) => {
    const sum = sums[position]!
    let set = sets.get(sum)
    if (set === undefined) {
      set = new Int32Array(mask.length)
      sets.set(sum, set)
    }
    setBit(set, position)
  })
  return [...sets].sort(([a], [b]) => b - a).map(([, set]) => set)
}

function sumWishes(terms: Terms, tables: Tables, words: number): Float64Array {
  const sums = new Float64Array(words * 32)
  const add = (bits: Bits | undefined, weight: number): void => {
    if (bits === undefined) return
    forEachBit(bits, (position) => {
      sums[position] = sums[position]! + weight
    })
  }
  for (const { where, weight } of terms.prefer) add(meeting(where, tables, words), weight)
  for (const peer of terms.near) if (peer.weight !== undefined) add(around(peer, tables, words), peer.weight)
  for (const peer of terms.apart) if (peer.weight !== undefined) add(around(peer, tables, words), -peer.weight)
  return sums
}

/** Positions whose label meets the requirement: asked once for each of its values. */
function meeting(where: Requirement, { labels, nodes }: Tables, words: number): Bits {
  const column = labels.of(where.label, nodes)
  const met: Bits = new Int32Array(words)
  for (const [index, value] of column.values.entries()) if (meets(where, value)) orBits(met, column.bits[index]!)
  if (!meets(where, undefined)) return met
  for (let position = 0; position < nodes.ring.length; position++)
    if (column.valueIndex[nodes.ring.rowAt[position]!]! < 0) setBit(met, position)
  return met
}
