import { formatAddress6, parseAddress6 } from '../network/address6.ts'
import type { TwinRange } from '../network/twin-address.ts'
import {
  type AddressSet,
  addressesBetween,
  changeAddresses,
  changedAddresses,
  isSameSet,
  noAddresses,
} from './address-set.ts'

/** IPv6 addresses: the first 96 bits → the last 32 of each that begins so. No part is empty. Never changed. */
export type AddressSet6 = ReadonlyMap<bigint, AddressSet>

export const noAddresses6: AddressSet6 = new Map()

/** Throws `network.invalid-address`. */
export function addressSet6(addresses: Iterable<string>): AddressSet6 {
  const values = Array.from(addresses, parseAddress6)
  const parts = new Map<bigint, bigint[]>()
  for (const value of values) {
    const part = parts.get(value >> 32n)
    if (part === undefined) parts.set(value >> 32n, [value])
    else part.push(value)
  }
  return new Map(
    [...parts].map(([high, part]) => {
      const added = part.map((value) => Number(value & 0xffff_ffffn))
      return [high, changeAddresses(noAddresses, { added, removed: [] })]
    }),
  )
}

/** Of those that have one. Parts of the set itself: nothing is copied. */
export function twinsOf(set: AddressSet, ranges: readonly TwinRange[]): AddressSet6 {
  const twins = new Map<bigint, AddressSet>()
  for (const { range, high } of ranges) {
    const part = addressesBetween(set, range.base, range.base + 2 ** (32 - range.prefix))
    if (part.length > 0) twins.set(high, joined(twins.get(high) ?? noAddresses, part))
  }
  return twins
}

export function joinSets6(a: AddressSet6, b: AddressSet6): AddressSet6 {
  if (a.size === 0 || b.size === 0) return a.size === 0 ? b : a
  const all = new Map(a)
  for (const [high, part] of b) all.set(high, joined(all.get(high) ?? noAddresses, part))
  return all
}

const joined = (a: AddressSet, b: AddressSet): AddressSet =>
  a.length === 0 ? b : changeAddresses(a, { added: [...b], removed: [] })

export const isSameSet6 = (a: AddressSet6, b: AddressSet6): boolean =>
  a === b || (a.size === b.size && [...a].every(([high, part]) => isSameSet(part, b.get(high) ?? noAddresses)))

export const countAddresses6 = (set: AddressSet6): number =>
  [...set.values()].reduce((sum, part) => sum + part.length, 0)

/** What makes `after` of `before`, as nftables' words. */
export function changedAddresses6(
  before: AddressSet6,
  after: AddressSet6,
): { readonly added: readonly string[]; readonly removed: readonly string[] } {
  const added: string[] = []
  const removed: string[] = []
  for (const high of new Set([...before.keys(), ...after.keys()])) {
    const [old, now] = [before.get(high) ?? noAddresses, after.get(high) ?? noAddresses]
    if (old === now) continue
    const change = changedAddresses(old, now)
    const word = wordsBehind(high)
    for (const low of change.added) added.push(word(low))
    for (const low of change.removed) removed.push(word(low))
  }
  return { added, removed }
}

export const textsOf6 = (set: AddressSet6): string[] =>
  [...set].flatMap(([high, part]) => Array.from(part, (low) => formatAddress6((high << 32n) | BigInt(low))))

/** They are many: a notation that is soon made will do. */
function wordsBehind(high: bigint): (low: number) => string {
  const groups = Array.from({ length: 6 }, (_, index) => ((high >> BigInt(80 - 16 * index)) & 0xffffn).toString(16))
  const head = groups.join(':')
  return (low) => `${head}:${(low >>> 16).toString(16)}:${(low & 0xffff).toString(16)}`
}
