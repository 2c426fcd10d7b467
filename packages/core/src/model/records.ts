import type { ConfigRolloutState, NodeConfigState } from '../node-config/decide-config-rollout.ts'
import type { NodeConfigSpec } from '../node-config/node-config.ts'
import type { ItemChange } from '../node-config/plan-items.ts'
import type { AppSpec, EntrypointSpec } from './app-spec.ts'
import type { ImageLimits } from './image-limits.ts'
import type { BurstMode, Taint } from './placement-spec.ts'
import type { PoolSizes, Sizes } from './sizes.ts'

/**
 * The records in the store. One writer per record: the server writes all but {@link InstanceStatus} and {@link NodeStatus}, whose
 * content is the agent's report. Times are milliseconds since the epoch. `docs/design/records.md` lists keys, writers and sizes.
 */
export interface App {
  readonly name: string
  /** URL or absolute path of the repository; absent for apps made of a ready image only. */
  readonly repository?: string
  readonly vcs: 'git' | 'svn'
  readonly createdAt: number
  readonly createdBy: string
  /** Number of the next release; releases are `v1`, `v2`, … */
  readonly nextRelease: number
  /** Its pools are being removed; with the last of them the app goes, with releases, builds and secrets. */
  readonly removing?: boolean
}

export interface Release {
  readonly app: string
  /** `v7` */
  readonly id: string
  readonly commit?: string
  readonly subject?: string
  /** What instances run: `sha256:…` image id (or a digest reference for registry images). */
  readonly image: string
  readonly spec: AppSpec
  readonly build?: string
  readonly createdAt: number
  readonly createdBy: string
}

export type BuildState = 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled'

export interface Build {
  readonly id: string
  readonly app: string
  readonly ref: string
  readonly commit?: string
  readonly subject?: string
  readonly state: BuildState
  /** Digest over tree, chain, build settings: equal inputs are never built twice. */
  readonly inputs?: string
  readonly reused?: boolean
  readonly node?: string
  /** Server that runs it, or ran it last: the output is there. */
  readonly server?: string
  readonly image?: string
  /** Names of the levels that the image stands on: they stay on nodes as long as it is needed. */
  readonly levels?: readonly string[]
  readonly release?: string
  /** Where its commit comes from, if that is not where the app's do. A build that succeeds moves the app there. */
  readonly source?: { readonly repository: string; readonly vcs: 'git' | 'svn' }
  /** Pool to deploy to on success. */
  readonly deployTo?: string
  /** Deploy over a rollout under way, and although nothing has changed. */
  readonly force?: boolean
  readonly noReuse?: boolean
  readonly rollout?: string
  readonly error?: { readonly code: string; readonly message: string; readonly logTail?: readonly string[] }
  readonly createdAt: number
  readonly startedAt?: number
  readonly endedAt?: number
  readonly createdBy: string
}

export interface Pool {
  readonly app: string
  /** Also the environment's name unless said otherwise. */
  readonly name: string
  readonly environment: string
  /** Node group of all its instances, whatever the spec says; set by `berth pool move`. Read it with `nodeGroupOf`. */
  readonly group?: string
  readonly release?: string
  /** Instances of this generation are the ones that should run; a rollout moves it to its own `toGeneration` at its end. */
  readonly generation: number
  /** Given to the next rollout (also to a restart of the same release); never used twice. */
  readonly nextGeneration: number
  /** Set by `removePool` and `removeApp`: everything drains and stops, then the pool goes. */
  readonly removing?: boolean
  readonly replicas: Readonly<Record<string, ReplicaCount>>
  /** CPU and memory set by `resize`. Read them with `sizesOf`. */
  readonly sizes?: PoolSizes
  /** Set by `resize` once their memory has been approved. */
  readonly awaitedSizes?: PoolSizes
  /** Next ordinal per entrypoint; ordinals are never used twice. */
  readonly nextOrdinal: Readonly<Record<string, number>>
  /** Where a plan that was applied puts instances of this generation; those beyond it are placed freely. */
  readonly planned?: PlannedSlots
  /** Gangs up to this number, by entrypoint, may start. */
  readonly openGangs?: Readonly<Record<string, number>>
  /** Id of the one rollout that holds the pool. */
  readonly rollout?: string
  readonly createdAt: number
}

