import type { NodeStatus } from '../model/index.ts'
import { firstFreeAddress, parseBlock } from './address-block.ts'
import { ownAddressCount } from './routed-address.ts'

type Network = NodeStatus['network']

/** A node that may lend single addresses of its blocks to others of its pool. */
export interface Lender {
  readonly name: string
  /** Of which it gives addresses to instances of its own, in that order. */
  readonly blocks: readonly string[]
  /** How many of these are left, as far as it is known without looking at each. */
  readonly free: number
  /** It is being drained: perhaps it goes for good. */
  readonly isLeaving: boolean
  /** The address of it that was given last. */
  readonly last?: string | undefined
}

export interface Loan {
  readonly lender: string
  readonly address: string
}

/**
 * In routed mode every address has a route of its own, wherever it is, and a container that is started by hand gets none but of the node's own part. On a bridge
 * Docker gives such a container whatever is free there, and nobody's address but the block's is reached.
 */
export const canLendAndBorrow = (network: Network): boolean =>
  network?.driver === 'routed' && network.wanted === undefined && network.range !== undefined

/**
 * The address that a node without any is lent: of the node that has most left, one that goes last. None of a block's end, which is for containers that are
 * started by hand on whoever has the block first: this node, or after its removal another. `isUsed`: by an instance of the lender or of anybody else, or kept.
 */
export function chooseLoan(
  lenders: readonly Lender[],
  isUsed: (address: string, lender: string) => boolean,
): Loan | undefined {
  for (const { name, blocks, last } of lenders.filter(({ free }) => free > 0).sort(byRoom)) {
    const address = addressToLend(blocks, (each) => isUsed(each, name), last)
    if (address !== undefined) return { lender: name, address }
  }
  return undefined
}

function addressToLend(
  blocks: readonly string[],
  isUsed: (address: string) => boolean,
  last: string | undefined,
): string | undefined {
  for (const text of blocks) {
    const block = parseBlock(text)
    const address = firstFreeAddress(block, isUsed, last, ownAddressCount(block))
    if (address !== undefined) return address
  }
  return undefined
}

const byRoom = (a: Lender, b: Lender): number =>
  Number(a.isLeaving) - Number(b.isLeaving) || b.free - a.free || (a.name < b.name ? -1 : 1)
