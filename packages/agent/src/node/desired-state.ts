import { readFile, rm } from 'node:fs/promises'
import type { ServerAddress, ToAgent } from '@berth/api'
import {
  BerthError,
  changeRoutes,
  messageOf,
  type NetworkConfig,
  type NodeFailover,
  type NodeRouting,
  type Peers,
  type RouteChanges,
  type RouteTable,
} from '@berth/core'
import type { Logger } from 'pino'
import type { NetdFiles } from '../dns/netd-files.ts'
import type { Reconciler } from '../instance/reconciler.ts'
import type { RuntimeFiles } from '../instance/runtime-files.ts'
import type { NodeNetwork } from '../network/node-network.ts'
import type { PolicyKeeper } from '../policy/policy-keeper.ts'
import { reasonToFreeze } from '../state/epoch-guard.ts'
import type { NodeStore } from '../state/node-store.ts'
import { PeerCopy } from './peer-copy.ts'
import type { Problems } from './problems.ts'

/** The network waits for Docker; nothing else may wait for the network longer than this. */
const networkLimitMs = 20_000
const revisionPauseMs = 1_000
const formerServersKept = 16

export type DesiredLine = Exclude<ToAgent, { readonly type: 'ping' }>
type Snapshot = Extract<ToAgent, { readonly type: 'snapshot' }>
type PeersLine = Extract<ToAgent, { readonly type: 'peers' | 'peer-part' }>

export interface DesiredStateOptions {
  readonly store: NodeStore
  readonly reconciler: Reconciler
  readonly network: NodeNetwork
  readonly netd: NetdFiles
  readonly policy: Pick<PolicyKeeper, 'take' | 'change'>
  readonly files: RuntimeFiles
  readonly problems: Problems
  readonly log: Logger
  /** Holds the epoch of a store that a person has accepted; removed once it was obeyed. */
  readonly acceptEpochPath: string
  /** The node is a gateway, from now on. */
  readonly onRoutes: (routes: RouteTable, force: boolean) => void
  /** It is none any more. */
  readonly onGatewayEnds: () => void
  readonly onServers: (servers: readonly ServerAddress[]) => void
  readonly onRouting: (routing: NodeRouting) => Promise<void>
  readonly onFailover: (failover: NodeFailover) => Promise<void>
  /** What the network is has been written down; it is made so from now on. */
  readonly onNetwork: () => void
}

const foreignServers = 'epoch of servers that do not lead'

/**
 * Takes in what a server says and hands each part to who makes it true. Lines are applied in the order of their arrival. While frozen,
 * only what adds is taken: assignments that are to run. Stops, and tables that may lack something (names, routes, security rules), are
 * withheld.
 */
export class DesiredState implements AsyncDisposable {
  readonly #options: DesiredStateOptions
  #frozen = false
  /** Of the store that the link speaks for: its last snapshot, and how far its lines have come. */
  #offered: { readonly epoch: string; readonly revision: number } | undefined
  #revisionTimer: NodeJS.Timeout | undefined
  /** As the server told them last. */
  #routes: RouteTable | undefined
  /** While parts of it are on their way. */
  #peers: PeerCopy | undefined

  constructor(options: DesiredStateOptions) {
    this.#options = options
  }

  /** True while stops are withheld. */
  get frozen(): boolean {
    return this.#frozen
  }

