import {
  BerthError,
  candidatesFor,
  checkFailoverAddress,
  closest,
  type FailoverAddress,
  type FailoverWay,
  failoverWay,
  freeRouter,
  isGatewayNode,
  maxCandidates,
  type RoutesMode,
  type TakenAddresses,
  takenBy,
} from '@berth/core'
import { twinPoolsOf } from '../addresses/twin-pools.ts'
import type { CallContext } from '../controllers/operations.ts'
import type { Records, RecordTransaction, State } from '../records/index.ts'
import { routesMode } from './failover-plans.ts'

export interface NewFailoverAddress {
  readonly address: string
  readonly site?: string | undefined
  readonly by?: FailoverWay | undefined
}

export interface FailoverAddressesOptions {
  readonly records: Records
  /** Of all address pools, those of IPv6 too. */
  readonly pools: () => readonly TakenAddresses[]
  readonly now?: () => number
}

/** Addresses that stay reachable when a gateway dies, as people add and remove them. Nodes are told by the feed. */
export class FailoverAddresses {
  readonly #records: Records
  readonly #state: State
  readonly #pools: FailoverAddressesOptions['pools']
  readonly #now: () => number

  constructor({ records, pools, now = Date.now }: FailoverAddressesOptions) {
    this.#records = records
    this.#state = records.state
    this.#pools = pools
    this.#now = now
  }

