import { accessEndpoints } from './endpoints/access.ts'
import { addressesEndpoints } from './endpoints/addresses.ts'
import { appsEndpoints } from './endpoints/apps.ts'
import { clusterEndpoints } from './endpoints/cluster.ts'
import { deploysEndpoints } from './endpoints/deploys.ts'
import { failoverEndpoints } from './endpoints/failover.ts'
import { groupsEndpoints } from './endpoints/groups.ts'
import { imagesEndpoints } from './endpoints/images.ts'
import { instancesEndpoints } from './endpoints/instances.ts'
import { lansEndpoints } from './endpoints/lans.ts'
import { namesEndpoints } from './endpoints/names.ts'
import { netEndpoints } from './endpoints/net.ts'
import { nodeConfigEndpoints } from './endpoints/node-config.ts'
import { nodesEndpoints } from './endpoints/nodes.ts'
import { pipelinesEndpoints } from './endpoints/pipelines.ts'
import { planningEndpoints } from './endpoints/planning.ts'
import { policyEndpoints } from './endpoints/policy.ts'
import { poolsEndpoints } from './endpoints/pools.ts'
import { rebalanceEndpoints } from './endpoints/rebalance.ts'
import { registriesEndpoints } from './endpoints/registries.ts'
import { releasesEndpoints } from './endpoints/releases.ts'
import { routingEndpoints } from './endpoints/routing.ts'
import { schedulingEndpoints } from './endpoints/scheduling.ts'
import { serversEndpoints } from './endpoints/servers.ts'
import { sizingEndpoints } from './endpoints/sizing.ts'
import { subscriptionsEndpoints } from './endpoints/subscriptions.ts'
import { trafficEndpoints } from './endpoints/traffic.ts'

export { type LogLine, logLine } from './endpoints/shared.ts'

/** Every operation, by name. The names are the client's method names. */
export const endpoints = {
  ...clusterEndpoints,
  ...serversEndpoints,
  ...appsEndpoints,
  ...deploysEndpoints,
  ...pipelinesEndpoints,
  ...planningEndpoints,
  ...poolsEndpoints,
  ...sizingEndpoints,
  ...instancesEndpoints,
  ...nodesEndpoints,
  ...nodeConfigEndpoints,
  ...imagesEndpoints,
  ...registriesEndpoints,
  ...routingEndpoints,
  ...addressesEndpoints,
  ...policyEndpoints,
  ...netEndpoints,
  ...namesEndpoints,
  ...lansEndpoints,
  ...failoverEndpoints,
  ...groupsEndpoints,
  ...rebalanceEndpoints,
  ...schedulingEndpoints,
  ...accessEndpoints,
  ...subscriptionsEndpoints,
  ...trafficEndpoints,
  ...releasesEndpoints,
} as const

export type Endpoints = typeof endpoints
export type EndpointName = keyof Endpoints
