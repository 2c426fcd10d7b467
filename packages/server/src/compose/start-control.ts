import { join } from 'node:path'
import type { FromAgent } from '@berth/api'
import type { Logger } from 'pino'
import { AgentLinks } from '../agents/agent-links.ts'
import { createBuildAgents } from '../agents/build-agents.ts'
import { BuildOutputs } from '../build/build-outputs.ts'
import { createBuilder } from '../build/builder.ts'
import { defaults, type ServerConfig } from '../config.ts'
import { AppReaper } from '../controllers/app-reaper.ts'
import { BuildController } from '../controllers/build-controller.ts'
import { ClusterFeed } from '../controllers/cluster-feed.ts'
import { CronController } from '../controllers/cron-controller.ts'
import { NodeWatch } from '../controllers/node-watch.ts'
import { createOperations } from '../controllers/operations/create-operations.ts'
import type { Operations } from '../controllers/operations.ts'
import { PoolController } from '../controllers/pool-controller.ts'
import { TrafficController } from '../controllers/traffic-controller.ts'
import { ImageRemovals } from '../images/image-removals.ts'
import { NodeImages } from '../images/node-images.ts'
import { Retention } from '../retention/retention.ts'
import { LiveBooks } from '../schedule/live-books.ts'
import { createSourceStore } from '../source/create-source-store.ts'
import type { SourceStore } from '../source/source-store.ts'
import type { Foundation } from './open-foundation.ts'

/** What decides and acts. */
export interface Control {
  readonly agents: AgentLinks
  readonly traffic: TrafficController
  readonly operations: Operations
  readonly books: LiveBooks
  readonly images: NodeImages
  readonly sources: SourceStore
  readonly buildOutputs: BuildOutputs
}

export interface ControlOptions {
  readonly config: ServerConfig
  readonly foundation: Foundation
  readonly log: Logger
  readonly stack: AsyncDisposableStack
}

/** Makes controllers, the agents' side and the builder. They know of each other through the callbacks below, and only through them. */
export async function startControl(options: ControlOptions): Promise<Control> {
  const { config, foundation, log, stack } = options
  const { state, records, secrets, certificates } = foundation
  const defaultPool = config.defaultPool ?? defaults.defaultPool
  const isOnline = (node: string): boolean => agents.isOnline(node)
  // Callbacks may run before everything is there; what they would have told is then read by whoever comes up.
  let feed: ClusterFeed | undefined
  let pools: PoolController | undefined
  let books: LiveBooks | undefined
  const traffic: TrafficController = new TrafficController({
    ...{ state, isOnline, certificates: () => certificates.all() },
    onTable: (table) => feed?.sendRoutes(table),
    onChange: (changed) => pools?.mark(changed),
  })
  feed = new ClusterFeed({
    ...{ state, defaultPool, routes: () => traffic.table },
    addressPool: config.addressPool ?? defaults.addressPool,
    domain: config.domain ?? defaults.domain,
    secretsFor: (app, environment, names) => secrets.valuesFor(app, environment, names),
  })
  const agents: AgentLinks = new AgentLinks({
    ...{ records, feed, log: log.child({ part: 'agents' }) },
    listener: {
      onReport: (node: string, line: FromAgent) => {
        if (line.type === 'gateway') traffic.report(node, { version: line.version, inflight: line.inflight })
      },
      onLink: (node) => {
        books?.touchNode(node)
        pools?.mark(state.pools.ids())
      },
    },
  })
  const nodes = new NodeWatch({
    ...{ state, records, isOnline, log: log.child({ part: 'nodes' }) },
    reach: (from, targets, call) => agents.reach(from, targets, call),
    onChange: (node) => pools?.markNode(node),
  })
  books = stack.use(new LiveBooks({ state, isOnline }))
  pools = new PoolController({
    ...{ state, records, isOnline, traffic, nodes, books },
    log: log.child({ part: 'pools' }),
  })
  for (const each of [traffic, feed, nodes]) stack.use(each)
  for (const each of [pools, agents]) stack.use(each)
  const removals = new ImageRemovals()
  const building = await startBuilding(options, agents, removals, defaultPool)
  const images = stack.use(new NodeImages({ records, agents, removals, log: log.child({ part: 'images' }) }))
  const operations = createOperations({
    ...{ records, state, defaultPool, isOnline, books, now: Date.now },
    specs: building.builder,
    cancelBuild: (build) => building.controller.cancel(build),
  })
  return { agents, traffic, operations, books, images, sources: building.sources, buildOutputs: building.outputs }
}

async function startBuilding(
  { config, foundation, log, stack }: ControlOptions,
  agents: AgentLinks,
  removals: ImageRemovals,
  defaultPool: string,
) {
  const { directory, state, records } = foundation
  const outputs = await BuildOutputs.open({ dir: join(directory, 'builds') })
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
    reuse: {
      find: (inputs) =>
        state.builds
          .byInputs(inputs)
          .flatMap(({ state: ended, image, node, createdAt }) =>
            ended === 'succeeded' && image !== undefined ? [{ image, node, createdAt }] : [],
          )
          .sort((a, b) => b.createdAt - a.createdAt),
    },
    levelDirs: [...new Set([join(directory, 'levels'), ...(config.levelDirs ?? [])])],
    builder: `berth/${config.version}`,
  })
  const controller = new BuildController({
    ...{ records, state, defaultPool, runner: builder, log: log.child({ part: 'builds' }) },
    concurrency: config.buildConcurrency ?? defaults.buildConcurrency,
  })
  stack.use(controller)
  stack.use(new AppReaper({ records, state, log: log.child({ part: 'apps' }) }))
  stack.use(new CronController({ records, state, log: log.child({ part: 'cron' }) }))
  stack.use(
    new Retention({
      ...{ records, log: log.child({ part: 'retention' }) },
      removeBuildOutput: (build) => outputs.remove(build),
    }),
  )
  return { outputs, sources, builder, controller }
}
