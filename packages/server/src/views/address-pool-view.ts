import type { AddressPoolView } from '@berth/api'
import { type AddressPool, blocksInPool, blocksOf, defaultBlocksPerNode, defaultReturnAfterMs } from '@berth/core'
import type { State } from '../records/index.ts'

/** `nodes`: those that have a block of it. */
export function addressPoolView(state: State, pool: AddressPool, nodes: readonly string[]): AddressPoolView {
  const { name, range, ipv6, blockPrefix: blockSize, sites, groups, natOutgoing, disabled } = pool
  const { blocksPerNode = defaultBlocksPerNode, returnAfterMs = defaultReturnAfterMs } = pool
  const holders = nodes.map((node) => {
    const [block = '', ...furtherBlocks] = blocksOf(state.nodes.get(node) ?? { block: '' })
    return { name: node, block, furtherBlocks, addresses: state.instances.countOnNode(node) }
  })
  return {
    ...{
      name,
      range,
      blockSize,
      blocksPerNode,
      returnAfterMs,
      sites: [...sites],
      groups: [...groups],
      natOutgoing,
      disabled,
    },
    ...(ipv6 === undefined ? {} : { ipv6 }),
    blocks: {
      total: blocksInPool(pool),
      used: holders.reduce((sum, { furtherBlocks }) => sum + 1 + furtherBlocks.length, 0),
    },
    addresses: { used: holders.reduce((sum, { addresses }) => sum + addresses, 0) },
    nodes: holders,
  }
}
