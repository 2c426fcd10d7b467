import {
  type AddressPool,
  BerthError,
  blocksOf,
  checkAddressPool,
  checkFurtherBlocks,
  checkName,
  collisionWith,
  defaultBlockPrefix,
  defaultPoolName,
  type EventType,
  type KeptAddress,
  namesInstead,
  poolOf,
  type TakenRange,
} from '@berth/core'
import type { AgentLinks } from '../agents/agent-links.ts'
import type { CallContext } from '../controllers/operations.ts'
import { requireGroup } from '../groups/groups.ts'
import { askNodes } from '../policy/ask-nodes.ts'
import type { AddressPoolRecord, Records, RecordTransaction, State } from '../records/index.ts'
import { range6Of, withIpv6 } from './check-ipv6.ts'
import { addressPoolsOf, blocksFence } from './pools-of.ts'

export interface NewAddressPool {
  readonly name: string
  readonly range: string
  /** A prefix of IPv6. */
  readonly ipv6?: string | undefined
  /** A prefix length; 24 unless said otherwise. */
  readonly blockSize?: number | undefined
  /** How many blocks a node may have; 4 unless said otherwise. */
  readonly blocksPerNode?: number | undefined
  /** How long a further block is empty before it is given back; ten minutes unless said otherwise. */
  readonly returnAfterMs?: number | undefined
  readonly sites?: readonly string[] | undefined
  readonly groups?: readonly string[] | undefined
  readonly natOutgoing?: boolean | undefined
  readonly disabled?: boolean | undefined
}

/** What is not named stays. Range, size of blocks and a prefix of IPv6 never change: addresses were given out by them. */
export type AddressPoolChange = Pick<
  NewAddressPool,
  'ipv6' | 'blocksPerNode' | 'returnAfterMs' | 'sites' | 'groups' | 'natOutgoing' | 'disabled'
>

export interface AddressPoolsOptions {
  readonly records: Records
  /** The cluster's own, of the pool `default`. */
  readonly range: string
  readonly agents: Pick<AgentLinks, 'request' | 'isOnline'>
  readonly now?: () => number
}

const maxPools = 64

/** Address pools, as people change them. What instances have stays as it is, whatever is changed here. */
export class AddressPools {
  readonly #records: Records
  readonly #state: State
  readonly #range: string
  readonly #agents: AddressPoolsOptions['agents']
  readonly #now: () => number

  constructor({ records, range, agents, now = Date.now }: AddressPoolsOptions) {
    this.#records = records
    this.#state = records.state
    this.#range = range
    this.#agents = agents
    this.#now = now
  }

