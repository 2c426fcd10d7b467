import {
  type Assignment,
  allCores,
  BerthError,
  type CoreOwners,
  coreOwners,
  type FragmentUse,
  type Grant,
  grantProblem,
  guaranteedMilli,
  isBound,
  isRegulated,
  type KernelGrant,
  kernelGrant,
  messageOf,
  parseCores,
  plainCpuset,
  promisedMilli,
  sharesOfCore,
  type UnboundTerms,
  unboundCpuset,
} from '@berth/core'
import type { Logger } from 'pino'
import type { Roots } from '../metrics/container-cgroups.ts'
import { type ContainerCgroup, openCgroup } from './container-cgroup.ts'
import { settleGrant } from './settle-grant.ts'

export type GrantedInstance = Pick<Assignment, 'instance' | 'cpuMilli' | 'memoryBytes' | 'cores' | 'burst'>

export interface CoreKeeperOptions extends Partial<Roots> {
  readonly log: Logger
  /** Numbers of this node's cores. */
  readonly online: () => readonly number[]
  /** Instances without cores of their own are to run elsewhere. */
  readonly onUnboundMoved: () => void
}

/** A fragment of a core that others have fragments of as well, and the container that runs there. */
export interface WatchedFragment extends Pick<FragmentUse, 'instance' | 'promisedMilli' | 'fragmentMilli'> {
  readonly cgroup: ContainerCgroup
}

export interface SharedCore {
  readonly core: number
  readonly fragments: readonly WatchedFragment[]
}

interface Watched {
  readonly containerId: string
  readonly pid: number
  readonly cgroup: ContainerCgroup
}

/**
 * Knows what every instance of this node was granted, so what the kernel is to be told of each, and sees to it that the kernel has it. Docker
 * keeps a grant over restarts of a container; this one finds what Docker does not do, or what somebody else undoes.
 */
export class CoreKeeper {
  readonly #options: CoreKeeperOptions
  readonly #roots: Roots
  readonly #watched = new Map<string, Watched>()
  #grants = new Map<string, Grant>()
  #owners: CoreOwners = coreOwners([])
  #unbound: UnboundTerms = { isBound: false, cpuset: '' }

  constructor(options: CoreKeeperOptions) {
    const { cgroupRoot = '/sys/fs/cgroup', procRoot = '/proc' } = options
    this.#options = options
    this.#roots = { cgroupRoot, procRoot }
  }

  get owners(): CoreOwners {
    return this.#owners
  }

  get unbound(): UnboundTerms {
    return this.#unbound
  }

  get grants(): ReadonlyMap<string, Grant> {
    return this.#grants
  }

