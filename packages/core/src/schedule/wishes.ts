import { forEachBit } from './bits.ts'
import { meets } from './requirement.ts'
import { around } from './rules.ts'
import type { Tables } from './tables.ts'
import type { Terms } from './terms.ts'

/** By position: the weights of all wishes that the node grants, and less those that it denies. */
export function weighWishes(terms: Terms, tables: Tables): Float64Array {
  const { ring, specs } = tables.nodes
  const sums = new Float64Array(ring.length)
  for (const { where, weight } of terms.prefer) {
    for (let position = 0; position < ring.length; position++) {
      const labels = specs[ring.rowAt[position]!]?.labels
      if (meets(where, labels?.[where.label])) sums[position] = sums[position]! + weight
    }
  }
  const add = (peers: Terms['near'], sign: 1 | -1): void => {
    for (const peer of peers) {
      if (peer.weight === undefined) continue
      const bits = around(peer, tables, (ring.length + 31) >>> 5)
      if (bits === undefined) continue
      forEachBit(bits, (position) => {
        sums[position] = sums[position]! + sign * peer.weight!
      })
    }
  }
  add(terms.near, 1)
  add(terms.apart, -1)
  return sums
}