  /** With those that have come and are not in force yet, since others are still on their way. */
  get peers(): Peers {
    return (this.#peers?.network ?? this.#options.store.state.network)?.peers ?? []
  }

  /** True when every assignment of the server that this node belongs to is known. */
  get isComplete(): boolean {
    return this.#offered !== undefined && !this.#frozen
  }

  /** False while the gateway routes by a table of a store that is not the one that the server speaks for. */
  get routesAreCurrent(): boolean {
    return !this.#frozen && this.#options.store.state.forceRoutes !== true
  }

  /** A table was applied by force. */
  routesForced(): void {
    void this.#attempt('write the state of the node', () => this.#options.store.update({ forceRoutes: false }))
  }

  /** Before anything else: what does not depend on a server or on Docker. */
  async prepare(): Promise<void> {
    const { store, files, reconciler } = this.#options
    await files.setResolving(store.state.network ?? { domain: 'berth' }, reconciler.assignments)
  }

  /** After every connection to Docker: the network as it was last known. */
  async restoreNetwork(): Promise<void> {
    const { network } = this.#options.store.state
    if (network !== undefined) await this.#ensureNetwork(network)
  }

  async apply(line: DesiredLine): Promise<void> {
    const { reconciler, netd, policy } = this.#options
    if (line.type === 'snapshot') return this.#applySnapshot(line)
    this.#noteRevision(line.revision)
    switch (line.type) {
      case 'assign':
        // Its being durable is not waited for: what is lost with the agent is in the next snapshot, or in the container's label.
        void reconciler.assign(line.assignment)
        return
      case 'forget':
        // Not waited for: a job's container may have to be removed first.
        void reconciler
          .forget(line.instance, line.createdAt)
          .catch((error: unknown) => this.#failed('forget an instance', error))
        return
      case 'network':
        this.#peers = undefined
        return this.#applyNetwork(line.network)
      case 'peers':
      case 'peer-part':
        return this.#applyPeers(line)
      case 'names':
        return this.#frozen ? undefined : netd.writeNames(line.names)
      case 'policy':
        return this.#frozen ? undefined : policy.take(line.policy)
      case 'members':
        return this.#frozen ? undefined : policy.change(line.members)
      case 'servers':
        return this.#frozen ? undefined : this.#applyServers(line.servers)
      case 'routing':
        return this.#frozen ? undefined : this.#applyRouting(line.routing)
      case 'failover':
        return this.#frozen ? undefined : this.#applyFailover(line.failover)
      case 'routes':
        return this.#frozen ? undefined : this.#applyRoutes(line.routes)
      case 'route-changes':
        return this.#frozen ? undefined : this.#applyRoutes(this.#changedRoutes(line.changes))
      case 'gateway-ends':
        return this.#frozen ? undefined : this.#options.onGatewayEnds()
    }
  }

  /**
   * True when the next snapshot of the store that was offered last will be obeyed: a person has accepted it since the freeze, or it has
   * caught up with what this node knows (a server that lagged behind others).
   */
  async isToBeJudgedAgain(): Promise<boolean> {
    const offered = this.#offered
    if (!this.#frozen || offered === undefined) return false
    const { epoch, revision } = this.#options.store.state
    return (offered.epoch === epoch && offered.revision >= revision) || (await this.#acceptedEpoch()) === offered.epoch
  }

  /** The link is dialled anew, and begins with a snapshot. */
  forgetOffer(): void {
    this.#offered = undefined
  }

  get #forcesRoutes(): boolean {
    return this.#options.store.state.forceRoutes === true
  }

  async #acceptedEpoch(): Promise<string | undefined> {
    const text = await readFile(this.#options.acceptEpochPath, 'utf8').catch(() => '')
    return text.trim() === '' ? undefined : text.trim()
  }

  /** Writes down what was put off. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#revisionTimer)
    const { store } = this.#options
    const revision = Math.max(store.state.revision, this.#latestRevision)
    if (!this.#frozen) await store.update({ revision }).catch(() => undefined)
  }

  async #applySnapshot(snapshot: Snapshot): Promise<void> {
    const { store, reconciler, netd, acceptEpochPath: path, problems, log } = this.#options
    const { epoch, revision } = snapshot
    this.#offered = { epoch, revision }
    const reason = reasonToFreeze(store.state, snapshot, { epoch: await this.#acceptedEpoch(), path })
    if (reason !== undefined && !this.#frozen) log.error({ epoch, revision }, reason)
    this.#frozen = reason !== undefined
    problems.set('epoch', reason)
    problems.set(foreignServers, undefined)
    if (reason === undefined) {
      const goesBack = store.state.epoch !== epoch || revision < store.state.revision
      this.#forgetRevision()
      const change = { epoch, revision, ...(goesBack ? { forceRoutes: true } : {}) }
      // An acceptance that was not written down must be there for the next start.
      if (await this.#attempt('write the state of the node', () => store.update(change)))
        await rm(path, { force: true })
      await this.#attempt('write the names', () => netd.writeNames(snapshot.names))
      // Before the instances that obey it.
      if (snapshot.policy !== undefined) this.#options.policy.take(snapshot.policy)
      if (snapshot.servers !== undefined) await this.#applyServers(snapshot.servers)
      if (snapshot.routing !== undefined) await this.#applyRouting(snapshot.routing)
      if (snapshot.failover !== undefined) await this.#applyFailover(snapshot.failover)
    }
    this.#routes = undefined
    const { network, peerParts = [] } = snapshot
    this.#peers = peerParts.length === 0 ? undefined : new PeerCopy(network, peerParts)
    await this.#applyNetwork(snapshot.network)
    await reconciler.applySnapshot(snapshot.assignments)
    reconciler.contextChanged()
    if (reason !== undefined) return
    if (snapshot.routes !== undefined) this.#applyRoutes(snapshot.routes)
    else if (snapshot.gatewayEnds === true) this.#options.onGatewayEnds()
  }

  #applyRoutes(routes: RouteTable): void {
    this.#routes = routes
    this.#options.onRoutes(routes, this.#forcesRoutes)
  }

  /** Routes that have not changed stay the very objects, so that nobody has to look at them again. */
  #changedRoutes(changes: RouteChanges): RouteTable {
    const routes = this.#routes && changeRoutes(this.#routes, changes)
    if (routes !== undefined) return routes
    const had = this.#routes === undefined ? 'none' : `${this.#routes.version}`
    throw new BerthError(
      'link.foreign-changes',
      `change the routes: the changes are of table ${changes.base}, and there is ${had}`,
    )
  }

  async #applyNetwork(network: NetworkConfig): Promise<void> {
    const { store, netd, files, reconciler } = this.#options
    await this.#attempt('write the network', async () => {
      await store.update({ network })
      await netd.writeNetwork(network)
      await files.setResolving(network, reconciler.assignments)
    })
    this.#options.onNetwork()
    await this.#ensureNetwork(network)
  }

  /** Before the network, which makes other routes by it. */
  async #applyRouting(routing: NodeRouting): Promise<void> {
    await this.#attempt('write how routes are learned', () => this.#options.onRouting(routing))
  }

  async #applyFailover(failover: NodeFailover): Promise<void> {
    await this.#attempt('write the failover addresses', () => this.#options.onFailover(failover))
  }

  /** They follow a snapshot, which has said what the network is. */
  async #applyPeers(line: PeersLine): Promise<void> {
    const { network } = this.#options.store.state
    if (network === undefined) return
    const copy = this.#peers ?? new PeerCopy(network)
    copy.take(line)
    if (!copy.isWhole) return
    this.#peers = undefined
    await this.#applyNetwork(copy.network)
  }

  /**
   * Said by a server that does not lead: it counts if its store is this node's, a person has accepted it, or the node knows none yet. Only
   * who leads sends the snapshot that ends a freeze. Where nobody who leads is reached, this is all that a node hears of a foreign store.
   */
  async offerServers(epoch: string, servers: readonly ServerAddress[]): Promise<void> {
    const { store, problems, acceptEpochPath: path } = this.#options
    const { epoch: known, revision } = store.state
    const accepted = await this.#acceptedEpoch()
    const isOurs = !this.#frozen && (known === undefined || known === epoch)
    problems.set(foreignServers, reasonToFreeze(store.state, { epoch, revision }, { epoch: accepted, path }))
    if (isOurs || accepted === epoch) await this.#applyServers(servers)
  }

  /** Those that are not there any more are kept: a server that comes back may be the only one then. */
  async #applyServers(servers: readonly ServerAddress[]): Promise<void> {
    if (servers.length === 0) return
    const { store, onServers } = this.#options
    const { servers: before = [], formerServers = [] } = store.state
    const textOf = ({ host, port }: ServerAddress): string => `${host}:${port}`
    const now = new Set(servers.map(textOf))
    const gone = new Map([...before, ...formerServers].map((each) => [textOf(each), each]))
    const former = [...gone.values()].filter((each) => !now.has(textOf(each))).slice(0, formerServersKept)
    await this.#attempt('write the servers', () => store.update({ servers, formerServers: former }))
    onServers(servers)
  }

  /** Never fails and never hangs: what it could not do it goes on trying, and instances that need it wait for it. */
  async #ensureNetwork(network: NetworkConfig): Promise<void> {
    const limit = AbortSignal.timeout(networkLimitMs)
    const timeUp = new Promise<never>((_, reject) => {
      limit.addEventListener('abort', () => reject(limit.reason), { once: true })
    })
    await this.#attempt('set the network of the node up', async () => {
      const options = { signal: limit, removeAbsentPeers: !this.#frozen }
      await Promise.race([this.#options.network.ensure(network, options), timeUp])
    })
  }

  /** Written a little later: many lines change it, and a slightly older one only guards a little less. */
  #noteRevision(revision: number): void {
    const { store } = this.#options
    if (this.#offered !== undefined && revision > this.#offered.revision) this.#offered = { ...this.#offered, revision }
    if (this.#frozen) return
    if (revision <= store.state.revision) return
    this.#revisionTimer ??= setTimeout(() => {
      this.#revisionTimer = undefined
      void this.#attempt('write the state of the node', () => store.update({ revision: this.#latestRevision }))
    }, revisionPauseMs)
    this.#latestRevision = revision
  }

  #latestRevision = 0

  /** What was about to be written is of the store's state before this one. */
  #forgetRevision(): void {
    clearTimeout(this.#revisionTimer)
    this.#revisionTimer = undefined
    this.#latestRevision = 0
  }

  /** False when it failed, which is reported. */
  async #attempt(what: string, action: () => Promise<void>): Promise<boolean> {
    try {
      await action()
      this.#options.problems.set(what, undefined)
      return true
    } catch (error) {
      this.#failed(what, error)
      return false
    }
  }

  #failed(what: string, error: unknown): void {
    this.#options.log.error({ err: error }, `could not ${what}`)
    this.#options.problems.set(what, `could not ${what}: ${messageOf(error)}`)
  }
}
