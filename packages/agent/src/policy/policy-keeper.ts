import type { DropsReport, FlowsReport, RuleCounts } from '@berth/api'
import {
  type Assignment,
  BerthError,
  changeMembers,
  isOfWish,
  type KnownPolicy,
  type MemberChanges,
  messageOf,
  type NodePolicy,
  type PolicyDocument,
  policyOfInstances,
  profilesInForce,
  readPolicy,
  tryParseAddress,
  twinOf,
  wishInForce,
} from '@berth/core'
import type { Logger } from 'pino'
import type { InstanceKeeper } from '../instance/instance-keepers.ts'
import { type Exec, runCommand } from '../network/run-command.ts'
import { repeat } from '../node/repeat.ts'
import { ensureBridgeFilter } from './bridge-filter.ts'
import { PolicyFile } from './policy-file.ts'
import { PolicyKernel, type RefusedProfile } from './policy-kernel.ts'
import { readFlows } from './read-flows.ts'

/** Changes that come one after the other do not keep the kernel's table from being listed for longer: a look at it would make it anew. */
const listEveryMs = 2_000

type LocalInstance = Pick<Assignment, 'instance' | 'address' | 'profiles'>

export interface PolicyKeeperOptions {
  /** `policy.json` */
  readonly path: string
  readonly log: Logger
  /** A sentence a cause; undefined: it is well again. */
  readonly onProblem: (problem: string | undefined) => void
  /**
   * Addresses of this node that containers may have which are no instances. For one without profiles that it names the profile `default` holds;
   * the last word about an address counts.
   */
  readonly others?: () => readonly Omit<LocalInstance, 'instance'>[]
  /** These are in force now, by address. Never throws. */
  readonly onInForce?: (profiles: ReadonlyMap<string, readonly string[]>) => Promise<void>
  readonly exec?: Exec
  readonly checkIntervalMs?: number
}

/**
 * Keeps the node's security rules in the kernel: as the server says, for the instances that are here. As long as nothing is known of the policy,
 * what is in the kernel stays as it is. Closing it leaves the rules in force.
 */
export class PolicyKeeper implements AsyncDisposable, InstanceKeeper {
  readonly #options: PolicyKeeperOptions
  readonly #exec: Exec
  readonly #kernel: PolicyKernel
  readonly #file: PolicyFile
  readonly #closing = new AbortController()
  #known: KnownPolicy | undefined
  #instances: readonly LocalInstance[] = []
  /** Profiles in force by address; undefined before the first success. */
  #inForce: ReadonlyMap<string, readonly string[]> | undefined
  #compiledOf:
    | (Pick<NodePolicy, 'profiles' | 'endpoints'> & {
        readonly instances: readonly LocalInstance[]
        readonly others: string
      })
    | undefined
  #isDirty = true
  /** Ended by what is to be put next, which has to be listed anyway. */
  #listing = new AbortController()
  #listedAt = 0
  #isStarted = false
  #work: Promise<void> = Promise.resolve()
  #check: AsyncDisposable | undefined
  #reported: string | undefined

  constructor(options: PolicyKeeperOptions) {
    const { log, exec = runCommand } = options
    this.#options = options
    this.#exec = exec
    this.#kernel = new PolicyKernel(exec, log)
    this.#file = new PolicyFile(options.path, log)
  }

  /** Takes up what was known. Before the instances are told: without them nothing would be in force for a moment. */
  async load(): Promise<void> {
    const document = await this.#file.read()
    if (document !== undefined) this.#known ??= readPolicy(document)
  }

  /** The instances that were here before have been told: begins to look after the kernel. */
  start(): void {
    this.#isStarted = true
    this.#apply()
    this.#check = repeat(this.#options.checkIntervalMs ?? 5_000, () => this.#lookAgain())
  }

  take(policy: PolicyDocument): void {
    this.#learn(readPolicy(policy))
  }

