import {
  type Assignment,
  isLoopback,
  messageOf,
  type PublishedTarget,
  portsText,
  publishingTable,
  renderPublishing,
} from '@berth/core'
import type { Logger } from 'pino'
import { type Exec, mustRun, runCommand } from '../network/run-command.ts'
import { createTableKeeper } from '../network/table-keeper.ts'
import { repeat } from '../node/repeat.ts'
import { closeToLoopback, guardedLinks, linksTo, openToLoopback, ownAddresses } from './publish-host.ts'
import { takenPorts } from './taken-ports.ts'

type LocalInstance = Pick<Assignment, 'instance' | 'address' | 'address6' | 'desired' | 'published'>

interface Wanted extends PublishedTarget {
  readonly instance: string
}

export interface PublishKeeperOptions {
  readonly log: Logger
  /** The node's blocks, and their twins; undefined: not known yet. */
  readonly blocks: () => readonly string[] | undefined
  /** A sentence; undefined: it is well again. */
  readonly onProblem: (problem: string | undefined) => void
  readonly exec?: Exec
  /** Of the kernel's tables of sockets. */
  readonly procNet?: string
  readonly checkIntervalMs?: number
}

/**
 * Keeps ports of the node that lead to its instances in the kernel. No process stands between: agent, server and dockerd may be dead. A port at which a
 * program of the node listens itself is left to it. Closing the keeper leaves everything in force.
 */
export class PublishKeeper implements AsyncDisposable {
  readonly #options: PublishKeeperOptions
  readonly #keepTable: ReturnType<typeof createTableKeeper>
  readonly #exec: Exec
  readonly #closing = new AbortController()
  #wanted: readonly Wanted[] = []
  /** Links to which the kernel sends from loopback addresses; undefined: as another agent has left it. */
  #opened: readonly string[] | undefined
  /** Another agent may have left something. */
  #isIdle = false
  #work: Promise<void> = Promise.resolve()
  #check: AsyncDisposable | undefined
  #reported: string | undefined

  constructor(options: PublishKeeperOptions) {
    this.#options = options
    this.#exec = options.exec ?? runCommand
    this.#keepTable = createTableKeeper(this.#exec, [`inet ${publishingTable}`])
  }

  /** The instances that were here before have been told. */
  start(): void {
    void this.#apply()
    this.#check = repeat(this.#options.checkIntervalMs ?? 5_000, () => this.#apply())
  }

  /** Those that are to stop get nothing new. */
  setInstances(instances: readonly LocalInstance[]): void {
    const before = JSON.stringify(this.#wanted)
    this.#wanted = instances.flatMap(({ instance, address, address6, desired, published = [] }) => {
      const target = { address, ...(address6 === undefined ? {} : { address6 }), instance }
      return desired === 'stop' ? [] : published.map((each) => ({ ...each, ...target }))
    })
    if (JSON.stringify(this.#wanted) !== before) void this.#apply()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort()
    await this.#check?.[Symbol.asyncDispose]()
    await this.#work
  }

  #apply(): Promise<void> {
    this.#work = this.#work.then(() => this.#put())
    return this.#work
  }

  /** Never throws: what could not be done is a problem, and tried again. */
  async #put(): Promise<void> {
    const { signal } = this.#closing
    const blocks = this.#options.blocks()
    const wanted = this.#wanted
    if (signal.aborted || (wanted.length > 0 && blocks === undefined) || (this.#isIdle && wanted.length === 0)) return
    try {
      const taken = await takenPorts(wanted, this.#options.procNet)
      const possible = wanted.filter((each) => !taken.has(each))
      const local = possible.filter(isLoopback)
      const links = await linksTo(
        this.#exec,
        local.map(({ address }) => address),
        signal,
      )
      const rules = renderPublishing(possible, blocks ?? [], links)
      const opened = this.#opened ?? (await guardedLinks(this.#exec, signal))
      // While containers are still kept from loopback addresses, and not before they are.
      const closing = opened.filter((link) => !links.includes(link))
      await closeToLoopback(this.#exec, closing, signal)
      await this.#keepTable(rules, { signal, isRemoval: possible.length === 0 })
      for (const link of links) await openToLoopback(this.#exec, link, signal)
      this.#opened = links
      this.#isIdle = wanted.length === 0
      const absent = await this.#withoutAddress(possible, signal)
      this.#report([...wanted.filter((each) => taken.has(each)).map(takenText), ...absent.map(absentText)])
    } catch (error) {
      if (!signal.aborted) this.#report([messageOf(error)])
    }
  }

  /** Those at an address that the node has not. */
  async #withoutAddress(wanted: readonly Wanted[], signal: AbortSignal): Promise<readonly Wanted[]> {
    const named = wanted.filter((each) => each.hostAddress !== undefined && !isLoopback(each))
    if (named.length === 0) return []
    const own = await ownAddresses(this.#exec, signal)
    return named.filter(({ hostAddress = '' }) => !own.includes(hostAddress))
  }

  #report(problems: readonly string[]): void {
    const problem = problems.length === 0 ? undefined : `published ports: ${problems.join('; ')}`
    if (problem === this.#reported) return
    this.#reported = problem
    if (problem !== undefined) this.#options.log.warn({ problem }, 'published ports have a problem')
    this.#options.onProblem(problem)
  }
}

const absentText = (each: Wanted): string =>
  `${portsText(each)} leads to nothing: this node has no address ${each.hostAddress}; publish it at another one, or at all of them`

const takenText = (each: Wanted): string =>
  `${portsText(each)} does not lead to ${each.instance}: a program of this node listens there; publish another one, or end that`

/** Also where there is none. */
export const removePublishing = (exec: Exec, signal?: AbortSignal): Promise<string> =>
  mustRun(exec, 'nft', ['-f', '-'], { input: renderPublishing([], []), signal })
