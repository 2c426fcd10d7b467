import {
  blockSize,
  blocksOf,
  canHaveSeveral,
  containsAddress,
  type InstanceRequest,
  type Node,
  type NodeStatus,
  parseBlock,
  tryParseAddress,
} from '@berth/core'
import type { State, StateChange } from '../records/index.ts'
import { nameLabel } from './request-of.ts'

type Known = Pick<State, 'instances' | 'keptAddresses' | 'nodes' | 'nodeStatuses' | 'routings'>

/** In the books: of which range a node may have any address, of others' blocks too. */
export const rangeLabel = 'any-address-of'

interface Home {
  readonly base: number
  readonly last: number
  readonly node: string
}

/**
 * Where addresses that are kept may be: at the node whose block they are of, and at nodes that can have addresses of others' blocks. Those that are
 * borrowed count as they do, but are where they are.
 */
export class KeptPlaces {
  readonly #state: Known
  /** Where the instance is that has the address. */
  readonly #at = new Map<string, string>()
  #homes: readonly Home[] | undefined
  #counts: ReadonlyMap<string, number> | undefined
  #counted: ReadonlyMap<string, number> = new Map()
  #wasCloud: boolean

  constructor(state: Known) {
    this.#state = state
    this.#wasCloud = this.isCloud
    const pools = new Map([...state.keptAddresses.values()].map((each) => [`${each.app}/${each.pool}`, each]))
    for (const { app, pool } of pools.values())
      for (const { slot, address, node } of state.instances.byPool(app, pool))
        if (slot !== undefined && address !== undefined && node !== undefined) this.#at.set(address, node)
  }

