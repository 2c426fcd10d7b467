import type { NodeGroup } from '@berth/core'
import type { Room } from './given-out.ts'

/** Why a group gives no more, wherever it runs; undefined: it does. `given`: what it has given out. */
export function quotaProblem({ name, quota }: NodeGroup, given: Room, more: Room): string | undefined {
  const { cpuMilli = Number.POSITIVE_INFINITY, memoryBytes = Number.POSITIVE_INFINITY } = quota ?? {}
  if (more.cpuMilli > 0 && given.cpuMilli + more.cpuMilli > cpuMilli)
    return `the quota of group ${name} is ${cpuMilli / 1000} cores, ${given.cpuMilli / 1000} of them are given out`
  if (more.memoryBytes > 0 && given.memoryBytes + more.memoryBytes > memoryBytes)
    return `the quota of group ${name} is ${gibibytes(memoryBytes)} of memory, ${gibibytes(given.memoryBytes)} of it are given out`
  return undefined
}

const gibibytes = (bytes: number): string => `${Math.round((bytes / 1024 ** 3) * 100) / 100}Gi`
