import {
  type AddressPool,
  type Books,
  canLendAndBorrow,
  chooseLoan,
  type Explanation,
  givingBlocks,
  type InstanceRequest,
  type Lender,
  type Loan,
  type Node,
} from '@berth/core'
import type { State } from '../records/index.ts'
import type { BlockRoom } from './block-room.ts'
import type { GivenOut } from './given-out.ts'
import { type KeptPlaces, rangeLabel } from './kept-places.ts'

export interface LoansOptions {
  readonly state: Pick<State, 'nodes' | 'nodeStatuses' | 'keptAddresses' | 'members'>
  readonly room: BlockRoom
  readonly kept: KeptPlaces
  readonly given: GivenOut
  readonly isOnline: (node: string) => boolean
  /** The address of a node's blocks that was given last. */
  readonly lastAddress: (node: string) => string | undefined
}

/** Enters an instance that was refused, and answers with its node; undefined: there is none for it. */
export type PlannedLoans = (id: string, request: InstanceRequest, refusal: Explanation) => string | undefined

/** So many are borrowed of one node before the others are looked at again: what one decision borrows is of few nodes, whose fences it writes. */
const inARow = 16

/** Single addresses that nodes without any left borrow of other nodes' blocks, those of decisions under way included. */
export class Loans {
  readonly #options: LoansOptions
  readonly #byInstance = new Map<string, string>()
  /** Counted, since one may get the address of another before the news of that one's end. */
  readonly #lent = new Map<string, number>()
  /** By pool. */
  readonly #current = new Map<string, { readonly lender: string; left: number }>()

  constructor(options: LoansOptions) {
    this.#options = options
  }

  /** In place of what the instance had before; undefined: it has borrowed none. */
  set(id: string, address: string | undefined): void {
    const before = this.#byInstance.get(id)
    if (before === address) return
    if (before !== undefined) this.#count(before, -1)
    if (address === undefined) this.#byInstance.delete(id)
    else {
      this.#byInstance.set(id, address)
      this.#count(address, 1)
    }
  }

  isLent(address: string): boolean {
    return this.#lent.has(address)
  }

  /** Why nobody may borrow at all; undefined: nodes in routed mode may. */
  problem(): string | undefined {
    const { kept, state } = this.#options
    if (kept.isCloud)
      return 'none is borrowed of another node, since entries of a provider’s table lead to whole blocks (berth net set --routes)'
    // One of a version before would give what is lent to others.
    if (new Set([...state.members.values()].map(({ version }) => version)).size > 1)
      return 'none is borrowed of another node while servers of two versions run'
    return undefined
  }

  /** Ranges of pools of which addresses may be borrowed. */
  ranges(): readonly string[] {
    return this.#options.room.enabledPools().map(({ range }) => range)
  }

  /** One for an instance on that node, of another of its pool; undefined: none is left. */
  find({ name, block }: Pick<Node, 'name' | 'block'>): Loan | undefined {
    const pool = block === '' ? undefined : this.#options.room.poolFor({ block })
    if (pool === undefined || pool.disabled || this.problem() !== undefined) return undefined
    const current = this.#current.get(pool.name)
    const again = current === undefined || current.left === 0 ? undefined : this.#of([current.lender], pool, name)
    if (current !== undefined && again !== undefined) {
      current.left -= 1
      return again
    }
    const loan = this.#of(this.#options.state.nodes.ids(), pool, name)
    if (loan !== undefined) this.#current.set(pool.name, { lender: loan.lender, left: inARow - 1 })
    return loan
  }

  /**
   * For plans on books of their own: enters what lacks nothing but an address, as long as there are some to lend, and answers with its node. What the same
   * plan places on lenders is not taken off.
   */
  planner(books: Books): PlannedLoans {
    let left: Map<string, number> | undefined
    return (id, request, { reasons }) => {
      if (request.network !== undefined || !reasons.some(({ filter }) => filter === 'address')) return undefined
      left ??= this.#offers()
      const ranges = [...left].flatMap(([range, count]) => (count > 0 ? [range] : []))
      const decision = ranges.length === 0 ? undefined : books.place(id, borrowing(request, ranges))
      if (decision?.placed !== true) return undefined
      const { node } = decision.booking
      const { range = '' } = this.#options.room.poolFor(this.#options.state.nodes.get(node) ?? { block: '' }) ?? {}
      left.set(range, (left.get(range) ?? 0) - 1)
      return node
    }
  }

  /** How many addresses there are to lend, by the pool's range. */
  #offers(): Map<string, number> {
    if (this.problem() !== undefined) return new Map()
    const nodes = [...this.#options.state.nodes.ids()]
    const freeIn = (pool: AddressPool): number =>
      nodes.reduce((sum, name) => sum + Math.max(0, this.#lenderOf(name, pool)?.free ?? 0), 0)
    return new Map(this.#options.room.enabledPools().map((pool) => [pool.range, freeIn(pool)]))
  }

  #of(nodes: Iterable<string>, pool: AddressPool, borrower: string): Loan | undefined {
    const { given, state } = this.#options
    const lenders = [...nodes].flatMap((name) => (name === borrower ? [] : (this.#lenderOf(name, pool) ?? [])))
    return chooseLoan(
      lenders,
      (address, lender) => given.isUsed(lender, address) || state.keptAddresses.has(address) || this.isLent(address),
    )
  }

  /** Of a node that is silent nothing is borrowed: it would not hear of it, and its own containers would look for the address there. */
  #lenderOf(name: string, pool: AddressPool): Lender | undefined {
    const { state, room, kept, given, isOnline, lastAddress } = this.#options
    const node = state.nodes.get(name)
    const { network } = state.nodeStatuses.get(name) ?? {}
    if (node === undefined || !canLendAndBorrow(network) || !isOnline(name)) return undefined
    if (room.poolFor(node)?.name !== pool.name) return undefined
    const free = room.addressesNow(name) + kept.moreOn(name) - given.countOn(name)
    const isLeaving = node.drain !== undefined
    return { name, blocks: givingBlocks(node, network), free, isLeaving, last: lastAddress(name) }
  }

  #count(address: string, sign: 1 | -1): void {
    const count = (this.#lent.get(address) ?? 0) + sign
    if (count > 0) this.#lent.set(address, count)
    else this.#lent.delete(address)
  }
}

/** The request of one whose address is borrowed: on a node that may have any of one of these ranges. */
export const borrowing = (request: InstanceRequest, ranges: Iterable<string>): InstanceRequest => ({
  ...request,
  hasAddress: true,
  where: [...(request.where ?? []), `${rangeLabel} in (${[...ranges].join(', ')})`],
})
