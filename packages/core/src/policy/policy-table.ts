import type { AddressSet } from './address-set.ts'
import type { AddressSet6 } from './address-set6.ts'
import type { CountedRule } from './rule-counter.ts'

export interface PolicyChain {
  /** Of a base chain: `type filter hook forward priority -20; policy accept;`. */
  readonly hook?: string
  readonly rules: readonly string[]
}

/** A table of nftables as data. Parts that stay are the same objects from one policy to the next. */
export interface PolicyTable {
  readonly sets: ReadonlyMap<string, AddressSet>
  /** Address, as a number → the chain that it jumps to. */
  readonly maps: ReadonlyMap<string, ReadonlyMap<number, string>>
  readonly sets6: ReadonlyMap<string, AddressSet6>
  /** Address of IPv6, as text → the same. */
  readonly maps6: ReadonlyMap<string, ReadonlyMap<string, string>>
  /** A chain stands behind those that it jumps to. */
  readonly chains: ReadonlyMap<string, PolicyChain>
  /** By name; a name that stays keeps what it has counted. */
  readonly counters: ReadonlyMap<string, CountedRule>
}