export interface PlannedSlots {
  readonly generation: number
  /** Node of each instance, by entrypoint. */
  readonly slots: Readonly<Record<string, readonly string[]>>
}

/** A count set by `scale` survives deploys unless the yaml's own number has changed since. */
export interface ReplicaCount {
  readonly count: number
  readonly setBy: 'spec' | 'scale'
  /** The yaml's number when `count` was set. */
  readonly specCount: number
}

export type RolloutState = 'running' | 'paused' | 'rolling-back' | 'succeeded' | 'rolled-back' | 'failed' | 'aborted'
export type RolloutReason = 'deploy' | 'rollback' | 'restart'

export interface Rollout {
  readonly id: string
  readonly app: string
  readonly pool: string
  readonly reason: RolloutReason
  readonly from?: string
  readonly to: string
  readonly fromGeneration: number
  readonly toGeneration: number
  readonly state: RolloutState
  /** One sentence: what it is doing or why it ended. */
  readonly message: string
  readonly failure?: RolloutFailure
  readonly progress: Readonly<Record<string, RolloutProgress>>
  /** How far the image has come to the nodes that will need it; absent: they had it. */
  readonly images?: RolloutImages
  /** The pool's counts before this rollout: they come back with the release when it does not succeed. */
  readonly replicasBefore: Readonly<Record<string, ReplicaCount>>
  /** The sizes of before, where this rollout changed them. */
  readonly sizesBefore?: PoolSizes
  /** Jobs of `rollout.before` that have ended well. */
  readonly jobsDone: readonly string[]
  /** It was begun to move the pool to another node group: this is the pool's own of before (null: none), to go back to. */
  readonly groupBefore?: string | null
  /** It is paused until these entrypoints' memory has been approved. */
  readonly awaitsApproval?: readonly string[]
  readonly createdAt: number
  readonly updatedAt: number
  readonly endedAt?: number
  readonly createdBy: string
}

export interface RolloutProgress {
  readonly wanted: number
  readonly newReady: number
  readonly newStarting: number
  readonly oldServing: number
  readonly oldDraining: number
}

export interface RolloutImages {
  /** Nodes that will need it, and how many of them have it. */
  readonly wanted: number
  readonly there: number
  /** The first of those that do not have it yet. */
  readonly missing: readonly string[]
  readonly since: number
  /** When a node got it last. */
  readonly changedAt: number
  readonly doneAt?: number
}

/** Of an instance, or of a node before there was one on it. */
export interface RolloutFailure {
  readonly instance?: string
  readonly node?: string
  readonly reason: string
  readonly logTail: readonly string[]
}

/** The phase only moves forward; see `instance-phase.ts`. */
export type InstancePhase = 'pending' | 'assigned' | 'running' | 'stopping' | 'ended'

/** What the server wants. Written by the server only. Key `/instances/<id>`. */
export interface Instance {
  /** `<app>.<pool>.<entrypoint>-<ordinal>`, unique as long as its pool exists; also the container's name. */
  readonly id: string
  readonly app: string
  readonly pool: string
  readonly entrypoint: string
  readonly ordinal: number
  readonly release: string
  readonly generation: number
  readonly type: 'service' | 'job'
  /** Only for one-off jobs: the command instead of the entrypoint's. */
  readonly command?: readonly string[]
  readonly rollout?: string
  /** Absent while no node could be found; `unplaced` says why. */
  readonly node?: string
  readonly address?: string
  /** The grant: its limits. */
  readonly cpuMilli?: number
  readonly memoryBytes?: number
  /** What of the node is kept for it: what was asked for. A limit that comes from a default reserves nothing. */
  readonly reservedCpuMilli?: number
  readonly reservedMemoryBytes?: number
  /** What it asks for instead of what its release says. */
  readonly sizes?: Sizes
  /** `sizes` were set for this instance alone: its entrypoint's do not change it. */
  readonly sizedAlone?: boolean
  /** What was reserved before its memory became less: held until the agent has lowered the limit, which it does not below what is in use. */
  readonly heldMemoryBytes?: number
  readonly hostPorts?: readonly number[]
  /** The group in which it was placed. */
  readonly group?: string
  /** The cores that it owns on a node of a `bound` group: `2-3,7:300` are cores 2 and 3, and 300 thousandths of core 7. */
  readonly cores?: string
  readonly burst?: BurstMode
  /** Of the node's further resources: how many, or which. */
  readonly resources?: Readonly<Record<string, number | readonly string[]>>
  /** Absent: 0. */
  readonly priority?: number
  /** It belongs to this node (`strategy: each`) and is placed on no other. */
  readonly pinnedTo?: string
  /** A run of the job's schedule: when it was due. */
  readonly dueAt?: number
  readonly unplaced?: string
  /** Instances that it displaces: its place is kept, and its agent learns of it once they have ended. */
  readonly waitsFor?: readonly string[]
  /** It takes the place of this one, which is being moved by a rebalancing. */
  readonly movedFrom?: string
  /** It takes the place of one that was displaced by this entrypoint (`shop/web`). */
  readonly displacedBy?: string
  /** Its agent learns of it once the pool has opened this gang of its entrypoint: all of them have a place then. */
  readonly gang?: number
  /** `run`; `drain`: leaves traffic, goes on running; `stop`: the tombstone that lets the agent stop and remove it. */
  readonly desired: 'run' | 'drain' | 'stop'
  readonly drainSince?: number
  readonly stopReason?: string
  readonly restartNonce: number
  /** Also what tells it from an earlier instance of the same id: a pool that was removed and made again counts from 1 again. */
  readonly createdAt: number
  readonly createdBy: string
}

