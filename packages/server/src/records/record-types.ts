import type {
  AddressPool,
  App,
  Approval,
  ApprovalRule,
  BerthEvent,
  BgpPeer,
  BgpSettings,
  Build,
  ConfigRollout,
  ConfigVersion,
  CronRecord,
  ExternalService,
  FailoverAddress,
  Freeze,
  Instance,
  InstanceStatus,
  KeptAddress,
  Lan,
  Node,
  NodeConfigRecord,
  NodeGroup,
  NodeStatus,
  OwnDomain,
  Pipeline,
  Pool,
  ProfileDocument,
  Rebalance,
  RegisteredService,
  Release,
  Rollout,
  RoutesMode,
  SeenRefs,
  Subscription,
  SubscriptionPosition,
  Token,
  WantedRoute,
} from '@berth/core'

/** Every kind of record and its type. `docs/design/records.md` lists keys, writers, sizes and rates. */
export interface RecordTypes {
  readonly apps: App
  readonly releases: Release
  readonly builds: Build
  readonly pipelines: Pipeline
  readonly seenRefs: SeenRefs
  readonly pools: Pool
  readonly rollouts: Rollout
  readonly instances: Instance
  readonly statuses: InstanceStatus
  readonly nodes: Node
  readonly nodeStatuses: NodeStatus
  readonly groups: NodeGroup
  readonly rebalances: Rebalance
  readonly configVersions: ConfigVersion
  readonly configRollouts: ConfigRollout
  readonly nodeConfigs: NodeConfigRecord
  readonly profiles: ProfileRecord
  readonly externals: ExternalRecord
  readonly domains: DomainRecord
  readonly keyValues: KeyValueRecord
  readonly subscriptions: SubscriptionRecord
  readonly subscriptionPositions: SubscriptionPosition
  readonly registeredServices: RegisteredService
  readonly maintenance: MaintenanceRecord
  readonly acmeAccounts: AcmeAccount
  readonly acmeFailures: AcmeFailure
  readonly acmeChallenges: AcmeChallenge
  readonly approvals: Approval
  readonly crons: CronRecord
  readonly keptAddresses: KeptAddress
  readonly fences: Fence
  readonly secrets: SecretRecord
  readonly tokens: Token
  readonly joinTokens: JoinToken
  readonly certificates: CertificateRecord
  readonly registries: RegistryRecord
  readonly imageRegistries: ImageRegistryRecord
  readonly addressPools: AddressPoolRecord
  readonly lans: LanRecord
  readonly failoverAddresses: FailoverAddress
  readonly cloudTables: CloudTableStatus
  readonly routings: RoutingRecord
  readonly metricSources: MetricSourceRecord
  readonly approvalRules: ApprovalRule
  readonly hookTargets: HookTargetRecord
  readonly freezes: Freeze
  readonly authorities: AuthorityRecord
  readonly members: MemberRecord
  readonly leaders: LeaderRecord
  readonly events: BerthEvent
}

export type RecordKind = keyof RecordTypes

/**
 * Written by every placement on a node and compared with by the next, so that two decisions about one node never both win.
 * Key `/fence/<node>`.
 */
export interface Fence {
  readonly node: string
  /** The address given last: the next one is looked for behind it, so that a freed address rests as long as possible. */
  readonly lastAddress?: string
  readonly updatedAt: number
}

/** A security profile, in Calico's form. Key `/profiles/<name>`. */
export interface ProfileRecord {
  readonly name: string
  readonly document: ProfileDocument
  /** Raised by every change. */
  readonly version: number
  readonly updatedAt: number
  readonly updatedBy: string
}

/** A domain of one's own. Key `/domains/<name>`. */
export interface DomainRecord extends OwnDomain {
  /** Goes up with every change. */
  readonly version: number
  readonly updatedAt: number
  readonly updatedBy: string
}

