import { join } from 'node:path'
import type { CoreReport } from '@berth/api'
import { type InstanceStatus, messageOf } from '@berth/core'
import { AgentNetworks } from './agent-networks.ts'
import { createImageBuilder, type ImageBuilder } from './build/image-builder.ts'
import { type AgentConfig, defaults } from './config.ts'
import { CoreKeeper } from './cores/core-keeper.ts'
import { coreReport } from './cores/core-report.ts'
import { WeightRegulator } from './cores/weight-regulator.ts'
import { type Disk, openDisk } from './disk.ts'
import { DockerClient } from './engine/docker-client.ts'
import { DockerEngine } from './engine/docker-engine.ts'
import { EngineWatch } from './engine/engine-watch.ts'
import { createProbe } from './health/probe.ts'
import { labels } from './instance/container-spec.ts'
import { InstanceKeepers } from './instance/instance-keepers.ts'
import { Reconciler } from './instance/reconciler.ts'
import { StatusBus } from './instance/status-bus.ts'
import { gatewayPlace } from './layer4/gateway-place.ts'
import { registerPortMetrics } from './layer4/port-counts.ts'
import { forgetLink, noteLink, noteNoLink, noteVersion } from './link/link-note.ts'
import { ServerLinks } from './link/server-links.ts'
import { SyncService } from './link/sync-service.ts'
import { createCollector, type KernelCollector } from './metrics/collector.ts'
import { registerUsageMetrics } from './metrics/prometheus.ts'
import { recentUse, useWindowMs } from './metrics/recent-use.ts'
import { networkName } from './network/node-network.ts'
import { DesiredState } from './node/desired-state.ts'
import { DisposalStack } from './node/disposal-stack.ts'
import type { GatewayReport } from './node/gateway-loop.ts'
import { Housekeeping } from './node/housekeeping.ts'
import { LazyGateway } from './node/lazy-gateway.ts'
import { NodeReporter } from './node/node-reporter.ts'
import { RecordProblems } from './node/record-problems.ts'
import { repeat } from './node/repeat.ts'
import type { ConfigKeeper } from './node-config/config-keeper.ts'
import { createKeeper } from './node-config/create-keeper.ts'
import { ImageTransfers } from './registry/image-transfers.ts'
import { RegistryService } from './registry/registry-service.ts'
import { registerReportedMetrics } from './socket/reported-metrics.ts'
import { SocketKeeper } from './socket/socket-keeper.ts'
import { restoreServices } from './socket/tell-services.ts'
import { servePrometheus } from './telemetry/prometheus.ts'
import { registerRequestMetrics } from './telemetry/request-metrics.ts'
import { createReceiver } from './upgrade/create-receiver.ts'
import type { ExecutableReceiver } from './upgrade/receive-executable.ts'
import { UpgradeWatch } from './upgrade/upgrade-watch.ts'

const refreshMs = 30_000
const acceptanceLookMs = 2_000
const saveUsageMs = 300_000
const upgradeLookMs = 1_000
/** A call that comes with the first link waits so long for the first look at its instance. */
const firstLookMs = 3_000
const collectAddressesMs = 60_000

/**
 * Runs the agent of this node until the signal comes. It takes up what was remembered, adopts what runs, and from then on makes Docker
 * match what servers say, with or without a server at hand. Ending it leaves every container, the network and the gateway as they are.
 *
 * With `AgentNetworks` the only place where adapters are made. Throws `agent.not-joined`, `agent.already-running`, `agent.no-tmpfs`.
 */
export async function runAgent(config: AgentConfig, { signal }: { readonly signal: AbortSignal }): Promise<void> {
  await using stack = new DisposalStack()
  const disk = await openDisk(config, stack)
  const agent = new Agent(config, disk, stack)
  await agent.start()
  config.log.info({ node: disk.identity.name, version: config.version }, 'the agent runs')
  await aborted(signal)
  config.log.info('the agent ends; containers and traffic go on')
}

