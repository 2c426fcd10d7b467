import { canHaveSeveral, canLendAndBorrow, givingBlocks, type Node, roomIn } from '@berth/core'
import { ownAddressOf } from '../addresses/address-history.ts'
import type { State } from '../records/index.ts'

const moreBlocks =
  'its pool gives it no further block (see berth ip pool show; more are allowed by berth ip pool set --blocks-per-node); '

const borrows = (count: number): string =>
  `what is placed here borrows single addresses of other nodes of its pool while these have some (${count} now), and each is a route more for every node`

/** Of a node whose instances have all of its addresses: nothing more is placed there, whatever else is free, but what borrows one. */
export function addressProblems(state: State, node: Node): readonly string[] {
  const { name, furtherBlocks = [] } = node
  if (node.block === '') return []
  const network = state.nodeStatuses.get(name)?.network
  const blocks = givingBlocks(node, network)
  const mayHave = canHaveSeveral(network)
  // One more is on its way.
  if (mayHave && blocks.length <= furtherBlocks.length) return []
  const room = blocks.reduce((sum, block) => sum + roomIn(node, block, network), 0)
  // Reckoned exactly only where it may be so.
  if (state.instances.countOnNode(name) < room) return []
  const holders = state.instances.byNode(name).filter((each) => ownAddressOf(each) !== undefined)
  const borrowed = holders.filter(({ borrowedFrom }) => borrowedFrom !== undefined).length
  const used = holders.length - borrowed
  if (used < room) return []
  const mayBorrow = canLendAndBorrow(network) && state.routings.get('cluster')?.mode !== 'cloud'
  const outcome = mayBorrow ? borrows(borrowed) : 'nothing more is placed here'
  return [
    `its addresses are used up (${used} of ${room} in ${blocks.join(', ')}): ${outcome}; ${mayHave ? moreBlocks : 'in routed mode it would get further blocks (berth up --network routed); or '}add nodes, or machines of a pool with larger blocks (berth ip pool add --block-size)`,
  ]
}
