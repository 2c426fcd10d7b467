import { type AddressPool, defaultAddressPool, defaultPoolName } from '@berth/core'
import type { State } from '../records/index.ts'

/** By name. The cluster's own (`range`) is there whether or not anybody has changed it. */
export function addressPoolsOf(state: Pick<State, 'addressPools'>, range: string): readonly AddressPool[] {
  const others = state.addressPools.all()
  const own = others.some(({ name }) => name === defaultPoolName) ? [] : [defaultAddressPool(range)]
  return [...own, ...others].sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** Compared and written by whatever takes a block or changes a pool, so that two of them never both win. No node can have this name. */
export const blocksFence = '_blocks'
