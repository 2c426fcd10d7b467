import { join } from 'node:path'
import { type Assignment, messageOf } from '@berth/core'
import { createImageBuilder } from './build/image-builder.ts'
import { type AgentConfig, defaults } from './config.ts'
import { createNetdFiles } from './dns/netd-files.ts'
import { DockerClient } from './engine/docker-client.ts'
import { DockerEngine } from './engine/docker-engine.ts'
import { EngineWatch } from './engine/engine-watch.ts'
import { createProbe } from './health/probe.ts'
import { labels } from './instance/container-spec.ts'
import { Reconciler } from './instance/reconciler.ts'
import { RuntimeFiles } from './instance/runtime-files.ts'
import { StatusBus } from './instance/status-bus.ts'
import { AgentLink } from './link/agent-link.ts'
import { readIdentity } from './link/node-identity.ts'
import { SyncService } from './link/sync-service.ts'
import { createCollector } from './metrics/collector.ts'
import { registerUsageMetrics } from './metrics/prometheus.ts'
import { createNodeNetwork, networkName } from './network/node-network.ts'
import { DesiredState } from './node/desired-state.ts'
import { LazyGateway } from './node/lazy-gateway.ts'
import { NodeReporter } from './node/node-reporter.ts'
import { repeat } from './node/repeat.ts'
import { readBootId } from './state/boot-id.ts'
import { InstanceStore } from './state/instance-store.ts'
import { NodeStore } from './state/node-store.ts'
import { openSealer } from './state/sealer.ts'
import { lockState } from './state/state-lock.ts'
import { servePrometheus } from './telemetry/prometheus.ts'

const refreshMs = 30_000

/**
 * Runs the agent of this node until the signal comes. It takes up what was remembered, adopts what runs, and from then on makes Docker
 * match what servers say, with or without a server at hand. Ending it leaves every container, the network and the gateway as they are.
 *
 * The only place where adapters are made. Throws `agent.not-joined`, `agent.already-running`, `agent.no-tmpfs`.
 */
