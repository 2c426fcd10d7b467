import { type AddressBlock, blocksOf, containsAddress, type Instance, parseBlock } from '@berth/core'
import type { ChangeOf, State } from '../records/index.ts'

interface Holder {
  readonly node: string
  readonly isLeaving: boolean
  readonly createdAt: number
}

const nothing: readonly string[] = []

/**
 * Nodes whose instances have addresses of other nodes' blocks, kept with every change: each of these addresses is told to all nodes as one of
 * that node's. Where two have one address (one of them is on a node that nobody hears), it is at the node of the one that is to run, then of the
 * one that was made last; so it is with those of a node's own block that were elsewhere before.
 */
export class ExtraAddresses {
  readonly #state: Pick<State, 'nodes' | 'instances'>
  /** By address, then by instance. */
  readonly #holders = new Map<string, Map<string, Holder>>()
  readonly #onNode = new Map<string, Set<string>>()

  constructor(state: Pick<State, 'nodes' | 'instances'>) {
    this.#state = state
    for (const instance of state.instances.values()) this.#add(instance)
  }

  /** Sorted. */
  of(node: string): readonly string[] {
    const addresses = this.#onNode.get(node)
    if (addresses === undefined) return nothing
    const blocks = this.#blocksOf(node)
    return [...addresses].filter((each) => this.#placeOf(each) === node && !isWithin(blocks, each)).sort()
  }

  /** Answers with the nodes of which {@link of} may say something else from now on. */
  note({ before, after }: ChangeOf<'instances'>): readonly string[] {
    const held = before !== undefined && this.#holders.get(before.address ?? '')?.has(before.id) === true
    const counted = after === undefined ? undefined : this.#counted(after)
    const addresses = [held ? before.address : undefined, counted?.address].filter((each) => each !== undefined)
    if (addresses.length === 0) return nothing
    const nodesNow = (): string[] => addresses.flatMap((each) => this.#nodesOf(each))
    const nodes = new Set(nodesNow())
    if (before !== undefined) this.#remove(before)
    if (after !== undefined) this.#add(after)
    for (const node of nodesNow()) nodes.add(node)
    return [...nodes]
  }

  #counted({ node, address, network, slot }: Instance): { node: string; address: string } | undefined {
    if (node === undefined || address === undefined || network !== undefined) return undefined
    return slot !== undefined || !isWithin(this.#blocksOf(node), address) ? { node, address } : undefined
  }

  #add(instance: Instance): void {
    const counted = this.#counted(instance)
    if (counted === undefined) return
    const { node, address } = counted
    const holders = this.#holders.get(address) ?? new Map<string, Holder>()
    this.#holders.set(
      address,
      holders.set(instance.id, { node, isLeaving: instance.desired === 'stop', createdAt: instance.createdAt }),
    )
    this.#onNode.set(node, (this.#onNode.get(node) ?? new Set()).add(address))
  }

  #remove({ id, address = '' }: Instance): void {
    const holders = this.#holders.get(address)
    const holder = holders?.get(id)
    if (holders === undefined || holder === undefined) return
    holders.delete(id)
    if (holders.size === 0) this.#holders.delete(address)
    if ([...holders.values()].some(({ node }) => node === holder.node)) return
    const addresses = this.#onNode.get(holder.node)
    addresses?.delete(address)
    if (addresses?.size === 0) this.#onNode.delete(holder.node)
  }

  #nodesOf(address: string): string[] {
    return [...(this.#holders.get(address)?.values() ?? [])].map(({ node }) => node)
  }

  #placeOf(address: string): string | undefined {
    let first: Holder | undefined
    for (const each of this.#holders.get(address)?.values() ?? [])
      if (first === undefined || isBefore(each, first)) first = each
    return first?.node
  }

  /** Undefined: the node is gone. */
  #blocksOf(node: string): readonly AddressBlock[] | undefined {
    const record = this.#state.nodes.get(node)
    return record === undefined ? undefined : blocksOf(record).map(parseBlock)
  }
}

/** Of a node that is gone nothing is told. */
const isWithin = (blocks: readonly AddressBlock[] | undefined, address: string): boolean =>
  blocks === undefined || blocks.some((block) => containsAddress(block, address))

const isBefore = (a: Holder, b: Holder): boolean =>
  a.isLeaving === b.isLeaving ? a.createdAt > b.createdAt : b.isLeaving
