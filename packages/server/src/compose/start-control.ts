import { join } from 'node:path'
import type { FromAgent, ServerAddress } from '@berth/api'
import type { Logger } from 'pino'
import { AcmeKeeper } from '../acme/acme-keeper.ts'
import { requireOwnPool } from '../addresses/own-pool.ts'
import { AgentLinks } from '../agents/agent-links.ts'
import { createBuildAgents } from '../agents/build-agents.ts'
import { BuildOutputs } from '../build/build-outputs.ts'
import { createBuilder } from '../build/builder.ts'
import { defaults } from '../config.ts'
import { AppReaper } from '../controllers/app-reaper.ts'
import { BuildController } from '../controllers/build-controller.ts'
import { CronController } from '../controllers/cron-controller.ts'
import { createOperations } from '../controllers/operations/create-operations.ts'
import { PipelineController } from '../controllers/pipeline-controller.ts'
import { TrafficController } from '../controllers/traffic-controller.ts'
import { CheckKeeper } from '../discovery/check-keeper.ts'
import { parseListenAddress } from '../http/listen-address.ts'
import { ImageRemovals } from '../images/image-removals.ts'
import { NodeImages } from '../images/node-images.ts'
import { hearsTooFew, type Term } from '../leadership/index.ts'
import { RepositoryLooks } from '../pipelines/repository-looks.ts'
import { RepositoryPoller } from '../pipelines/repository-poller.ts'
import type { State } from '../records/index.ts'
import { ClusterRegistry } from '../registry/cluster-registry.ts'
import { createRegistryAgents } from '../registry/registry-agents.ts'
import { RegistryOrders } from '../registry/registry-orders.ts'
import { Retention } from '../retention/retention.ts'
import { LiveBooks } from '../schedule/live-books.ts'
import { createSourceStore } from '../source/create-source-store.ts'
import { Teller } from '../subscriptions/teller.ts'
import { RequestStats } from '../traffic/request-stats.ts'
import type { Control, ControlOptions, SharedControl } from './control.ts'
import { type ClusterWork, leadCluster } from './lead-cluster.ts'
import { NodeRenewals } from './node-renewals.ts'
import type { Foundation } from './open-foundation.ts'
import { heardByOthers, tellHearing } from './tell-hearing.ts'

/**
 * Makes what every server has (the agents' links, traffic, books, operations), and has controllers started for as long as this server
 * holds their roles. They know of each other through the callbacks below, and only through them.
 */
export async function startControl(options: ControlOptions): Promise<Control> {
  const { foundation, log, stack } = options
  const { state, records, leadership } = foundation
  requireOwnPool(state, options.config.addressPool ?? defaults.addressPool)
  let cluster: ClusterWork | undefined
  const shared = makeShared(options, () => cluster)
  const { agents, traffic, requests, acme, books, isOnline, defaultPool } = shared
  const removals = new ImageRemovals()
  const building = await prepareBuilding(options, agents, removals)
  const looks = new RepositoryLooks({ records, state, sources: building.sources })
  const images = stack.use(new NodeImages({ records, agents, removals, log: log.child({ part: 'images' }) }))
  const registry = new ClusterRegistry({ records, agents: shared.registryAgents, orders: shared.registryOrders })
  const renewals = new NodeRenewals(agents)
  let builds: BuildController | undefined
  stack.use(leadership)
  if (!leadership.isAlone) stack.use(tellHearing(leadership, state, agents, log.child({ part: 'leadership' })))
  const isFit = (): boolean => !hearsTooFew(agents.connected.length, heardByOthers(state, leadership.name))
  await leadership.hold(
    'cluster',
    (term, work) => {
      cluster = leadCluster(options, shared, term, work)
      work.defer(() => {
        cluster = undefined
      })
    },
    { isFit },
  )
  await leadership.hold('builds', (term, work) => {
    builds = leadBuilds(options, building, term, work)
    work.use(images.sweep())
    const guarded = records.guardedBy(term)
    const pipelineLog = log.child({ part: 'pipelines' })
    work.use(new PipelineController({ records: guarded, state, defaultPool, log: pipelineLog }))
    work.use(new RepositoryPoller({ records: guarded, state, looks, log: pipelineLog }))
  })
  await leadership.hold('clock', (term, work) => {
    work.use(new CronController({ records: records.guardedBy(term), state, log: log.child({ part: 'cron' }) }))
  })
  await leadership.hold('upkeep', (term, work) => {
    keepUp(options, building.outputs, term, work)
    work.use(leadAcme(options, shared, term))
    renewals.lead(options, term, work)
  })
  const operations = createOperations({
    ...{ records, state, defaultPool, isOnline, books, now: Date.now },
    specs: building.builder,
    cancelBuild: (build) => builds?.cancel(build),
  })
  const { sources, outputs: buildOutputs } = building
  return {
    agents,
    traffic,
    requests,
    acme,
    operations,
    books,
    images,
    registry,
    sources,
    looks,
    buildOutputs,
    renewals,
  }
}

