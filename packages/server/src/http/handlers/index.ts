import type { Logger } from 'pino'
import type { Handlers } from '../handler.ts'
import type { Services } from '../services.ts'
import { accessHandlers } from './access-handlers.ts'
import { addressHandlers } from './address-handlers.ts'
import { appHandlers } from './app-handlers.ts'
import { buildHandlers } from './build-handlers.ts'
import { clusterHandlers } from './cluster-handlers.ts'
import { failoverHandlers } from './failover-handlers.ts'
import { imageHandlers } from './image-handlers.ts'
import { instanceHandlers } from './instance-handlers.ts'
import { lanHandlers } from './lan-handlers.ts'
import { nameHandlers } from './name-handlers.ts'
import { netHandlers } from './net-handlers.ts'
import { nodeCommandHandlers } from './node-command-handlers.ts'
import { nodeConfigHandlers } from './node-config-handlers.ts'
import { nodeHandlers } from './node-handlers.ts'
import { pipelineHandlers } from './pipeline-handlers.ts'
import { planningHandlers } from './planning-handlers.ts'
import { policyHandlers } from './policy-handlers.ts'
import { poolHandlers } from './pool-handlers.ts'
import { rebalanceHandlers } from './rebalance-handlers.ts'
import { registryHandlers } from './registry-handlers.ts'
import { releaseHandlers } from './release-handlers.ts'
import { routingHandlers } from './routing-handlers.ts'
import { schedulingHandlers } from './scheduling-handlers.ts'
import { serverHandlers } from './server-handlers.ts'
import { sizingHandlers } from './sizing-handlers.ts'
import { subscriptionHandlers } from './subscription-handlers.ts'
import { trafficHandlers } from './traffic-handlers.ts'

export const createHandlers = (services: Services, log: Logger): Handlers => ({
  ...clusterHandlers(services),
  ...serverHandlers(services),
  ...appHandlers(services),
  ...buildHandlers(services),
  ...poolHandlers(services),
  ...pipelineHandlers(services),
  ...planningHandlers(services),
  ...sizingHandlers(services, log),
  ...instanceHandlers(services, log),
  ...nodeHandlers(services),
  ...nodeCommandHandlers(services, log),
  ...nodeConfigHandlers(services),
  ...policyHandlers(services),
  ...netHandlers(services),
  ...nameHandlers(services),
  ...lanHandlers(services),
  ...failoverHandlers(services),
  ...schedulingHandlers(services),
  ...rebalanceHandlers(services),
  ...imageHandlers(services),
  ...registryHandlers(services),
  ...routingHandlers(services),
  ...addressHandlers(services),
  ...accessHandlers(services),
  ...releaseHandlers(services),
  ...subscriptionHandlers(services),
  ...trafficHandlers(services),
})
