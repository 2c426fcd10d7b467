import type { Readable } from 'node:stream'
import type { BackupLine, LogLine } from '@berth/api'
import type { Acme } from '../acme/acme.ts'
import type { AddressPools } from '../addresses/address-pools.ts'
import type { AddressUses } from '../addresses/address-uses.ts'
import type { AgentLinks } from '../agents/agent-links.ts'
import type { ApprovalRules } from '../approvals/approval-rules.ts'
import type { Approvals } from '../approvals/approvals.ts'
import type { Apps } from '../apps/apps.ts'
import type { Identity } from '../auth/identity.ts'
import type { Sessions } from '../auth/sessions.ts'
import type { Tokens } from '../auth/tokens.ts'
import type { Authority } from '../authority/authority.ts'
import type { Enrolment } from '../authority/enrolment.ts'
import type { ServerAdmission } from '../authority/server-admission.ts'
import type { Certificates } from '../certificates/certificates.ts'
import type { Operations } from '../controllers/operations.ts'
import type { Domains } from '../domains/domains.ts'
import type { Externals } from '../externals/externals.ts'
import type { FailoverAddresses } from '../failover/failover-addresses.ts'
import type { FailoverPlans } from '../failover/failover-plans.ts'
import type { Freezes } from '../freezes/freezes.ts'
import type { MetricSources } from '../gates/metric-sources.ts'
import type { Groups } from '../groups/groups.ts'
import type { HookTargets } from '../hooks/hook-targets.ts'
import type { NodeImages } from '../images/node-images.ts'
import type { Lans } from '../lans/lans.ts'
import type { NodeConfigs } from '../node-config/node-configs.ts'
import type { NodeSpeed } from '../nodes/node-speed.ts'
import type { NodeUpgrade } from '../nodes/node-upgrade.ts'
import type { Nodes } from '../nodes/nodes.ts'
import type { Pipelines } from '../pipelines/pipelines.ts'
import type { RepositoryLooks } from '../pipelines/repository-looks.ts'
import type { Webhooks } from '../pipelines/webhooks.ts'
import type { Profiles } from '../policy/profiles.ts'
import type { Records } from '../records/index.ts'
import type { Registries } from '../registries/registries.ts'
import type { ClusterRegistry } from '../registry/cluster-registry.ts'
import type { Relay } from '../relay/relay.ts'
import type { NodeRoutes } from '../routing/node-routes.ts'
import type { Routing } from '../routing/routing.ts'
import type { CoreUse } from '../schedule/core-map.ts'
import type { LiveBooks } from '../schedule/live-books.ts'
import type { Secrets } from '../secrets/secrets.ts'
import type { SourceStore } from '../source/source-store.ts'
import type { Store } from '../store/store.ts'
import type { Subscriptions } from '../subscriptions/subscriptions.ts'
import type { MaintenancePages } from '../traffic/maintenance-pages.ts'
import type { RequestStats } from '../traffic/request-stats.ts'
import type { ViewContext } from '../views/view-context.ts'
import type { TrafficChanges } from './listings/traffic-listings.ts'

/** Takes in repositories that the server cannot reach, and tells what it could. */
export interface SourceUploads {
  acceptBundle(
    app: string,
    bundle: Readable,
    options: { readonly signal?: AbortSignal },
  ): Promise<{ readonly repository: string }>
  /** True for what the server would read on its own disk, outside of the folders that its configuration allows. */
  isOnServerDisk(repository: string, vcs: 'git' | 'svn'): boolean
}

/** Copies of all records. */
export interface Backups {
  create(
    actor: string,
    options: { readonly passphrase?: string | undefined; readonly signal: AbortSignal },
  ): AsyncIterable<BackupLine>
}

/** Output of builds, kept in files of the server that ran them. */
export interface BuildOutputs {
  /** What there is; with `follow`, what comes until the build ends. Nothing for a build that has none. */
  read(
    build: string,
    options: { readonly follow: boolean; readonly signal: AbortSignal; readonly identity: Identity },
  ): AsyncIterable<LogLine>
}

export interface ServerInfo {
  readonly version: string
  readonly startedAt: number
  readonly agentPort: number
  /** `10.0.0.5:7600`: what joining machines are told to dial. */
  readonly advertised: string
  /** Of names: `berth`. */
  readonly domain: string
  readonly gatewayUrl?: string
  readonly consoleUrl?: string
}

/** This server among those on its store. */
export interface ServersInfo {
  readonly name: string
  readonly isAlone: boolean
  /** How long it has not heard of the store; 0 where the store is its own. */
  readonly silentMs: () => number
  /** What a server that joins gets; nobody else does. */
  readonly secretKey: string
}

/** What the API stands on. */
export interface Services {
  readonly info: ServerInfo
  readonly store: Store
  readonly servers: ServersInfo
  readonly backups: Backups
  readonly records: Records
  readonly views: ViewContext
  readonly trafficChanges: TrafficChanges
  readonly acme: Acme
  readonly requests: Pick<RequestStats, 'window' | 'steps' | 'routeNow' | 'instanceNow' | 'knownToMs' | 'connections'>
  readonly operations: Operations
  readonly books: LiveBooks
  /** How busy a node's cores are, and whom the kernel holds back there; empty where its agent does not answer. */
  readonly coreUse: (node: string, signal: AbortSignal) => Promise<CoreUse>
  readonly apps: Apps
  readonly nodes: Nodes
  readonly nodeSpeed: NodeSpeed
  readonly nodeUpgrade: NodeUpgrade
  readonly nodeConfigs: NodeConfigs
  readonly groups: Groups
  readonly profiles: Profiles
  readonly externals: Externals
  readonly domains: Domains
  readonly subscriptions: Subscriptions
  readonly maintenance: MaintenancePages
  readonly lans: Lans
  readonly failoverAddresses: FailoverAddresses
  readonly failoverPlans: FailoverPlans
  readonly approvals: Approvals
  readonly metricSources: MetricSources
  readonly freezes: Freezes
  readonly approvalRules: ApprovalRules
  readonly hookTargets: HookTargets
  readonly secrets: Secrets
  readonly tokens: Tokens
  readonly sessions: Sessions
  readonly certificates: Certificates
  readonly authority: Authority
  /** Of the server's own certificates, one sentence each. */
  readonly certificateProblems: () => readonly string[]
  /** Of the machine that this server runs on. */
  readonly machineProblems: () => Promise<readonly string[]>
  readonly enrolment: Enrolment
  readonly serverAdmission: ServerAdmission
  readonly agents: Pick<AgentLinks, 'logs' | 'exec' | 'execOnNode' | 'metrics' | 'usage' | 'isConnected' | 'request'>
  readonly images: Pick<NodeImages, 'list' | 'prune'>
  readonly registries: Registries
  readonly registry: Pick<ClusterRegistry, 'run' | 'status' | 'imagesOf' | 'collect' | 'stop'>
  readonly routing: Routing
  readonly nodeRoutes: NodeRoutes
  readonly addressPools: AddressPools
  readonly addressUses: AddressUses
  readonly sources: SourceUploads & Pick<SourceStore, 'fetch' | 'log'>
  readonly pipelines: Pipelines
  readonly looks: Pick<RepositoryLooks, 'look'>
  readonly webhooks: Webhooks
  readonly relay: Relay
  readonly buildOutputs: BuildOutputs
}