function makeShared({ config, foundation, log, stack }: ControlOptions, cluster: () => ClusterWork | undefined) {
  const { state, certificates } = foundation
  const isOnline = (node: string): boolean => agents.isOnline(node)
  const traffic: TrafficController = stack.use(
    new TrafficController({
      ...{ state, isOnline, certificates: () => certificates.all() },
      onTable: (table) => cluster()?.feed.sendRoutes(table),
      onChange: (changed) => cluster()?.pools.mark(changed),
    }),
  )
  const requests = new RequestStats({ state, isOnline, now: Date.now })
  const acme = foundation.acmeFor(traffic)
  const agents: AgentLinks = new AgentLinks({
    ...{ state, log: log.child({ part: 'agents' }), version: config.version },
    servers: () => agentServersOf(foundation),
    listener: {
      onReport: (node: string, line: FromAgent) => {
        if (line.type === 'gateway') traffic.report(node, { version: line.version, inflight: line.inflight })
        if (line.type === 'requests') requests.take(node, line.rows, line.begins, line.connections)
        if (line.type === 'pong' && line.use !== undefined) books.measured(node, line.use.cpuMilli)
      },
      onLink: (node) => {
        books.touchNode(node)
        cluster()?.nodeConfigs.nodeChanged(node)
        cluster()?.registry.nodeChanged(node)
        // Without a gateway's word anything may be held up.
        if (state.nodes.get(node)?.labels.gateway === 'true') cluster()?.pools.mark(state.pools.ids())
        else cluster()?.pools.nodeChanged(node)
      },
    },
  })
  const books = stack.use(new LiveBooks({ state, isOnline, addressPool: config.addressPool ?? defaults.addressPool }))
  stack.use(agents)
  const defaultPool = config.defaultPool ?? defaults.defaultPool
  return {
    ...{
      agents,
      traffic,
      requests,
      acme,
      books,
      isOnline,
      defaultPool,
      agentServers: () => agentServersOf(foundation),
    },
    registryAgents: createRegistryAgents(agents),
    registryOrders: new RegistryOrders({ state, authority: foundation.authority, tokens: foundation.registryTokens }),
  }
}

type Building = Awaited<ReturnType<typeof prepareBuilding>>

async function prepareBuilding(
  { config, foundation, log, stack }: ControlOptions,
  agents: AgentLinks,
  removals: ImageRemovals,
) {
  const { directory, state } = foundation
  const outputs = await BuildOutputs.open({ dir: join(directory, 'builds') })
  const { leadership } = foundation
  // Whoever leads `upkeep` removes the record; each server what it has of it.
  if (!leadership.isAlone) stack.defer(removeOutputsOfGone(state, outputs, log))
  const sources = await createSourceStore({
    ...{ dir: join(directory, 'sources'), log: log.child({ part: 'sources' }) },
    ...(config.repositoryRoots === undefined ? {} : { localRoots: config.repositoryRoots }),
  })
  const builder = createBuilder({
    ...{
      sources,
      outputs,
      agents: createBuildAgents(agents, state, removals, foundation.registries),
      log: log.child({ part: 'builder' }),
    },
    reuse: { find: (inputs) => madeOf(state, inputs) },
    levelDirs: [...new Set([join(directory, 'levels'), ...(config.levelDirs ?? [])])],
    builder: `berth/${config.version}`,
  })
  return { outputs, sources, builder }
}

const removeOutputsOfGone = (state: State, outputs: BuildOutputs, log: Logger): (() => void) =>
  state.changes.subscribe(({ kind, id, after }) => {
    if (kind !== 'builds' || after !== undefined) return
    outputs.remove(id).catch((error: unknown) => log.warn({ err: error }, `remove output of build ${id}`))
  })

/** Images of builds with these inputs, the newest first. */
const madeOf = (state: State, inputs: string) =>
  state.builds
    .byInputs(inputs)
    .flatMap(({ state: ended, image, node, createdAt }) =>
      ended === 'succeeded' && image !== undefined ? [{ image, node, createdAt }] : [],
    )
    .sort((a, b) => b.createdAt - a.createdAt)

function leadBuilds(
  { config, foundation, log }: ControlOptions,
  { builder }: Building,
  term: Term,
  stack: AsyncDisposableStack,
): BuildController {
  const controller = new BuildController({
    ...{ records: foundation.records.guardedBy(term), state: foundation.state, runner: builder },
    server: foundation.leadership.name,
    defaultPool: config.defaultPool ?? defaults.defaultPool,
    log: log.child({ part: 'builds' }),
    concurrency: config.buildConcurrency ?? defaults.buildConcurrency,
  })
  stack.use(controller)
  return controller
}

function leadAcme({ foundation, log }: ControlOptions, { acme, traffic }: SharedControl, term: Term): AcmeKeeper {
  const { certificates } = foundation
  const isInForce = (revision: number): boolean => traffic.isInForce(revision)
  const records = foundation.records.guardedBy(term)
  return new AcmeKeeper({ records, acme, certificates, isInForce, log: log.child({ part: 'acme' }) })
}

function keepUp(
  { foundation, log }: ControlOptions,
  outputs: BuildOutputs,
  term: Term,
  stack: AsyncDisposableStack,
): void {
  const { state } = foundation
  const records = foundation.records.guardedBy(term)
  const { isAlone } = foundation.leadership
  stack.use(new CheckKeeper({ records, heard: foundation.checksHeard, isAlone, log: log.child({ part: 'discovery' }) }))
  stack.use(new Teller({ records, subscriptions: foundation.subscriptions, log: log.child({ part: 'subscriptions' }) }))
  stack.use(new AppReaper({ records, state, log: log.child({ part: 'apps' }) }))
  stack.use(
    new Retention({
      ...{ records, log: log.child({ part: 'retention' }) },
      removeBuildOutput: (build) => outputs.remove(build),
    }),
  )
}

/** Nothing where this server is alone: agents stay with the address that they have joined at. */
function agentServersOf({ state, leadership }: Foundation): ServerAddress[] | undefined {
  if (leadership.isAlone) return undefined
  return [...state.members.values()].flatMap(({ agentAddress }) => {
    return agentAddress === undefined ? [] : [parseListenAddress(agentAddress)]
  })
}