  all(): readonly AddressPool[] {
    return addressPoolsOf(this.#state, this.#range)
  }

  /** By pool. */
  taken(): readonly { readonly what: string; readonly range: string }[] {
    return this.all().flatMap((pool) =>
      [pool.range, range6Of(pool) ?? []].flat().map((range) => ({ what: `the address pool ${pool.name}`, range })),
    )
  }

  /** Of IPv4, and of IPv6 where pools have it. */
  ranges(): readonly string[] {
    return this.all().flatMap((pool) => [pool.range, range6Of(pool) ?? []].flat())
  }

  /** Throws `address-pool.not-found`. */
  require(name: string): AddressPool {
    const pools = this.all()
    const found = pools.find((pool) => pool.name === name)
    if (found !== undefined) return found
    const names = pools.map((pool) => pool.name)
    const hint = namesInstead(name, names, names.length)
    throw new BerthError('address-pool.not-found', `there is no address pool ${name}; ${hint}`, { details: { name } })
  }

  /** Names of the nodes that have a block of it. */
  nodesOf({ name }: AddressPool): string[] {
    const pools = this.all()
    const nodes = [...this.#state.nodes.values()].filter(({ block }) => poolOf(pools, block)?.name === name)
    return nodes.map((node) => node.name).sort()
  }

  /**
   * Nodes that are there are asked whether they know its addresses already; those that are not say so when they are back. Throws
   * `address-pool.exists`, `address-pool.overlap`, `address-pool.collides`, `address-pool.unusable`, `address-pool.too-small`,
   * `address-pool.too-many`, `network.invalid-block`, `group.not-found`, `name.invalid`.
   */
  async add(wanted: NewAddressPool, context: CallContext): Promise<AddressPool> {
    const make = (): AddressPool => this.#checkNew(poolFrom(wanted), wanted.ipv6)
    await this.#requireFreeOnNodes(make(), context.signal ?? new AbortController().signal)
    return await this.#put(context, 'address-pool.created', make)
  }

  /** Throws `address-pool.not-found`, `address-pool.blocks-per-node`, `address-pool.return-after`, `group.not-found`, and what {@link withIpv6} does. */
  async update(name: string, change: AddressPoolChange, context: CallContext): Promise<AddressPool> {
    return await this.#put(context, 'address-pool.updated', () => {
      const before = this.require(name)
      const { ipv6, blocksPerNode, returnAfterMs, sites, groups, natOutgoing, disabled } = change
      const after: AddressPool = {
        ...before,
        ...(sites === undefined ? {} : { sites: [...new Set(sites)].sort() }),
        ...(groups === undefined ? {} : { groups: [...new Set(groups)].sort() }),
        ...(natOutgoing === undefined ? {} : { natOutgoing }),
        ...(disabled === undefined ? {} : { disabled }),
        ...(blocksPerNode === undefined ? {} : { blocksPerNode }),
        ...(returnAfterMs === undefined ? {} : { returnAfterMs }),
      }
      checkFurtherBlocks(after)
      for (const group of groups ?? []) requireGroup(this.#state, group)
      return ipv6 === undefined
        ? after
        : withIpv6(this.#state, after, ipv6, { nodes: this.nodesOf(after), now: this.#now() })
    })
  }

  /** Throws `address-pool.not-found`, `address-pool.in-use`, `address-pool.default`. */
  async remove(name: string, context: CallContext): Promise<void> {
    const decide = (tx: RecordTransaction): void => {
      const pool = this.require(name)
      if (name === defaultPoolName)
        throw new BerthError(
          'address-pool.default',
          'the address pool default is the cluster’s own and stays; to give out nothing of it: berth ip pool set default --disable',
        )
      const nodes = this.nodesOf(pool)
      if (nodes.length > 0) throw inUse(pool, nodes)
      const kept = this.#state.keptAddresses.all().find(({ address }) => poolOf([pool], address) !== undefined)
      if (kept !== undefined) throw isKept(pool, kept)
      this.#fence(tx)
      tx.delete('addressPools', name, { ifUnchanged: true })
      tx.event({
        type: 'address-pool.removed',
        subject: {},
        message: `address pool ${name} (${pool.range}) was removed`,
      })
    }
    await this.#records.commit(context.actor, decide, context)
  }

  async #put(context: CallContext, type: EventType, work: () => AddressPool): Promise<AddressPool> {
    const decide = (tx: RecordTransaction): AddressPool => {
      const pool = work()
      this.#fence(tx)
      const record: AddressPoolRecord = { ...pool, updatedAt: this.#now(), updatedBy: context.actor }
      tx.put('addressPools', record, { ifUnchanged: true })
      tx.event({ type, subject: {}, message: `address pool ${sentenceOf(pool)}` })
      return record
    }
    return (await this.#records.commit(context.actor, decide, context)).value
  }

  /** A node that joins meanwhile chooses again. */
  #fence(tx: RecordTransaction): void {
    tx.put('fences', { node: blocksFence, updatedAt: this.#now() }, { ifUnchanged: true })
  }

  #checkNew(pool: AddressPool, ipv6: string | undefined): AddressPool {
    const { name, range } = pool
    const pools = this.all()
    if (pools.some((each) => each.name === name))
      throw new BerthError(
        'address-pool.exists',
        `there is an address pool ${name} already; change it (berth ip pool set ${name}), or choose another name`,
      )
    if (pools.length >= maxPools)
      throw new BerthError('address-pool.too-many', `there are ${maxPools} address pools already; remove one first`)
    const overlap = collisionWith(
      range,
      pools.map((each) => ({ what: each.name, range: each.range })),
    )
    if (overlap !== undefined)
      throw new BerthError(
        'address-pool.overlap',
        `address pool ${name}: ${range} shares addresses with the pool ${overlap.what} (${overlap.range}); choose a range of its own`,
        { details: { pool: overlap.what } },
      )
    const collision = collisionWith(range, this.#taken())
    if (collision !== undefined) throw collides(pool, collision.what, collision.range)
    for (const group of pool.groups) requireGroup(this.#state, group)
    return ipv6 === undefined ? pool : withIpv6(this.#state, pool, ipv6, { nodes: [], now: this.#now() })
  }

  /** What the store knows of that has addresses, and is no pool. */
  #taken(): TakenRange[] {
    const { nodes, externals, routings, lans } = this.#state
    return [
      ...lans.all().map(({ name, subnet }) => ({ what: `the network ${name}`, range: subnet })),
      ...[...nodes.values()].flatMap(({ name, address, ...blocks }) => [
        ...(address.includes(':') ? [] : [{ what: `the address of node ${name}`, range: address }]),
        ...blocksOf(blocks).map((range) => ({ what: `the block of node ${name}`, range })),
      ]),
      ...externals
        .all()
        .flatMap(({ name, addresses }) =>
          addresses.map((address) => ({ what: `the external service ${name}`, range: address })),
        ),
      ...[...routings.values()].flatMap(({ peers }) =>
        peers.map(({ name, address }) => ({ what: `the router ${name}`, range: address })),
      ),
    ]
  }

  async #requireFreeOnNodes(pool: AddressPool, signal: AbortSignal): Promise<void> {
    const nodes = [...this.#state.nodes.ids()].filter((node) => this.#agents.isOnline(node))
    const path = `/v1/network/collision?range=${encodeURIComponent(pool.range)}`
    const request = { method: 'GET', path } as const
    const { answers } = await askNodes<{ readonly route?: string }>({ agents: this.#agents, nodes, request, signal })
    for (const { node, answer } of answers)
      if (answer.route !== undefined) throw collides(pool, `a network of node ${node}`, answer.route)
  }
}

function poolFrom(wanted: NewAddressPool): AddressPool {
  const { name, range, blockSize, blocksPerNode, returnAfterMs, sites, groups, natOutgoing, disabled } = wanted
  checkName('address pool', name)
  return checkAddressPool({
    ...{ name, range, blockPrefix: blockSize ?? defaultBlockPrefix },
    ...(blocksPerNode === undefined ? {} : { blocksPerNode }),
    ...(returnAfterMs === undefined ? {} : { returnAfterMs }),
    ...{ sites: [...new Set(sites)].sort(), groups: [...new Set(groups)].sort() },
    ...{ natOutgoing: natOutgoing ?? true, disabled: disabled ?? false },
  })
}

function sentenceOf({
  name,
  range,
  ipv6,
  blockPrefix,
  blocksPerNode,
  sites,
  groups,
  natOutgoing,
  disabled,
}: AddressPool): string {
  const whose = [
    ...(sites.length === 0 ? [] : [`of ${sites.join(', ')}`]),
    ...(groups.length === 0 ? [] : [`of group ${groups.join(', ')}`]),
  ]
  const parts = [
    `blocks of /${blockPrefix} for ${whose.length === 0 ? 'every node' : `nodes ${whose.join(' and ')}`}`,
    ...(blocksPerNode === undefined ? [] : [`up to ${blocksPerNode} for a node`]),
    ...(ipv6 === undefined ? [] : [`with IPv6 of ${ipv6}`]),
    ...(natOutgoing ? [] : ['untranslated to the outside']),
    ...(disabled ? ['disabled'] : []),
  ]
  return `${name} (${range}): ${parts.join(', ')}`
}

const collides = ({ name, range }: AddressPool, what: string, whose: string): BerthError =>
  new BerthError(
    'address-pool.collides',
    `address pool ${name}: ${range} shares addresses with ${what} (${whose}); choose a range that nobody uses`,
    { details: { what, whose } },
  )

const isKept = (pool: AddressPool, { address, app, pool: name, entrypoint }: KeptAddress): BerthError =>
  new BerthError(
    'address-pool.in-use',
    `remove the address pool ${pool.name}: ${address} of it is kept for ${app}/${name}/${entrypoint}; deploy that without \`address: keep\`, or remove it`,
  )

function inUse({ name, range }: AddressPool, nodes: readonly string[]): BerthError {
  const named = nodes.slice(0, 5).join(', ')
  const more = nodes.length > 5 ? ` and ${nodes.length - 5} more` : ''
  return new BerthError(
    'address-pool.in-use',
    `remove address pool ${name} (${range}): ${nodes.length === 1 ? 'node' : 'nodes'} ${named}${more} ${nodes.length === 1 ? 'has a block' : 'have blocks'} of it. Have it give out no more (berth ip pool set ${name} --disable), empty these nodes (berth node drain), remove them and join them again; then remove it`,
    { details: { pool: name, nodes: nodes.slice(0, 100) } },
  )
}
