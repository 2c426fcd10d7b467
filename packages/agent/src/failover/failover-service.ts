import { mkdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import {
  anycastInstance,
  anycastLink,
  failoverInstance,
  type KeepalivedInput,
  messageOf,
  type NodeFailover,
  type NodeFailoverAddress,
  type NodeFailoverStatus,
  renderKeepalivedConfig,
} from '@berth/core'
import type { Logger } from 'pino'
import { type Exec, runCommand } from '../network/run-command.ts'
import { repeat } from '../node/repeat.ts'
import { writeFileAtomic } from '../state/atomic-file.ts'
import { ensureAnycastLink, removeAnycastLink } from './anycast-link.ts'
import { deviceFor, type HostAddress, readHostAddresses } from './host-addresses.ts'
import { KeepalivedKeeper } from './keepalived-keeper.ts'

export interface FailoverServiceOptions {
  readonly directory: string
  /** In memory; for what keepalived needs while it runs. */
  readonly runDirectory: string
  readonly log: Logger
  /** The gateway's for HTTP, at which it is asked whether it answers. */
  readonly httpPort: number
  /** After every look that found something else: what is wrong, if anything is; {@link FailoverService.status} may be another. */
  readonly onLook: (problem: string | undefined) => void
  /** BIRD is to tell other addresses. */
  readonly onAnnounced: () => void
  readonly exec?: Exec
  readonly lookMs?: number
  readonly backAfterSeconds?: number
}

interface Look {
  readonly order: NodeFailover
  readonly there: readonly HostAddress[]
  /** In force before. */
  readonly current: string
}

const nothing: NodeFailover = { source: '', addresses: [] }
const leaveMs = 12_000

/**
 * Failover addresses of this node, as they were ordered last: keepalived holds them while the gateway answers, whether an agent runs or not.
 * Those that BIRD is to announce are on a link of their own. See `docs/design/failover.md`.
 */
export class FailoverService implements AsyncDisposable {
  readonly #options: FailoverServiceOptions
  readonly #exec: Exec
  readonly #keeper: KeepalivedKeeper
  readonly #path: string
  #order: NodeFailover | undefined
  #status: readonly NodeFailoverStatus[] = []
  #told: string | undefined
  /** Nothing of it is left on this node. */
  #isRetired = false
  #turn: Promise<unknown> = Promise.resolve()
  #loop: AsyncDisposable | undefined

  constructor(options: FailoverServiceOptions) {
    const { directory, runDirectory, log, exec = runCommand } = options
    this.#options = options
    this.#exec = exec
    this.#keeper = new KeepalivedKeeper({ runDirectory, exec, log })
    this.#path = join(directory, 'order')
  }

  /** Takes up what was ordered before. */
  async resume(): Promise<void> {
    const text = await readFile(this.#path, 'utf8').catch(() => undefined)
    if (text === undefined) return
    this.#order = JSON.parse(text) as NodeFailover
    if (this.#order.addresses.length > 0) this.#begin()
  }

  /** keepalived goes on. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#loop?.[Symbol.asyncDispose]()
    await this.#turn
  }

  /** Known at once, on the disk when it resolves; made true from then on. */
  async apply(order: NodeFailover): Promise<void> {
    const text = JSON.stringify(order)
    if (text === JSON.stringify(this.#order ?? nothing)) return
    const before = this.announced.join()
    this.#order = order
    this.#isRetired = false
    this.#begin()
    if (this.announced.join() !== before) this.#options.onAnnounced()
    await mkdir(dirname(this.#path), { recursive: true, mode: 0o700 })
    await writeFileAtomic(this.#path, text)
  }

  /** Resolves when others have its addresses, or after a time: before the gateway of this node ends. */
  async leave(): Promise<void> {
    if ((this.#order?.addresses ?? []).length === 0) return
    await this.apply(nothing)
    const timeUp = AbortSignal.timeout(leaveMs)
    await Promise.race([
      this.#inTurn(async () => undefined),
      new Promise<void>((resolve) => timeUp.addEventListener('abort', () => resolve(), { once: true })),
    ])
  }

  /** Addresses that BIRD is to tell routers of while they are there. */
  get announced(): readonly string[] {
    return (this.#order?.addresses ?? []).flatMap(({ by, address }) => (by === 'bgp' ? [address] : []))
  }

  /** For the node's status. */
  get status(): readonly NodeFailoverStatus[] {
    return this.#status
  }

  #begin(): void {
    const { lookMs = 1_000 } = this.#options
    this.#loop ??= repeat(lookMs, (signal) => this.#inTurn(() => this.#look(signal)))
    void this.#inTurn(() => this.#look(AbortSignal.timeout(60_000))).catch(() => undefined)
  }

  async #look(signal: AbortSignal): Promise<void> {
    const order = this.#order
    if (order === undefined || this.#isRetired) return
    try {
      if (order.addresses.length > 0) this.#tell(await this.#hold(order, signal))
      else {
        await this.#retire(signal)
        this.#status = []
        this.#tell(undefined)
      }
    } catch (error) {
      if (signal.aborted) return
      this.#status = order.addresses.map(({ address }) => ({ address, state: 'problem', why: messageOf(error) }))
      this.#tell(messageOf(error))
    }
  }

  #tell(problem: string | undefined): void {
    const text = JSON.stringify([problem, this.#status])
    if (text === this.#told) return
    this.#told = text
    this.#options.onLook(problem)
  }

  async #hold(order: NodeFailover, signal: AbortSignal): Promise<string | undefined> {
    const { files } = this.#keeper
    const there = await readHostAddresses(this.#exec, signal)
    const look = { order, there, current: (await files.current()) ?? '' }
    const hindered = new Map(order.addresses.map((each) => [each.address, hindranceOf(each, look)]))
    const able = order.addresses.filter(({ address }) => hindered.get(address) === undefined)
    let problem: string | undefined
    try {
      await this.#keep(able, look, signal)
    } catch (error) {
      if (signal.aborted) throw error
      problem = messageOf(error)
    }
    const now = await readHostAddresses(this.#exec, signal)
    this.#status = await Promise.all(
      order.addresses.map(async (each): Promise<NodeFailoverStatus> => {
        const why = hindered.get(each.address)
        return why === undefined
          ? await this.#statusOf(each, now, problem)
          : { address: each.address, state: 'problem', why }
      }),
    )
    return problem
  }

  async #keep(able: readonly NodeFailoverAddress[], look: Look, signal: AbortSignal): Promise<void> {
    if (able.length === 0) return await this.#end(signal)
    const { order, there } = look
    const announced = able.flatMap(({ by, address }) => (by === 'bgp' ? [address] : []))
    if (announced.length > 0) await ensureAnycastLink(this.#exec, there, { signal })
    const { files } = this.#keeper
    await files.prepare(this.#options.httpPort)
    const input: KeepalivedInput = {
      ...{ source: order.source, interface: there.find(({ address }) => address === order.source)?.device ?? '' },
      held: able.flatMap((each) => (each.by === 'vrrp' ? { ...each, device: deviceOf(each.address, there) } : [])),
      ...{ announced, check: files.check, note: files.note },
      backAfterSeconds: this.#options.backAfterSeconds ?? 30,
    }
    await this.#keeper.keep(renderKeepalivedConfig(input), { signal })
    if (announced.length === 0) await removeAnycastLink(this.#exec, { signal })
  }

  /** What is there counts; since when it is, keepalived has noted. */
  async #statusOf(
    each: NodeFailoverAddress,
    there: readonly HostAddress[],
    problem: string | undefined,
  ): Promise<NodeFailoverStatus> {
    const { address, by } = each
    const note = await this.#keeper.files.noteOf(by === 'bgp' ? anycastInstance : failoverInstance(each))
    if (there.some((found) => found.address === address)) {
      const known = this.#status.find((before) => before.address === address && before.state === 'holds')
      const since = note?.state === 'MASTER' ? note.since : (known?.since ?? Date.now())
      return { address, state: 'holds', since }
    }
    if (problem !== undefined) return { address, state: 'problem', why: problem }
    return note?.state === 'FAULT'
      ? { address, state: 'waits', why: 'its gateway does not answer, or its link is down' }
      : { address, state: 'waits' }
  }

  async #end(signal: AbortSignal): Promise<void> {
    await this.#keeper.stop()
    await removeAnycastLink(this.#exec, { signal })
  }

  async #retire(signal: AbortSignal): Promise<void> {
    await this.#end(signal)
    this.#isRetired = true
    this.#options.log.info('this node holds no failover address any more')
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work, work)
    this.#turn = turn.catch(() => undefined)
    return turn
  }
}

const deviceOf = (address: string, there: readonly HostAddress[]): string => deviceFor(address, there) ?? ''

/** Why this node cannot have it, whoever has it now. */
function hindranceOf(each: NodeFailoverAddress, { order, there, current }: Look): string | undefined {
  const { address, by } = each
  // keepalived's own are in its configuration.
  const own = there.find((found) => found.address === address)
  if (own !== undefined && own.device !== anycastLink && !current.includes(` ${address}/`))
    return `this node has ${address} of its own, on ${own.device}: take it away there, or choose another`
  if (by === 'bgp') return undefined
  if (!there.some((found) => found.address === order.source))
    return `no interface of this node has ${order.source}, by which other gateways know it`
  if (deviceFor(address, there) !== undefined) return undefined
  return `no network of this node contains ${address}`
}
