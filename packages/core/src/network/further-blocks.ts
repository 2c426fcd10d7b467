import type { FurtherBlock, Node, NodeStatus } from '../model/index.ts'
import { parseBlock, usableCount } from './address-block.ts'
import { ownAddressCount } from './routed-address.ts'

/** How many blocks a node may have of its address pool, where the pool says nothing. */
export const defaultBlocksPerNode = 4
export const mostBlocksPerNode = 64
/** Longer than a deploy, between whose steps a block may be empty. */
export const defaultReturnAfterMs = 600_000
export const longestReturnAfterMs = 30 * 86_400_000

type Blocks = Pick<Node, 'block' | 'furtherBlocks'>
type Network = NodeStatus['network']

/** All that are the node's, the first one first; what is about to be given back is so until it is. */
export const blocksOf = ({ block, furtherBlocks = [] }: Blocks): readonly string[] =>
  block === '' ? [] : [block, ...furtherBlocks.map((each) => each.block)]

/**
 * A bridge has the addresses of its own subnet only. In routed mode every address has a route of its own, and Docker's network spans the pool; the
 * agent has to know of several blocks, too.
 */
export const canHaveSeveral = (network: Network): boolean =>
  network?.driver === 'routed' &&
  network.wanted === undefined &&
  network.range !== undefined &&
  network.blocks !== undefined

/** In routed mode, or about to be: then a part of its first block is not for instances. */
export const isRoutedNetwork = (network: Network): boolean =>
  network?.driver === 'routed' || network?.wanted === 'routed'

/** Of which instances are given addresses, in that order: the later ones become empty again. What the node has not in force is not among them. */
export const givingBlocks = ({ block, furtherBlocks = [] }: Blocks, network: Network): readonly string[] =>
  block === ''
    ? []
    : [
        block,
        ...(canHaveSeveral(network) ? furtherBlocks : [])
          .filter((each) => each.leavingSince === undefined && network?.blocks?.includes(each.block) === true)
          .map((each) => each.block),
      ]

/** How many addresses of one of its blocks are for instances. */
export function roomIn(node: Blocks, block: string, network: Network): number {
  const parsed = parseBlock(block)
  return usableCount(parsed, block === node.block && isRoutedNetwork(network) ? ownAddressCount(parsed) : 0)
}

/** So many are to be free on a node that may have several blocks, before it gets one more. */
export const spareAddresses = (block: string): number => Math.max(1, Math.floor(usableCount(parseBlock(block)) / 8))

export interface BlockNeed {
  readonly node: Blocks
  readonly network: Network
  /** Addresses of a block that an instance has, wherever it is, or that an entrypoint keeps. */
  readonly usedIn: (block: string) => number
  /** Its pool gives blocks, and whoever has to find the way to them knows of several. */
  readonly isOffered: boolean
  /** An instance found everything on the node but an address. */
  readonly isWanted: boolean
  /** How many blocks it may have in all. */
  readonly limit: number
  /** One of its pool that nobody has. */
  readonly freeBlock: () => string | undefined
  /** Since when a block has been seen without an address in use; undefined: it is not. */
  readonly emptySince: (block: string) => number | undefined
  readonly idleMs: number
  readonly now: number
}

/**
 * `take`: it becomes the node's. `leave`: nothing is given of it any more. `keep`: it is after all. `return`: it is nobody's, once the node says that it has no
 * address of it in use.
 */
export interface BlockStep {
  readonly do: 'take' | 'leave' | 'keep' | 'return'
  readonly block: string
}

/**
 * The next thing to be done about a node's blocks; undefined: nothing. The first block stays. A block is taken when few addresses are left, and goes when it has been
 * empty for long and what is left without it is more than twice of what would have one taken: so no step undoes the one before.
 */
export function nextBlockStep(need: BlockNeed): BlockStep | undefined {
  const { node, network, usedIn, limit, idleMs, now } = need
  const { furtherBlocks = [] } = node
  if (node.block === '') return undefined
  const held = furtherBlocks.filter(({ leavingSince }) => leavingSince === undefined).map(({ block }) => block)
  const leaving = furtherBlocks.find(({ leavingSince }) => leavingSince !== undefined)?.block
  const free = [node.block, ...held].reduce((sum, block) => sum + roomIn(node, block, network) - usedIn(block), 0)
  const spare = spareAddresses(node.block)
  const mayHave = canHaveSeveral(network)
  // What was taken for the first who found none is on its way to the second.
  const isPending = held.some((block) => network?.blocks?.includes(block) !== true)
  if (mayHave && ((need.isWanted && !isPending) || free <= spare)) {
    if (leaving !== undefined) return { do: 'keep', block: leaving }
    const block = need.isOffered && furtherBlocks.length + 1 < limit ? need.freeBlock() : undefined
    return block === undefined ? undefined : { do: 'take', block }
  }
  if (leaving !== undefined) return { do: 'return', block: leaving }
  const isIdle = (block: string): boolean => (need.emptySince(block) ?? Number.POSITIVE_INFINITY) + idleMs <= now
  const isSpare = (block: string): boolean => free - roomIn(node, block, network) > 2 * spare
  const gone = held.findLast((block) => usedIn(block) === 0 && (!mayHave || (isIdle(block) && isSpare(block))))
  return gone === undefined ? undefined : { do: 'leave', block: gone }
}

/** The node's further blocks after a step. */
export function withStep(blocks: readonly FurtherBlock[], step: BlockStep, now: number): readonly FurtherBlock[] {
  const { block } = step
  if (step.do === 'take') return [...blocks, { block, since: now }]
  if (step.do === 'return') return blocks.filter((each) => each.block !== block)
  return blocks.map((each): FurtherBlock => {
    if (each.block !== block) return each
    const { leavingSince: _, ...kept } = each
    return step.do === 'leave' ? { ...kept, leavingSince: now } : kept
  })
}