  /** True where {@link changedNodes} may name some. */
  note(change: StateChange): boolean {
    const { kind } = change
    if (kind === 'instances') {
      const { before, after } = change
      if (![before, after].some((each) => each?.slot !== undefined || each?.borrowedFrom !== undefined)) return false
      if (before?.address !== undefined && this.#at.get(before.address) === before.node) this.#at.delete(before.address)
      if (after?.address !== undefined && after.node !== undefined) this.#at.set(after.address, after.node)
    } else if (kind === 'nodes') {
      if (blocksText(change.before) === blocksText(change.after)) return false
      this.#homes = undefined
    } else if (kind === 'nodeStatuses') {
      if (canHaveSeveral(change.before?.network) === canHaveSeveral(change.after?.network)) return false
      if (this.#state.nodes.get(change.id)?.furtherBlocks === undefined) return false
      this.#homes = undefined
    } else if (kind !== 'keptAddresses' && kind !== 'routings') return false
    this.#counts = undefined
    return true
  }

  /** Nodes of which {@link moreOn} or {@link labelsOf} says something else than when this was asked last. */
  changedNodes(): readonly string[] {
    const [before, now] = [this.#counted, this.#count()]
    this.#counted = now
    if (this.#wasCloud !== this.isCloud) {
      this.#wasCloud = this.isCloud
      return [...this.#state.nodes.ids()]
    }
    return [...new Set([...before.keys(), ...now.keys()])].filter((node) => before.get(node) !== now.get(node))
  }

  /** How many instances more than its block has addresses for a node may have; fewer where addresses of it are elsewhere, or nowhere now. */
  moreOn(node: string): number {
    return this.#count().get(node) ?? 0
  }

  labelsOf(node: string): Readonly<Record<string, string>> {
    const range = this.#rangeOf(node)
    return range === undefined ? {} : { [rangeLabel]: range }
  }

  /** What a node has to be for the address, the better kind first. */
  requirements(address: string): readonly string[] {
    const [home, range] = [this.#homeOf(address), this.#rangeWith(address)]
    return [
      ...(home === undefined ? [] : [`${nameLabel} = ${home}`]),
      ...(range === undefined ? [] : [`${rangeLabel} = ${range}`]),
    ]
  }

  /** What to ask for so that an instance can have the address, the better kind first. */
  wishes(request: InstanceRequest, address: string): readonly InstanceRequest[] {
    const { where = [] } = request
    return this.requirements(address).map((each) => ({ ...request, hasAddress: true, where: [...where, each] }))
  }

  /** The node whose block it is of; undefined: gone. */
  homeOf(address: string): string | undefined {
    return this.#homeOf(address)
  }

  /** `refusals`: of each of the {@link requirements}. */
  explain(address: string, refusals: readonly string[]): string {
    const home = this.#homeOf(address)
    const atHome =
      home === undefined
        ? 'the node whose block it is of is gone (deployed once without `address: keep` it gets another one)'
        : `on ${home}, whose block it is of: ${refusals[0]}`
    return `${address} is kept for it; ${atHome}; ${this.#elsewhere(address, refusals)}`
  }

  /** Why only the node whose block it is of can have it; undefined: others can, if they have room. */
  whyNowhereElse(address: string): string | undefined {
    if (this.isCloud) return 'elsewhere nobody would reach it, since entries of a provider’s table lead to whole blocks'
    return this.#rangeWith(address) === undefined
      ? 'no other node can have it: that takes routed mode (berth up --network routed)'
      : undefined
  }

  #elsewhere(address: string, refusals: readonly string[]): string {
    return this.whyNowhereElse(address) ?? `elsewhere: ${refusals.at(-1)}`
  }

  /** Routes are entries of a provider's table. */
  get isCloud(): boolean {
    return this.#state.routings.get('cluster')?.mode === 'cloud'
  }

  #rangeOf(node: string): string | undefined {
    const network = this.#state.nodeStatuses.get(node)?.network
    if (this.isCloud || network?.driver !== 'routed' || network.wanted !== undefined) return undefined
    return network.range
  }

  #rangeWith(address: string): string | undefined {
    const ranges = new Set([...this.#state.nodes.ids()].flatMap((node) => this.#rangeOf(node) ?? []))
    return [...ranges].find((range) => containsAddress(parseBlock(range), address))
  }

  #homeOf(address: string): string | undefined {
    this.#homes ??= homesOf(this.#state)
    const [homes, value] = [this.#homes, tryParseAddress(address) ?? -1]
    let [low, high] = [0, homes.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((homes[middle] as Home).last < value) low = middle + 1
      else high = middle
    }
    const found = homes[low]
    return found !== undefined && found.base <= value ? found.node : undefined
  }

  #count(): ReadonlyMap<string, number> {
    this.#counts ??= this.#countAll()
    return this.#counts
  }

  #countAll(): ReadonlyMap<string, number> {
    const { keptAddresses, instances } = this.#state
    const counts = new Map<string, number>()
    const add = (node: string | undefined, more: number): void => {
      if (node !== undefined) counts.set(node, (counts.get(node) ?? 0) + more)
    }
    const move = (address: string, at: string | undefined): void => {
      const home = this.#homeOf(address)
      if (home === at) return
      add(home, -1)
      add(at, 1)
    }
    for (const { address } of keptAddresses.values()) move(address, this.#at.get(address))
    for (const { address, node } of instances.borrowers())
      if (address !== undefined && !keptAddresses.has(address)) move(address, node)
    return counts
  }
}

const blocksText = (node: Node | undefined): string => (node === undefined ? '' : blocksOf(node).join())

const homesOf = ({ nodes, nodeStatuses }: Known): readonly Home[] =>
  [...nodes.values()]
    .flatMap((node) =>
      blocksAtHome(node, nodeStatuses.get(node.name)).map((text) => {
        const block = parseBlock(text)
        return { base: block.base, last: block.base + blockSize(block) - 1, node: node.name }
      }),
    )
    .sort((a, b) => a.base - b.base)

/** A bridge has the addresses of the first alone. */
const blocksAtHome = (node: Node, status: NodeStatus | undefined): readonly string[] =>
  canHaveSeveral(status?.network) ? blocksOf(node) : blocksOf(node).slice(0, 1)
