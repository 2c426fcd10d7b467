import type { X509Certificate } from 'node:crypto'
import type { ServerAddress } from '@berth/api'
import type { Logger } from 'pino'
import type { Acme } from '../acme/acme.ts'
import type { AgentLinks } from '../agents/agent-links.ts'
import type { BuildOutputs } from '../build/build-outputs.ts'
import type { ServerConfig } from '../config.ts'
import type { Operations } from '../controllers/operations.ts'
import type { TrafficController } from '../controllers/traffic-controller.ts'
import type { NodeImages } from '../images/node-images.ts'
import type { RepositoryLooks } from '../pipelines/repository-looks.ts'
import type { ClusterRegistry } from '../registry/cluster-registry.ts'
import type { RegistryAgents } from '../registry/registry-agents.ts'
import type { RegistryOrders } from '../registry/registry-orders.ts'
import type { LiveBooks } from '../schedule/live-books.ts'
import type { SourceStore } from '../source/source-store.ts'
import type { RequestStats } from '../traffic/request-stats.ts'
import type { Foundation } from './open-foundation.ts'

/** Certificates that connected nodes have shown, for whoever renews them. */
export interface Renewals {
  connected(node: string, certificate: X509Certificate): void
  /** After a rotation of the authority. */
  lookAtAll(): void
}

/** What decides and acts. */
export interface Control {
  readonly agents: AgentLinks
  readonly traffic: TrafficController
  readonly requests: RequestStats
  readonly acme: Acme
  readonly operations: Operations
  readonly books: LiveBooks
  readonly images: NodeImages
  readonly registry: ClusterRegistry
  readonly sources: SourceStore
  readonly looks: RepositoryLooks
  readonly buildOutputs: BuildOutputs
  readonly renewals: Renewals
}

/** The parts that every server has, whether it leads or not. */
export interface SharedControl {
  readonly agents: AgentLinks
  readonly traffic: TrafficController
  readonly acme: Acme
  readonly requests: RequestStats
  readonly books: LiveBooks
  readonly isOnline: (node: string) => boolean
  readonly defaultPool: string
  readonly registryAgents: RegistryAgents
  readonly registryOrders: RegistryOrders
  /** Where agents find servers; undefined where this one is alone. */
  readonly agentServers: () => readonly ServerAddress[] | undefined
}

export interface ControlOptions {
  readonly config: ServerConfig
  readonly foundation: Foundation
  readonly log: Logger
  readonly stack: AsyncDisposableStack
}
