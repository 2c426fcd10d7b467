import { type Assignment, BerthError, ifbOf, linkShaping, messageOf, type ShapedLink } from '@berth/core'
import type { Logger } from 'pino'
import type { InstanceKeeper } from '../instance/instance-keepers.ts'
import type { LimitDrops } from '../metrics/counters.ts'
import { type Exec, runCommand } from '../network/run-command.ts'
import { repeat } from '../node/repeat.ts'
import { findLink, isLinkShaped, readShaping, type ShapingState, shapeLink, sweepShaping } from './link-shaper.ts'
import { PolicingTable } from './policing-table.ts'
import { QueueDrops } from './queue-drops.ts'

type LocalInstance = Pick<Assignment, 'instance' | 'address' | 'address6' | 'bandwidth'>

interface Run {
  readonly containerId: string
  readonly pid: number
}

type Limited = LocalInstance & Required<Pick<LocalInstance, 'bandwidth'>>

export interface BandwidthKeeperOptions {
  readonly log: Logger
  /** A sentence; undefined: it is well again. */
  readonly onProblem: (problem: string | undefined) => void
  readonly exec?: Exec
  readonly checkIntervalMs?: number
  /** How often is read what queues dropped. */
  readonly dropsIntervalMs?: number
}

/**
 * Keeps the limits of bandwidth of this node's instances in the kernel. They hold by address before an instance starts (what is too much is
 * dropped), and from when its veth is there packets are held back in queues instead; where the kernel has no such queues it stays at that, which is
 * said. Closing it leaves everything in force.
 */
export class BandwidthKeeper implements AsyncDisposable, InstanceKeeper {
  readonly #options: BandwidthKeeperOptions
  readonly #exec: Exec
  readonly #table: PolicingTable
  readonly #drops: QueueDrops
  readonly #closing = new AbortController()
  readonly #runs = new Map<string, Run>()
  #instances = new Map<string, LocalInstance>()
  /** Whose limits are in queues, by instance: which link, as text. */
  #shaped = new Map<string, ShapedLink>()
  #work: Promise<void> = Promise.resolve()
  #isWaiting = false
  /** Nothing was left by another agent, and nothing is limited: there is nothing to look at. */
  #isIdle = false
  #failure: BerthError | undefined
  #check: AsyncDisposable | undefined
  #dropsReader: AsyncDisposable | undefined
  #reported: string | undefined

  constructor(options: BandwidthKeeperOptions) {
    this.#options = options
    this.#exec = options.exec ?? runCommand
    this.#table = new PolicingTable(this.#exec)
    this.#drops = new QueueDrops(this.#exec)
  }

  /** The instances that were here before have been told. */
  start(): void {
    void this.#apply()
    this.#check = repeat(this.#options.checkIntervalMs ?? 10_000, () => this.#apply())
    const dropsIntervalMs = this.#options.dropsIntervalMs ?? 2_000
    this.#dropsReader = repeat(dropsIntervalMs, (signal) => this.#drops.read(this.#shaped, signal))
  }

