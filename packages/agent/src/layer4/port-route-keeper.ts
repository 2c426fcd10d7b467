import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import {
  BerthError,
  canonicalAddress,
  type GatewayPlace,
  keepMembers,
  memberKey,
  messageOf,
  type PortProtocol,
  type PortRoute,
  portRoutesTable,
  type RouteTable,
  renderPortRoutes,
  updatePortRoutes,
} from '@berth/core'
import type { Logger } from 'pino'
import { type Exec, mustRun, runCommand } from '../network/run-command.ts'
import { createTableKeeper } from '../network/table-keeper.ts'
import { takenPorts } from '../publishing/taken-ports.ts'
import { writeFileAtomic } from '../state/atomic-file.ts'
import { decodeChecked, encodeChecked } from '../state/checked-json.ts'
import { type OpenCount, type PortCount, PortCounts } from './port-counts.ts'
import { readTableObjects } from './table-objects.ts'
import { forgetConnections, readConnections, type TrackedConnection } from './tracked-connections.ts'

export interface PortRouteKeeperOptions {
  /** The gateway's folder. */
  readonly directory: string
  readonly log: Logger
  /** undefined: the node has no network yet. */
  readonly place: () => GatewayPlace | undefined
  /** A sentence; undefined: it is well again. */
  readonly onProblem: (problem: string | undefined) => void
  readonly exec?: Exec
  /** Of the kernel's tables of sockets. */
  readonly procNet?: string
  readonly now?: () => number
  readonly pace?: Partial<Pace>
}

interface Pace {
  /** Between looks at the kernel's table and connections. */
  readonly lookMs: number
  /** While a member that leaves has connections. */
  readonly drainLookMs: number
  /**
   * Connections by TCP of a member that is in no table any more are forgotten after so long: until then its last packets still reach who has to hear
   * that they are over.
   */
  readonly goneMs: number
}

const usualPace: Pace = { lookMs: 5_000, drainLookMs: 300, goneMs: 10_000 }
const format = 1

interface Stored {
  readonly version: number
  readonly ports: readonly PortRoute[]
}

interface KnownMember {
  readonly route: string
  readonly instance: string
  /** As the server knows it. */
  readonly key: string
  readonly isActive: boolean
}

/**
 * Keeps the gateway's routes of ports in the kernel, which gives connections to members with no process in between: agent, server and nginx may be
 * dead. Closing nothing, and ending the agent, leave everything in force. Calls must not overlap, except of what is read.
 */
export class PortRouteKeeper {
  readonly #options: PortRouteKeeperOptions
  readonly #exec: Exec
  readonly #pace: Pace
  readonly #now: () => number
  readonly #keepTable: ReturnType<typeof createTableKeeper>
  readonly #counts = new PortCounts()
  #stored: Stored | undefined
  #isWritten = true
  #version: number | undefined
  /** Where turns begin. */
  #rotation = 0
  /** The kernel has nothing of ours. */
  #isIdle = false
  #ruleset = ''
  #members: ReadonlyMap<string, KnownMember> = new Map()
  #inflight: Readonly<Record<string, number>> = {}
  #open: readonly OpenCount[] = []
  readonly #goneSince = new Map<string, number>()
  #lookAt = 0
  #healAt = 0
  #problems = new Map<'table' | 'connections' | 'taken', string>()
  #reported: string | undefined

