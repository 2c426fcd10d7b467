import type { ImageLimits } from './image-limits.ts'

/** How a group's CPU is given out: whole and shared cores that instances own, or limits that only add up. */
export type CpuMode = 'bound' | 'shared'

/** Into how many pieces a core may be divided. */
export type ShareBase = 10 | 100 | 1000

/** Nodes that are given out by the same rules. Every node is in one; `default` always exists. Key `/groups/<name>`. */
export interface NodeGroup {
  readonly name: string
  readonly cpu: CpuMode
  readonly shareBase: ShareBase
  /** `bound`: at most so many cores of a node are shared; absent: all may be. */
  readonly maxSharedCores?: number
  /** How much of what can be shared is given out, in thousandths: 1000 is just what there is. Whole cores are never given twice. */
  readonly oversellMilli: number
  /** What all instances in it may have together. */
  readonly quota?: GroupQuota
  /** Owners of tokens who may use it; absent: everybody. Admins always may. */
  readonly allowedOwners?: readonly string[]
  /** An instance that asks for more memory than this waits for a person. */
  readonly memoryApproval?: MemoryApproval
  /** When a node joins, instances of others move to it, so many at a time. */
  readonly rebalanceOnJoin?: { readonly disruption: number }
  /** Of each of its nodes. */
  readonly images?: ImageLimits
  readonly createdAt: number
  readonly createdBy: string
}

export interface GroupQuota {
  readonly cpuMilli?: number
  readonly memoryBytes?: number
}

export interface MemoryApproval {
  readonly aboveBytes: number
  /** Owners of tokens who may approve; admins always may. */
  readonly approvers: readonly string[]
}

export const defaultGroupName = 'default'

/** What `default` is until somebody has changed it, and what a group is where nothing is said. */
export const defaultGroup: NodeGroup = {
  name: defaultGroupName,
  cpu: 'shared',
  shareBase: 10,
  oversellMilli: 1000,
  createdAt: 0,
  createdBy: 'system',
}

/**
 * A wish for more memory than the group gives without asking. It is one entrypoint's, in one pool and group; once approved it holds for
 * every release that asks for no more. Key `/approvals/<app>/<pool>/<entrypoint>`.
 */
export interface Approval {
  readonly app: string
  readonly pool: string
  readonly entrypoint: string
  readonly group: string
  /** For one instance. */
  readonly memoryBytes: number
  readonly state: 'waiting' | 'approved' | 'denied'
  readonly requestedAt: number
  readonly requestedBy: string
  readonly decidedAt?: number
  readonly decidedBy?: string
}
