import type { AppSpec, Assignment, EntrypointSpec, InstanceStatus, RouteTable } from '@berth/core'
import { openState, Records, type State } from '../records/index.ts'
import { openTemporary, silent } from '../store/sqlite/open-temporary.testing.ts'
import { AppReaper } from './app-reaper.ts'
import { BuildController } from './build-controller.ts'
import type { BuildOutcome, BuildRunner, SpecReader } from './build-port.ts'
import { ClusterFeed } from './cluster-feed.ts'
import { createOperations } from './operations/create-operations.ts'
import type { Operations } from './operations.ts'
import { PoolController } from './pool-controller.ts'
import { TrafficController } from './traffic-controller.ts'

export const testSpec = (
  entrypoints: Record<string, Partial<EntrypointSpec>>,
  over: Partial<AppSpec> = {},
): AppSpec => ({
  app: 'shop',
  build: { type: 'image', image: 'shop' },
  entrypoints: Object.fromEntries(
    Object.entries(entrypoints).map(([name, each]) => [name, { ...plainEntrypoint, ...each }]),
  ),
  routes: [],
  rollout: { surge: 1, unavailable: 0, settleMs: 0, before: [] },
  environments: {},
  ...over,
})

const plainEntrypoint: EntrypointSpec = {
  type: 'service',
  command: ['serve'],
  replicas: 1,
  resources: { cpuMilli: 100, memoryBytes: 64 * 1024 ** 2 },
  ports: [{ name: 'http', port: 8080, protocol: 'tcp' }],
  env: {},
  secrets: [],
  config: [],
  bind: [],
  volumes: [],
  sysctls: {},
  ulimits: [],
  capabilities: [],
  init: false,
  health: {},
  hooks: {},
  restart: 'always',
  stop: { signal: 'SIGTERM', graceMs: 10_000 },
  drainMs: 200,
  readyTimeoutMs: 2000,
  labels: {},
  logs: { maxBytes: 1024 ** 2, maxFiles: 2 },
  jobTimeoutMs: 0,
}

export const webRoute = {
  host: 'shop.test',
  path: '/',
  entrypoint: 'web',
  port: 'http',
  tls: 'off',
  stripPath: false,
  timeoutMs: 60_000,
  maxBodyBytes: 0,
} as const

/** The controllers on a real store, with one pretended node that runs whatever it is told, and is a gateway. */
export class TestCluster implements AsyncDisposable {
  readonly #stack = new AsyncDisposableStack()
  readonly node = 'node-a'
  /** What a commit (the build's ref) contains. */
  readonly commits = new Map<string, AppSpec>()
  /** Releases whose instances exit at once. */
  readonly broken = new Set<string>()
  readonly assignments = new Map<string, Assignment>()
  gatewayAnswers = true
  state!: State
  records!: Records
  operations!: Operations
  traffic!: TrafficController
  pools!: PoolController
  feed!: ClusterFeed

  static async start(): Promise<TestCluster> {
    const cluster = new TestCluster()
    await cluster.#open()
    return cluster
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync()
  }

