import type { AddressPoolView } from '@berth/api'
import {
  type AddressPool,
  blocksInPool,
  blocksOf,
  defaultBlocksPerNode,
  defaultReturnAfterMs,
  poolOf,
} from '@berth/core'
import { lenderOf } from '../addresses/lenders.ts'
import type { State } from '../records/index.ts'

/** `nodes`: those that have a block of it. */
export function addressPoolView(state: State, pool: AddressPool, nodes: readonly string[]): AddressPoolView {
  const { name, range, ipv6, blockPrefix: blockSize, sites, groups, natOutgoing, disabled } = pool
  const { blocksPerNode = defaultBlocksPerNode, returnAfterMs = defaultReturnAfterMs } = pool
  const loans = loansIn(state, pool)
  const holders = nodes.map((node) => {
    const [block = '', ...furtherBlocks] = blocksOf(state.nodes.get(node) ?? { block: '' })
    const [borrowed, lent] = [loans.borrowed.get(node), loans.lent.get(node)]
    return {
      ...{ name: node, block, furtherBlocks, addresses: state.instances.countOnNode(node) },
      ...(borrowed === undefined ? {} : { borrowed }),
      ...(lent === undefined ? {} : { lent }),
    }
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
    ...(pool.ipv6Since === undefined ? {} : { ipv6Since: pool.ipv6Since }),
    blocks: {
      total: blocksInPool(pool),
      used: holders.reduce((sum, { furtherBlocks }) => sum + 1 + furtherBlocks.length, 0),
    },
    addresses: { used: holders.reduce((sum, { addresses }) => sum + addresses, 0) },
    nodes: holders,
  }
}

/** How many addresses each node has borrowed, and lent. */
function loansIn(state: State, pool: AddressPool): Record<'borrowed' | 'lent', Map<string, number>> {
  const loans = { borrowed: new Map<string, number>(), lent: new Map<string, number>() }
  const count = (counts: Map<string, number>, node: string): unknown => counts.set(node, (counts.get(node) ?? 0) + 1)
  for (const instance of state.instances.borrowers()) {
    const { node = '', address = '' } = instance
    const lender = poolOf([pool], address) === undefined ? undefined : lenderOf(state, [pool], instance)
    if (lender === undefined) continue
    count(loans.borrowed, node)
    count(loans.lent, lender)
  }
  return loans
}
