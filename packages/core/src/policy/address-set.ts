import { formatAddress, parseAddress } from '../network/address-block.ts'

/**
 * IPv4 addresses as a sorted array of integers: four bytes each, and two of them are compared in one pass. Never changed: a part of a policy
 * that stays is the same object.
 */
export type AddressSet = Readonly<Uint32Array>

export const noAddresses: AddressSet = new Uint32Array(0)

/** Throws `network.invalid-address`. */
export function addressSet(addresses: Iterable<string>): AddressSet {
  return sorted(Array.from(addresses, parseAddress))
}

const unique = (all: Uint32Array): AddressSet => all.filter((value, index) => index === 0 || value !== all[index - 1])

/** Where it stands, or would. */
function placeOf(set: AddressSet, address: number): number {
  let [low, high] = [0, set.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((set[middle] ?? 0) < address) low = middle + 1
    else high = middle
  }
  return low
}

/** Those from one address up to another, this one left out: a part of the set, which is not copied. */
export const addressesBetween = (set: AddressSet, from: number, end: number): AddressSet =>
  set.subarray(placeOf(set, from), placeOf(set, end))

export const hasAddress = (set: AddressSet, address: number): boolean => set[placeOf(set, address)] === address

export interface AddressChange {
  readonly added: readonly number[]
  readonly removed: readonly number[]
}

/** What makes `after` of `before`, in one pass over both. */
export function changedAddresses(before: AddressSet, after: AddressSet): AddressChange {
  const added: number[] = []
  const removed: number[] = []
  let [old, now] = [0, 0]
  while (old < before.length || now < after.length) {
    const was = before[old] ?? Number.POSITIVE_INFINITY
    const is = after[now] ?? Number.POSITIVE_INFINITY
    if (was <= is) old += 1
    if (is <= was) now += 1
    if (was < is) removed.push(was)
    if (is < was) added.push(is)
  }
  return { added, removed }
}

export const isSameSet = (a: AddressSet, b: AddressSet): boolean =>
  a === b || (a.length === b.length && a.every((address, index) => address === b[index]))

/** Another set: without `removed`, then with `added`, which may come in any order. Few changes of many addresses cost one copy. */
export function changeAddresses(set: AddressSet, { added, removed }: AddressChange): AddressSet {
  const gone = sorted(removed).filter((address) => hasAddress(set, address))
  const kept = gone.length === 0 ? set : without(set, gone)
  const come = sorted(added).filter((address) => !hasAddress(kept, address))
  return come.length === 0 ? kept : withMore(kept, come)
}

const sorted = (addresses: readonly number[]): AddressSet => unique(Uint32Array.from(addresses).sort())

function without(set: AddressSet, gone: AddressSet): AddressSet {
  const rest = new Uint32Array(set.length - gone.length)
  let from = 0
  for (const [index, address] of gone.entries()) {
    const at = placeOf(set, address)
    rest.set(set.subarray(from, at), from - index)
    from = at + 1
  }
  rest.set(set.subarray(from), from - gone.length)
  return rest
}

function withMore(set: AddressSet, come: AddressSet): AddressSet {
  const all = new Uint32Array(set.length + come.length)
  let from = 0
  for (const [index, address] of come.entries()) {
    const at = placeOf(set, address)
    all.set(set.subarray(from, at), from + index)
    all[at + index] = address
    from = at
  }
  all.set(set.subarray(from), from + come.length)
  return all
}

export const formatAddresses = (addresses: Iterable<number>): string => Array.from(addresses, formatAddress).join(', ')
