import type { AddressCheck, AddressListing, OneAddress } from '@berth/api'
import { BerthError, type Node } from '@berth/core'
import type { AgentLinks } from '../agents/agent-links.ts'
import { requireApp } from '../controllers/operations/lookup.ts'
import type { State } from '../records/index.ts'
import { AddressHistory } from './address-history.ts'
import type { AddressPools } from './address-pools.ts'
import { askForAddresses } from './asked-addresses.ts'
import { checkAddresses, releaseAddresses } from './check-addresses.ts'
import { type AddressQuery, addressesLentBy, addressesOfNode, isAskedFor } from './list-addresses.ts'
import { showAddress } from './show-address.ts'

export interface AddressUsesOptions {
  readonly state: State
  readonly pools: Pick<AddressPools, 'all' | 'require'>
  readonly agents: Pick<AgentLinks, 'request'>
  readonly domain: string
  readonly settleMs?: number
}

export interface AddressListQuery extends AddressQuery {
  readonly after?: string | undefined
  readonly limit?: number | undefined
}

interface Options {
  readonly signal: AbortSignal
}

const defaultLimit = 1_000
/** Asked at once for one answer. */
const mostNodes = 100

/** Who has which address: by the store, and by the nodes' own word. */
export class AddressUses implements Disposable {
  readonly #options: AddressUsesOptions
  readonly #history: AddressHistory

  constructor(options: AddressUsesOptions) {
    this.#options = options
    this.#history = new AddressHistory(options.state)
  }

  [Symbol.dispose](): void {
    this.#history[Symbol.dispose]()
  }

  /** Node by node, by name, until there are enough. Throws `node.not-found`, `address-pool.not-found`, `app.not-found`. */
  async list(query: AddressListQuery, { signal }: Options): Promise<AddressListing> {
    const { state, pools, agents } = this.#options
    const { after = '', limit = defaultLimit } = query
    const nodes = this.#nodesFor(query).filter(({ name }) => name > after)
    const part = firstOf(nodes, limit, (node) => state.instances.countOnNode(node.name))
    const { answers, silent } = await askForAddresses({ agents, nodes: part.map(({ name }) => name), signal })
    const reports = new Map(answers.map(({ node, answer }) => [node, answer]))
    const all = pools.all()
    const last = part.at(-1)
    // Of one node it is asked what it has, and what it lends.
    const lent = query.node === undefined ? [] : part.flatMap((node) => addressesLentBy(state, all, node))
    return {
      items: part
        .flatMap((node) => addressesOfNode(state, all, node, reports.get(node.name)))
        .concat(lent)
        .filter((row) => isAskedFor(query, row)),
      silent,
      ...(last === undefined || part.length === nodes.length ? {} : { after: last.name }),
    }
  }

  /** Throws `network.invalid-address`. */
  async show(address: string, { signal }: Options): Promise<OneAddress> {
    const { state, pools, agents, domain } = this.#options
    const containerAt = async (node: string, wanted: string) => {
      const { answers } = await askForAddresses({ agents, nodes: [node], signal })
      return answers[0]?.answer.containers.find((each) => each.address === wanted)
    }
    return await showAddress(address, { state, pools: pools.all(), history: this.#history, domain, containerAt })
  }

  /** Throws `node.not-found`. */
  check({ node }: { readonly node?: string | undefined }, { signal }: Options): Promise<AddressCheck> {
    return checkAddresses(node, this.#checking(signal))
  }

  /** Throws `node.not-found`. */
  release({ node }: { readonly node?: string | undefined }, { signal }: Options): Promise<AddressCheck> {
    return releaseAddresses(node, this.#checking(signal))
  }

  #checking(signal: AbortSignal) {
    const { state, pools, agents, settleMs = 3_000 } = this.#options
    return { state, pools: pools.all(), agents, settleMs, signal }
  }

  #nodesFor({ node, pool, app }: AddressQuery): Node[] {
    const { state, pools } = this.#options
    if (node !== undefined && !state.nodes.has(node))
      throw new BerthError('node.not-found', `there is no node ${node}; see: berth node ls`, { details: { node } })
    if (pool !== undefined) pools.require(pool)
    if (app !== undefined && !state.apps.has(app)) requireApp(state, app)
    const all = [...state.nodes.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
    if (node !== undefined) return all.filter(({ name }) => name === node)
    if (app === undefined) return all
    const used = new Set(state.instances.byApp(app).map((each) => each.node))
    return all.filter(({ name }) => used.has(name))
  }
}

/** As many as have so many instances together; one at least. */
function firstOf(nodes: readonly Node[], limit: number, countOn: (node: Node) => number): Node[] {
  let sum = 0
  const end = nodes.slice(0, mostNodes).findIndex((node) => {
    sum += countOn(node)
    return sum >= limit
  })
  return nodes.slice(0, end === -1 ? mostNodes : end + 1)
}
