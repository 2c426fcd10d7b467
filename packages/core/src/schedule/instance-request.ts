import type { NetworkMode } from '../model/app-spec.ts'
import type {
  PlacementPeer,
  PlacementPreference,
  PlacementStrategy,
  SpreadShares,
  Taint,
} from '../model/placement-spec.ts'

/** How the next node is chosen among those that will do; see `docs/design/scheduler.md`. */
export type Strategy = PlacementStrategy

/** A rule about other instances, or with a weight a wish. */
export interface Peer extends PlacementPeer {
  /** A label: on a node with the same value of it. Absent: on the same node. */
  readonly over?: string
}

export interface SpreadOver extends Pick<SpreadShares, 'over'> {
  /** By the label's value, in any unit; absent: equal shares over all values that there are. */
  readonly shares?: Readonly<Record<string, number>>
}

/** What one instance asks of a node. Absent means: asks nothing of the kind. */
export interface InstanceRequest {
  /** `shop/production/web`: what is counted together, and what a {@link Peer} names by app and entrypoint. */
  readonly entrypoint: string
  /** Thousandths of a core of the reference machine. */
  readonly cpuMilli?: number
  readonly memoryBytes?: number
  readonly diskBytes?: number
  /** Of what nodes declare: `{gpu: 2}` of a count, `{fpga: 1}` of named ones. */
  readonly resources?: Readonly<Record<string, number>>
  readonly hostPorts?: readonly number[]
  /** Absent: the cluster's, of which it gets an address. */
  readonly network?: NetworkMode
  /** Its address is known already, or is of another node's block: it needs none of those that its node has left. */
  readonly hasAddress?: boolean
  /** Names of Docker networks that the node must have. */
  readonly networks?: readonly string[]
  /** Names of volumes that the node must offer. */
  readonly volumes?: readonly string[]
  /** The node group; absent: any. */
  readonly group?: string
  /** Default: spread. */
  readonly strategy?: Strategy
  /** Requirements on labels, all of which must hold: `site = bj`, `disk in (ssd, nvme)`. */
  readonly where?: readonly string[]
  readonly prefer?: readonly PlacementPreference[]
  readonly apart?: readonly Peer[]
  readonly near?: readonly Peer[]
  readonly spread?: SpreadOver
  /** At most so many of the entrypoint. */
  readonly max?: { readonly node?: number; readonly site?: number }
  readonly tolerate?: readonly Taint[]
  /** It belongs to the node it asks for (a system instance), which takes it although it takes no others. */
  readonly evenCordoned?: boolean
  /** −1000 … 1000, default 0. */
  readonly priority?: number
  /** May displace what has a lower priority and allows it. */
  readonly preempt?: boolean
  /** May be displaced. */
  readonly preemptible?: boolean
  /** Owns no cores in a bound group either: runs where nobody owns them whole. */
  readonly unbound?: boolean
  /** Turns the order in which equally good nodes are taken. */
  readonly seed?: number
}

/** One of a batch of requests that are not equal. */
export interface BatchItem {
  readonly id: string
  readonly request: InstanceRequest
}

/** What an instance got on a node: kept in its record, and enough to enter it into new books without deciding again. */
export interface Booking {
  readonly node: string
  /** The limits on that node: thousandths of its own cores, whatever their speed. */
  readonly cpuMilli: number
  readonly memoryBytes: number
  /** What of the node is kept for it; 0 where it asked for nothing. */
  readonly reservedCpuMilli: number
  readonly reservedMemoryBytes: number
  /** Bound groups: `2-3,7:300`. */
  readonly cores?: string
  /** Of named resources, which: `{fpga: ['a']}`. */
  readonly named?: Readonly<Record<string, readonly string[]>>
}

/** Why no node will do, or what is wrong with the request. */
export interface Explanation {
  /** `40 nodes: 12 wrong site, 20 too little CPU (most free: web-7, 0.8 of 1.3), 8 anti-affinity with shop/db` */
  readonly message: string
  /** Nodes looked at. */
  readonly nodes: number
  readonly reasons: readonly RefusalReason[]
}

export interface RefusalReason {
  readonly filter: FilterName
  readonly nodes: number
  /** `too little CPU (most free: web-7, 0.8 of 1.3)` */
  readonly text: string
}

/** In the order in which they are asked; the first that refuses a node counts. */
export type FilterName =
  | 'request'
  | 'group'
  | 'offline'
  | 'lost'
  | 'cordoned'
  | 'drained'
  | 'over-committed'
  | 'taint'
  | 'where'
  | 'volume'
  | 'network'
  | 'spread'
  | 'cpu'
  | 'memory'
  | 'disk'
  | 'resource'
  | 'port'
  | 'apart'
  | 'near'
  | 'per-node'
  | 'per-site'
  | 'address'

export type Decision =
  | { readonly placed: true; readonly booking: Booking }
  | { readonly placed: false; readonly refusal: Explanation }

export interface BatchResult {
  readonly placed: number
  /** When not all were. */
  readonly refusal?: Explanation
}
