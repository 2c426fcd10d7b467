import type {
  Assignment,
  BurstMode,
  ConnectionRow,
  DockerEffect,
  Flow,
  InstanceStatus,
  ItemChange,
  MemberChanges,
  NameTable,
  NetworkConfig,
  NodeConfig,
  NodeFailover,
  NodeRouting,
  NodeStatus,
  PolicyDocument,
  RegistryPlace,
  RequestRow,
  RouteChanges,
  RoutesMode,
  RouteTable,
  StoredImage,
  UsageSeries,
} from '@berth/core'

/**
 * The link between a server and an agent. The agent dials the server's agent port with mutual TLS (ALPN `berth-agent/1`) and then
 * *serves* HTTP/2 on that socket; the server is the HTTP/2 client. One stream per sync, log, exec, build or copy, so HTTP/2's flow
 * control bounds each of them. All paths below are served by the agent.
 *
 * | method and path | what |
 * | --- | --- |
 * | POST /v1/sync?mode | the long stream ({@link SyncMode}): the server writes {@link ToAgent} lines, the agent answers {@link FromAgent} lines (NDJSON) |
 * | GET /v1/instances/:id/logs?follow&tail&sinceMs | NDJSON of LogLine |
 * | POST /v1/instances/:id/exec?tty&columns&rows&command=… | exec frames (`exec-frames.ts`), each preceded by its length (u32 BE), both ways |
 * | POST /v1/exec?tty&columns&rows&command=… | the same on the node itself, as root |
 * | GET /v1/metrics/instances | `{items: MetricsView[]}` since `?sinceMs` |
 * | GET /v1/metrics/cores | {@link CoreReport} |
 * | GET /v1/metrics/usage | {@link UsageReport} |
 * | POST /v1/builds/:id | body: {@link BuildRequest} as one JSON line, then the context as a tar; answer: NDJSON of {@link BuildEvent} |
 * | DELETE /v1/builds/:id | cancel |
 * | GET /v1/images/:reference/archive | `docker save` stream |
 * | PUT /v1/images | `docker load` stream; answer `{image}` |
 * | GET /v1/images | `{items: NodeImage[]}`: images of apps and levels under Berth's names |
 * | DELETE /v1/images/:reference | one of them; 5xx `engine.rejected` while a container is made of it |
 * | POST /v1/reach | `{targets: ReachTarget[]}` → `{answered: ReachTarget[]}`: who answers this node within 2 s |
 * | POST /v1/speed | one core is measured; answer `{unitsPerSecond}`, to be compared with another node's |
 * | POST /v1/certificate/request | a new key is made; answer {@link CertificateRequest} |
 * | PUT /v1/certificate | {@link CertificateDelivery}; the answer comes when it is on disk. The next connection uses it |
 * | PUT /v1/executable?version&sha256 | an executable; answer `{started}` when it is whole, runs here and is being put in place; false: it runs already |
 * | POST /v1/config/plan | `{config: NodeConfig}` → {@link AgentConfigPlan}: what would change here, with nothing done |
 * | PUT /v1/config | {@link ConfigOrder}; answer `{}` when it is written down. How it ends is in the node's status |
 * | POST /v1/images/push, /v1/images/pull | {@link RegistryTransfer}: an image into the cluster's registry, or out of it; answer `{}` when it is there, or here |
 * | PUT /v1/registry | {@link RegistryOrder}: this node is to run the cluster's registry; answer {@link RegistryReport} when it serves |
 * | GET /v1/registry?size | {@link RegistryReport} |
 * | POST /v1/registry/collect | `{remove: RegistryPlace[]}`; answer {@link RegistryCollection} when what nothing names is off the disk |
 * | DELETE /v1/registry?purge | the registry ends here; its images go with `purge` only |
 * | GET /v1/routes | {@link RoutesReport} |
 * | GET /v1/network/addresses | `AddressReport` of core: what this node has of its addresses |
 * | POST /v1/network/addresses/release | takes away what no container has for long enough; answer `AddressRelease` of core |
 * | GET /v1/policy/counts?profile | {@link RuleCounts} |
 * | GET /v1/policy/drops | {@link DropsReport} |
 * | POST /v1/flows | `{of?: string[]}` → {@link FlowsReport}: connections of its instances, or those with an end at these addresses |
 * | POST /v1/images/resolve | {@link ResolveImageRequest} → `{image: id}`; 404 `engine.image-missing` |
 */