export async function runAgent(config: AgentConfig, { signal }: { readonly signal: AbortSignal }): Promise<void> {
  const { stateDir, log } = config
  const agentDir = join(stateDir, 'agent')
  const runDir = config.runDir ?? defaults.runDir
  const socketPath = config.dockerSocket ?? defaults.dockerSocket
  const identity = await readIdentity(stateDir)
  await using _lock = await lockState(join(agentDir, 'lock'))
  const files = new RuntimeFiles({ stateDir, runDir })
  await files.open()
  const boot = await readBootId(runDir)
  const sealer = await openSealer(join(agentDir, 'seal.key'))
  await using instances = new InstanceStore(join(agentDir, 'instances'), sealer, log.child({ part: 'state' }))
  const store = await NodeStore.open(join(agentDir, 'state.json'), log)
  const netd = createNetdFiles(stateDir)

  await using client = new DockerClient(socketPath, log.child({ part: 'engine' }))
  const engine = new DockerEngine({ client })
  const builder = createImageBuilder({ client, log: log.child({ part: 'build' }) })
  await using collector = createCollector({ node: identity.name, log: log.child({ part: 'metrics' }) })
  await using network = createNodeNetwork({ socketPath, log: log.child({ part: 'network' }) })

  const bus = new StatusBus()
  const reporter = new NodeReporter({
    name: identity.name,
    agentVersion: config.version,
    log,
    isGateway: () => gateway.isRunning,
    onChange: (status) => sync.node(status),
  })
  const { problems } = reporter
  let announced: Promise<void> = Promise.resolve()
  const announce = (assignments: readonly Assignment[]): void => {
    const local = assignments.map(({ instance, app, pool, address }) => ({ instance, app, pool, address }))
    announced = netd.writeInstances(local).catch((error: unknown) => {
      log.error({ err: error }, 'could not tell netd the instances of this node')
    })
  }
  await using reconciler = new Reconciler({
    node: identity.name,
    cluster: identity.cluster,
    networkName,
    pidsLimit: config.pidsLimit ?? defaults.pidsLimit,
    boot,
    engine,
    files,
    store: instances,
    sealer,
    probe: createProbe(engine),
    collector,
    log: log.child({ part: 'instance' }),
    frozen: () => desired.frozen,
    engineUp: (until) => watch.up(until),
    announced: () => announced,
    onStatus: (status) => bus.publish(status),
    onImageMissing: (image) => sync.imageMissing(image),
    onInstances: announce,
    onStoreProblem: (problem) => problems.set('records', problem),
  })
  await using gateway = new LazyGateway({
    directory: join(agentDir, 'gateway'),
    options: config.gateway ?? {},
    log: log.child({ part: 'gateway' }),
    onReport: (report) => sync.gateway(report),
    onProblem: (problem) => {
      problems.set('gateway', problem)
      reporter.changed()
    },
  })
  const desired = new DesiredState({
    store,
    reconciler,
    network,
    netd,
    files,
    problems,
    log,
    ...(config.acceptEpoch === undefined ? {} : { acceptEpoch: config.acceptEpoch }),
    onRoutes: (routes, force) => gateway.apply(routes, force),
  })
  const sync = new SyncService({
    log,
    apply: (line) => desired.apply(line),
    settled: (timeoutMs) => reconciler.settled(timeoutMs),
    nodeStatus: () => reporter.status(),
    instanceStatuses: () => reconciler.statuses(),
    gatewayReport: () => gateway.report,
    onHello: () => reconciler.retry(),
  })
  bus.subscribe((status) => sync.status(status))

  await desired.prepare()
  await reporter.refresh()
  await using watch = new EngineWatch({
    engine,
    label: labels.instance,
    log: log.child({ part: 'engine' }),
    onUp: async (info, until) => {
      reporter.engineSeen(info)
      await desired.restoreNetwork()
      await reconciler.relist(until)
      void builder
        .removeLeftovers(until)
        .catch((error: unknown) => log.warn({ err: error }, 'leftovers of builds stay'))
    },
    onEvent: (event) => reconciler.onEvent(event),
    onResync: (until) => reconciler.resync(until).then(() => undefined),
    onProblem: (problem) => problems.set('engine', problem),
  })
  reconciler.start(await instances.load())
  await gateway.resume()
  await using _refresh = repeat(refreshMs, async (until) => {
    await reporter.refresh()
    const found = await network.check({ signal: until })
    problems.set('network', found.length === 0 ? undefined : found.join('; '))
  })
  await using link = new AgentLink({
    identity,
    log: log.child({ part: 'link' }),
    ...(config.ping === undefined ? {} : { ping: config.ping }),
    services: {
      engine,
      logs: { engine, bus, status: (id) => reconciler.status(id), engineUp: (until) => watch.up(until) },
      builds: builder,
      metricsSince: (sinceMs) => collector.since(sinceMs),
      sync: (request) => sync.serve(request),
      onImage: () => reconciler.retry(),
    },
  })
  await using _metrics = await serveMetrics(config, {
    statuses: () => reconciler.statuses(),
    registerUsage: (registry) => registerUsageMetrics(registry, collector, identity.name),
    isLinked: () => link.isUp,
    isEngineUp: () => watch.isUp,
  })
  log.info({ node: identity.name, version: config.version }, 'the agent runs')
  await aborted(signal)
  await desired.close()
  log.info('the agent ends; containers and traffic go on')
}

/** A taken port must not keep a node from working. */
async function serveMetrics(
  config: AgentConfig,
  sources: Omit<Parameters<typeof servePrometheus>[0], 'listen'>,
): Promise<AsyncDisposable | undefined> {
  const listen = config.metricsListen ?? defaults.metricsListen
  if (listen === 'off') return undefined
  try {
    return await servePrometheus({ listen, ...sources })
  } catch (error) {
    config.log.warn({ reason: messageOf(error) }, 'goes on without /metrics')
    return undefined
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}
