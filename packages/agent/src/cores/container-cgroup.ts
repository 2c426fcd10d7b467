import { writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { clampShares, type KernelGrant, sharesOfWeight, weightOf } from '@berth/core'
import { type ContainerCgroups, findCgroups, type Roots } from '../metrics/container-cgroups.ts'
import { readField } from '../metrics/kernel-files.ts'
import { readOptionalFile, readSmallFile } from '../metrics/small-file.ts'
import { openWaits } from './waiting-time.ts'

export interface CpuSettings extends Pick<KernelGrant, 'cpuset' | 'shares' | 'quotaMilli'> {
  /** How much of a limit that was not used in one period may be used later, in the limit's unit. Kernels from 5.14 have it. */
  readonly carryMilli: number
}

export type Settings = Partial<KernelGrant & CpuSettings>

export interface CpuUse {
  readonly usedNs: number
  /** How long something was ready to run and had no core, so far. */
  readonly waitedNs: number
}

/** A container's cgroup as the kernel has it. Everything throws when the container is gone. */
export interface ContainerCgroup {
  /** What is in force. A part whose controller is not there is absent. */
  settings(): Settings
  /** The weight alone; undefined where its controller is not there. */
  shares(): number | undefined
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
  readonly #carry: string
  readonly #waits: () => number
  readonly parents: readonly ParentCgroup[]

  constructor(cgroups: Extract<ContainerCgroups, { version: 1 }>, waits: () => number) {
    const { directory } = cgroups
    this.#cpuset = join(directory('cpuset'), 'cpuset.cpus')
    this.#cpu = directory('cpu')
    this.#memory = directory('memory')
    this.#carry = join(this.#cpu, 'cpu.cfs_burst_us')
    this.#usage = join(directory('cpuacct'), 'cpuacct.usage')
    this.#waits = waits
    this.parents = openParents(cgroups.path, this.#cpu, 'cpu.shares', Number, String)
  }

  settings(): Settings {
    const cpuset = readOptionalFile(this.#cpuset).trim()
    const shares = this.shares()
    const quota = readOptionalFile(join(this.#cpu, 'cpu.cfs_quota_us'))
    const period = Number(readOptionalFile(join(this.#cpu, 'cpu.cfs_period_us')))
    const carry = readOptionalFile(this.#carry)
    return {
      ...(cpuset === '' ? {} : { cpuset }),
      ...(shares === undefined ? {} : { shares }),
      ...(quota === '' ? {} : { quotaMilli: milliOf(Number(quota), period) }),
      ...(carry === '' ? {} : { carryMilli: milliOf(Number(carry), period) }),
      ...memoryLimit(readOptionalFile(join(this.#memory, 'memory.limit_in_bytes'))),
    }
  }

  shares(): number | undefined {
    const text = readOptionalFile(join(this.#cpu, 'cpu.shares'))
    return text === '' ? undefined : Number(text)
  }

  write({ cpuset, shares, quotaMilli, carryMilli }: Partial<CpuSettings>): void {
    if (cpuset !== undefined) writeFileSync(this.#cpuset, cpuset)
    if (shares !== undefined) writeFileSync(join(this.#cpu, 'cpu.shares'), String(shares))
    const period = Number(readSmallFile(join(this.#cpu, 'cpu.cfs_period_us')))
    const micros = (milli: number): string => String((milli * period) / 1000)
    if (quotaMilli !== undefined) {
      dropCarry(this.#carry)
      writeFileSync(join(this.#cpu, 'cpu.cfs_quota_us'), quotaMilli === 0 ? '-1' : micros(quotaMilli))
    }
    if (carryMilli !== undefined) writeFileSync(this.#carry, micros(carryMilli))
  }

  taken(shares: number): number {
    return clampShares(shares)
  }

  memoryInUse(): number {
    const inactive = readField(readSmallFile(join(this.#memory, 'memory.stat')), 'total_inactive_file')
    return Math.max(0, Number(readSmallFile(join(this.#memory, 'memory.usage_in_bytes'))) - inactive)
  }

  use(): CpuUse {
    return { usedNs: Number(readSmallFile(this.#usage)), waitedNs: this.#waits() }
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

  settings(): Settings {
    const cpuset = readOptionalFile(this.#path('cpuset.cpus.effective')).trim()
    const shares = this.shares()
    const [quota = '', period = ''] = readOptionalFile(this.#path('cpu.max')).trim().split(' ')
    const carry = readOptionalFile(this.#path('cpu.max.burst'))
    return {
      ...(cpuset === '' ? {} : { cpuset }),
      ...(shares === undefined ? {} : { shares }),
      ...(quota === '' ? {} : { quotaMilli: quota === 'max' ? 0 : milliOf(Number(quota), Number(period)) }),
      ...(carry === '' ? {} : { carryMilli: milliOf(Number(carry), Number(period)) }),
      ...memoryLimit(readOptionalFile(this.#path('memory.max'))),
    }
  }

  shares(): number | undefined {
    const text = readOptionalFile(this.#path('cpu.weight'))
    return text === '' ? undefined : sharesOfWeight(Number(text))
  }

  write({ cpuset, shares, quotaMilli, carryMilli }: Partial<CpuSettings>): void {
    if (cpuset !== undefined) writeFileSync(this.#path('cpuset.cpus'), cpuset)
    if (shares !== undefined) writeFileSync(this.#path('cpu.weight'), String(weightOf(shares)))
    const [, period = '100000'] = readOptionalFile(this.#path('cpu.max')).trim().split(' ')
    const micros = (milli: number): string => String((milli * Number(period)) / 1000)
    if (quotaMilli !== undefined) {
      dropCarry(this.#path('cpu.max.burst'))
      writeFileSync(this.#path('cpu.max'), `${quotaMilli === 0 ? 'max' : micros(quotaMilli)} ${period}`)
    }
    if (carryMilli !== undefined) writeFileSync(this.#path('cpu.max.burst'), micros(carryMilli))
  }

  taken(shares: number): number {
    return sharesOfWeight(weightOf(shares))
  }

  memoryInUse(): number {
    const inactive = readField(readSmallFile(this.#path('memory.stat')), 'inactive_file')
    return Math.max(0, Number(readSmallFile(this.#path('memory.current'))) - inactive)
  }

  use(): CpuUse {
    const usedNs = readField(readSmallFile(this.#path('cpu.stat')), 'usage_usec') * 1000
    return { usedNs, waitedNs: this.#waits() }
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

/** The kernel takes no limit that is smaller than what may be carried over. */
function dropCarry(file: string): void {
  if (readOptionalFile(file) !== '') writeFileSync(file, '0')
}

const milliOf = (quota: number, period: number): number =>
  quota <= 0 ? 0 : Math.round((quota * 1000) / (period || 100_000))

/** 0: no limit, as Docker has it. */
function memoryLimit(text: string): Pick<KernelGrant, 'memoryBytes'> | Record<string, never> {
  const limit = text.trim()
  if (limit === '') return {}
  return { memoryBytes: limit === 'max' || Number(limit) > unlimitedBytes ? 0 : Number(limit) }
}