  /** All instances that have not ended: what has ended owns nothing any more, although its container may be kept for its log. */
  setGrants(instances: readonly GrantedInstance[]): void {
    this.#grants = new Map(instances.map((each) => [each.instance, each]))
    this.#owners = coreOwners(
      instances.flatMap(({ instance, cores }) => (cores === undefined ? [] : [{ instance, cores }])),
    )
    const before = this.#unbound
    const cpuset = unboundCpuset(this.#options.online(), this.#owners)
    this.#unbound = { isBound: isBound(this.#owners), cpuset }
    if (before.cpuset === cpuset && before.isBound === this.#unbound.isBound) return
    this.#options.log.info({ cores: cpuset === '' ? 'all' : cpuset }, 'instances without cores of their own run on')
    this.#options.onUnboundMoved()
  }

  grantOf(grant: Grant): KernelGrant {
    return kernelGrant(grant, this.#unbound)
  }

  /** Throws `instance.cores-missing` for cores that this node does not have. */
  check({ instance, cores }: GrantedInstance): void {
    const online = this.#options.online()
    // The node's facts could not be read: Docker will say it.
    if (online.length === 0) return
    const problem = grantProblem(cores === undefined ? {} : { cores }, online)
    if (problem === undefined) return
    throw new BerthError(
      'instance.cores-missing',
      `run ${instance}: ${problem}; it is placed anew when its pool is deployed or the node drained`,
    )
  }

  /** In the one form in which grants are compared: all cores by name are as good as none named. */
  shown(grant: KernelGrant): KernelGrant {
    return { ...grant, cpuset: plainCpuset(grant.cpuset, this.#options.online()) }
  }

  /** For an engine that takes no empty list of cores as a change. */
  explicit(grant: KernelGrant): KernelGrant {
    return grant.cpuset === '' ? { ...grant, cpuset: allCores(this.#options.online()) } : grant
  }

  /** A container runs: from now on its cgroup is looked after. Also after a change of its grant. */
  watch(instance: string, { containerId, pid }: Pick<Watched, 'containerId' | 'pid'>): void {
    const known = this.#watched.get(instance)
    if (known?.containerId !== containerId || known.pid !== pid) {
      try {
        this.#watched.set(instance, { containerId, pid, cgroup: openCgroup(this.#roots, pid) })
      } catch {
        // Gone again already: the engine tells that itself.
        this.#watched.delete(instance)
        return
      }
    }
    this.#settleOrLog(instance)
  }

  forget(instance: string): void {
    this.#watched.delete(instance)
  }

  /** Why the memory cannot become this little now; undefined when it can. */
  memoryRefusal(instance: string, memoryBytes: number): BerthError | undefined {
    const used = this.#memoryInUse(instance)
    if (memoryBytes === 0 || used === undefined || used <= memoryBytes) return undefined
    const mebibytes = (bytes: number): string => `${Math.ceil(bytes / 2 ** 20)} MiB`
    return new BerthError(
      'instance.memory-in-use',
      `lower the memory of ${instance} to ${mebibytes(memoryBytes)}: it uses ${mebibytes(used)} now and keeps what it had; it is tried again, or restart it`,
      { retryable: true, details: { instance, memoryBytes, usedBytes: used } },
    )
  }

  /** Before an engine changes a limit: the kernel takes none that is smaller than what may be carried over. */
  prepareUpdate(instance: string): void {
    const cgroup = this.#watched.get(instance)?.cgroup
    if ((cgroup?.settings().carryMilli ?? 0) > 0) cgroup?.write({ carryMilli: 0 })
  }

  /** Throws `instance.grant-not-taken`. Does nothing for what does not run. */
  settle(instance: string, { withMemory = false } = {}): void {
    const watched = this.#watched.get(instance)
    const grant = this.#grants.get(instance)
    if (watched === undefined || grant === undefined) return
    if (this.#unbound.isBound) this.#raiseParents(watched.cgroup)
    const fragment = this.#fragmentOf(instance, grant)
    const set = settleGrant(watched.cgroup, {
      instance,
      wanted: this.grantOf(grant),
      withMemory,
      carryMilli: carryOf(grant),
      ...(fragment === undefined ? {} : { isRegulated: (shares) => isRegulated(fragment, shares) }),
    })
    if (Object.keys(set).length > 0)
      this.#options.log.info({ instance, ...set }, 'set what the container had otherwise')
  }

  /** Of everything that runs; says what could not be set right. */
  settleAll(): readonly string[] {
    return [...this.#watched.keys()].flatMap((instance) => this.#settleOrLog(instance) ?? [])
  }

  /** Cores of which more than one instance that runs has a fragment. */
  sharedCores(): readonly SharedCore[] {
    return [...this.#owners.shared]
      .map(([core, fragments]) => ({
        core,
        fragments: fragments.flatMap(({ instance }) => this.#watchedFragment(instance)),
      }))
      .filter(({ fragments }) => fragments.length > 1)
  }

  cgroupOf(instance: string): ContainerCgroup | undefined {
    return this.#watched.get(instance)?.cgroup
  }

  #watchedFragment(instance: string): WatchedFragment[] {
    const watched = this.#watched.get(instance)
    const grant = this.#grants.get(instance)
    const fragment = grant === undefined ? undefined : this.#fragmentOf(instance, grant)
    return watched === undefined || fragment === undefined ? [] : [{ ...fragment, cgroup: watched.cgroup }]
  }

  /** What is guaranteed of a grant that has a fragment. */
  #fragmentOf(instance: string, { cores }: Grant): Omit<WatchedFragment, 'cgroup'> | undefined {
    const read = cores === undefined ? undefined : parseCores(cores)
    if (read?.ok !== true || read.value.fragmentMilli === 0) return undefined
    const { whole, fragmentCore, fragmentMilli } = read.value
    const guaranteed = guaranteedMilli(fragmentMilli, this.#owners.shared.get(fragmentCore) ?? [])
    return { instance, promisedMilli: whole.length * 1000 + guaranteed, fragmentMilli: guaranteed }
  }

  #memoryInUse(instance: string): number | undefined {
    try {
      return this.#watched.get(instance)?.cgroup.memoryInUse()
    } catch {
      return undefined
    }
  }

  #settleOrLog(instance: string): string | undefined {
    try {
      this.settle(instance)
      return undefined
    } catch (error) {
      const reason = messageOf(error)
      this.#options.log.warn({ instance, reason }, 'cannot set the CPU and memory of an instance')
      return error instanceof BerthError ? reason : undefined
    }
  }

  /**
   * All containers of an engine are one group to the kernel, which weighs as much as a single process of the host unless told otherwise: cores
   * that instances own would then be theirs among containers only. A core's weight for each core is what a fair share of the machine is.
   */
  #raiseParents({ parents }: ContainerCgroup): void {
    const shares = this.#options.online().length * sharesOfCore
    for (const parent of parents) {
      if (parent.shares() >= shares) continue
      parent.setShares(shares)
      this.#options.log.info({ cgroup: parent.path, shares }, 'containers weigh as much as the cores they may own')
    }
  }
}

/**
 * Where instances with limits meet on a core, one of them reaches its limit early in a period and leaves cores idle that nobody else may use: what is
 * lost there may be made up for in the next period. On the average a limit stays what it is.
 */
const carryOf = (grant: Grant): number =>
  grant.cores !== undefined && grant.burst === 'quota' ? promisedMilli(grant) : 0
