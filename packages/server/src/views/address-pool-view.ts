import type { AddressPoolView } from '@berth/api'
import { type AddressPool, blocksInPool } from '@berth/core'
import type { State } from '../records/index.ts'

/** `nodes`: those that have a block of it. */
export function addressPoolView(state: State, pool: AddressPool, nodes: readonly string[]): AddressPoolView {
  const { name, range, ipv6, blockPrefix: blockSize, sites, groups, natOutgoing, disabled } = pool
  const holders = nodes.map((node) => ({
    name: node,
    block: state.nodes.get(node)?.block ?? '',
    addresses: state.instances.countOnNode(node),
  }))
  return {
    ...{ name, range, blockSize, sites: [...sites], groups: [...groups], natOutgoing, disabled },
    ...(ipv6 === undefined ? {} : { ipv6 }),
    blocks: { total: blocksInPool(pool), used: nodes.length },
    addresses: { used: holders.reduce((sum, { addresses }) => sum + addresses, 0) },
    nodes: holders,
  }
}
