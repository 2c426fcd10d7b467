import { BerthError, type KernelGrant, runtimeWeights, weightOf } from '@berth/core'
import type { ContainerCgroup, CpuSettings } from './container-cgroup.ts'

/** The kernel rounds a memory limit to whole pages, which are 64 KiB at most. */
const pageBytes = 65_536

export interface SettleOptions {
  readonly instance: string
  readonly wanted: KernelGrant
  /** See `CpuSettings.carryMilli`. */
  readonly carryMilli: number
  /** Present where the weight is regulated: whether regulation may have come to it. */
  readonly isRegulated?: (shares: number) => boolean
  /** Also see that the memory limit is in force, right after it was set. It is never written here. */
  readonly withMemory?: boolean
}

/**
 * Reads back what a container's cgroup has and sets right what differs: what Docker silently ignores, what a runtime has converted another
 * way, what somebody else has changed. Says what it has set. Throws `instance.grant-not-taken` when the kernel still has something else.
 */
export function settleGrant(cgroup: ContainerCgroup, options: SettleOptions): Partial<CpuSettings> {
  const { instance, wanted } = options
  const change = repairs(cgroup, options)
  if (Object.keys(change).length > 0) cgroup.write(change)
  const { memoryBytes, ...cpu } = cgroup.settings()
  const has = options.withMemory === true && memoryBytes !== undefined ? { ...cpu, memoryBytes } : cpu
  const wrong = differences(has, wanted, change.shares === undefined)
  if (wrong.length === 0) return change
  throw new BerthError(
    'instance.grant-not-taken',
    `give ${instance} its CPU and memory: the kernel has ${wrong.join(' and ')}; see whether something else sets the limits of its cgroup`,
    { retryable: true },
  )
}

function repairs(cgroup: ContainerCgroup, { wanted, carryMilli, isRegulated }: SettleOptions): Partial<CpuSettings> {
  const has = cgroup.settings()
  const cpuset = wanted.cpuset !== '' && has.cpuset !== undefined && has.cpuset !== wanted.cpuset
  const quota = has.quotaMilli !== undefined && has.quotaMilli !== wanted.quotaMilli
  // A limit is set without.
  const carry = has.carryMilli !== undefined && (quota ? 0 : has.carryMilli) !== carryMilli
  return {
    ...(cpuset ? { cpuset: wanted.cpuset } : {}),
    ...(quota ? { quotaMilli: wanted.quotaMilli } : {}),
    ...(carry ? { carryMilli } : {}),
    ...(isWeightWrong(cgroup, has.shares, wanted.shares, isRegulated) ? { shares: wanted.shares } : {}),
  }
}

function isWeightWrong(
  cgroup: ContainerCgroup,
  has: number | undefined,
  wanted: number,
  isRegulated: SettleOptions['isRegulated'],
): boolean {
  if (has === undefined || has === cgroup.taken(wanted)) return false
  if (isRegulated === undefined || !isRegulated(has)) return true
  // Version 1 takes shares as they are; in version 2 a runtime may only have converted them.
  return cgroup.taken(has + 1) === cgroup.taken(has) && runtimeWeights(wanted).includes(weightOf(has))
}

function differences(has: Partial<KernelGrant>, wanted: KernelGrant, anyShares: boolean): string[] {
  const wrong: string[] = []
  const compare = (what: string, is: number | string | undefined, should: number | string, same: boolean) => {
    if (is !== undefined && !same) wrong.push(`${what} ${is} instead of ${should}`)
  }
  const { cpuset, shares, quotaMilli, memoryBytes } = has
  compare('the cores', cpuset, wanted.cpuset, wanted.cpuset === '' || cpuset === wanted.cpuset)
  compare('the CPU limit', quotaMilli, wanted.quotaMilli, quotaMilli === wanted.quotaMilli)
  compare('the weight', shares, wanted.shares, anyShares || weightOf(shares ?? 0) === weightOf(wanted.shares))
  const isMemorySame = Math.abs((memoryBytes ?? 0) - wanted.memoryBytes) < pageBytes
  compare('the memory limit', memoryBytes, wanted.memoryBytes, isMemorySame)
  return wrong
}