/** What the agent sees. Written from its reports only. Key `/status/<id>`. */
export interface InstanceStatus {
  readonly id: string
  /** Of the instance that it is about: a report on an earlier one of the same id is not believed. */
  readonly createdAt?: number
  readonly node: string
  readonly phase: InstancePhase
  readonly ready: boolean
  readonly readyAt?: number
  readonly containerId?: string
  readonly pid?: number
  readonly address?: string
  readonly granted?: GrantInForce
  /** Restarts of the container by the agent. */
  readonly restarts: number
  readonly startedAt?: number
  readonly endedAt?: number
  readonly lastExit?: InstanceExit
  /** Why it waits or failed, one sentence: `pulling image`, `create container …: no space left on …`. */
  readonly message?: string
  readonly messageCode?: string
  readonly logTail?: readonly string[]
}

/** What the container has; another than the instance's grant while that is on its way, or refused. */
export interface GrantInForce {
  /** Absent: not known yet. */
  readonly cpuMilli?: number
  readonly cores?: string
  readonly memoryBytes: number
}

export interface InstanceExit {
  readonly code: number
  readonly signal?: string
  readonly outOfMemory: boolean
  readonly at: number
}

/** Written by the server. Key `/nodes/<name>`. */
export interface Node {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  /** Block of the cluster's pool that this node's instances get addresses from, e.g. `10.77.3.0/24`. */
  readonly block: string
  /** Address at which other nodes reach it (layer 2). */
  readonly address: string
  /** Absent: `default`. */
  readonly group?: string
  /** What its cores are worth beside others', in thousandths; absent: 1000. */
  readonly speedMilli?: number
  /** What it has beyond CPU, memory and disk: a count, or names of what there is one of each (`{gpu: ['gpu0', 'gpu1']}`). */
  readonly resources?: Readonly<Record<string, number | readonly string[]>>
  readonly taints?: readonly Taint[]
  /** Where it differs from its group. */
  readonly images?: ImageLimits
  /** Its instances are to be replaced elsewhere, and nothing new is placed on it. */
  readonly drain?: NodeDrain
  readonly schedulable: boolean
  readonly certificateFingerprint: string
  /** When that certificate ends; unknown of nodes that joined before this was written down. */
  readonly certificateExpiresAt?: number
  /** Of a renewed certificate that is on its way to the node: good from the moment it is signed, the only one once the node has it. */
  readonly nextCertificateFingerprint?: string
  /** Why the certificate has not been renewed although its time has come. */
  readonly certificateProblem?: string
  readonly joinedAt: number
}

export interface NodeDrain {
  readonly since: number
  readonly by: string
  /** So many instances may be on their way at a time. */
  readonly limit: number
}

