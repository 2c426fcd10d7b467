import type { ServerAddress } from '@berth/api'
import {
  type AddressPool,
  type Assignment,
  blocksOf,
  type Instance,
  isHeld,
  type Lan,
  type NameTable,
  type NetworkConfig,
  type Node,
  type NodeFailover,
  type NodeLan,
  type NodeRouting,
  nodeLanOf,
  type Pool,
  poolOf,
  type RouteTable,
  resolveAssignment,
  type TwinRange,
  twinOf,
} from '@berth/core'
import { ExtraAddresses } from '../addresses/extra-addresses.ts'
import { addressPoolsOf } from '../addresses/pools-of.ts'
import { twinPoolsOf, twinRangesOf } from '../addresses/twin-pools.ts'
import type { FeedLine, NodeFeed, SnapshotLine } from '../agents/node-feed.ts'
import { PolicyFeed } from '../policy/policy-feed.ts'
import type { RoutingRecord, State, StateChange } from '../records/index.ts'
import { NameScopes } from './name-scopes.ts'
import { NameTables, siteOf } from './name-tables.ts'
import { NearTables } from './near-tables.ts'
import { PacedWork } from './paced-work.ts'
import { PeerTable } from './peer-table.ts'

export interface ClusterFeedOptions {
  readonly state: State
  /** Of the address pool `default`, `10.77.0.0/16`. */
  readonly addressPool: string
  readonly domain: string
  readonly defaultPool: string
  /** Values of an app's secrets in an environment, the environment's own over the app-wide ones. */
  readonly secretsFor: (app: string, environment: string, names: readonly string[]) => ReadonlyMap<string, string>
  readonly routes: () => RouteTable
  /** How a node gets to others' blocks; undefined: as it does. */
  readonly routing: (node: string) => NodeRouting | undefined
  /** Failover addresses that it may hold or announces. */
  readonly failover: (node: string) => NodeFailover
  /** Where agents find servers; undefined where there is one. */
  readonly servers: () => readonly ServerAddress[] | undefined
  /** See {@link NameTables}. */
  readonly fullNamesLimit?: number
}

type Send = (line: FeedLine) => void

/**
 * What each node should know, derived from the state: assignments with every change of their instance; names and the network when they
 * differ from those sent last, at most once per turn of the event loop, and where they are much for many nodes, some nodes at a time.
 */
export class ClusterFeed implements NodeFeed, Disposable {
  readonly #options: ClusterFeedOptions
  readonly #subscribers = new Map<string, Set<Send>>()
  readonly #unsubscribe: () => void
  readonly #names: NameTables
  readonly #scopes: NameScopes
  readonly #peers = new PeerTable()
  readonly #extra: ExtraAddresses
  /** One line for all nodes that get the full table. */
  #namesLine: Extract<FeedLine, { readonly type: 'names' }> | undefined
  readonly #nameChanges = new PacedWork({ act: () => this.#refreshNames() })
  readonly #nameSends = new PacedWork({ act: (node) => this.#sendNames(node) })
  readonly #policy: PolicyFeed
  /** Nodes that have come, changed or left since it was told last. */
  readonly #changedPeers = new Set<string>()
  readonly #peerSends = new PacedWork({ act: () => this.#sendPeers() })
  readonly #routingSends = new PacedWork({ act: (node) => this.#sendRouting(node) })
  /** To nodes whose address pool has changed, or whose cluster has another one. */
  readonly #networkSends = new PacedWork({ act: (node) => this.#sendNetwork(node) })
  readonly #failoverSends = new PacedWork({ act: (node) => this.#sendFailover(node) })
  readonly #nearTables = new NearTables()
  #pools: readonly AddressPool[] | undefined
  /** What each node that listens was told last. */
  readonly #toldRouting = new Map<string, string>()
  readonly #toldFailover = new Map<string, string>()

