import { isDeepStrictEqual } from 'node:util'
import { BerthError, flatBridgePrefix, messageOf, type NodeLan, nodeLinkNetwork } from '@berth/core'
import type { Logger } from 'pino'
import { DockerNetworkCalls, type NetworkInspectInfo, nameOfContainer } from '../docker-network-calls.ts'
import type { Exec } from '../run-command.ts'
import { FlatHost, type FlatHostOptions } from './flat-host.ts'
import { LanHost } from './lan-host.ts'
import { bridgeNameOption, lanDifference, lanLabel, lanOptions, nodeLinkOptions } from './lan-plan.ts'

export interface LanKeeperOptions extends Pick<FlatHostOptions, 'directory' | 'isReached' | 'settleMs' | 'retryMs'> {
  readonly socketPath: string
  readonly exec: Exec
  readonly log: Logger
  /** Undefined: no server has told it yet. */
  readonly wanted: () => readonly NodeLan[] | undefined
  /** Containers of the node have links of their own, so that netd can make more of them. */
  readonly isRouted: () => boolean
  /** False: what is not wanted stays for now. */
  readonly mayRemove: () => boolean
  /** What Docker has, or what is wrong, is another than before. */
  readonly onChange: () => void
}

type Call = { readonly signal?: AbortSignal | undefined }

/**
 * The node's Docker networks of the machines' own, as servers tell it. One of them that is not as it is to be is made anew while no container
 * is in it; what somebody else has made is left alone.
 */
export class LanKeeper implements AsyncDisposable {
  readonly #options: LanKeeperOptions
  readonly #host: LanHost
  readonly #flat: FlatHost
  readonly #calls = new Map<string, DockerNetworkCalls>()
  #problems: Readonly<Record<string, string>> = {}
  /** Calls run one after another: each reads what there is, then changes it. */
  #tail: Promise<void> = Promise.resolve()
  readonly #closing = new AbortController()
  /** What the last check was about. */
  #checked: readonly NodeLan[] | undefined

  constructor(options: LanKeeperOptions) {
    this.#options = options
    this.#host = new LanHost(options.exec)
    this.#flat = new FlatHost(options)
  }

  /** By network, a sentence each. */
  get problems(): Readonly<Record<string, string>> {
    return this.#problems
  }

  /** Makes the node match; never throws. */
  check(call: Call = {}): Promise<void> {
    this.#tail = this.#tail.then(() => this.#check(call))
    return this.#tail
  }

