import type { Taint } from '../model/placement-spec.ts'

/** A node as the scheduler sees it. */
export interface BooksNode {
  readonly name: string
  /** Default: `default`. */
  readonly group?: string
  /** With `site` and `kind` (of machine) among them. */
  readonly labels?: Readonly<Record<string, string>>
  /** `offline`: its agent is not linked. `lost`: nobody reaches it. Default: online. */
  readonly state?: 'online' | 'offline' | 'lost'
  readonly cordoned?: boolean
  readonly drained?: boolean
  /** Only those that tolerate them all are placed here. */
  readonly taints?: readonly Taint[]
  readonly cpuMilli: number
  readonly memoryBytes: number
  /** For instances; absent: not counted. */
  readonly diskBytes?: number
  /** As measured, whoever used the rest; absent: not known. */
  readonly diskFreeBytes?: number
  /** Cores that may be given out, by NUMA node; absent: as many as `cpuMilli` has, from 0, on one. */
  readonly numa?: readonly (readonly number[])[]
  /** Thousandths of the reference machine's speed, default 1000. */
  readonly speedMilli?: number
  /** Countable (`{gpu: 4}`) and named ones (`{fpga: ['a', 'b']}`). */
  readonly resources?: Readonly<Record<string, number | readonly string[]>>
  readonly volumes?: readonly string[]
  /** Docker networks that it has beside the cluster's. */
  readonly networks?: readonly string[]
  /** Host ports that others than instances use. */
  readonly usedPorts?: readonly number[]
  /** Addresses in its block, which is how many instances it may have; absent: not limited. */
  readonly addresses?: number
  /** CPU in use as measured, for `balance`. */
  readonly measuredCpuMilli?: number
}
