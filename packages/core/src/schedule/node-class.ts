import { cpuOnNode, type GroupRule, pieceMilli, splitCpu } from './cpu-pieces.ts'
import type { InstanceRequest } from './instance-request.ts'

/** Limits of an instance that does not say what it needs; cut to the node's size. */
export const unaskedCpuMilli = 4000
export const unaskedMemoryBytes = 8 * 1024 ** 3

/** What nodes of one size, speed and group have in common: a request takes the same of all of them. */
export interface NodeClass {
  readonly id: number
  readonly rule: GroupRule
  readonly speedMilli: number
  readonly cpuMilli: number
  readonly memoryBytes: number
}

/** What a request takes of a node of one class. */
export interface Need {
  /** Reserved. */
  readonly cpuMilli: number
  readonly memoryBytes: number
  /** Owns cores: `whole` and a fragment of `fragmentMilli`. */
  readonly bound: boolean
  readonly whole: number
  readonly fragmentMilli: number
  readonly cpuLimitMilli: number
  readonly memoryLimitBytes: number
}

export type Sizes = Pick<InstanceRequest, 'cpuMilli' | 'memoryBytes' | 'unbound'>

/** Without cores of its own in a bound group: said so, or asks for no CPU at all. */
export const isUnbound = (sizes: Sizes): boolean => sizes.unbound === true || sizes.cpuMilli === 0

export function needOn(sizes: Sizes, on: NodeClass): Need {
  const bound = on.rule.cpu === 'bound' && !isUnbound(sizes)
  const asked = sizes.cpuMilli === undefined ? undefined : cpuOnNode(sizes.cpuMilli, on.speedMilli, on.rule)
  const unasked = Math.min(unaskedCpuMilli, on.cpuMilli)
  const unaskedMemory = Math.min(unaskedMemoryBytes, on.memoryBytes)
  const cpuMilli = asked ?? (bound ? unasked - (unasked % pieceMilli(on.rule)) : 0)
  const memoryBytes = sizes.memoryBytes ?? (bound ? unaskedMemory : 0)
  const { whole, fragmentMilli } = bound ? splitCpu(cpuMilli) : { whole: 0, fragmentMilli: 0 }
  return {
    cpuMilli,
    memoryBytes,
    bound,
    whole,
    fragmentMilli,
    cpuLimitMilli: asked === undefined || asked === 0 ? unasked : asked,
    memoryLimitBytes: memoryBytes === 0 ? unaskedMemory : memoryBytes,
  }
}