/** The agent's report. Key `/node-status/<name>`; written when something but the heartbeat changes. */
export interface NodeStatus {
  readonly name: string
  readonly online: boolean
  readonly onlineSince?: number
  readonly cpuMilli: number
  /** Absent: from an agent that does not tell. */
  readonly cores?: NodeCores
  readonly memoryBytes: number
  readonly diskBytes: number
  readonly diskFreeBytes: number
  readonly agentVersion: string
  readonly engineVersion: string
  readonly engineApi: string
  readonly kernel: string
  readonly os: string
  readonly cgroup: 'v1' | 'v2'
  readonly gateway: boolean
  /** Where what instances left in `/persist` is kept after their end, and how long. Absent: from an agent that does not tell. */
  readonly endedFiles?: { readonly directory: string; readonly keepMs: number }
  /** When its gateway served again after nginx had ended unasked. Absent: not since the agent runs. */
  readonly gatewayRestartedAt?: number
  /** The last upgrade of its executable. Absent: there was none. */
  readonly upgrade?: NodeUpgradeStatus
  /** What it has of the node configuration. Absent: nothing, or an agent that does not tell. */
  readonly config?: NodeConfigReport
  readonly problems: readonly string[]
}

export interface NodeUpgradeStatus {
  readonly state: 'switching' | 'done' | 'rolled-back'
  readonly from: string
  readonly to: string
  readonly at: number
  /** Why it was rolled back. */
  readonly why?: string
}

/** The agent's word on the node configuration. */
export interface NodeConfigReport {
  /** In force; 0: none. */
  readonly version: number
  /** The last order, and what has become of it. */
  readonly order?: string
  readonly state: 'applying' | 'undoing' | 'applied' | 'undone'
  readonly at: number
  /** Why it was undone. */
  readonly why?: string
  /** Last lines of the command that failed. */
  readonly output?: readonly string[]
  /** The first of the items that are not what the version says. */
  readonly drift?: readonly ItemChange[]
}

export interface NodeCores {
  readonly count: number
  /** Numbers of the cores that may be used, by NUMA node, each list in rising order; one list where there is no more than one. */
  readonly numa: readonly (readonly number[])[]
}

/** A version of the node configuration; never changed. Key `/config-versions/<number>`. */
export interface ConfigVersion {
  readonly version: number
  readonly spec: NodeConfigSpec
  readonly source: ConfigSource
  readonly createdAt: number
  readonly createdBy: string
}

export interface ConfigSource {
  readonly repository?: string
  readonly commit?: string
  readonly subject?: string
  /** Of the document, in the repository or where it was sent from. */
  readonly path: string
  /** It is the content of this version. */
  readonly rollbackTo?: number
}

/** How a version comes to the nodes. Key `/config-rollouts/<number>`. */
export interface ConfigRollout {
  readonly version: number
  readonly state: ConfigRolloutState
  readonly message: string
  readonly endedAt?: number
}

/** What a node was told of the node configuration last. Key `/node-configs/<node>`. */
export interface NodeConfigRecord {
  readonly node: string
  /** The rollout that told it. */
  readonly rollout: number
  /** Where it is to be; another than `rollout` once it is taken back. */
  readonly wanted: number
  /** What it had before. */
  readonly before: number
  readonly order: string
  readonly state: NodeConfigState
  readonly since: number
  readonly why?: string
  readonly output?: readonly string[]
}

/** Kept for a bounded time; the event stream shows them live. Key `/events/<revision-ordered id>`. */
export interface BerthEvent {
  readonly id: string
  readonly at: number
  /** `rollout.started`, `instance.ready`, `secret.set`, … */
  readonly type: string
  readonly actor: string
  readonly subject: {
    readonly app?: string
    readonly pool?: string
    readonly instance?: string
    readonly node?: string
    readonly rollout?: string
    readonly build?: string
    readonly release?: string
  }
  readonly message: string
}

export type Role = 'admin' | 'deployer' | 'viewer'

export interface Token {
  readonly name: string
  readonly owner: string
  readonly role: Role
  /** SHA-256 of the token's text; the text itself is shown once and never kept. */
  readonly hash: string
  readonly createdAt: number
  readonly createdBy: string
  readonly expiresAt?: number
}

/** An entrypoint's spec as one pool runs it: overrides of the environment applied. */
export interface ResolvedEntrypoint {
  readonly name: string
  readonly spec: EntrypointSpec
}
