import { type AddressPool, blockWith, containsAddress, type Instance, type Node, parseBlock, poolOf } from '@berth/core'
import type { State } from '../records/index.ts'

/** Whether an address of a block is borrowed by somebody: then another node is better off with another one. */
export function isLentIn(state: Pick<State, 'instances'>): (block: string) => boolean {
  const addresses = state.instances.borrowers().flatMap(({ address }) => address ?? [])
  return (text) => {
    const block = parseBlock(text)
    return addresses.some((address) => containsAddress(block, address))
  }
}

/** The node whose block an address is of. */
export function homeOf(state: Pick<State, 'nodes'>, pools: readonly AddressPool[], address: string): Node | undefined {
  const pool = poolOf(pools, address)
  const block = pool === undefined ? undefined : blockWith(pool, address)
  return block === undefined ? undefined : state.nodes.withBlock(block)
}

/** The node of whose block an instance's address is, where that is not its own. The one that lent it may have been removed. */
export function lenderOf(
  state: Pick<State, 'nodes'>,
  pools: readonly AddressPool[],
  { node, address, borrowedFrom }: Pick<Instance, 'node' | 'address' | 'borrowedFrom'>,
): string | undefined {
  const home = address === undefined ? undefined : homeOf(state, pools, address)?.name
  return home === node ? undefined : (home ?? borrowedFrom)
}