  constructor(options: PortRouteKeeperOptions) {
    this.#options = options
    this.#exec = options.exec ?? runCommand
    this.#pace = { ...usualPace, ...options.pace }
    this.#now = options.now ?? Date.now
    // Counters, and clients that are remembered, would make every listing another one.
    this.#keepTable = createTableKeeper(
      (file, args, more) => this.#exec(file, ['-s', '-t', ...args], more),
      [`inet ${portRoutesTable}`],
    )
  }

  /** Of the table in force; undefined: there is none with routes of ports. */
  get version(): number | undefined {
    return this.#version
  }

  /** Open connections of all members, by `memberKey`. */
  get inflight(): Readonly<Record<string, number>> {
    return this.#inflight
  }

  get counts(): readonly PortCount[] {
    return this.#counts.all
  }

  get open(): readonly OpenCount[] {
    return this.#open
  }

  /** What was in force before this agent, or before the machine came up again. What cannot be is a problem, and no reason for the gateway to wait. */
  async start(signal?: AbortSignal): Promise<void> {
    this.#stored ??= await this.#read()
    if (this.#stored === undefined) return
    this.#version ??= this.#stored.version
    await this.#try('table', () => this.#put(signal))
  }

  /** Throws what keeps it from being in force; what was in force before stays. */
  async apply(table: RouteTable, signal?: AbortSignal): Promise<void> {
    this.#stored ??= await this.#read()
    const next = table.ports ?? []
    if (next.length === 0 && (this.#stored?.ports ?? []).length === 0) {
      // What another agent has left goes once; a gateway without such routes does not depend on it.
      if (!this.#isIdle) await this.#try('table', () => this.#put(signal))
      this.#version = undefined
      return
    }
    const { routes: ports } = keepMembers(this.#stored?.ports ?? [], next)
    const isChanged = JSON.stringify(ports) !== JSON.stringify(this.#stored?.ports)
    if (isChanged) {
      this.#stored = { version: table.version, ports }
      this.#isWritten = false
      this.#rotation = table.version
      this.#lookAt = 0
    }
    await this.#put(signal)
    this.#version = table.version
    this.#problems.delete('table')
    this.#report()
    if (!this.#isWritten) await this.#write()
    if (this.#lookAt === 0) await this.look(signal)
  }

  /** Heals the table, counts, and takes connections from members that are gone; at its own pace, however often it is called. Never throws. */
  async look(signal?: AbortSignal): Promise<void> {
    const now = this.#now()
    if (this.#stored === undefined || this.#isIdle || now < this.#lookAt) return
    const isDraining = await this.#try('connections', () => this.#lookAtConnections(now, signal))
    if (now >= this.#healAt) {
      this.#healAt = now + this.#pace.lookMs
      await this.#try('table', async () => {
        await this.#put(signal)
        await this.#counts.read(this.#exec, signal)
      })
    }
    this.#lookAt = now + (isDraining === true ? this.#pace.drainLookMs : this.#pace.lookMs)
  }

  /** Connections that there are go on; new ones find nobody. */
  async remove(signal?: AbortSignal): Promise<void> {
    const { ruleset } = renderPortRoutes([], { own: [], pools: [] })
    await mustRun(this.#exec, 'nft', ['-f', '-'], { input: ruleset, signal })
    await rm(this.#path, { force: true })
    this.#stored = undefined
    this.#isIdle = true
    this.#problems.clear()
    this.#report()
  }

  get #path(): string {
    return join(this.#options.directory, 'port-routes.json')
  }

  async #read(): Promise<Stored | undefined> {
    const text = await readFile(this.#path, 'utf8').catch(() => undefined)
    if (text === undefined) return undefined
    try {
      return decodeChecked<Stored>(format, text, this.#path)
    } catch (error) {
      this.#options.log.warn({ reason: messageOf(error) }, 'routes of ports are as the next table says')
      return undefined
    }
  }

  /** A full disk does not keep it from being in force. */
  async #write(): Promise<void> {
    try {
      await writeFileAtomic(this.#path, encodeChecked(format, this.#stored))
      this.#isWritten = true
    } catch (error) {
      this.#options.log.warn({ reason: messageOf(error) }, 'routes of ports could not be written down')
    }
  }

  async #put(signal: AbortSignal | undefined): Promise<void> {
    const ports = this.#stored?.ports ?? []
    const place = this.#options.place()
    if (place === undefined && ports.length > 0)
      throw new BerthError('layer4.no-network', 'routes of ports: this node has no network yet', { retryable: true })
    const free = await this.#freePorts(ports)
    const rendered = renderPortRoutes(free, place ?? { own: [], pools: [] }, this.#rotation)
    const { ruleset, counters } = rendered
    if (ruleset !== this.#ruleset) await this.#counts.read(this.#exec, signal)
    const isRemoval = free.length === 0
    const update = async (): Promise<string | undefined> => {
      const there = await readTableObjects(this.#exec, signal)
      return there === undefined ? undefined : updatePortRoutes(rendered, there)
    }
    await this.#keepTable(ruleset, { signal, isRemoval, update: isRemoval ? undefined : update })
    if (ruleset !== this.#ruleset) this.#counts.changed(counters)
    this.#ruleset = ruleset
    this.#members = knownMembers(ports)
    this.#isIdle = ports.length === 0
    if (this.#isIdle) await rm(this.#path, { force: true })
  }

  /** A port at which a program of the node listens itself is left to it. */
  async #freePorts(ports: readonly PortRoute[]): Promise<PortRoute[]> {
    const asked = ports.map((route) => ({ hostPort: route.port, protocol: route.protocol, route }))
    const taken = await takenPorts(asked, this.#options.procNet)
    const texts = [...taken].map(
      ({ route }) =>
        `port ${route.port}/${route.protocol} does not lead to ${poolOf(route)}: a program of this node listens there; give the route another port, or end that`,
    )
    if (texts.length === 0) this.#problems.delete('taken')
    else this.#problems.set('taken', texts.join('; '))
    this.#report()
    return asked.filter((each) => !taken.has(each)).map(({ route }) => route)
  }

  /** True while members that leave have connections. */
  async #lookAtConnections(now: number, signal: AbortSignal | undefined): Promise<boolean> {
    const connections = await readConnections(this.#exec, signal)
    const inflight: Record<string, number> = {}
    const open = new Map<string, OpenCount>()
    const gone = new Map<string, TrackedConnection>()
    let isDraining = false
    for (const each of connections) {
      const known = this.#members.get(idOf(each))
      const key = known?.key ?? each.member
      if (known === undefined) gone.set(idOf(each), each)
      if (!each.isOpen) continue
      inflight[key] = (inflight[key] ?? 0) + 1
      if (known?.isActive !== true) isDraining = true
      if (known === undefined) continue
      const { route, instance } = known
      const count = open.get(`${route} ${instance}`)?.connections ?? 0
      open.set(`${route} ${instance}`, { route, instance, connections: count + 1 })
    }
    this.#inflight = inflight
    this.#open = [...open.values()]
    await this.#takeFrom(gone, now, signal)
    return isDraining || gone.size > 0
  }

  async #takeFrom(
    gone: ReadonlyMap<string, TrackedConnection>,
    now: number,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    for (const id of this.#goneSince.keys()) if (!gone.has(id)) this.#goneSince.delete(id)
    for (const [id, each] of gone) {
      const since = this.#goneSince.get(id) ?? now
      this.#goneSince.set(id, since)
      if (each.protocol === 'tcp' && now - since < this.#pace.goneMs) continue
      await forgetConnections(this.#exec, each, signal)
      this.#goneSince.delete(id)
    }
  }

  async #try<T>(what: 'table' | 'connections', act: () => Promise<T>): Promise<T | undefined> {
    try {
      const result = await act()
      this.#problems.delete(what)
      this.#report()
      return result
    } catch (error) {
      this.#problems.set(what, messageOf(error))
      this.#report()
      return undefined
    }
  }

  #report(): void {
    const texts = [...this.#problems.values()]
    const problem = texts.length === 0 ? undefined : `routes of ports: ${texts.join('; ')}`
    if (problem === this.#reported) return
    this.#reported = problem
    if (problem !== undefined) this.#options.log.warn({ problem }, 'routes of ports have a problem')
    this.#options.onProblem(problem)
  }
}

const poolOf = ({ id, targets }: PortRoute): string => targets[0]?.pool ?? id

type Place = { readonly protocol: PortProtocol; readonly port: number; readonly member: string }
const idOf = ({ protocol, port, member }: Place): string => `${protocol} ${port} ${member}`

/** By each of its addresses. */
function knownMembers(ports: readonly PortRoute[]): Map<string, KnownMember> {
  const known = new Map<string, KnownMember>()
  for (const { id: route, protocol, port, targets } of ports)
    for (const { members } of targets)
      for (const { instance, address, address6, port: memberPort, state } of members)
        for (const each of [address, address6 ?? []].flat()) {
          const member = memberKey({ address: canonicalAddress(each) ?? each, port: memberPort })
          const id = idOf({ protocol, port, member })
          // A member that is active in one target and drains in another is not leaving.
          const isActive = state === 'active' || known.get(id)?.isActive === true
          known.set(id, { route, instance, key: memberKey({ address, port: memberPort }), isActive })
        }
  return known
}