  change(changes: MemberChanges): void {
    if (this.#known !== undefined) this.#learn(changeMembers(this.#known, changes))
  }

  /** All that are here. */
  setInstances(instances: readonly LocalInstance[]): void {
    const before = textOf(this.#instances)
    this.#instances = instances
    if (textOf(instances) !== before) this.#apply()
  }

  /** Resolves when the rules of an instance are in force; one without any needs none. Throws `policy.not-in-force`. */
  async ready(instance: LocalInstance): Promise<void> {
    await this.#work
    const { address, profiles = [] } = instance
    const wanted = profilesInForce(profiles, (name) => this.#known?.profiles.has(name) === true)
    if (wanted.length === 0 || this.#inForce?.get(address)?.join() === wanted.join()) return
    throw new BerthError(
      'policy.not-in-force',
      `start ${instance.instance}: its security rules are not in force: ${this.#whyNot()}`,
      {
        retryable: true,
      },
    )
  }

  /** There are others than before. */
  othersChanged(): void {
    this.#apply()
  }

  /** Why profiles that an address names are not in force there; undefined: they are. */
  whyClosed(address: string, profiles: readonly string[]): string | undefined {
    if (isOfWish(this.#inForce?.get(address), profiles)) return undefined
    return this.#whyNot()
  }

  #whyNot(): string {
    if (this.#known === undefined) return 'no server has told this node of them yet'
    return this.#reported ?? 'they are on their way'
  }

  counts(options: { readonly profile?: string; readonly signal?: AbortSignal }): Promise<RuleCounts> {
    return this.#kernel.counts(options)
  }

  /** Connections of the instances that are here; with `of` those that begin or end at one of these addresses. */
  async flows(options: { readonly of?: readonly string[]; readonly signal?: AbortSignal }): Promise<FlowsReport> {
    const here = this.#withTwins(this.#instances.map(({ address }) => address))
    const { of, signal } = options
    return await readFlows({ here, ...(of === undefined ? {} : { of: this.#withTwins(of) }), exec: this.#exec, signal })
  }

  #withTwins(addresses: readonly string[]): ReadonlySet<string> {
    const twins = this.#known?.ipv6?.twins ?? []
    const ofIpv4 = addresses.filter((address) => tryParseAddress(address) !== undefined)
    return new Set([...addresses, ...ofIpv4.flatMap((address) => twinOf(twins, address) ?? [])])
  }

  drops(options: { readonly signal?: AbortSignal }): Promise<DropsReport> {
    return this.#kernel.drops(options)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort()
    await this.#check?.[Symbol.asyncDispose]()
    await this.#work
    await this.#file[Symbol.asyncDispose]()
  }

  #learn(policy: KnownPolicy): void {
    this.#known = policy
    this.#file.save(policy)
    this.#apply()
  }

  /** What comes meanwhile is put in force together. */
  #apply(): void {
    this.#isDirty = true
    if (performance.now() - this.#listedAt < listEveryMs) this.#listing.abort()
    this.#work = this.#work.then(() => (this.#isDirty ? this.#put(false) : undefined))
  }

  #lookAgain(): Promise<void> {
    this.#work = this.#work.then(() => this.#put(!this.#isDirty))
    return this.#work
  }

  /** Never throws: what could not be done is a problem, and tried again. */
  async #put(isCheck: boolean): Promise<void> {
    const known = this.#known
    const { signal } = this.#closing
    if (known === undefined || !this.#isStarted || signal.aborted) return
    this.#isDirty = false
    this.#listing = new AbortController()
    const before = this.#compiledOf
    const policy = this.#policyNow(known)
    try {
      // Who the others are is found when it is looked at.
      const refused = await (isCheck && this.#compiledOf?.others === before?.others
        ? this.#kernel.check(policy, signal)
        : this.#kernel.put(policy, signal))
      // Rules of other members find bridges as those before did.
      if (policy.endpoints.size > 0 && (isCheck || this.#inForce === undefined || this.#compiledOf !== before))
        await ensureBridgeFilter(this.#exec, signal)
      this.#inForce = policy.endpoints
      this.#report(refusedText(refused))
      await this.#options.onInForce?.(policy.endpoints)
      await this.#list(signal)
    } catch (error) {
      if (signal.aborted) return
      this.#isDirty = true
      this.#report(`security rules: ${messageOf(error)}; those from before stay in force`)
    }
  }

  async #list(signal: AbortSignal): Promise<void> {
    const listing = this.#listing.signal
    try {
      await this.#kernel.list(AbortSignal.any([signal, listing]))
      this.#listedAt = performance.now()
    } catch (error) {
      if (!listing.aborted) throw error
    }
  }

  /** With the same endpoints as before where only members have changed: then little is to be compiled. */
  #policyNow(known: KnownPolicy): NodePolicy {
    const { profiles } = known
    const before = this.#compiledOf
    const byHand = this.#options.others?.() ?? []
    const others = textOf(byHand)
    if (before?.profiles === profiles && before.instances === this.#instances && before.others === others)
      return { ...known, endpoints: before.endpoints }
    // An instance that has one of these addresses has its own profiles.
    const named = byHand.map((each) => ({
      ...each,
      profiles: wishInForce(each.profiles ?? [], (name) => profiles.has(name)),
    }))
    const all = [...named, ...this.#instances]
    const { endpoints } = policyOfInstances(known, all)
    this.#compiledOf = { profiles, instances: this.#instances, others, endpoints }
    return { ...known, endpoints }
  }

  #report(problem: string | undefined): void {
    if (problem === this.#reported) return
    this.#reported = problem
    if (problem !== undefined) this.#options.log.error({ problem }, 'the security rules of this node have a problem')
    this.#options.onProblem(problem)
  }
}

const textOf = (instances: readonly Omit<LocalInstance, 'instance'>[]): string =>
  instances.map(({ address, profiles = [] }) => `${address} ${profiles.join()}`).join('\n')

function refusedText(refused: readonly RefusedProfile[]): string | undefined {
  if (refused.length === 0) return undefined
  const texts = refused.map(({ profile, said }) => `profile ${profile.name} cannot be put in force (${said})`)
  return `${texts.join('; ')}; instances that have it are closed`
}