/** A URL that hooks of stages may call, with what is below it; its secret is sealed. Key `/hook-targets/<name>`. */
export interface HookTargetRecord {
  readonly name: string
  readonly url: string
  readonly sealed?: string
  readonly updatedAt: number
  readonly updatedBy: string
}

/** Who else is told of events; its secret is sealed. Key `/subscriptions/<name>`. */
export interface SubscriptionRecord extends Subscription {
  readonly sealed?: string
  readonly updatedAt: number
  readonly updatedBy: string
}

/** A key that some program keeps here, by Consul's API. Key `/kv/<key>`. */
export interface KeyValueRecord {
  readonly key: string
  /** Base64 of its bytes. */
  readonly value: string
  /** The program's own; absent: 0. */
  readonly flags?: number
  /** Revision at which it was made. Absent: that at which it was written. */
  readonly createIndex?: number
  readonly updatedAt: number
  readonly updatedBy: string
}

/** Where certificates are obtained, and as whom. Key `/acme-accounts/default`. */
export interface AcmeAccount {
  readonly name: 'default'
  readonly directoryUrl: string
  readonly email?: string
  /** Whom its own address is believed by, beside the usual authorities. */
  readonly caPem?: string
  readonly sealedKey: string
  readonly version: number
  readonly updatedAt: number
  readonly updatedBy: string
}

/** What became of the tries for a host that has no certificate yet. Key `/acme-failures/<host>`. */
export interface AcmeFailure {
  readonly host: string
  /** In a row. */
  readonly failures: number
  /** The account's version: with other settings it is tried at once. */
  readonly account: number
  readonly at: number
  readonly message: string
}

/** What the gateways answer an authority with that asks whether a host is ours. Key `/acme-challenges/<host>`. */
export interface AcmeChallenge {
  readonly host: string
  readonly token: string
  readonly answer: string
  readonly at: number
}

/** Whether the routes of one host show the maintenance page. Key `/maintenance/<host>`. */
export interface MaintenanceRecord {
  readonly host: string
  readonly isOn: boolean
  /** What is shown; absent: the gateway's own page. */
  readonly page?: string
  readonly updatedAt: number
  readonly updatedBy: string
}

/** An external service. Key `/externals/<name>`. */
export interface ExternalRecord extends ExternalService {
  /** Raised by every change. */
  readonly version: number
  readonly updatedAt: number
  readonly updatedBy: string
}

/** A secret at rest; the value is sealed with a key that is never in the store. Key `/secrets/<app>/<environment or _>/<name>`. */
export interface SecretRecord {
  readonly app: string
  /** Absent: for every environment of the app. */
  readonly environment?: string
  readonly name: string
  /** Raised by every set. */
  readonly version: number
  readonly sealed: string
  readonly updatedAt: number
  readonly updatedBy: string
}

/** A one-time token for a node to join. Key `/join-tokens/<SHA-256 of its text>`. */
export interface JoinToken {
  readonly hash: string
  readonly createdAt: number
  readonly createdBy: string
  readonly expiresAt: number
  /** Which group the machine comes into: the admin's choice, not the machine's. Absent: the default one. */
  readonly group?: string
  /** Set by the join that used it up; the record stays until it expires, so that a replay is told apart from a wrong token. */
  readonly usedBy?: string
  /** Absent: for a node. */
  readonly purpose?: 'server'
}

/** A certificate of the gateway; its private key is sealed like a secret. Key `/certificates/<name>`. */
export interface CertificateRecord {
  /** Obtained by Berth, which renews it. */
  readonly acme?: true
  readonly name: string
  readonly hosts: readonly string[]
  readonly certificatePem: string
  readonly sealedKey: string
  readonly version: number
  readonly notBefore: number
  readonly notAfter: number
  readonly updatedAt: number
  readonly updatedBy: string
}

/** A login at an image registry; its password is sealed like a secret. Key `/registries/<host>`. */
export interface RegistryRecord {
  /** `docker.io`, `registry.example:5000` */
  readonly host: string
  readonly username: string
  readonly sealed: string
  readonly version: number
  readonly updatedAt: number
  readonly updatedBy: string
}

