import { defaultGroup } from '../model/node-group.ts'
import type { Tables } from './tables.ts'

/** What is left on a node. Below 0 where more is given out than there is. */
export interface NodeRoom {
  readonly cpuFreeMilli: number
  readonly memoryFreeBytes: number
  /** Absent: not counted. */
  readonly diskFreeBytes?: number
  readonly instances: number
  /** Bound groups. */
  readonly cores?: {
    readonly free: number
    readonly shared: number
    /** The largest fragment that fits on a shared core. */
    readonly roomMilli: number
    /** Cores that must not be owned whole. */
    readonly kept: number
  }
}

export function roomOn({ nodes }: Tables, row: number): NodeRoom {
  const { cores } = nodes
  const disk = nodes.diskFree[row]!
  const isBound = nodes.classes[nodes.classOf[row]!]!.rule.cpu === 'bound'
  return {
    cpuFreeMilli: nodes.cpuFree[row]!,
    memoryFreeBytes: nodes.memoryFree[row]!,
    instances: nodes.instances[row]!,
    ...(disk === Number.POSITIVE_INFINITY ? {} : { diskFreeBytes: disk }),
    ...(isBound
      ? {
          cores: {
            free: cores.free[row]!,
            shared: cores.shared[row]!,
            roomMilli: cores.room[row]!,
            kept: cores.keep[row]!,
          },
        }
      : {}),
  }
}

/** What is reserved on the nodes of a group. */
export function reservedIn(
  { nodes }: Tables,
  group: string,
): { readonly cpuMilli: number; readonly memoryBytes: number } {
  let cpuMilli = 0
  let memoryBytes = 0
  for (const [row, spec] of nodes.specs.entries()) {
    if (spec === undefined || (spec.group ?? defaultGroup.name) !== group) continue
    cpuMilli += nodes.cpuTotal(row) - nodes.cpuFree[row]!
    memoryBytes += spec.memoryBytes - nodes.memoryFree[row]!
  }
  return { cpuMilli, memoryBytes }
}