  /** Called whenever what servers say of the network has changed; most of that is about other things. */
  wantedChanged(): void {
    if (!isDeepStrictEqual(this.#options.wanted(), this.#checked)) void this.check({ signal: this.#closing.signal })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort()
    await this.#tail
  }

  async #check(call: Call): Promise<void> {
    const wanted = this.#options.wanted()
    if (wanted === undefined || isOver(call)) return
    this.#checked = wanted
    const problems: Record<string, string> = {}
    const done = { changed: false }
    const attempt = async (name: string, work: () => Promise<boolean>): Promise<void> => {
      try {
        if (await work()) done.changed = true
      } catch (error) {
        // That dockerd is down is the engine's problem to report; what was wrong before is so still.
        const isDown = error instanceof BerthError && error.code === 'network.engine-unreachable'
        const said = isDown ? this.#problems[name] : messageOf(error)
        if (said !== undefined && !isOver(call)) problems[name] = said
      }
    }
    for (const lan of wanted) await attempt(lan.name, () => this.#ensure(lan, call))
    if (this.#isLinked(wanted)) await attempt(nodeLinkNetwork, () => this.#ensureLinks(call))
    const left = this.#options.mayRemove() ? await this.#leftOver(wanted, call) : []
    for (const found of left) await attempt(found.Name, () => this.#remove(found, call))
    if (isOver(call)) return
    this.#tell(problems, done.changed)
  }

  #tell(problems: Readonly<Record<string, string>>, changed: boolean): void {
    const isNew = !isDeepStrictEqual(problems, this.#problems)
    if (isNew && Object.keys(problems).length > 0)
      this.#options.log.warn({ problems }, 'networks of the machines’ own are not as they are to be')
    this.#problems = problems
    if (isNew || changed) this.#options.onChange()
  }

  /** True when something was made. */
  async #ensure(lan: NodeLan, { signal }: Call): Promise<boolean> {
    const calls = this.#callsOf(lan.name)
    await this.#host.prepare(lan, signal)
    const own = lan.mode === 'flat' ? await this.#flat.ensure(lan, { signal }) : undefined
    const found = await calls.inspect(signal)
    if (found !== undefined) {
      const difference = lanDifference(found, lan, own)
      if (found.Labels?.[lanLabel] === undefined) throw notOurs(lan.name)
      if (difference === undefined) return false
      const inIt = (await calls.containers(signal)).map(nameOfContainer)
      if (inIt.length > 0) throw inUse(lan.name, difference, inIt)
      await calls.call('remove', { method: 'DELETE', path: `/networks/${found.Id}`, signal })
    }
    const flat = own === undefined ? undefined : { own, engineMajor: await engineMajor(calls, signal) }
    await calls.call('create', { method: 'POST', path: '/networks/create', body: lanOptions(lan, flat), signal })
    this.#options.log.info({ network: lan.name, slice: lan.slice }, 'made a network of the machine’s own')
    return true
  }

  #isLinked(wanted: readonly NodeLan[]): boolean {
    return wanted.length > 0 && this.#options.isRouted()
  }

  /** True when it was made. */
  async #ensureLinks({ signal }: Call): Promise<boolean> {
    const calls = this.#callsOf(nodeLinkNetwork)
    if ((await calls.inspect(signal)) !== undefined) return false
    await calls.call('create', { method: 'POST', path: '/networks/create', body: nodeLinkOptions, signal })
    return true
  }

  async #remove(found: NetworkInspectInfo, { signal }: Call): Promise<boolean> {
    const { Id, Name, Options } = found
    const calls = this.#callsOf(Name)
    const inIt = (await calls.containers(signal)).map(nameOfContainer)
    if (inIt.length > 0) throw inUse(Name, 'is not for this node any more', inIt)
    await calls.call('remove', { method: 'DELETE', path: `/networks/${Id}`, signal })
    const bridge = Options?.[bridgeNameOption]
    if (bridge !== undefined) await this.#flat.undo(bridge, { signal })
    const link = bridge === undefined ? Options?.parent : bridge.slice(flatBridgePrefix.length)
    if (link !== undefined) await this.#host.release(link, signal)
    this.#options.log.info({ network: Name }, 'removed a network of the machine’s own')
    return true
  }

  /** Of ours. */
  async #leftOver(wanted: readonly NodeLan[], { signal }: Call): Promise<readonly NetworkInspectInfo[]> {
    const query = { filters: JSON.stringify({ label: [lanLabel] }) }
    const calls = this.#callsOf('lan')
    try {
      const list = await calls.call<NetworkInspectInfo[]>('list', { method: 'GET', path: '/networks', query, signal })
      const names = [...wanted.map(({ name }) => name), ...(this.#isLinked(wanted) ? [nodeLinkNetwork] : [])]
      return list.filter(({ Name }) => !names.includes(Name))
    } catch {
      return []
    }
  }

  #callsOf(name: string): DockerNetworkCalls {
    const { socketPath, log } = this.#options
    const calls = this.#calls.get(name) ?? new DockerNetworkCalls(socketPath, name, log)
    this.#calls.set(name, calls)
    return calls
  }
}

async function engineMajor(calls: DockerNetworkCalls, signal: AbortSignal | undefined): Promise<number> {
  const call = { method: 'GET', path: '/version', signal } as const
  const { Version } = await calls.call<{ Version: string }>('ask for the version before', call)
  return Number.parseInt(Version, 10)
}

const isOver = ({ signal }: Call): boolean => signal?.aborted === true

const notOurs = (name: string): BerthError =>
  new BerthError(
    'lan.not-ours',
    `network ${name}: this node has a Docker network of that name which somebody has made by hand; remove it (docker network rm ${name}), and it is made anew`,
  )

function inUse(name: string, difference: string, containers: readonly string[]): BerthError {
  const what =
    containers.length === 1 ? `the container ${containers[0]}` : `${containers.length} containers (${containers[0]}, …)`
  return new BerthError('lan.in-use', `network ${name}: it ${difference}; ${what} in it must go first`)
}