/** Where the cluster's own registry is. There is one: key `/image-registry/cluster`. */
export interface ImageRegistryRecord {
  readonly name: 'cluster'
  /** Absent: it was stopped, and a node is still to be told. */
  readonly place?: RegistryHome
  /** Nodes that ran it and have not heard yet that they do not any more. */
  readonly left: readonly { readonly node: string; readonly purge: boolean }[]
}

export interface RegistryHome {
  readonly node: string
  readonly port: number
  readonly since: number
  readonly by: string
}

/** An address pool. Key `/address-pools/<name>`; `default` only once it was changed. */
export interface AddressPoolRecord extends AddressPool {
  readonly updatedAt: number
  readonly updatedBy: string
}

/** A network of the machines' own. Key `/lans/<name>`. */
export interface LanRecord extends Lan {
  readonly createdAt: number
  readonly createdBy: string
}

/** How nodes learn routes. There is one: key `/routing/cluster`; absent until something was set. */
export interface RoutingRecord extends BgpSettings {
  readonly name: 'cluster'
  readonly mode: RoutesMode
  readonly peers: readonly RoutingPeerRecord[]
  /** Absent: none. */
  readonly tables?: readonly CloudTableRecord[]
  /** Where short names of instances are looked for. Absent: nowhere but in their own apps. */
  readonly searchDomains?: readonly string[]
  /** Below it nodes answer Consul's names. Absent: nowhere. */
  readonly consulDomain?: string
  readonly updatedAt: number
  readonly updatedBy: string
}

/** Its password is sealed like a secret. */
export interface RoutingPeerRecord extends Omit<BgpPeer, 'password'> {
  readonly sealed?: string
}

/** A provider's route table, behind an HTTP service; its token is sealed like a secret. */
export interface CloudTableRecord {
  readonly name: string
  readonly url: string
  /** Of nodes with this label `site` only; absent: of all. */
  readonly site?: string
  readonly sealed?: string
}

/** What was found in a provider's route table. Written by the leader when it differs. Key `/cloud-routes/<name>`. */
export interface CloudTableStatus {
  readonly name: string
  readonly inForce: readonly WantedRoute[]
  /** Asked for, and not to be seen yet. */
  readonly pending: readonly WantedRoute[]
  readonly failed: readonly (WantedRoute & { readonly why: string })[]
  /** Of the whole table. */
  readonly problem?: string
}

/** A server that is up. Key `/servers/<name>`, on the server's lease. */
export interface MemberRecord {
  readonly name: string
  /** Of this run of its process, so that it knows its own record from that of another server of the same name. */
  readonly run: string
  readonly version: string
  readonly startedAt: number
  /** `host:port` at which others reach its API. Absent: by its socket only. */
  readonly apiAddress?: string
  /** `host:port` that agents dial. */
  readonly agentAddress?: string
  /** Nodes whose agents it hears. */
  readonly hears?: number
}

/** Who holds a role. Key `/leaders/<role>`, on the server's lease; its mod revision is the term's number. */
export interface LeaderRecord {
  readonly role: string
  readonly server: string
  /** Of the lease that it is held by: a server that comes again is another holder. */
  readonly session: string
  readonly since: number
}

/** The cluster's authority, sealed under a key that is never in the store. Key `/authority/root`; where several servers share a store. */
export interface AuthorityRecord {
  readonly name: string
  readonly sealed: string
  readonly updatedAt: number
}

/** A Prometheus that gates ask. Key `/metric-sources/prometheus`. */
export interface MetricSourceRecord {
  readonly name: string
  readonly url: string
  readonly user?: string
  /** A token, or the user's password. */
  readonly sealed?: string
  /** PEM: who has signed its certificate. */
  readonly ca?: string
  readonly updatedAt: number
  readonly updatedBy: string
}