  async #open(): Promise<void> {
    const temporary = this.#stack.use(await openTemporary())
    this.state = this.#stack.use(await openState(temporary.store, { log: silent }))
    this.records = new Records(temporary.store, this.state)
    await this.addNode(this.node, '10.77.1.0/24')
    const isOnline = (node: string) => this.state.nodeStatuses.get(node)?.online === true
    const { state, records } = this
    this.traffic = this.#stack.use(
      new TrafficController({
        state,
        isOnline,
        certificates: () => [],
        onTable: (table) => this.#onTable(table),
        onChange: (pools) => this.pools?.mark(pools),
      }),
    )
    this.pools = this.#stack.use(new PoolController({ state, records, isOnline, traffic: this.traffic, log: silent }))
    this.feed = this.#stack.use(
      new ClusterFeed({
        state,
        addressPool: '10.77.0.0/16',
        domain: 'berth',
        defaultPool: 'production',
        secretsFor: () => new Map(),
        routes: () => this.traffic.table,
      }),
    )
    this.feed.subscribe(this.node, (line) => {
      if (line.type === 'assign') void this.#run(line.assignment)
      if (line.type === 'forget') this.assignments.delete(line.instance)
    })
    const builds = this.#stack.use(
      new BuildController({
        records,
        state,
        runner: this.#runner(),
        defaultPool: 'production',
        concurrency: 1,
        log: silent,
      }),
    )
    this.#stack.use(new AppReaper({ records, state, log: silent }))
    this.operations = createOperations({
      records,
      state,
      now: Date.now,
      defaultPool: 'production',
      isOnline,
      specs: this.#specs(),
      cancelBuild: (build) => builds.cancel(build),
    })
  }

  async addNode(name: string, block: string, cpuMilli = 4000): Promise<void> {
    await this.records.commit('system:test', (tx) => {
      tx.put('nodes', {
        name,
        labels: { gateway: 'true' },
        block,
        address: '127.0.0.1',
        schedulable: true,
        certificateFingerprint: '',
        joinedAt: 0,
      })
      tx.put('nodeStatuses', {
        name,
        online: true,
        cpuMilli,
        memoryBytes: 8 * 1024 ** 3,
        diskBytes: 1e12,
        diskFreeBytes: 1e12,
        agentVersion: '0.1.0',
        engineVersion: '',
        engineApi: '',
        kernel: '',
        os: '',
        cgroup: 'v1',
        gateway: true,
        problems: [],
      })
    })
  }

  /** Waits for a condition on the state; fails with what it saw last. */
  async until(what: string, condition: () => boolean, timeoutMs = 8000): Promise<void> {
    const deadline = Date.now() + timeoutMs
    while (!condition()) {
      if (Date.now() > deadline)
        throw new Error(
          `waited in vain for ${what}: ${JSON.stringify({ pools: this.state.pools.all(), rollouts: this.state.rollouts.all(), instances: this.state.instances.all() })}`,
        )
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }

  async deploy(ref: string, pool = 'production'): Promise<void> {
    const { build } = await this.operations.deploy(
      { app: 'shop', pool, ref, force: false, repository: '/repo' },
      { actor: 'test' },
    )
    await this.until('the build', () => this.state.builds.get(build?.id ?? '')?.endedAt !== undefined)
    const rollout = this.state.builds.get(build?.id ?? '')?.rollout
    if (rollout !== undefined)
      await this.until('the rollout', () => this.state.rollouts.get(rollout)?.endedAt !== undefined)
  }

  async #run(assignment: Assignment): Promise<void> {
    this.assignments.set(assignment.instance, assignment)
    const base: InstanceStatus = {
      id: assignment.instance,
      node: this.node,
      phase: 'running',
      ready: false,
      restarts: 0,
    }
    const exits = this.broken.has(assignment.release)
    if (assignment.desired === 'stop') await this.#report({ ...base, phase: 'ended', endedAt: Date.now() })
    else if (assignment.desired === 'drain') return
    else if (assignment.type === 'job')
      await this.#report({
        ...base,
        phase: 'ended',
        lastExit: { code: exits ? 3 : 0, outOfMemory: false, at: Date.now() },
        endedAt: Date.now(),
      })
    else if (exits)
      await this.#report({
        ...base,
        restarts: 3,
        lastExit: { code: 3, outOfMemory: false, at: Date.now() },
        logTail: ['boom'],
      })
    else await this.#report({ ...base, ready: true, readyAt: Date.now(), startedAt: Date.now() })
  }

  async #report(status: InstanceStatus): Promise<void> {
    await this.records.commit('system:test', (tx) => tx.put('statuses', status))
  }

  #onTable(table: RouteTable): void {
    setTimeout(() => {
      if (this.gatewayAnswers) this.traffic?.report(this.node, { version: table.version, inflight: {} })
    }, 2)
  }

  #spec(ref: string): AppSpec {
    const spec = this.commits.get(ref)
    if (spec === undefined) throw new Error(`no commit ${ref}`)
    return spec
  }

  #runner(): BuildRunner {
    return {
      run: async ({ ref }): Promise<BuildOutcome> => ({
        commit: ref,
        subject: `change ${ref}`,
        spec: this.#spec(ref),
        inputs: ref,
        image: `sha256:${ref}`,
        reused: false,
      }),
    }
  }

  #specs(): SpecReader {
    return { readSpec: async ({ ref }) => ({ commit: ref, subject: '', spec: this.#spec(ref) }) }
  }
}
