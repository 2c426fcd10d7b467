import { type Node, ownAddressCount, parseBlock, usableCount } from '@berth/core'
import { ownAddressOf } from '../addresses/address-history.ts'
import type { State } from '../records/index.ts'

/** Of a node whose instances have all of its addresses: nothing more is placed there, whatever else is free. */
export function addressProblems(state: State, { name, block: text }: Node): readonly string[] {
  if (text === '') return []
  const network = state.nodeStatuses.get(name)?.network
  const block = parseBlock(text)
  const isRouted = network?.driver === 'routed' || network?.wanted === 'routed'
  const room = usableCount(block, isRouted ? ownAddressCount(block) : 0)
  // Reckoned exactly only where it may be so.
  if (state.instances.countOnNode(name) < room) return []
  const used = state.instances.byNode(name).filter((each) => ownAddressOf(each) !== undefined).length
  if (used < room) return []
  return [
    `its addresses are used up (${used} of ${room} in ${text}): nothing more is placed here; add nodes, or machines of a pool with larger blocks (berth ip pool add --block-size)`,
  ]
}
