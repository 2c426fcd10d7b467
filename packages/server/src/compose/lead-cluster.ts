import { BlockKeeper } from '../addresses/block-keeper.ts'
import { OwnPoolNote } from '../addresses/own-pool.ts'
import { defaults } from '../config.ts'
import { ClusterFeed } from '../controllers/cluster-feed.ts'
import { NodeWatch } from '../controllers/node-watch.ts'
import { PoolController } from '../controllers/pool-controller.ts'
import { RebalanceController } from '../controllers/rebalance-controller.ts'
import { InstanceNews } from '../events/instance-news.ts'
import { GateSources } from '../gates/gate-sources.ts'
import { HookCalls } from '../hooks/hook-calls.ts'
import { ImageArrivals } from '../images/image-arrivals.ts'
import { LanKeeper } from '../lans/lan-keeper.ts'
import type { Term } from '../leadership/index.ts'
import { NodeConfigController } from '../node-config/node-config-controller.ts'
import { ClusterRegistry } from '../registry/cluster-registry.ts'
import { RegistryKeeper } from '../registry/registry-keeper.ts'
import { CloudRoutesKeeper } from '../routing/cloud/cloud-routes-keeper.ts'
import { HttpRouteTable } from '../routing/cloud/http-route-table.ts'
import type { ControlOptions, SharedControl } from './control.ts'

/** What acts while this server leads `cluster`; changes are told to it by the parts that every server has. */
export interface ClusterWork {
  readonly feed: ClusterFeed
  readonly pools: PoolController
  readonly nodeConfigs: NodeConfigController
  readonly registry: RegistryKeeper
}

/** Decides about pools, tells agents, and writes down what they report, as long as the term lasts. */
export function leadCluster(
  { config, foundation, log }: ControlOptions,
  {
    agents,
    traffic,
    requests,
    books,
    isOnline,
    defaultPool,
    agentServers,
    registryAgents,
    registryOrders,
  }: SharedControl,
  term: Term,
  stack: AsyncDisposableStack,
): ClusterWork {
  const { state, secrets, routing, failover } = foundation
  const records = foundation.records.guardedBy(term)
  const news = stack.use(new InstanceNews({ records, log: log.child({ part: 'events' }) }))
  // Above all versions that a leader before this one has given out.
  traffic.renumber()
  const addressPool = config.addressPool ?? defaults.addressPool
  stack.use(new OwnPoolNote({ records, range: addressPool, log: log.child({ part: 'addresses' }) }))
  let pools: PoolController | undefined
  const feed = stack.use(
    new ClusterFeed({
      ...{ state, defaultPool, routes: () => traffic.table, servers: agentServers },
      addressPool,
      domain: config.domain ?? defaults.domain,
      routing: (node) => routing.plan.of(node),
      failover: (node) => failover.of(node),
      secretsFor: (app, environment, names) => secrets.valuesFor(app, environment, names),
    }),
  )
  // One that has just started knows what is active, not since when: with a table of now it does.
  const tellNewcomers = (): void => {
    traffic.renumber()
    feed.sendRoutes(traffic.table)
  }
  stack.defer(
    state.changes.subscribe(({ kind, before, after }) => {
      if (kind === 'members' && before === undefined && after?.name !== foundation.leadership.name) tellNewcomers()
    }),
  )
  const nodes = stack.use(
    new NodeWatch({
      ...{ state, records, isOnline, log: log.child({ part: 'nodes' }) },
      reach: (from, targets, call) => agents.reach(from, targets, call),
      silentSince: (node) => agents.silentSince(node),
      onChange: (node) => pools?.markNode(node),
    }),
  )
  const images = stack.use(
    new ImageArrivals({
      ...{ state, isOnline, books, log: log.child({ part: 'images' }) },
      agents: {
        holdersOf: (image) => agents.holdersOf(image),
        isConnected: (node) => agents.isConnected(node),
        hasImage: (image, node, call) => agents.hasImage(node, image, call),
        bringImage: (image, node) => agents.bringImage(image, node),
      },
      onChange: (pool) => pools?.mark([pool]),
    }),
  )
  const gates = stack.use(
    new GateSources({
      ...{ state, traffic: requests, log: log.child({ part: 'gates' }) },
      ask: (query, signal) => foundation.metricSources.ask(query, signal),
      onChange: (pool) => pools?.mark([pool]),
    }),
  )
  const hooks = stack.use(
    new HookCalls({
      ...{ state, targets: foundation.hookTargets, log: log.child({ part: 'hooks' }) },
      onChange: (pool) => pools?.mark([pool]),
    }),
  )
  const registryParts = { records, agents: registryAgents, orders: registryOrders }
  const registry = stack.use(
    new RegistryKeeper({
      ...{ ...registryParts, tokens: foundation.registryTokens, log: log.child({ part: 'registry' }) },
      registry: new ClusterRegistry(registryParts),
    }),
  )
  const lead = agents.lead({ records, news, feed, term, registry: registry.offers })
  for (const node of state.nodes.ids()) books.touchNode(node)
  pools = new PoolController({
    ...{ state, records, news, isOnline, traffic, nodes, books, images, gates, hooks },
    log: log.child({ part: 'pools' }),
  })
  stack.use(pools)
  stack.use(new RebalanceController({ ...{ state, records, isOnline, books }, log: log.child({ part: 'rebalance' }) }))
  stack.use(new BlockKeeper({ ...{ records, books, agents }, log: log.child({ part: 'blocks' }) }))
  const nodeConfigs = stack.use(
    new NodeConfigController({ ...{ state, records, agents, isOnline }, log: log.child({ part: 'node-config' }) }),
  )
  stack.use(new LanKeeper({ records, log: log.child({ part: 'networks' }) }))
  stack.use(
    new CloudRoutesKeeper({
      ...{
        records,
        log: log.child({ part: 'cloud-routes' }),
        owner: `berth:${foundation.authority.fingerprint.slice(0, 16)}`,
      },
      tables: () => routing.tables,
      open: (table) => new HttpRouteTable({ name: table.name, url: table.url, token: routing.tokenOf(table) }),
    }),
  )
  stack.use(lead)
  return { feed, pools, nodeConfigs, registry }
}