export const agentAlpn = 'berth-agent/1'

/**
 * What a sync stream is for, in its query `mode`. `lead` (also when it is absent): the server says what should be, and the agent reports.
 * `listen`: the server is not the leader, and says only which servers there are; the agent says what its node is and what its gateway has
 * in force.
 */
export type SyncMode = 'lead' | 'listen'

/**
 * With it an agent answers a sync stream that leads: what it has of its peers (`describePeers` of core), by which it accepts them in parts.
 * Agents of the form before do not say it, and get the whole list in the snapshot.
 */
export const peersHeader = 'berth-peers'

/** Where agents dial a server. */
export interface ServerAddress {
  readonly host: string
  readonly port: number
}

export type ToAgent =
  /** First line: everything this node should know. What is missing in it is NOT to be stopped (absence never kills). */
  | {
      readonly type: 'snapshot'
      readonly epoch: string
      /** Epochs of stores whose records were moved into this one: a node that belongs to one of them belongs to it. */
      readonly follows?: readonly string[]
      readonly revision: number
      /**
       * Of the leader that says it; of two in one epoch the higher one is obeyed. Absent from servers of the form before; they are alone.
       */
      readonly term?: number | undefined
      /** All servers there are, for an agent to keep a link to each. Absent: the one that it dialled is alone. */
      readonly servers?: readonly ServerAddress[] | undefined
      readonly assignments: readonly Assignment[]
      readonly network: NetworkConfig
      /** To agents that have said what they have of their peers: the network's are those, and these parts of them follow. */
      readonly peerParts?: readonly number[]
      readonly names: NameTable
      /** Absent: from a server that knows no security profiles; what the node has of them stays. */
      readonly policy?: PolicyDocument
      /** Only for nodes labelled as gateways (`gateway=true`). */
      readonly routes?: RouteTable
      /** The node is not labelled as a gateway: one that it has ends. */
      readonly gatewayEnds?: true
      /** How it gets to others' blocks. Absent: as it does; servers of the form before do not say. */
      readonly routing?: NodeRouting
      /** Failover addresses that it may hold or announces. Absent: as it does; servers of the form before do not say. */
      readonly failover?: NodeFailover
    }
  /** A new or changed assignment; `desired: stop` is the tombstone. */
  | { readonly type: 'assign'; readonly revision: number; readonly assignment: Assignment }
  /** The server has seen `ended` and forgot the instance (this incarnation of it); the agent may forget it too. */
  | { readonly type: 'forget'; readonly revision: number; readonly instance: string; readonly createdAt?: number }
  /** Servers have come or gone. Said by servers that only listen as well, with the epoch of their store. */
  | {
      readonly type: 'servers'
      readonly revision: number
      readonly servers: readonly ServerAddress[]
      readonly epoch?: string
    }
  | { readonly type: 'network'; readonly revision: number; readonly network: NetworkConfig }
  /** What has changed of the network's peers since it was sent; only to agents that accept it. The node's own is among them. */
  | {
      readonly type: 'peers'
      readonly revision: number
      readonly put: NetworkConfig['peers']
      /** Nodes that have left. */
      readonly gone: readonly string[]
    }
  /** All peers of one part, instead of those of it that were there; the node's own is among them. One that was announced by the snapshot. */
  | {
      readonly type: 'peer-part'
      readonly part: number
      readonly revision: number
      readonly peers: NetworkConfig['peers']
    }
  /** Agents of the form before do not know it, and take no notice. */
  | { readonly type: 'routing'; readonly revision: number; readonly routing: NodeRouting }
  /** All of the node's failover addresses, instead of those before. Agents of the form before do not know it, and take no notice. */
  | { readonly type: 'failover'; readonly revision: number; readonly failover: NodeFailover }
  | { readonly type: 'names'; readonly revision: number; readonly names: NameTable }
  /** All of the node's security policy, instead of what it had. An agent of the form before leaves it and what follows unread. */
  | { readonly type: 'policy'; readonly revision: number; readonly policy: PolicyDocument }
  /** Who came and went among the members of the tags that were told with it. */
  | { readonly type: 'members'; readonly revision: number; readonly members: MemberChanges }
  | { readonly type: 'routes'; readonly revision: number; readonly routes: RouteTable }
  /** What has changed of the routes since they were sent; only to agents that accept it. */
  | { readonly type: 'route-changes'; readonly revision: number; readonly changes: RouteChanges }
  /** The node's label was taken away: its gateway serves what it has begun, and ends. Agents of the form before go on. */
  | { readonly type: 'gateway-ends'; readonly revision: number }
  | { readonly type: 'ping'; readonly at: number }