  /** Throws `failover.not-found`, `failover.invalid-address`. */
  require(text: string): FailoverAddress {
    const address = checkFailoverAddress(text)
    const found = this.#state.failoverAddresses.get(address)
    if (found !== undefined) return found
    const there = [...this.#state.failoverAddresses.ids()].sort().join(', ') || 'none'
    throw new BerthError('failover.not-found', `there is no failover address ${address}; there are: ${there}`, {
      details: { address },
    })
  }

  /**
   * Gateways take it up as they hear of it. Throws `failover.invalid-address`, `failover.exists`, `failover.too-many`, `failover.taken`,
   * `failover.no-gateway`, `failover.too-many-gateways`, `failover.routes`.
   */
  async add(wanted: NewFailoverAddress, context: CallContext): Promise<FailoverAddress> {
    const address = checkFailoverAddress(wanted.address)
    const { site, by } = wanted
    const decide = (tx: RecordTransaction): FailoverAddress => {
      const others = this.#state.failoverAddresses.all()
      if (this.#state.failoverAddresses.get(address) !== undefined) throw exists(address)
      const record: FailoverAddress = {
        ...{ address, router: freeRouter(others) },
        ...(site === undefined ? {} : { site }),
        ...(by === undefined ? {} : { by }),
        ...{ createdAt: this.#now(), createdBy: context.actor },
      }
      const way = requireWay(record, routesMode(this.#state))
      if (way === 'bgp' && address.includes(':') && twinPoolsOf(this.#state).length === 0) throw noIpv6(address)
      const taken = takenBy(address, [...this.#pools(), ...this.#taken()])
      if (taken !== undefined) throw isTaken(address, taken)
      this.#requireGateways(record)
      // Two that are added at once have numbers of their own.
      tx.put('fences', { node: failoverFence, updatedAt: this.#now() }, { ifUnchanged: true })
      tx.put('failoverAddresses', record, { ifUnchanged: true })
      const whose = site === undefined ? 'the gateways' : `the gateways of ${site}`
      tx.event({
        ...{ type: 'failover.added', subject: {} },
        message: `${address} is a failover address of ${whose}, by ${way === 'bgp' ? 'BGP' : 'VRRP'}`,
      })
      return record
    }
    return (await this.#records.commit(context.actor, decide, context)).value
  }

  /** Whoever has it takes it away. Throws `failover.not-found`, `failover.invalid-address`. */
  async remove(text: string, context: CallContext): Promise<void> {
    const decide = (tx: RecordTransaction): void => {
      const { address } = this.require(text)
      tx.delete('failoverAddresses', address, { ifUnchanged: true })
      tx.event({
        ...{ type: 'failover.removed', subject: {} },
        message: `${address} is no failover address any more`,
      })
    }
    await this.#records.commit(context.actor, decide, context)
  }

  #requireGateways(record: FailoverAddress): void {
    const { site } = record
    const nodes = [...this.#state.nodes.values()]
    if (candidatesFor(record, nodes).length === 0) throw noGateway(site, sitesOf(nodes.filter(isGatewayNode)))
    const count = nodes.filter(
      (node) => isGatewayNode(node) && (site === undefined || node.labels.site === site),
    ).length
    if (count > maxCandidates)
      throw new BerthError(
        'failover.too-many-gateways',
        `${count} gateways cannot share an address, ${maxCandidates} can; name a site (--site)`,
      )
  }

  /** What the store knows of that has addresses. */
  #taken(): TakenAddresses[] {
    const { nodes, externals, routings, lans, members } = this.#state
    return [
      ...[...nodes.values()].map(({ name, address }) => ({ what: `node ${name}`, range: address })),
      ...externals
        .all()
        .flatMap(({ name, addresses }) => addresses.map((range) => ({ what: `the external service ${name}`, range }))),
      ...[...routings.values()].flatMap(({ peers }) =>
        peers.map(({ name, address }) => ({ what: `the router ${name}`, range: address })),
      ),
      ...lans.all().map(({ name, range }) => ({ what: `the network ${name}`, range })),
      ...[...members.values()].flatMap(({ name, agentAddress = '' }) => {
        const range = agentAddress.slice(0, agentAddress.lastIndexOf(':')).replace(/^\[|\]$/g, '')
        return /^[\d.]+$|:/.test(range) ? [{ what: `server ${name}`, range }] : []
      }),
    ]
  }
}

/** Compared and written by whatever adds one. No node can have this name. */
const failoverFence = '_failover'

/** Throws `failover.routes` where routes of this mode would leave an address without a way. */
export function requireFailoverWays(state: State, mode: RoutesMode): void {
  for (const each of state.failoverAddresses.all()) requireWay(each, mode)
}

function requireWay(record: FailoverAddress, mode: RoutesMode): FailoverWay {
  const way = failoverWay(record, mode)
  if (way !== undefined) return way
  const { address } = record
  const why =
    mode === 'cloud'
      ? 'a provider’s network takes an address to another machine by the provider’s own means alone, not by VRRP or BGP (routes cloud): use its load balancer or floating address before the gateways'
      : 'gateways announce it by BGP, and routes are static: berth net set --routes bgp, or let one hold it (--by vrrp)'
  throw new BerthError('failover.routes', `failover address ${address}: ${why}`, { details: { address, mode } })
}

const sitesOf = (nodes: readonly { readonly labels: Readonly<Record<string, string>> }[]): string[] =>
  [...new Set(nodes.flatMap(({ labels }) => labels.site ?? []))].sort()

function noGateway(site: string | undefined, sites: readonly string[]): BerthError {
  const near = site === undefined ? undefined : closest(site, sites)
  const hint = near === undefined ? '' : `; did you mean ${near}?`
  const whose = site === undefined ? 'no node is a gateway' : `no gateway is of the site ${site}${hint}`
  return new BerthError(
    'failover.no-gateway',
    `a failover address: ${whose}; label one first: berth node label NODE gateway=true${site === undefined ? '' : ` site=${site}`}`,
  )
}

const exists = (address: string): BerthError =>
  new BerthError(
    'failover.exists',
    `${address} is a failover address already; to change it, remove it first: berth gateway address rm ${address}`,
  )

const isTaken = (address: string, { what, range }: TakenAddresses): BerthError =>
  new BerthError('failover.taken', `${address} cannot be a failover address: ${what} has ${range}; choose another`, {
    details: { what },
  })

const noIpv6 = (address: string): BerthError =>
  new BerthError(
    'failover.routes',
    `failover address ${address}: routers are told no IPv6 while no address pool has any (berth ip pool set --ipv6); or let one gateway hold it: --by vrrp`,
    { details: { address } },
  )
