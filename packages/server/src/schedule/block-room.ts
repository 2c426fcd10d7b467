import {
  type AddressPool,
  blocksInPool,
  blocksOf,
  canHaveSeveral,
  defaultBlocksPerNode,
  givingBlocks,
  type Node,
  poolOf,
  roomIn,
} from '@berth/core'
import { addressPoolsOf } from '../addresses/pools-of.ts'
import type { State, StateChange } from '../records/index.ts'

type Known = Pick<State, 'nodes' | 'nodeStatuses' | 'addressPools'>

/** What a node's pool would give it. */
export interface BlockOffer {
  readonly pool: AddressPool
  /** How many blocks it may have in all. */
  readonly limit: number
}

/** How many addresses nodes have for instances, and could still get by further blocks; kept with every change. */
export class BlockRoom {
  readonly #state: Known
  readonly #range: string | undefined
  /** Nodes that are there and know of one block for each node: they would not find the way to others. */
  readonly #unaware = new Set<string>()
  #pools: readonly AddressPool[] = []
  /** Blocks that somebody has, by pool. */
  #taken = new Map<string, number>()

  /** `range`: of the pool `default`; undefined: nobody gets a further block. */
  constructor(state: Known, range: string | undefined) {
    this.#state = state
    this.#range = range
    for (const name of state.nodeStatuses.ids()) this.#noteStatus(name)
    this.#countAll()
  }

  /** True where other nodes than the one that has changed may get more now, or fewer. */
  note(change: StateChange): boolean {
    if (change.kind === 'addressPools') {
      this.#countAll()
      return true
    }
    if (change.kind === 'nodeStatuses') return this.#noteStatus(change.id)
    if (change.kind !== 'nodes') return false
    const before = this.#full()
    this.#count(change.before, -1)
    this.#count(change.after, 1)
    return this.#full() !== before
  }

  /** The pool that its blocks are of. */
  poolFor({ block }: Pick<Node, 'block'>): AddressPool | undefined {
    return block === '' ? undefined : poolOf(this.#pools, block)
  }

  enabledPools(): readonly AddressPool[] {
    return this.#pools.filter(({ disabled }) => !disabled)
  }

  /** Undefined: it gets no further block, whatever its pool's limit. */
  offerFor(node: Node): BlockOffer | undefined {
    const pool = this.poolFor(node)
    if (pool === undefined || pool.disabled || this.#unaware.size > 0 || this.#spareIn(pool) === 0) return undefined
    return { pool, limit: pool.blocksPerNode ?? defaultBlocksPerNode }
  }

  /** Addresses for instances that a node has now, or would have with all the blocks that it may have. */
  addressesOf(node: Node): number {
    return this.addressesNow(node.name) + this.moreFor(node)
  }

  /** Addresses for instances of the blocks that it gives of. */
  addressesNow(name: string): number {
    const node = this.#state.nodes.get(name)
    const network = this.#state.nodeStatuses.get(name)?.network
    if (node === undefined) return 0
    return givingBlocks(node, network).reduce((sum, block) => sum + roomIn(node, block, network), 0)
  }

  /** Addresses of its first block for instances. */
  ofFirst(name: string): number {
    const node = this.#state.nodes.get(name)
    if (node === undefined || node.block === '') return 0
    return roomIn(node, node.block, this.#state.nodeStatuses.get(name)?.network)
  }

  /** Addresses that it does not have yet: of blocks that are on their way, and of those that it may still get. */
  moreFor(node: Node): number {
    const network = this.#state.nodeStatuses.get(node.name)?.network
    if (!canHaveSeveral(network)) return 0
    const { furtherBlocks = [] } = node
    const waiting = furtherBlocks.length + 1 - givingBlocks(node, network).length
    const offer = this.offerFor(node)
    const left = offer === undefined ? 0 : Math.min(offer.limit - 1 - furtherBlocks.length, this.#spareIn(offer.pool))
    const block = furtherBlocks[0]?.block ?? node.block
    return (waiting + Math.max(0, left)) * roomIn({ ...node, block: '' }, block, network)
  }

  /** Blocks that nobody has, but for an eighth of the pool: nodes that are to join need one each. */
  #spareIn(pool: AddressPool): number {
    const all = blocksInPool(pool)
    return Math.max(0, all - Math.floor(all / 8) - (this.#taken.get(pool.name) ?? 0))
  }

  /** Which pools have none left for nodes that are there. */
  #full(): string {
    return this.#pools.flatMap((pool) => (this.#spareIn(pool) === 0 ? pool.name : [])).join()
  }

  #countAll(): void {
    this.#pools = this.#range === undefined ? [] : addressPoolsOf(this.#state, this.#range)
    this.#taken = new Map()
    for (const node of this.#state.nodes.values()) this.#count(node, 1)
  }

  #count(node: Node | undefined, sign: 1 | -1): void {
    for (const block of node === undefined ? [] : blocksOf(node)) {
      const pool = poolOf(this.#pools, block)?.name
      if (pool !== undefined) this.#taken.set(pool, (this.#taken.get(pool) ?? 0) + sign)
    }
  }

  /** True when this was the first of these nodes, or the last. */
  #noteStatus(name: string): boolean {
    const status = this.#state.nodeStatuses.get(name)
    const before = this.#unaware.size
    if (status?.online === true && status.network?.blocks === undefined) this.#unaware.add(name)
    else this.#unaware.delete(name)
    return (before === 0) !== (this.#unaware.size === 0)
  }
}