export type FromAgent =
  /** First line after the snapshot: all that the agent knows; then single changes as they happen. */
  | {
      readonly type: 'hello'
      readonly node: NodeStatus
      readonly instances: readonly InstanceStatus[]
      /** Lines that agents of the form before do not know. */
      readonly accepts?: readonly ('peers' | 'route-changes')[]
    }
  | { readonly type: 'status'; readonly instances: readonly InstanceStatus[] }
  | { readonly type: 'node'; readonly node: NodeStatus }
  /** Sent when a route table is in force in every worker, and while members drain. In-flight requests by `address:port`. */
  | { readonly type: 'gateway'; readonly version: number; readonly inflight: Readonly<Record<string, number>> }
  /**
   * What became of requests since the agent counts, of rows for which it has changed; also when nothing has, every few seconds. `begins`: all
   * rows, the first of a stream; from there on what is not among them begins at 0. Told to servers that only listen as well. `connections`: the same
   * of ports of the gateways; absent where nothing has changed, and of agents of before.
   */
  | {
      readonly type: 'requests'
      readonly begins?: true
      readonly rows: readonly RequestRow[]
      readonly connections?: readonly ConnectionRow[]
    }
  | { readonly type: 'image-missing'; readonly image: string }
  /** With what the node uses, as soon as it has been measured. */
  | { readonly type: 'pong'; readonly at: number; readonly use?: NodeUse }

/** Of the node itself, whoever uses it, over the last 15 seconds: thousandths of its cores, and bytes of its memory. */
export interface NodeUse {
  readonly cpuMilli: number
  readonly memoryBytes: number
}

/** What a node is to have of the node configuration from now on. */
export interface ConfigOrder {
  /** By which its answer in the node's status is known. */
  readonly id: string
  readonly version: number
  readonly config: NodeConfig
  readonly withinMs: number
}

export interface AgentConfigPlan {
  readonly changes: readonly ItemChange[]
  readonly docker: DockerEffect
  readonly problems: readonly string[]
  readonly leftAsFound: readonly string[]
}

/** `missing`: pulled when it is not there. `always`: also when it is. `never`: not at all. */
export interface ResolveImageRequest {
  readonly image: string
  readonly pull: 'missing' | 'always' | 'never'
  /** At the image's registry, for this pull only: it is neither kept nor logged. */
  readonly login?: { readonly host: string; readonly username: string; readonly password: string }
}

/** The node that is to run the cluster's registry has this of it. */
export interface RegistryOrder {
  /** By which a server knows that it is in force. */
  readonly id: string
  /** Where it listens: the node's own address. */
  readonly address: string
  readonly port: number
  /** Signed by the cluster's authority. */
  readonly certificatePem: string
  readonly keyPem: string
  /** Tokens signed by this certificate's key are good. */
  readonly tokenCertificatePem: string
}

export interface RegistryReport {
  /** Of the order in force; absent: this node runs none. */
  readonly order?: string
  readonly running: boolean
  /** Why it does not run. */
  readonly problem?: string
  /** Its own, without its key. */
  readonly certificatePem?: string
  readonly images: readonly StoredImage[]
  /** On disk, where it was asked for. */
  readonly sizeBytes?: number
  /** Free where the images are. */
  readonly freeBytes?: number
  readonly collected?: RegistryCollection
}

export interface RegistryCollection {
  readonly at: number
  readonly tookMs: number
  /** Names of images that went. */
  readonly removed: number
  readonly freedBytes: number
}

/** How a node gets to others' blocks. */
export interface RoutesReport {
  readonly mode: RoutesMode
  /** BIRD does. */
  readonly running: boolean
  readonly sessions: readonly {
    readonly with: 'node' | 'peer'
    readonly name: string
    readonly address: string
    readonly as: number
    readonly up: boolean
    readonly since: number
    /** It is down. */
    readonly why?: string
    /** Blocks whose route in force comes from it. */
    readonly learned: number
  }[]
  readonly routes: readonly {
    readonly block: string
    readonly kind: 'bgp' | 'static'
    /** The session that it was learned from. */
    readonly from?: string
    readonly reachable: boolean
    readonly via?: string
    readonly device?: string
  }[]
}