  constructor(options: ClusterFeedOptions) {
    this.#options = options
    const { state, defaultPool, fullNamesLimit: fullLimit } = options
    this.#names = new NameTables({ state, defaultPool, ...(fullLimit === undefined ? {} : { fullLimit }) })
    this.#scopes = new NameScopes(state, this.#names, defaultPool)
    this.#policy = new PolicyFeed({
      ...{ state, nodes: () => this.#subscribers.keys() },
      send: (node, line) => this.#send(node, line),
    })
    this.#extra = new ExtraAddresses(state)
    for (const node of state.nodes.values()) this.#peers.set(node, this.#extra.of(node.name))
    this.#unsubscribe = options.state.changes.subscribe((change) => this.#onChange(change))
  }

  [Symbol.dispose](): void {
    this.#unsubscribe()
    const works = [this.#nameChanges, this.#nameSends, this.#peerSends, this.#routingSends, this.#networkSends]
    for (const work of [...works, this.#failoverSends, this.#policy]) work[Symbol.dispose]()
  }

  snapshot(node: string, heldPeers?: string): SnapshotLine {
    const { state } = this.#options
    const assignments = state.instances.byNode(node).flatMap((instance) => this.#assignment(instance) ?? [])
    // What has been noted and not looked at yet would be sent again to everybody who has it.
    const line = {
      type: 'snapshot' as const,
      epoch: state.epoch,
      ...(state.follows.length === 0 ? {} : { follows: state.follows }),
      revision: state.revision,
      assignments,
      network: this.#network(node, heldPeers === undefined),
      ...(heldPeers === undefined ? {} : { peerParts: this.#peers.lackedBy(node, heldPeers) }),
      names: this.#namesFor(node),
      policy: this.#policy.documentFor(node),
      servers: this.#options.servers(),
    }
    const routing = this.#options.routing(node)
    this.#toldRouting.set(node, JSON.stringify(routing))
    const failover = this.#options.failover(node)
    this.#toldFailover.set(node, JSON.stringify(failover))
    const told = { ...line, ...(routing === undefined ? {} : { routing }), failover }
    return this.#isGateway(node) ? { ...told, routes: this.#routesFor(node) } : { ...told, gatewayEnds: true }
  }

  peerPart(part: number): FeedLine {
    return this.#peers.line(part, this.#options.state.revision)
  }

  subscribe(node: string, send: Send): () => void {
    const senders = this.#subscribers.get(node) ?? new Set()
    this.#subscribers.set(node, senders.add(send))
    return () => {
      senders.delete(send)
      if (senders.size > 0) return
      this.#subscribers.delete(node)
      this.#toldRouting.delete(node)
      this.#toldFailover.delete(node)
    }
  }

  /** Called by the traffic controller's owner for every new table. */
  sendRoutes(routes: RouteTable): void {
    for (const node of this.#subscribers.keys())
      if (this.#isGateway(node)) this.#send(node, this.#routesLine(node, routes.version))
  }

  #onChange(change: StateChange): void {
    if (this.#names.note(change)) this.#nameChanges.mark('names')
    this.#policy.note(change)
    if (change.kind === 'instances') {
      for (const node of this.#extra.note(change)) this.#noteExtra(node)
      this.#onInstance(change.before, change.after, change.revision)
    } else if (change.kind === 'pools') this.#onPool(change.before, change.after, change.revision)
    else if (change.kind === 'nodes') this.#onNode(change.id, change.before, change.after, change.revision)
    else if (change.kind === 'members') this.#onMembers(change.revision)
    else if (change.kind === 'addressPools') this.#onAddressPools()
    else if (change.kind === 'lans') this.#onLan(change.before, change.after)
    else if (change.kind === 'routings' && searchText(change.before) !== searchText(change.after))
      for (const node of this.#subscribers.keys()) this.#networkSends.mark(node)
    if (change.kind === 'nodes' || change.kind === 'routings' || change.kind === 'cloudTables')
      for (const node of this.#subscribers.keys()) this.#routingSends.mark(node)
    if (change.kind === 'nodes' || change.kind === 'routings' || change.kind === 'failoverAddresses')
      this.#noteFailover()
  }

  /** Without any, as in most clusters, nobody is looked at. */
  #noteFailover(): void {
    const isKnown = this.#options.state.failoverAddresses.size > 0
    for (const node of this.#subscribers.keys())
      if (isKnown || this.#toldFailover.get(node)?.includes('"by"') === true) this.#failoverSends.mark(node)
  }

  #onInstance(before: Instance | undefined, after: Instance | undefined, revision: number): void {
    if (after === undefined) {
      if (before?.node === undefined) return
      const { node, id, createdAt } = before
      this.#send(node, { type: 'forget', revision, instance: id, createdAt })
      return
    }
    if (after.node === undefined || !this.#subscribers.has(after.node)) return
    // What runs there now may look for names that the node has not known.
    if (this.#names.isScoped && before?.node !== after.node && this.#scopes.matters(after))
      this.#nameSends.mark(after.node)
    const assignment = this.#assignment(after)
    if (assignment !== undefined) this.#send(after.node, { type: 'assign', revision, assignment })
  }

  /** All of a gang have a place: now their agents hear of them. */
  #onPool(before: Pool | undefined, after: Pool | undefined, revision: number): void {
    if (after?.openGangs === undefined) return
    for (const instance of this.#options.state.instances.byPool(after.app, after.name))
      if (isHeld(instance, before) && !isHeld(instance, after)) this.#onInstance(undefined, instance, revision)
  }

  /** A node that joined or left changes everybody's routes; a label may have made this one a gateway, or one no more. */
  #onNode(name: string, before: Node | undefined, after: Node | undefined, revision: number): void {
    if (after === undefined) this.#peers.delete(name)
    else if (placeText(before) !== placeText(after)) this.#peers.set(after, this.#extra.of(name))
    if (placeText(before) !== placeText(after)) this.#changedPeers.add(name)
    if (this.#changedPeers.size > 0) this.#peerSends.mark('peers')
    // Its own is not among its peers.
    if (before !== undefined && (before.block !== after?.block || siteOf(before) !== siteOf(after)))
      this.#send(name, this.network(name))
    if (this.#isGateway(name)) this.#send(name, this.#routesLine(name, revision))
    else if (before?.labels.gateway === 'true') this.#send(name, { type: 'gateway-ends', revision })
  }

  #routesLine(node: string, revision: number): FeedLine {
    return { type: 'routes', revision, routes: this.#routesFor(node) }
  }

  /** Gateways of one site share one. */
  #routesFor(node: string): RouteTable {
    return this.#nearTables.of(this.#options.routes(), siteOf(this.#options.state.nodes.get(node)))
  }

  /** Everybody gets to these addresses by that node, which hears of it by the same line. */
  #noteExtra(name: string): void {
    const node = this.#options.state.nodes.get(name)
    const addresses = this.#extra.of(name)
    if (node === undefined || addresses.join() === (this.#peers.get(name)?.addresses ?? []).join()) return
    this.#peers.set(node, addresses)
    this.#changedPeers.add(name)
    this.#peerSends.mark('peers')
  }

  #onAddressPools(): void {
    this.#pools = undefined
    for (const node of this.#subscribers.keys()) this.#networkSends.mark(node)
  }

  #onLan(before: Lan | undefined, after: Lan | undefined): void {
    for (const node of this.#subscribers.keys()) {
      const [was, is] = [before, after].map((lan) => lan && nodeLanOf(lan, node))
      if (JSON.stringify(was) !== JSON.stringify(is)) this.#networkSends.mark(node)
    }
  }

  #onMembers(revision: number): void {
    const servers = this.#options.servers()
    if (servers === undefined) return
    for (const node of this.#subscribers.keys()) this.#send(node, { type: 'servers', revision, servers })
  }

  #send(node: string, line: FeedLine): void {
    for (const send of this.#subscribers.get(node) ?? []) send(line)
  }

  network(node: string): FeedLine {
    return { type: 'network', revision: this.#options.state.revision, network: this.#network(node) }
  }

  #sendNetwork(node: string): void {
    if (this.#subscribers.has(node)) this.#send(node, this.network(node))
  }

  /** One line for all. */
  #sendPeers(): void {
    const changed = [...this.#changedPeers]
    this.#changedPeers.clear()
    const put = changed.flatMap((node) => this.#peers.get(node) ?? [])
    const gone = changed.filter((node) => !this.#peers.has(node))
    const line = { type: 'peers' as const, revision: this.#options.state.revision, put, gone }
    for (const node of this.#subscribers.keys()) this.#send(node, line)
  }

  /** A label or a node more changes what few nodes are told, or all. */
  #sendRouting(node: string): void {
    const routing = this.#options.routing(node)
    const text = JSON.stringify(routing)
    if (routing === undefined || !this.#subscribers.has(node) || this.#toldRouting.get(node) === text) return
    this.#toldRouting.set(node, text)
    this.#send(node, { type: 'routing', revision: this.#options.state.revision, routing })
  }

  #sendFailover(node: string): void {
    const failover = this.#options.failover(node)
    const text = JSON.stringify(failover)
    if (!this.#subscribers.has(node) || this.#toldFailover.get(node) === text) return
    this.#toldFailover.set(node, text)
    this.#send(node, { type: 'failover', revision: this.#options.state.revision, failover })
  }

  #refreshNames(): void {
    const apps = this.#names.refresh()
    if (apps === undefined) return
    const listening = apps === 'all' ? undefined : this.#scopes.listening(apps)
    for (const node of this.#subscribers.keys())
      if (listening === undefined || this.#scopes.concerns(node, listening)) this.#nameSends.mark(node)
  }

  #sendNames(node: string): void {
    if (!this.#subscribers.has(node)) return
    const names = this.#namesFor(node)
    if (this.#namesLine?.names !== names) this.#namesLine = { type: 'names', revision: names.version, names }
    this.#send(node, this.#namesLine)
  }

  #namesFor = (node: string): NameTable => (this.#names.isScoped ? this.#scopes.tableFor(node) : this.#names.full())

  #assignment(instance: Instance): Assignment | undefined {
    const { state, domain, secretsFor } = this.#options
    const release = state.releases.find(instance.app, instance.release)
    const pool = state.pools.find(instance.app, instance.pool)
    if (release === undefined || pool === undefined || isHeld(instance, pool)) return undefined
    const references = release.spec.entrypoints[instance.entrypoint]?.secrets ?? []
    const assignment = resolveAssignment({
      instance,
      release,
      environment: pool.environment,
      secrets: secretsFor(
        instance.app,
        pool.environment,
        references.map((each) => each.name),
      ),
      domain,
      specOf: (app) => {
        const current = state.pools.find(app, instance.pool)?.release ?? state.releases.byApp(app).at(-1)?.id
        return current === undefined ? undefined : state.releases.find(app, current)?.spec
      },
      hasPool: (app) => state.pools.find(app, instance.pool) !== undefined,
    })
    return assignment === undefined ? undefined : withTwin(assignment, twinRangesOf(state))
  }

  #network(node: string, withPeers = true): NetworkConfig {
    const { state, addressPool, domain, defaultPool } = this.#options
    const peers = withPeers ? this.#peers.of(node) : []
    const site = siteOf(state.nodes.get(node))
    const place = site === undefined ? {} : { site }
    const [block = '', ...further] = blocksOf(state.nodes.get(node) ?? { block: '' })
    this.#pools ??= addressPoolsOf(state, addressPool)
    const own = block === '' ? undefined : poolOf(this.#pools, block)
    const several = this.#pools.length === 1 ? {} : { pools: this.#pools.map(({ range }) => range) }
    const nat = own?.natOutgoing === false ? { natOutgoing: false as const } : {}
    const twins = twinPoolsOf(state)
    const ipv6 = twins.length === 0 ? {} : { twins }
    const extra = this.#extra.of(node)
    const addresses = extra.length === 0 ? {} : { addresses: extra }
    const lans = state.lans.all().flatMap((lan) => nodeLanOf(lan, node) ?? [])
    const blocks = further.length === 0 ? {} : { blocks: further }
    const ours = {
      ...{ pool: own?.range ?? addressPool, ...several, ...nat, block, ...blocks, ...addresses },
      ...lansField(lans),
    }
    const { searchDomains = [], consulDomain } = state.routings.get('cluster') ?? {}
    const { address = '' } = state.nodes.get(node) ?? {}
    const consul = consulDomain === undefined ? {} : { consul: { domain: consulDomain, node, address } }
    const search = searchDomains.length === 0 ? {} : { searchDomains }
    return { ...ours, peers, domain, defaultPool, ...search, ...consul, ...place, ...ipv6 }
  }

  #isGateway = (node: string): boolean => this.#options.state.nodes.get(node)?.labels.gateway === 'true'
}

/** In order, so that a node is told the same as before where nothing has changed. */
const lansField = (lans: readonly NodeLan[]): Pick<NetworkConfig, 'lans'> =>
  lans.length === 0 ? {} : { lans: lans.toSorted((a, b) => (a.name < b.name ? -1 : 1)) }

/** What of it nodes are told with their network. */
const searchText = (record: RoutingRecord | undefined): string =>
  [...(record?.searchDomains ?? []), '', record?.consulDomain].join(' ')

/** What of it others have to know to reach its instances. */
const placeText = (node: Node | undefined): string | undefined =>
  node === undefined ? undefined : [node.address, ...blocksOf(node)].join()

/** In its node's network it has the node's addresses. */
function withTwin(assignment: Assignment, twins: readonly TwinRange[]): Assignment {
  const { address, network } = assignment
  const address6 = network === undefined ? twinOf(twins, address) : undefined
  return address6 === undefined ? assignment : { ...assignment, address6 }
}
