import { type TwinPool, type TwinRange, twinRange } from '@berth/core'
import type { State } from '../records/index.ts'

/** Address pools with IPv6; always in the same order. */
export function twinPoolsOf(state: State): readonly TwinPool[] {
  const pools = state.addressPools.all().flatMap(({ range, ipv6 }) => (ipv6 === undefined ? [] : [{ range, ipv6 }]))
  return pools.sort((a, b) => (a.range < b.range ? -1 : 1))
}

/** The same, to be asked. */
export const twinRangesOf = (state: State): readonly TwinRange[] => twinPoolsOf(state).map(twinRange)