/** The parts and what they tell each other. Each is made after those that it must outlive. */
class Agent {
  readonly #config: AgentConfig
  readonly #disk: Disk
  readonly #stack: DisposalStack
  readonly #engine: DockerEngine
  readonly #builder: ImageBuilder
  readonly #collector: KernelCollector
  readonly #cores: CoreKeeper
  readonly #regulator: WeightRegulator
  readonly #networks: AgentNetworks
  readonly #sockets: SocketKeeper
  readonly #bus = new StatusBus()
  readonly #reporter: NodeReporter
  readonly #reconciler: Reconciler
  readonly #gateway: LazyGateway
  readonly #desired: DesiredState
  readonly #sync: SyncService
  readonly #housekeeping: Housekeeping
  readonly #records = new RecordProblems()
  readonly #upgrades: UpgradeWatch
  readonly #receiver: ExecutableReceiver
  readonly #registry: RegistryService
  readonly #transfers: ImageTransfers
  #nodeConfig: ConfigKeeper | undefined
  #watch: EngineWatch | undefined
  #links: ServerLinks | undefined

  constructor(config: AgentConfig, disk: Disk, stack: DisposalStack) {
    const { log, dockerSocket: socketPath = defaults.dockerSocket } = config
    this.#config = config
    this.#disk = disk
    this.#stack = stack
    this.#upgrades = new UpgradeWatch(disk.directory, config.version)
    this.#receiver = createReceiver(config, disk.directory)
    const client = stack.use(new DockerClient(socketPath, log.child({ part: 'engine' })))
    this.#engine = new DockerEngine({ client })
    this.#builder = createImageBuilder({ client, log: log.child({ part: 'build' }) })
    const authorityPem = async (): Promise<string> => (await disk.credentials.settled()).authorityPem
    this.#transfers = new ImageTransfers({ client, authorityPem })
    this.#collector = stack.use(this.#makeCollector())
    this.#cores = new CoreKeeper({
      log: log.child({ part: 'cores' }),
      online: () => this.#reporter.cores,
      onUnboundMoved: () => this.#reconciler.contextChanged(),
    })
    this.#networks = new AgentNetworks(
      {
        ...{ config, disk, engine: this.#engine },
        setProblem: (subject, sentence) => this.#reporter.problems.set(subject, sentence),
        onChange: () => this.#reporter.changed(),
        isFrozen: () => this.#desired.frozen,
      },
      stack,
    )
    this.#reporter = new NodeReporter({
      name: disk.identity.name,
      agentVersion: config.version,
      stateDir: config.stateDir,
      endedFiles: { directory: disk.files.ended.directory, keepMs: disk.files.ended.keepMs },
      log,
      isGateway: () => this.#gateway.isRunning,
      gatewayRestartedAt: () => this.#gateway.restartedAt,
      gatewayReloads: () => this.#gateway.reloads,
      upgrade: () => this.#upgrades.status,
      config: () => this.#nodeConfig?.report,
      routes: () => this.#networks.routing.summary,
      failover: () => this.#networks.failover.status,
      network: () => this.#networks.node.drivers,
      dockerNetworks: () => this.#networks.others.names,
      lanProblems: () => this.#networks.lans.problems,
      byHand: () => this.#networks.byHandProfiles,
      onChange: (status) => this.#sync.node(status),
    })
    this.#sockets = stack.use(this.#makeSockets())
    this.#reconciler = stack.use(this.#makeReconciler())
    this.#regulator = stack.use(this.#makeRegulator())
    this.#gateway = stack.use(this.#makeGateway())
    this.#desired = stack.use(this.#makeDesiredState())
    this.#registry = stack.use(this.#makeRegistry())
    this.#sync = this.#makeSync()
    this.#housekeeping = this.#makeHousekeeping()
    this.#bus.subscribe((status) => this.#sync.status(status))
  }

  async start(): Promise<void> {
    const { log } = this.#config
    noteVersion(this.#disk.directory, this.#config.version, log)
    await this.#desired.prepare()
    // Before the network is looked at: which routes it makes depends on it.
    await this.#networks.failover.resume()
    await this.#networks.routing.resume()
    await this.#reporter.refresh()
    const watch = this.#stack.use(this.#makeWatch())
    this.#watch = watch
    await this.#networks.load()
    await restoreServices(this.#config.stateDir, this.#networks.services)
    const records = await this.#disk.instances.load()
    await this.#sockets.load(records.map(({ assignment }) => assignment))
    this.#reconciler.start(records)
    this.#networks.start()
    await this.#gateway.resume()
    await this.#registry.resume()
    this.#stack.use(repeat(refreshMs, (signal) => this.#refresh(signal)))
    this.#stack.use(this.#housekeeping.watchDisk())
    const { collectEveryMs = defaults.collectEveryMs } = this.#config
    this.#stack.use(repeat(collectEveryMs, (signal) => this.#housekeeping.collectEnded(signal)))
    this.#stack.use(repeat(collectAddressesMs, (signal) => this.#collectAddresses(signal)))
    this.#stack.use(repeat(acceptanceLookMs, () => this.#judgeAgain()))
    this.#stack.use(repeat(saveUsageMs, () => this.#disk.usage.save()))
    this.#stack.use(repeat(upgradeLookMs, () => this.#lookAtUpgrade()))
    const nodeConfig = this.#stack.use(await this.#makeNodeConfig())
    this.#nodeConfig = nodeConfig
    this.#links = this.#stack.use(this.#makeLinks(watch, nodeConfig))
    await nodeConfig.start()
    const { driftLookMs = defaults.driftLookMs } = this.#config
    this.#stack.use(repeat(driftLookMs, (signal) => nodeConfig.lookForDrift({ signal })))
    this.#stack.use(await this.#serveMetrics(log))
  }

  #makeCollector(): KernelCollector {
    return createCollector({
      node: this.#disk.identity.name,
      log: this.#config.log.child({ part: 'metrics' }),
      limitDrops: (instance) => this.#networks.bandwidth.dropsOf(instance),
      onSample: (instance, sample) => {
        const assignment = this.#reconciler.assignmentOf(instance)
        if (assignment !== undefined) this.#disk.usage.note(assignment, sample)
      },
    })
  }

  #noteExit({ id, lastExit, phase }: InstanceStatus): void {
    const assignment = this.#reconciler.assignmentOf(id)
    if (assignment !== undefined && lastExit !== undefined && assignment.desired === 'run')
      this.#disk.usage.noteExit(id, assignment, lastExit)
    if (phase === 'ended') this.#disk.usage.forget(id)
  }

  #makeReconciler(): Reconciler {
    const { identity, files, boot, sealer, instances } = this.#disk
    const { log, pidsLimit = defaults.pidsLimit } = this.#config
    return new Reconciler({
      node: identity.name,
      cluster: identity.cluster,
      networkName,
      pidsLimit,
      boot,
      engine: this.#engine,
      files,
      store: instances,
      sealer,
      probe: createProbe(this.#engine),
      reportOf: (instance) => this.#sockets.reportOf(instance),
      keepers: this.#makeKeepers(),
      cores: this.#cores,
      log: log.child({ part: 'instance' }),
      imageUsers: new Map(),
      networkDriver: () => this.#networks.node.drivers.driver,
      frozen: () => this.#desired.frozen,
      engineUp: (signal) => this.#engineUp(signal),
      onStatus: (status) => {
        if (status.phase === 'ended') this.#cores.setGrants(this.#reconciler.holding)
        this.#noteExit(status)
        this.#bus.publish(status)
      },
      onImageMissing: (image) => this.#sync.imageMissing(image),
      onStoreProblem: (instance, problem) => {
        this.#records.set(instance, problem)
        this.#reporter.problems.set('records', this.#records.sentence)
      },
    })
  }

  async #collectAddresses(signal: AbortSignal): Promise<void> {
    if (this.#watch?.isUp === true) await this.#networks.collectAddresses(signal)
  }

  #makeKeepers(): InstanceKeepers {
    return new InstanceKeepers([
      this.#collector,
      {
        setInstances: () => this.#cores.setGrants(this.#reconciler.holding),
        watch: (instance, target) => this.#cores.watch(instance, target),
        forget: (instance) => this.#cores.forget(instance),
      },
      ...this.#networks.makeKeepers(),
      this.#sockets,
    ])
  }

  #makeSockets(): SocketKeeper {
    const { identity, files } = this.#disk
    return new SocketKeeper({
      node: identity.name,
      directoryOf: (instance) => files.socketDirectoryOf(instance),
      services: this.#networks.services,
      log: this.#config.log.child({ part: 'sockets' }),
      onReport: (instance) => this.#reconciler.reported(instance),
    })
  }

  #coreReport(): CoreReport {
    const sources = { keeper: this.#cores, collector: this.#collector, regulator: this.#regulator }
    return coreReport({ now: Date.now(), ...sources })
  }

  #makeRegulator(): WeightRegulator {
    return new WeightRegulator({
      sharedCores: () => this.#cores.sharedCores(),
      log: this.#config.log.child({ part: 'cores' }),
    })
  }

  #makeGateway(): LazyGateway {
    return new LazyGateway({
      directory: join(this.#disk.directory, 'gateway'),
      options: this.#config.gateway ?? {},
      ports: {
        place: () => gatewayPlace(this.#disk.node.state.network),
        onProblem: (problem) => {
          this.#reporter.problems.set('port-routes', problem)
          this.#reporter.changed()
        },
      },
      log: this.#config.log.child({ part: 'gateway' }),
      onReport: (report) => this.#sync.gateway(this.#reported(report)),
      onRequests: (rows, connections) => this.#sync.requests(rows, connections),
      onForced: () => this.#desired.routesForced(),
      onProblem: (problem) => {
        this.#reporter.problems.set('gateway', problem)
        this.#reporter.changed()
      },
    })
  }

  #makeRegistry(): RegistryService {
    return new RegistryService({
      directory: join(this.#disk.directory, 'registry'),
      log: this.#config.log.child({ part: 'registry' }),
      onProblem: (problem) => this.#reporter.problems.set('registry', problem),
    })
  }

  #makeDesiredState(): DesiredState {
    return new DesiredState({
      store: this.#disk.node,
      reconciler: this.#reconciler,
      network: this.#networks.node,
      netd: this.#networks.netd,
      policy: this.#networks.policy,
      files: this.#disk.files,
      problems: this.#reporter.problems,
      log: this.#config.log,
      acceptEpochPath: join(this.#disk.directory, 'accept-epoch'),
      onRoutes: (routes, force) => this.#gateway.apply(routes, force),
      onGatewayEnds: () => this.#gateway.end(() => this.#networks.failover.leave()),
      onServers: (servers) => this.#links?.update(servers),
      onRouting: (routing) => this.#networks.routing.apply(routing),
      onFailover: (failover) => this.#networks.failover.apply(failover),
      onNetwork: () => this.#networks.wantedChanged(),
    })
  }

  /** Versions are those of one store: of a table that another one has made, none says what it is to this one. */
  #reported(report: GatewayReport): GatewayReport {
    const { inflight } = report
    return this.#desired.routesAreCurrent ? { version: report.version, inflight } : { version: 0, inflight }
  }

  #makeSync(): SyncService {
    return new SyncService({
      log: this.#config.log,
      apply: (line) => this.#desired.apply(line),
      peers: () => this.#desired.peers,
      settled: (timeoutMs) => this.#reconciler.settled(timeoutMs),
      nodeStatus: () => this.#reporter.status(),
      instanceStatuses: () => this.#reconciler.statuses(),
      nodeUse: () => recentUse(this.#collector.nodeSince(Date.now() - useWindowMs)),
      gatewayReport: () => this.#gateway.report && { type: 'gateway', ...this.#reported(this.#gateway.report) },
      requests: () => this.#gateway.requests,
      connections: () => this.#gateway.connections,
      onServers: (epoch, servers) => void this.#desired.offerServers(epoch, servers),
      onClock: (problem) => this.#reporter.problems.set('clock', problem),
      onHello: () => {
        this.#reconciler.retry()
        noteLink(this.#disk.directory, this.#config.version, this.#config.log)
      },
    })
  }

  #makeWatch(): EngineWatch {
    return new EngineWatch({
      engine: this.#engine,
      label: labels.instance,
      log: this.#config.log.child({ part: 'engine' }),
      onUp: async (info, signal) => {
        this.#reporter.engineSeen(info)
        await this.#networks.look(signal)
        await this.#desired.restoreNetwork()
        await this.#reconciler.relist(signal)
        void this.#removeLeftovers(signal)
      },
      onEvent: (event) => this.#reconciler.onEvent(event),
      onResync: async (signal) => {
        await this.#reconciler.resync(signal)
      },
      onProblem: (problem) => this.#reporter.problems.set('engine', problem),
    })
  }

  #makeNodeConfig(): Promise<ConfigKeeper> {
    return createKeeper(this.#config, {
      ...{ directory: this.#disk.directory, engine: this.#engine },
      isEngineUp: () => this.#watch?.isUp ?? false,
      heardAt: () => this.#sync.heardAt,
      readiness: () => ({
        ready: this.#reconciler.statuses().flatMap(({ id, ready }) => (ready ? [id] : [])),
        wanted: new Set(
          this.#reconciler.holding.flatMap(({ instance, desired }) => (desired === 'run' ? [instance] : [])),
        ),
      }),
      onChange: () => this.#reporter.changed(),
    })
  }

  #makeLinks(watch: EngineWatch, nodeConfig: ConfigKeeper): ServerLinks {
    const { log, ping } = this.#config
    const engine = this.#engine
    const { servers = [], formerServers = [] } = this.#disk.node.state
    return new ServerLinks({
      ...{ joinedAt: this.#disk.identity.servers, servers, formerServers },
      credentials: this.#disk.credentials,
      log: log.child({ part: 'link' }),
      ...(ping === undefined ? {} : { ping }),
      onLost: () => forgetLink(this.#disk.directory, log),
      onNoLink: (reason, isRefusal) => {
        if (this.#links?.isUp !== true) noteNoLink(this.#disk.directory, reason, isRefusal, log)
      },
      services: {
        node: this.#disk.identity.name,
        engine,
        logs: {
          engine,
          bus: this.#bus,
          status: (instance) => this.#reconciler.status(instance),
          looked: (instance) => this.#reconciler.looked(instance, firstLookMs),
          engineUp: (signal) => watch.up(signal),
        },
        builds: this.#builder,
        credentials: this.#disk.credentials,
        coreReport: () => this.#coreReport(),
        metricsSince: (sinceMs) => this.#collector.since(sinceMs),
        usageReport: () => this.#disk.usage.report(),
        sync: (request) => this.#sync.serve(request),
        registry: this.#registry,
        transfers: this.#transfers,
        routing: this.#networks.routing,
        addresses: this.#networks.addresses,
        policy: this.#networks.policy,
        onImage: () => this.#reconciler.retry(),
        nodeConfig,
        upgrade: (offered, body, signal) => this.#receiver.receive(offered, body, signal),
      },
    })
  }

  /** Before the watch is made nobody waits for the engine yet. */
  #engineUp(signal: AbortSignal): Promise<void> {
    if (this.#watch === undefined) throw new Error('instances were started before the engine is watched')
    return this.#watch.up(signal)
  }

  async #removeLeftovers(signal: AbortSignal): Promise<void> {
    try {
      await this.#builder.removeLeftovers(signal)
    } catch (error) {
      if (!signal.aborted) this.#config.log.warn({ err: error }, 'leftovers of builds stay for now')
    }
  }

  async #refresh(signal: AbortSignal): Promise<void> {
    await this.#reporter.refresh()
    this.#reporter.problems.set('cores', this.#cores.settleAll().join('; ') || undefined)
    await this.#reconciler.saveAgain()
    await this.#housekeeping.rotateLogs()
    if (this.#watch?.isUp) await this.#networks.look(signal)
    await this.#networks.check(signal)
  }

  #makeHousekeeping(): Housekeeping {
    return new Housekeeping({
      gatewayLogs: join(this.#disk.directory, 'gateway/logs'),
      reconciler: this.#reconciler,
      files: this.#disk.files,
      engine: this.#engine,
      problems: this.#reporter.problems,
      log: this.#config.log,
      diskLookMs: this.#config.diskLookMs ?? defaults.diskLookMs,
      diskLookShare: this.#config.diskLookShare ?? defaults.diskLookShare,
      isEngineUp: () => this.#watch?.isUp ?? false,
      isComplete: () => this.#desired.isComplete,
    })
  }

  async #lookAtUpgrade(): Promise<void> {
    if (this.#upgrades.look()) this.#reporter.changed()
  }

  /** A person has accepted a store: its next snapshot is obeyed. */
  async #judgeAgain(): Promise<void> {
    if (!(await this.#desired.isToBeJudgedAgain())) return
    // Until the next snapshot there is nothing new to judge: to dial ever anew before it is here would keep it from coming.
    this.#desired.forgetOffer()
    this.#links?.redial()
  }

  /** A taken port must not keep a node from working. */
  async #serveMetrics(log: AgentConfig['log']): Promise<AsyncDisposable | undefined> {
    const listen = this.#config.metricsListen ?? defaults.metricsListen
    if (listen === 'off') return undefined
    try {
      return await servePrometheus({
        listen,
        statuses: () => this.#reconciler.statuses(),
        registerUsage: (registry) => {
          registerUsageMetrics(registry, this.#collector, this.#disk.identity.name)
          registerPortMetrics(registry, this.#gateway)
          registerRequestMetrics(registry, this.#gateway)
          registerReportedMetrics(registry, () => this.#sockets.metrics(), this.#disk.identity.name)
        },
        isLinked: () => this.#links?.isUp ?? false,
        isEngineUp: () => this.#watch?.isUp ?? false,
      })
    } catch (error) {
      log.warn({ reason: messageOf(error) }, 'goes on without /metrics')
      return undefined
    }
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}
