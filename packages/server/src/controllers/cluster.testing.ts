import { setTimeout as delay } from 'node:timers/promises'
import {
  type AddressReport,
  type AppSpec,
  BerthError,
  defaultPatience,
  type InstanceStatus,
  type NodeRouting,
  type NodeStatus,
  type TrafficStats,
  type TrafficWindow,
} from '@berth/core'
import { BlockKeeper } from '../addresses/block-keeper.ts'
import { InstanceNews } from '../events/instance-news.ts'
import { FailoverPlans } from '../failover/failover-plans.ts'
import { GateSources } from '../gates/gate-sources.ts'
import type { QueryAnswer } from '../gates/prometheus.ts'
import { callHook } from '../hooks/call-hook.ts'
import { HookCalls } from '../hooks/hook-calls.ts'
import { type ArrivalAgents, ImageArrivals } from '../images/image-arrivals.ts'
import { openState, Records, type State } from '../records/index.ts'
import { LiveBooks } from '../schedule/live-books.ts'
import type { StoreUnderTest } from '../store/contract/store-under-test.ts'
import { openTemporary, silent } from '../store/sqlite/open-temporary.testing.ts'
import { AppReaper } from './app-reaper.ts'
import { BuildController } from './build-controller.ts'
import type { BuildOutcome, BuildRunner, SpecReader } from './build-port.ts'
import { ClusterFeed } from './cluster-feed.ts'
import { NodeWatch } from './node-watch.ts'
import { createOperations } from './operations/create-operations.ts'
import type { Operations } from './operations.ts'
import { PipelineController } from './pipeline-controller.ts'
import { PoolController } from './pool-controller.ts'
import { PretendedNode, plainStatus } from './pretended-node.testing.ts'
import { RebalanceController } from './rebalance-controller.ts'
import { TrafficController } from './traffic-controller.ts'

export { testSpec, webRoute } from './specs.testing.ts'

/** Names are forgotten sooner than in earnest, so that tests do not wait for it. */
const patience = { ...defaultPatience, nameTtlMs: 20 }
const defaultPool = 'production'
const addressPool = '10.77.0.0/16'
/** As in earnest every commit compares something; here it holds always. */
const leads = { compare: { key: '/leaders/cluster', modRevision: 0 }, check: () => {} }

const noneCounted = { requests: 0, errors4xx: 0, errors5xx: 0, lost: 0, failedTries: 0 }
const nothingKnown: TrafficWindow = { all: noneCounted, generations: [], knownFromMs: 0 }

const noAddresses: AddressReport = { driver: 'routed', containers: [], left: [], unlinked: [] }

/** The controllers on a real store, with pretended nodes (`node-a` from the start) that outlive them. */
export class TestCluster implements AsyncDisposable {
  readonly #store: StoreUnderTest
  #server = new AsyncDisposableStack()
  readonly nodes = new Map<string, PretendedNode>()
  /** What a commit (the build's ref) contains. */
  readonly commits = new Map<string, AppSpec>()
  /** Releases whose instances exit at once. */
  readonly broken = new Set<string>()
  /** Builds end only after it. */
  buildGate: Promise<void> = Promise.resolve()
  onBuildEnd = (): void => {}
  /** Why commits cannot be read before they are built. */
  refuse: Error | undefined
  /** Who has which image, and how it comes to others; undefined: all have all. */
  imageAgents: ArrivalAgents | undefined
  /** What gateways have counted; undefined: nothing is known. */
  requests: TrafficStats | undefined
  /** How gates' queries are answered; undefined: no Prometheus is configured. */
  ask: ((query: string) => Promise<QueryAnswer>) | undefined
  /** No agent is connected that could build. */
  noBuilder = false
  /** Addresses that answer nodes that ask. */
  readonly answering = new Set<string>()
  /** When silent nodes were looked at last. */
  lastLook = 0
  /** What nodes have of their addresses, by their own word. */
  askForAddresses = async (_node: string): Promise<AddressReport> => noAddresses
  /** How far the clock has run ahead, as if a server had been down for so long. */
  aheadMs = 0
  state!: State
  records!: Records
  operations!: Operations
  traffic!: TrafficController
  pools!: PoolController
  feed!: ClusterFeed
  /** How nodes are told to learn routes. */
  routing: (node: string) => NodeRouting | undefined = () => undefined
  failover!: FailoverPlans

