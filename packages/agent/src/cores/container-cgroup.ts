import { writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { clampShares, type KernelGrant, sharesOfWeight, weightOf } from '@berth/core'
import { type ContainerCgroups, findCgroups, type Roots } from '../metrics/container-cgroups.ts'
import { readField } from '../metrics/kernel-files.ts'
import { readOptionalFile, readSmallFile } from '../metrics/small-file.ts'
import { openWaits } from './waiting-time.ts'

export type CpuSettings = Pick<KernelGrant, 'cpuset' | 'shares' | 'quotaMilli'>

export interface CpuUse {
  readonly usedNs: number
  /** How long something was ready to run and had no core, so far. */
  readonly waitedNs: number
  /** Periods of a limit, and in how many of them it was reached. */
  readonly periods: number
  readonly throttledPeriods: number
}

/** A container's cgroup as the kernel has it. Everything throws when the container is gone. */
export interface ContainerCgroup {
  /** What is in force. A part whose controller is not there is absent. */
  settings(): Partial<KernelGrant>
  write(change: Partial<CpuSettings>): void
  /** The weight that the kernel makes of these shares: version 2 counts in hundredths of a core. */
  taken(shares: number): number
  /** In use and not to be had back by dropping file cache. */
  memoryInUse(): number
  use(): CpuUse
  /** The cgroups that it shares with all other containers of its engine, nearest first. */
  readonly parents: readonly ParentCgroup[]
}

/** What all containers weigh together, against the rest of the machine. */
export interface ParentCgroup {
  readonly path: string
  shares(): number
  setShares(shares: number): void
}

const unlimitedBytes = 2 ** 60

export function openCgroup(roots: Roots, pid: number): ContainerCgroup {
  const cgroups = findCgroups(roots, pid)
  const waits = openWaits(roots, cgroups)
  return cgroups.version === 1 ? new VersionOne(cgroups, waits) : new VersionTwo(cgroups, waits)
}

class VersionOne implements ContainerCgroup {
  readonly #cpuset: string
  readonly #cpu: string
  readonly #memory: string
  readonly #usage: string
  readonly #waits: () => number
  readonly parents: readonly ParentCgroup[]

  constructor(cgroups: Extract<ContainerCgroups, { version: 1 }>, waits: () => number) {
    const { directory } = cgroups
    this.#cpuset = join(directory('cpuset'), 'cpuset.cpus')
    this.#cpu = directory('cpu')
    this.#memory = directory('memory')
    this.#usage = join(directory('cpuacct'), 'cpuacct.usage')
    this.#waits = waits
    this.parents = openParents(cgroups.path, this.#cpu, 'cpu.shares', Number, String)
  }

  settings(): Partial<KernelGrant> {
    const cpuset = readOptionalFile(this.#cpuset).trim()
    const shares = readOptionalFile(join(this.#cpu, 'cpu.shares'))
    const quota = readOptionalFile(join(this.#cpu, 'cpu.cfs_quota_us'))
    const period = Number(readOptionalFile(join(this.#cpu, 'cpu.cfs_period_us')))
    return {
      ...(cpuset === '' ? {} : { cpuset }),
      ...(shares === '' ? {} : { shares: Number(shares) }),
      ...(quota === '' ? {} : { quotaMilli: milliOf(Number(quota), period) }),
      ...memoryLimit(readOptionalFile(join(this.#memory, 'memory.limit_in_bytes'))),
    }
  }

  write({ cpuset, shares, quotaMilli }: Partial<CpuSettings>): void {
    if (cpuset !== undefined) writeFileSync(this.#cpuset, cpuset)
    if (shares !== undefined) writeFileSync(join(this.#cpu, 'cpu.shares'), String(shares))
    if (quotaMilli === undefined) return
    const period = Number(readSmallFile(join(this.#cpu, 'cpu.cfs_period_us')))
    writeFileSync(join(this.#cpu, 'cpu.cfs_quota_us'), quotaMilli === 0 ? '-1' : String((quotaMilli * period) / 1000))
  }

  taken(shares: number): number {
    return clampShares(shares)
  }

  memoryInUse(): number {
    const inactive = readField(readSmallFile(join(this.#memory, 'memory.stat')), 'total_inactive_file')
    return Math.max(0, Number(readSmallFile(join(this.#memory, 'memory.usage_in_bytes'))) - inactive)
  }

  use(): CpuUse {
    const usedNs = Number(readSmallFile(this.#usage))
    return { usedNs, waitedNs: this.#waits(), ...periods(readOptionalFile(join(this.#cpu, 'cpu.stat'))) }
  }
}

class VersionTwo implements ContainerCgroup {
  readonly #directory: string
  readonly #waits: () => number
  readonly parents: readonly ParentCgroup[]

  constructor(cgroups: Extract<ContainerCgroups, { version: 2 }>, waits: () => number) {
    this.#directory = cgroups.directory
    this.#waits = waits
    const toShares = (text: string): number => sharesOfWeight(Number(text))
    const toText = (shares: number): string => String(weightOf(shares))
    this.parents = openParents(cgroups.path, cgroups.directory, 'cpu.weight', toShares, toText)
  }

  settings(): Partial<KernelGrant> {
    const cpuset = readOptionalFile(this.#path('cpuset.cpus.effective')).trim()
    const weight = readOptionalFile(this.#path('cpu.weight'))
    const [quota = '', period = ''] = readOptionalFile(this.#path('cpu.max')).trim().split(' ')
    return {
      ...(cpuset === '' ? {} : { cpuset }),
      ...(weight === '' ? {} : { shares: sharesOfWeight(Number(weight)) }),
      ...(quota === '' ? {} : { quotaMilli: quota === 'max' ? 0 : milliOf(Number(quota), Number(period)) }),
      ...memoryLimit(readOptionalFile(this.#path('memory.max'))),
    }
  }

  write({ cpuset, shares, quotaMilli }: Partial<CpuSettings>): void {
    if (cpuset !== undefined) writeFileSync(this.#path('cpuset.cpus'), cpuset)
    if (shares !== undefined) writeFileSync(this.#path('cpu.weight'), String(weightOf(shares)))
    if (quotaMilli === undefined) return
    const [, period = '100000'] = readSmallFile(this.#path('cpu.max')).trim().split(' ')
    const quota = quotaMilli === 0 ? 'max' : String((quotaMilli * Number(period)) / 1000)
    writeFileSync(this.#path('cpu.max'), `${quota} ${period}`)
  }

  taken(shares: number): number {
    return sharesOfWeight(weightOf(shares))
  }

  memoryInUse(): number {
    const inactive = readField(readSmallFile(this.#path('memory.stat')), 'inactive_file')
    return Math.max(0, Number(readSmallFile(this.#path('memory.current'))) - inactive)
  }

  use(): CpuUse {
    const stat = readSmallFile(this.#path('cpu.stat'))
    return { usedNs: readField(stat, 'usage_usec') * 1000, waitedNs: this.#waits(), ...periods(stat) }
  }

  #path(file: string): string {
    return join(this.#directory, file)
  }
}

/** A slice of systemd has other services in it, and the root no weight: both are left alone. */
function openParents(
  path: string,
  directory: string,
  file: string,
  toShares: (text: string) => number,
  toText: (shares: number) => string,
): readonly ParentCgroup[] {
  const [parent, above] = [dirname(path), dirname(directory)]
  const weight = join(above, file)
  if (parent === '/' || parent.endsWith('.slice') || readOptionalFile(weight) === '') return []
  const own = {
    path: parent,
    shares: () => toShares(readSmallFile(weight)),
    setShares: (shares: number) => writeFileSync(weight, toText(shares)),
  }
  return [own, ...openParents(parent, above, file, toShares, toText)]
}

const periods = (stat: string): Pick<CpuUse, 'periods' | 'throttledPeriods'> => ({
  periods: readField(stat, 'nr_periods'),
  throttledPeriods: readField(stat, 'nr_throttled'),
})

const milliOf = (quota: number, period: number): number =>
  quota <= 0 ? 0 : Math.round((quota * 1000) / (period || 100_000))

/** 0: no limit, as Docker has it. */
function memoryLimit(text: string): Pick<KernelGrant, 'memoryBytes'> | Record<string, never> {
  const limit = text.trim()
  if (limit === '') return {}
  return { memoryBytes: limit === 'max' || Number(limit) > unlimitedBytes ? 0 : Number(limit) }
}