/** Who decided about a packet: a rule of a profile, or that no rule of these profiles did. */
export interface DecidingRule {
  readonly end: 'in' | 'out'
  readonly profile?: string
  /** From 1, in its list. */
  readonly number?: number
  /** In words. */
  readonly rule?: string
  readonly profiles?: readonly string[]
}

/** Packets that a rule has decided: the first of each connection. */
export interface RuleCount extends DecidingRule {
  readonly packets: number
  readonly bytes: number
}

export interface RuleCounts {
  /** When the kernel began to count; absent: no profile is in force there. */
  readonly since?: number
  readonly rules: readonly RuleCount[]
}

/** Packets dropped of late, those of the same ends, protocol and port in one. */
export interface DropsReport {
  /** There may have been more than could be noted. */
  readonly isFull: boolean
  readonly drops: readonly {
    readonly source: string
    readonly destination: string
    readonly protocol: string
    readonly port?: number
    /** Absent: a rule that is no more. */
    readonly by?: DecidingRule
    readonly packets: number
    readonly bytes: number
    /** The last one. */
    readonly at: number
  }[]
}

/** Connections that the kernel of a node tracks. */
export interface FlowsReport {
  readonly flows: readonly Flow[]
  /** So many more are not told. */
  readonly more: number
}

/** An image on its way between a node and the registry. */
export interface RegistryTransfer extends RegistryPlace {
  /** The image's id. */
  readonly image: string
  /** `10.0.0.5:5000` */
  readonly host: string
  /** For this image and this way only, and for a short time: it is neither kept nor logged. */
  readonly token: string
}

/** How busy each core of a node is, and what the kernel gives to whom. Figures are of the last interval of the agent's readings. */
export interface CoreReport {
  readonly at: number
  readonly cores: readonly {
    readonly core: number
    /** Thousandths of the time in which it was not idle, with whatever. */
    readonly busyMilli: number
    /** Instances without cores of their own run here. */
    readonly unbound: boolean
  }[]
  readonly instances: readonly InstanceCores[]
}

/** What an instance that runs was granted, and what it gets. CPU in thousandths of a core. */
export interface InstanceCores {
  readonly instance: string
  /** `2-3,7:300`: cores 2 and 3, and 300 thousandths of core 7. Absent: none of its own. */
  readonly cores?: string
  readonly burst?: BurstMode
  readonly promisedMilli: number
  readonly usedMilli: number
  /** As the kernel has them: the cores it may run on, its weight (1024 is a core's) and its limit (0: none). */
  readonly cpuset: string
  readonly shares: number
  readonly quotaMilli: number
  readonly throttledMilli: number
  /** Thousandths of the limit's periods in which it was reached. */
  readonly throttledPeriodsMilli?: number
  /** It wants more than it gets of what was promised; weights are being moved. */
  readonly starving: boolean
}

/** What entrypoints used on this node in the last week. */
export interface UsageReport {
  /** What a sample stands for. */
  readonly sampleMs: number
  readonly items: readonly UsageSeries[]
}

export interface CertificateRequest {
  /** PKCS#10; its common name is the node's. */
  readonly requestPem: string
  /** The one that the node has on disk now. */
  readonly certificatePem: string
}

export interface CertificateDelivery {
  readonly certificatePem: string
  /** What the node is to trust from now on, besides what the connection it came by is trusted by. */
  readonly authorityPem: string
}

export interface ReachTarget {
  readonly address: string
  readonly port: number
}

export interface BuildRequest {
  readonly id: string
  readonly app: string
  readonly tag: string
  /** Path of the Dockerfile inside the context. */
  readonly dockerfile: string
  readonly target?: string
  readonly args: Readonly<Record<string, string>>
  readonly labels: Readonly<Record<string, string>>
  readonly cpuMilli: number
  readonly memoryBytes: number
  readonly timeoutMs: number
  readonly network: string
  readonly noCache: boolean
}

export type BuildEvent =
  | { readonly type: 'output'; readonly at: number; readonly line: string }
  | { readonly type: 'done'; readonly image: string }
  | { readonly type: 'failed'; readonly code: string; readonly message: string }
