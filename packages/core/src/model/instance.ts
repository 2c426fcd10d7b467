import type { NetworkMode } from './app-spec.ts'
import type { InstancePhase } from './instance-phase.ts'
import type { BurstMode } from './placement-spec.ts'
import type { Sizes } from './sizes.ts'

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
  /** The node of whose block its address was, where its own had none left: what is lent is used by nobody there. */
  readonly borrowedFrom?: string
  /** Its entrypoint keeps its addresses (`address: keep`): from 1, which of them it has. */
  readonly slot?: number
  /** Absent: the cluster's. With another its address is its node's. */
  readonly network?: NetworkMode
  /** Docker networks of its node that it is in as well: its entrypoint's, and those it was attached to while it runs. They go with it. */
  readonly networks?: readonly NetworkAttachment[]
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
  /** Published while it runs, beside what its entrypoint says; they go with it. */
  readonly published?: readonly InstancePort[]
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

/** A Docker network that an instance is in beside its own. */
export interface NetworkAttachment {
  readonly name: string
  /** Absent: Docker chooses one. */
  readonly address?: string
}

/** A port of an instance's node that leads to one of its own. */
export interface InstancePort {
  /** Only where the node is called by this address of its own, loopback's or another. Absent: by any but loopback's. */
  readonly hostAddress?: string
  readonly hostPort: number
  readonly port: number
  readonly protocol: 'tcp' | 'udp'
}

/** What the agent sees. Written from its reports only. Key `/status/<id>`. */
export interface InstanceStatus {
  readonly id: string
  /** Of the instance that it is about: a report on an earlier one of the same id is not believed. */
  readonly createdAt?: number
  readonly node: string
  readonly phase: InstancePhase
  readonly ready: boolean
  /** When this run became ready last, whether it still is or not. */
  readonly readyAt?: number
  readonly containerId?: string
  readonly pid?: number
  readonly address?: string
  /** Others than its own that its container is in, with its address there. */
  readonly networks?: readonly NetworkAttachment[]
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
