import {
  formatBlock6,
  type Instance,
  parseBlock,
  poolOf,
  type TwinPool,
  type TwinRange,
  twinBlockOf,
  twinOf,
  twinRange,
} from '@berth/core'
import type { State } from '../records/index.ts'

/** Address pools with IPv6; always in the same order. */
export function twinPoolsOf(state: State): readonly TwinPool[] {
  const pools = state.addressPools.all().flatMap(({ range, ipv6 }) => (ipv6 === undefined ? [] : [{ range, ipv6 }]))
  return pools.sort((a, b) => (a.range < b.range ? -1 : 1))
}

/** The same, to be asked. */
export const twinRangesOf = (state: State): readonly TwinRange[] => twinPoolsOf(state).map(twinRange)

/** The IPv6 address of who has this one; undefined: its pool has none. */
export function twinAddress(state: State, address: string): string | undefined {
  const pools = twinRangesOf(state)
  return pools.length === 0 || address.includes(':') ? undefined : twinOf(pools, address)
}

/** False of an instance that was made before its pool got its prefix: nobody is told of an address that it may not have. */
export function hasTwin(
  { addressPools }: Pick<State, 'addressPools'>,
  { address, createdAt }: Pick<Instance, 'address' | 'createdAt'>,
): boolean {
  const late = addressPools.all().filter(({ ipv6Since }) => ipv6Since !== undefined && createdAt < ipv6Since)
  return address === undefined || late.length === 0 || poolOf(late, address) === undefined
}

/** `10.77.3.0/24` → `fd77:1::a4d:300/120`; undefined: its pool has none. */
export function twinBlock(state: State, block: string): string | undefined {
  const pools = twinRangesOf(state)
  const found = pools.length === 0 || block === '' ? undefined : twinBlockOf(pools, parseBlock(block))
  return found === undefined ? undefined : formatBlock6(found)
}
