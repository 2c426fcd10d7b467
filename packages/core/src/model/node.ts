import type { NetworkDriver } from '../network/routed-address.ts'
import type { Uplink } from '../network/uplink.ts'
import type { ItemChange } from '../node-config/plan-items.ts'
import type { ImageLimits } from './image-limits.ts'
import type { Taint } from './placement-spec.ts'

/** Written by the server. Key `/nodes/<name>`. */
export interface Node {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  /** Block of an address pool that this node's instances get addresses from, e.g. `10.77.3.0/24`. */
  readonly block: string
  /** Those that it has of the same pool beside that one, in the order in which it got them. Absent: none. */
  readonly furtherBlocks?: readonly FurtherBlock[]
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

export interface FurtherBlock {
  readonly block: string
  readonly since: number
  /** Nothing is given of it any more: it is to be given back. Absent: it is in use. */
  readonly leavingSince?: number
}

export interface NodeDrain {
  readonly since: number
  readonly by: string
  /** So many instances may be on their way at a time. */
  readonly limit: number
}

/** The agent's report. Key `/node-status/<name>`; written when something but the heartbeat changes. */
/** What an agent can do that those of a version before could not, and servers have to know before they ask for it. */
export const nodeAbilities = ['publish-address', 'port-routes', 'failover', 'sticky-ports'] as const
export type NodeAbility = (typeof nodeAbilities)[number]

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
  /**
   * How containers are joined to the network; `wanted` where it is to become another, which waits for containers to go. `range`: its
   * instances may have any address of it, of other nodes' blocks too; absent: only of the node's own. Absent as a whole: from an agent that
   * knows the bridge only. `blocks`: those beside its first that are in force; absent: from an agent that knows of one block only.
   */
  readonly network?: {
    readonly driver: NetworkDriver
    readonly wanted?: NetworkDriver
    readonly range?: string
    readonly blocks?: readonly string[]
  }
  /** Names of the Docker networks that it has beside the cluster's. Absent: from an agent that puts no instance into others. */
  readonly dockerNetworks?: readonly string[]
  /** Why it has not, or has no more, those networks of its own machine's that servers told it of. Absent: from an agent that makes none. */
  readonly lanProblems?: Readonly<Record<string, string>>
  /** Containers that were started there by hand and name profiles. Absent: from an agent that does not tell. */
  readonly byHand?: readonly ByHandProfiles[]
  /** Where what instances left in `/persist` is kept after their end, and how long. Absent: from an agent that does not tell. */
  readonly endedFiles?: { readonly directory: string; readonly keepMs: number }
  /** When its gateway served again after nginx had ended unasked. Absent: not since the agent runs. */
  readonly gatewayRestartedAt?: number
  /** How often its nginx has read a changed configuration since it was started. Absent: no gateway, or an agent that does not tell. */
  readonly gatewayReloads?: number
  /** The last upgrade of its executable. Absent: there was none. */
  readonly upgrade?: NodeUpgradeStatus
  /** What it has of the node configuration. Absent: nothing, or an agent that does not tell. */
  readonly config?: NodeConfigReport
  /** By which it reaches everybody else. Absent: it has no way out, or an agent that does not tell. */
  readonly uplink?: Uplink
  /** Its sessions of BGP. Absent: routes are static, or an agent that does not tell. */
  readonly routes?: NodeRoutesStatus
  /** Failover addresses that it was told of. Absent: none, or an agent that knows of none. */
  readonly failover?: readonly NodeFailoverStatus[]
  /** Absent: from an agent that tells none. */
  readonly abilities?: readonly NodeAbility[]
  readonly problems: readonly string[]
}

/** What a node says of a failover address. */
export interface NodeFailoverStatus {
  readonly address: string
  /** `waits`: another has it, or nobody is well. `problem`: it could not have it. */
  readonly state: 'holds' | 'waits' | 'problem'
  /** Of `holds`. */
  readonly since?: number
  readonly why?: string
}

/** A container that somebody has started on a routed node by hand, with profiles that it names. */
export interface ByHandProfiles {
  readonly address: string
  readonly profiles: readonly string[]
  /** Why its rules are not in force, and nothing passes. Absent: they are. */
  readonly closed?: string
}

export interface NodeRoutesStatus {
  readonly mode: 'bgp'
  readonly sessions: number
  readonly up: number
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