  private constructor(store: StoreUnderTest) {
    this.#store = store
  }

  static async start(): Promise<TestCluster> {
    const cluster = new TestCluster(await openTemporary())
    await cluster.startServer()
    await cluster.addNode('node-a', '10.77.1.0/24')
    return cluster
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stopServer()
    await this.#store[Symbol.asyncDispose]()
  }

  get store(): StoreUnderTest['store'] {
    return this.#store.store
  }

  /** `node-a`. */
  get node(): PretendedNode {
    return this.#nodeOf('node-a')
  }

  async stopServer(): Promise<void> {
    for (const node of this.nodes.values()) node.disconnect()
    await this.#server.disposeAsync()
  }

  /** A server of its own on the same store; nodes connect to it when they are told to. */
  async startServer(): Promise<void> {
    this.#server = new AsyncDisposableStack()
    const { store } = this.#store
    this.state = this.#server.use(await openState(store, { log: silent }))
    this.failover = new FailoverPlans(this.state)
    this.records = new Records(store, this.state).guardedBy(leads)
    const { pools, books, control } = this.#decide(this.#server, this.state, this.records)
    this.pools = pools
    this.#server.use(new RebalanceController({ ...control, books }))
    const builds = this.#server.use(
      new BuildController({ ...control, runner: this.#runner(), server: 'a', defaultPool, concurrency: 1 }),
    )
    this.#server.use(new AppReaper(control))
    this.#server.use(new PipelineController({ ...control, defaultPool }))
    const specs: SpecReader = { readSpec: async ({ ref }) => this.#read(ref) }
    const cancelBuild = builds.cancel.bind(builds)
    this.operations = createOperations({ ...control, books, defaultPool, specs, cancelBuild })
  }

  /** A second server on the same store that decides about all pools as the first does: what both decide is settled by the store alone. */
  async startRival(): Promise<AsyncDisposable> {
    const stack = new AsyncDisposableStack()
    const { store } = this.#store
    const state = stack.use(await openState(store, { log: silent }))
    this.#decide(stack, state, new Records(store, state).guardedBy(leads))
    return stack
  }

  /** Who decides where instances run, and which blocks nodes have. */
  #decide(stack: AsyncDisposableStack, state: State, records: Records) {
    const now = () => Date.now() + this.aheadMs
    const isOnline = (node: string) => state.nodeStatuses.get(node)?.online === true
    const news = stack.use(new InstanceNews({ records, log: silent }))
    const control = { state, records, news, isOnline, now, log: silent }
    let pools: PoolController | undefined
    let feed: ClusterFeed | undefined
    const traffic = stack.use(
      new TrafficController({
        ...control,
        certificates: () => [],
        onTable: (table) => feed?.sendRoutes(table),
        onChange: (changed) => pools?.mark(changed),
      }),
    )
    // Nodes hear of it before anything is decided by it.
    if (state === this.state) {
      this.traffic = traffic
      feed = this.feed = stack.use(this.#makeFeed())
    }
    const nodes = stack.use(
      new NodeWatch({
        ...control,
        reach: async (_, targets) => {
          this.lastLook = Date.now()
          return targets.filter(({ address }) => this.answering.has(address))
        },
        onChange: (node) => pools?.markNode(node),
        lookMs: 20,
      }),
    )
    const books = stack.use(new LiveBooks({ ...control, addressPool }))
    const images = stack.use(
      new ImageArrivals({
        ...control,
        books,
        agents: this.#images,
        onChange: (pool) => pools?.mark([pool]),
        retryMs: 5,
      }),
    )
    const gates = stack.use(
      new GateSources({
        ...{ ...control, traffic: { window: (...args) => this.requests?.window(...args) ?? nothingKnown } },
        ask: (query) => this.ask?.(query),
        onChange: (pool) => pools?.mark([pool]),
        lookMs: 10,
        askMs: 20,
      }),
    )
    const hooks = stack.use(
      new HookCalls({
        ...control,
        targets: { secretOf: () => undefined },
        call: (call) => callHook({ ...call, retryMs: 20 }),
        onChange: (pool) => pools?.mark([pool]),
      }),
    )
    pools = stack.use(new PoolController({ ...control, traffic, nodes, books, images, gates, hooks, patience }))
    const agents = { request: async <T>(node: string) => (await this.askForAddresses(node)) as T }
    stack.use(new BlockKeeper({ ...{ records, books, agents, log: silent, now }, retryMs: 20 }))
    return { pools, books, control }
  }

  async addNode(name: string, block: string, over: Partial<NodeStatus> = {}): Promise<void> {
    await this.records.commit('system:test', (tx) => {
      const labels = { gateway: 'true' }
      const rest = { address: '127.0.0.1', schedulable: true, certificateFingerprint: '', joinedAt: 0 }
      tx.put('nodes', { name, labels, block, ...rest })
      tx.put('nodeStatuses', { ...plainStatus, name, ...over })
    })
    this.nodes.set(name, new PretendedNode(name))
    await this.connect(name)
  }

  async connect(name = 'node-a'): Promise<void> {
    const node = this.#nodeOf(name)
    node.broken = this.broken
    const { records, traffic } = this
    await node.connect(this.feed, {
      status: (status: InstanceStatus) =>
        records.commit('system:test', (tx) => tx.put('statuses', status)).then(() => undefined),
      gateway: (report) => traffic.report(name, report),
    })
  }

  async setOnline(name: string, online: boolean): Promise<void> {
    await this.records.commit('system:test', (tx) => {
      tx.put('nodeStatuses', { ...plainStatus, ...this.state.nodeStatuses.get(name), name, online })
    })
  }

  /** Waits for a condition on the state; fails with what it saw last. */
  async until(what: string, condition: () => boolean, timeoutMs = 25_000): Promise<void> {
    const deadline = Date.now() + timeoutMs
    while (!condition()) {
      if (Date.now() > deadline) {
        const { pools, rollouts, builds, instances } = this.state
        const seen = [pools, rollouts, builds, instances].map((table) => table.all())
        throw new Error(`waited in vain for ${what}: ${JSON.stringify(seen)}`)
      }
      await delay(2)
    }
  }

  async deploy(ref: string, pool = defaultPool): Promise<void> {
    const { build } = await this.operations.deploy(
      { app: 'shop', pool, ref, force: false, repository: '/repo' },
      { actor: 'test' },
    )
    await this.until('the build', () => this.state.builds.get(build?.id ?? '')?.endedAt !== undefined)
    const rollout = this.state.builds.get(build?.id ?? '')?.rollout
    if (rollout !== undefined)
      await this.until('the rollout', () => this.state.rollouts.get(rollout)?.endedAt !== undefined)
  }

  #nodeOf(name: string): PretendedNode {
    const node = this.nodes.get(name)
    if (node === undefined) throw new Error(`no node ${name}`)
    return node
  }

  readonly #images: ArrivalAgents = {
    holdersOf: (image) => this.imageAgents?.holdersOf(image) ?? new Set(this.nodes.keys()),
    isConnected: (node) => this.imageAgents?.isConnected(node) ?? true,
    hasImage: (image, node, call) => this.imageAgents?.hasImage(image, node, call) ?? Promise.resolve(true),
    bringImage: (image, node) => this.imageAgents?.bringImage(image, node) ?? Promise.resolve(undefined),
  }

  #makeFeed = (): ClusterFeed =>
    new ClusterFeed({
      state: this.state,
      addressPool,
      domain: 'berth',
      defaultPool,
      secretsFor: () => new Map(),
      routes: () => this.traffic.table,
      routing: (node) => this.routing(node),
      failover: (node) => this.failover.of(node),
      servers: () => undefined,
    })

  #read(ref: string) {
    if (this.refuse !== undefined) throw this.refuse
    return { commit: ref, subject: '', spec: this.#spec(ref) }
  }

  #spec(ref: string): AppSpec {
    const spec = this.commits.get(ref)
    if (spec === undefined) throw new Error(`no commit ${ref}`)
    return spec
  }

  #runner(): BuildRunner {
    return {
      run: async ({ ref }, { signal }): Promise<BuildOutcome> => {
        if (this.noBuilder) throw new BerthError('build.no-node', 'no node is connected')
        await Promise.race([this.buildGate, aborted(signal)]).finally(() => this.onBuildEnd())
        const { spec, commit, inputs } = { spec: this.#spec(ref), commit: ref, inputs: ref }
        return { commit, subject: `change ${ref}`, spec, inputs, image: `sha256:${ref}`, reused: false }
      },
    }
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
}
