import type { GrantInForce } from '../model/instance.ts'
import type { BurstMode } from '../model/placement-spec.ts'
import { formatCoreList, parseCores } from '../schedule/core-text.ts'

/** What of a node an instance got. All of it may change while the instance runs. */
export interface Grant {
  /** Thousandths of this node's cores. */
  readonly cpuMilli: number
  readonly memoryBytes: number
  /** The cores that it owns: `2-3,7:300`. Absent: none are its own. */
  readonly cores?: string
  /** What it may use of a shared core beyond its fragment; absent: `share`. Without cores the CPU is a limit in any case. */
  readonly burst?: BurstMode
}

/** A grant as the kernel is told it, for one container. */
export interface KernelGrant {
  /** The cores that it may run on, as the kernel writes them (`0-2,7`). Empty: all. */
  readonly cpuset: string
  /** `cpu.shares`: 1024 for a core. Where fragments meet it is only the start; see `regulateWeights`. */
  readonly shares: number
  /** What it never exceeds, in thousandths of a core; 0: no limit. */
  readonly quotaMilli: number
  readonly memoryBytes: number
}

/** What the node says about instances that own no cores. */
export interface UnboundTerms {
  /** Others own cores here. */
  readonly isBound: boolean
  readonly cpuset: string
}

export const sharesOfCore = 1024
/** What the kernel takes. */
export const minShares = 2
export const maxShares = 262_144

/**
 * Weight of an instance without cores on a node where others own them: about a hundredth of a core. Where it has to run on shared cores it
 * takes what the fragments leave.
 */
export const unboundShares = 10

/**
 * Throws nothing: an unreadable `cores` gives no cores, which `grantProblem` tells.
 *
 * The weight is that of all the instance's CPU, not of its fragment alone. The kernel splits a weight over the cores on which the instance has
 * something to run and moves threads until the cores are loaded alike: where it has many threads, each of its cores then carries one core's weight, and
 * the shared one exactly the fragment's part. With the fragment's weight alone (times the cores, as if every core had one thread) a neighbour's weight
 * on the shared core keeps its threads away from there, and the fragment is never used.
 */
export function kernelGrant(grant: Grant, unbound: UnboundTerms): KernelGrant {
  const { cpuMilli, memoryBytes, burst = 'share' } = grant
  const read = grant.cores === undefined ? undefined : parseCores(grant.cores)
  if (read === undefined || !read.ok) {
    return { ...unboundCpu(cpuMilli, unbound), memoryBytes }
  }
  const { whole, fragmentCore, fragmentMilli } = read.value
  const all = fragmentMilli === 0 ? whole : [...whole, fragmentCore].sort((a, b) => a - b)
  const ownedMilli = whole.length * 1000 + fragmentMilli
  return {
    cpuset: formatCoreList(all),
    shares: sharesOf(ownedMilli),
    quotaMilli: burst === 'quota' ? ownedMilli : 0,
    memoryBytes,
  }
}

function unboundCpu(cpuMilli: number, { isBound, cpuset }: UnboundTerms): Omit<KernelGrant, 'memoryBytes'> {
  const shares = isBound ? unboundShares : cpuMilli === 0 ? sharesOfCore : sharesOf(cpuMilli)
  return { cpuset, shares, quotaMilli: cpuMilli }
}

export const sharesOf = (cpuMilli: number): number => clampShares((cpuMilli * sharesOfCore) / 1000)

export const clampShares = (shares: number): number => Math.min(maxShares, Math.max(minShares, Math.round(shares)))

/** `cpu.weight` of version 2: 100 for a core, as the kernel counts. */
export const weightOf = (shares: number): number =>
  Math.min(10_000, Math.max(1, Math.round((shares * 100) / sharesOfCore)))

export const sharesOfWeight = (weight: number): number => clampShares((weight * sharesOfCore) / 100)

/** Thousandths that the grant promises under full load. */
export function promisedMilli({ cores, cpuMilli }: Pick<Grant, 'cores' | 'cpuMilli'>): number {
  const read = cores === undefined ? undefined : parseCores(cores)
  return read?.ok === true ? read.value.whole.length * 1000 + read.value.fragmentMilli : cpuMilli
}

/** Why this node cannot give the grant; undefined when it can. `online`: the cores that it has. */
export function grantProblem({ cores }: Pick<Grant, 'cores'>, online: readonly number[]): string | undefined {
  if (cores === undefined) return undefined
  const read = parseCores(cores)
  if (!read.ok) return read.message
  const { whole, fragmentCore, fragmentMilli } = read.value
  if (whole.length === 0 && fragmentMilli === 0) return `"${cores}" names no core`
  const here = new Set(online)
  const missing = [...whole, ...(fragmentMilli === 0 ? [] : [fragmentCore])].filter((core) => !here.has(core))
  if (missing.length === 0) return undefined
  return `it owns the cores ${cores}, but this node has ${allCores(online)} only`
}

/** All cores by name are the same as nothing said about cores. */
export const plainCpuset = (cpuset: string, online: readonly number[]): string =>
  cpuset === allCores(online) ? '' : cpuset

export const allCores = (online: readonly number[]): string => formatCoreList([...online].sort((a, b) => a - b))

/** Whether a container has what it should. */
export function isGranted(has: KernelGrant, wanted: KernelGrant): boolean {
  return (
    has.cpuset === wanted.cpuset &&
    has.shares === wanted.shares &&
    has.quotaMilli === wanted.quotaMilli &&
    has.memoryBytes === wanted.memoryBytes
  )
}

/**
 * What is in force of an instance's grant, as far as what the container has says so: CPU and cores are those that were known to be until
 * all of the grant is.
 */
export function grantInForce(
  has: KernelGrant,
  wanted: KernelGrant,
  grant: Pick<Grant, 'cpuMilli' | 'memoryBytes' | 'cores'>,
  before: GrantInForce | undefined,
): GrantInForce {
  if (!isGranted(has, wanted)) return { ...before, memoryBytes: has.memoryBytes }
  const { cpuMilli, memoryBytes, cores } = grant
  return cores === undefined ? { cpuMilli, memoryBytes } : { cpuMilli, cores, memoryBytes }
}

/**
 * `cpu.weight` that a runtime makes of Docker's shares, before anybody has set it right: in a straight line from 2…262144 to 1…10000 (runc below
 * 1.3.2, where a core is 39), or along a curve through 1024 and 100.
 */
export function runtimeWeights(shares: number): readonly number[] {
  const line = 1 + Math.trunc(((shares - 2) * 9999) / 262_142)
  const exponent = (Math.log2(shares) ** 2 + 125 * Math.log2(shares)) / 612 - 7 / 34
  return [line, Math.ceil(10 ** exponent)]
}