  /** All that are here. */
  setInstances(instances: readonly LocalInstance[]): void {
    const before = textOf(this.#instances.values())
    this.#instances = new Map(instances.map((each) => [each.instance, each]))
    if (textOf(this.#instances.values()) !== before) void this.#apply()
  }

  /** Resolves when the limits of an instance that is about to start hold. Throws `bandwidth.not-in-force`. */
  async ready({ instance, bandwidth }: LocalInstance): Promise<void> {
    if (bandwidth === undefined) return
    this.#runs.delete(instance)
    await this.#apply()
    if (this.#failure === undefined) return
    throw new BerthError(
      'bandwidth.not-in-force',
      `start ${instance}: its limits of bandwidth cannot be put in force: ${this.#failure.message}`,
      { retryable: true, cause: this.#failure },
    )
  }

  watch(instance: string, { containerId, pid }: Run): void {
    const known = this.#runs.get(instance)
    if (known?.containerId === containerId && known.pid === pid) return
    this.#runs.set(instance, { containerId, pid })
    if (this.#instances.get(instance)?.bandwidth !== undefined) void this.#apply()
  }

  forget(instance: string): void {
    this.#runs.delete(instance)
    if (this.#shaped.has(instance)) void this.#apply()
  }

  /** Whose limits are in force as queues. */
  get shaped(): readonly string[] {
    return [...this.#shaped.keys()]
  }

  /** What its queues had no room for, so far; undefined: it has none. */
  dropsOf(instance: string): LimitDrops | undefined {
    return this.#drops.of(instance)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort()
    await this.#dropsReader?.[Symbol.asyncDispose]()
    await this.#check?.[Symbol.asyncDispose]()
    await this.#work
  }

  /** What comes while one waits is done together with it. */
  #apply(): Promise<void> {
    if (this.#isWaiting) return this.#work
    this.#isWaiting = true
    this.#work = this.#work.then(() => {
      this.#isWaiting = false
      return this.#put()
    })
    return this.#work
  }

  /** Never throws: what could not be done is a problem, and tried again. */
  async #put(): Promise<void> {
    const { signal } = this.#closing
    if (signal.aborted) return
    const limited = [...this.#instances.values()].filter(isLimited)
    if (this.#isIdle && limited.length === 0) return
    const problems: string[] = []
    try {
      const { shaped, refused } = await this.#shape(limited, signal)
      problems.push(...refused)
      this.#shaped = shaped
    } catch (error) {
      if (signal.aborted) return
      this.#shaped = new Map()
      if (limited.length > 0)
        problems.push(`${messageOf(error)}; what is beyond a limit is dropped instead of held back`)
    }
    problems.push(...(await this.#police(limited, signal)))
    this.#isIdle = limited.length === 0 && problems.length === 0
    this.#report(problems)
  }

  /** Those whose limits hold by address alone. */
  async #police(limited: readonly Limited[], signal: AbortSignal): Promise<string[]> {
    const left = limited.filter(({ instance }) => !this.#shaped.has(instance))
    try {
      await this.#table.put(
        left.map(({ address, address6, bandwidth: limits }) => ({
          ...{ address, limits },
          ...(address6 === undefined ? {} : { address6 }),
        })),
        signal,
      )
      this.#failure = undefined
      return []
    } catch (error) {
      if (signal.aborted || left.length === 0) return []
      this.#failure = new BerthError('bandwidth.not-in-force', messageOf(error), { cause: error })
      const running = left.filter(({ instance }) => this.#runs.has(instance))
      return running.map(({ instance }) => `${instance} is not limited: ${messageOf(error)}`)
    }
  }

  async #shape(
    limited: readonly Limited[],
    signal: AbortSignal,
  ): Promise<{ readonly shaped: Map<string, ShapedLink>; readonly refused: readonly string[] }> {
    const state = await readShaping(this.#exec, signal)
    const refused: string[] = []
    const wanted = new Map<string, ShapedLink>()
    let isChanged = false
    for (const each of limited) {
      const link = await this.#linkOf(each, state, signal)
      if (link === undefined) continue
      wanted.set(each.instance, link)
      if (isLinkShaped(link, state)) continue
      isChanged = true
      const why = await this.#shapeOne(link, state, signal)
      if (why !== undefined)
        refused.push(`${each.instance}: what is beyond its limit is dropped instead of held back: ${why}`)
    }
    const after = isChanged ? await readShaping(this.#exec, signal) : state
    await sweepShaping(this.#exec, [...wanted.values()], after, signal)
    const shaped = new Map([...wanted].filter(([, link]) => isLinkShaped(link, after)))
    return { shaped, refused }
  }

  async #shapeOne(link: ShapedLink, state: ShapingState, signal: AbortSignal): Promise<string | undefined> {
    try {
      await shapeLink(this.#exec, link, linkShaping(link, state.qdiscs, state.redirects), state, signal)
      return undefined
    } catch (error) {
      signal.throwIfAborted()
      return messageOf(error)
    }
  }

  /** Found once a run: the veth is the same as long as the process is. */
  async #linkOf(
    { instance, address, bandwidth: limits }: Limited,
    state: ShapingState,
    signal: AbortSignal,
  ): Promise<ShapedLink | undefined> {
    const run = this.#runs.get(instance)
    if (run === undefined) return undefined
    const ifb = ifbOf(run.containerId)
    const known = this.#shaped.get(instance)
    if (known?.ifb === ifb && isLinkShaped({ ...known, limits }, state)) return { ...known, limits }
    const link = await findLink(this.#exec, run.pid, address, state, signal)
    return link === undefined ? undefined : { link, ifb, limits }
  }

  #report(problems: readonly string[]): void {
    const problem = problems.length === 0 ? undefined : `bandwidth: ${problems.join('; ')}`
    if (problem === this.#reported) return
    this.#reported = problem
    if (problem !== undefined) this.#options.log.warn({ problem }, 'limits of bandwidth have a problem')
    this.#options.onProblem(problem)
  }
}

const isLimited = (each: LocalInstance): each is Limited => each.bandwidth !== undefined

const textOf = (instances: Iterable<LocalInstance>): string =>
  JSON.stringify(
    [...instances].filter(isLimited).map(({ instance, address, bandwidth }) => [instance, address, bandwidth]),
  )
