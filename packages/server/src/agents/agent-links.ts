import type { TLSSocket } from 'node:tls'
import type { FromAgent, ServerAddress } from '@berth/api'
import { BerthError, type InstanceStatus, messageOf, type NodeStatus, tooFarApart, versionDistance } from '@berth/core'
import type { Logger } from 'pino'
import type { State } from '../records/index.ts'
import { AgentCalls } from './agent-calls.ts'
import { AgentLead, type AgentLeadOptions } from './agent-lead.ts'
import { AgentLink } from './agent-link.ts'
import type { SignalOptions } from './agent-requests.ts'
import { LastHeard } from './last-heard.ts'
import { LinkWaits } from './link-waits.ts'
import type { AgentListener } from './node-feed.ts'
import { PingPace } from './ping-pace.ts'
import { SyncStream } from './sync-stream.ts'
import { TwinWatch } from './twin-watch.ts'

export interface AgentLinksOptions {
  readonly state: State
  readonly listener: AgentListener
  readonly log: Logger
  /** Where agents find servers, for links that this server only listens on; undefined where it is alone. */
  readonly servers?: () => readonly ServerAddress[] | undefined
  /** This server's: agents that are too far from it are not let in. */
  readonly version?: string
  readonly pingMs?: number
  readonly silenceMs?: number
  /** How long calls of people wait for the link of a node that is not known to be gone. */
  readonly linkWaitMs?: number
}

interface Connected {
  readonly link: AgentLink
  sync: SyncStream
}

const defaultSilenceMs = 10_000
const defaultPingMs = 3_000
/** Agents dial again within two seconds, however often they failed. */
const defaultLinkWaitMs = 5_000
/** Nodes are pinged in so many parts, one after the other: thousands at once would hold up everything else. */
const pingParts = 20

/**
 * The agents that are connected: one link a node (a new one replaces the old), its sync stream, its reports, and whatever else is asked
 * of its agent. Calls reject with `node.offline` when it is not there, or with the agent's own error. What people ask for waits a while for
 * the link of a node that is marked online: its agent, or this server, may have just started. Unless it leads, this server only listens to
 * what they say.
 */
export class AgentLinks extends AgentCalls implements AsyncDisposable {
  readonly #options: AgentLinksOptions
  readonly #state: State
  readonly #links = new Map<string, Connected>()
  readonly #lastHeard: LastHeard
  readonly #pings: NodeJS.Timeout
  readonly #pace: PingPace
  readonly #unsubscribe: () => void
  readonly #twins = new TwinWatch()
  /** Problems of nodes, by their agents' word; of those that have some. */
  readonly #said = new Map<string, readonly string[]>()
  readonly #waits = new LinkWaits()
  #lead: AgentLead | undefined
  #part = 1
  /** Those of this round of pings. */
  #toPing: readonly string[] = []
  #isClosing = false

  constructor(options: AgentLinksOptions) {
    super()
    this.#options = options
    this.#state = options.state
    const { pingMs = defaultPingMs, silenceMs = defaultSilenceMs } = options
    this.#lastHeard = new LastHeard(silenceMs, pingMs, () => performance.now())
    this.#pace = new PingPace(pingMs, pingParts)
    this.#pings = setInterval(() => this.#ping(), pingMs / pingParts)
    this.#pings.unref()
    this.#unsubscribe = this.#state.changes.subscribe((change) => {
      if (change.kind === 'nodes' && change.after === undefined) this.#removed(change.id)
      if (change.kind === 'nodeStatuses' && !this.isOnline(change.id)) this.#waits.wake(change.id)
      if (change.kind === 'members' && this.#lead === undefined) this.#tellServers(this.#links.values())
    })
  }

  /** Takes over an authenticated connection. */
  connect(node: string, socket: TLSSocket): void {
    const link = new AgentLink(node, socket)
    const previous = this.#links.get(node)
    // What may end a link is its own silence, not that of the one before.
    this.#lastHeard.heard(node)
    this.#lead?.presence.heard(node)
    this.#openSync(node, link)
    if (previous !== undefined) {
      previous.link.close('replaced by a new connection of the same node')
      this.#noteTwin(node, socket.remoteAddress ?? 'an unknown address')
    }
    this.#waits.wake(node)
    this.#options.log.info({ node, remote: socket.remoteAddress }, `node ${node} connected`)
  }

  #noteTwin(node: string, from: string): void {
    const problem = this.#twins.note(node, from, performance.now())
    if (problem === undefined) return
    this.#options.log.warn({ node }, problem)
    this.#lead?.tell({ type: 'node.two-machines', subject: { node }, message: problem })
  }

  /**
   * From now on agents are told what to do, and what they report is believed, until what is returned is disposed. Every sync stream
   * begins anew, so that each agent gets a snapshot and reports all that it knows.
   */
  lead(options: AgentLeadOptions): AsyncDisposable {
    const lead = new AgentLead(options, {
      ...{ log: this.#options.log, silenceMs: this.#options.silenceMs },
      onPresence: (node, online) => {
        // A connection that is open but silent is of no use: what waits for it fails now, and the agent dials again.
        if (!online) {
          this.#links.get(node)?.link.close('not heard of for too long')
          this.#waits.wake(node)
        }
        this.#options.listener.onLink(node, online)
      },
      onForgotten: (status) => this.#forget(status),
      isConnected: (node) => this.isConnected(node),
      copyImage: async (image, from, to, how) => void (await this.copyImage(image, from, to, how)),
    })
    this.#lead = lead
    this.#reopenSyncs()
    return {
      [Symbol.asyncDispose]: async () => {
        if (this.#lead === lead) this.#lead = undefined
        if (!this.#isClosing) this.#reopenSyncs()
        await lead[Symbol.asyncDispose]()
      },
    }
  }

  /** Nodes whose agents this server hears. */
  get connected(): readonly string[] {
    return [...this.#links.keys()]
  }

  /** When a node that fell silent was last heard of by this server, where it leads. */
  silentSince(node: string): number | undefined {
    return this.#lead?.presence.silentSince(node)
  }

  /** Marked online: heard of within the last 10 seconds, by this server if it leads, else by the leader. Its link may be down for a moment. */
  isOnline(node: string): boolean {
    return this.#lead?.presence.isOnline(node) ?? this.#state.nodeStatuses.get(node)?.online === true
  }

  /** What is wrong with a node, as its agent has told this server; of one that the leader hears, the leader has written it down. */
  saidByAgent(node: string): readonly string[] {
    return this.isConnected(node) ? (this.#said.get(node) ?? []) : []
  }

  /** That another machine has the node's identity as well, as this server sees it. */
  twinProblem(node: string): string | undefined {
    return this.#twins.problemOf(node, performance.now())
  }

  isConnected(node: string): boolean {
    return this.#links.has(node)
  }

  async hasImage(node: string, image: string, { signal }: SignalOptions = {}): Promise<boolean> {
    try {
      await this.resolveImage(node, image, { signal, pull: 'never' })
      this.#lead?.images.holders.has(image, node)
      return true
    } catch (error) {
      if (!(error instanceof BerthError) || error.code !== 'engine.image-missing') throw error
      this.#lead?.images.holders.lacks(image, node)
      return false
    }
  }

  /** It should have been there. */
  lacksImage(image: string, node: string): void {
    this.#lead?.images.holders.lacks(image, node)
  }

  /** Copies from whichever connected node has it. Resolves to why that could not be; undefined: it is there. */
  async bringImage(image: string, to: string): Promise<string | undefined> {
    if (this.#lead === undefined) return 'this server does not lead'
    return await this.#lead.images.bring(image, to)
  }

  /** Nodes that have it for all that is known, without asking. */
  holdersOf(image: string): ReadonlySet<string> {
    return this.#lead?.images.holders.of(image) ?? new Set()
  }

  /** Everything reported so far is in the store. */
  async settled(): Promise<void> {
    await this.#lead?.settled()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosing = true
    clearInterval(this.#pings)
    this.#unsubscribe()
    for (const { link } of this.#links.values()) link.close('the server stops')
    this.#waits.wakeAll()
    await this.#lead?.[Symbol.asyncDispose]()
  }

  /** Of a link's streams only the last one counts: the one before ends, and what it still brings is not looked at. */
  #openSync(node: string, link: AgentLink): void {
    const log = this.#options.log.child({ node })
    const before = this.#links.get(node)
    const sync: SyncStream = new SyncStream(link, {
      ...(this.#lead === undefined ? {} : { lead: this.#lead }),
      log,
      onLine: (line) => this.#onLine(node, sync, line),
    })
    this.#links.set(node, { link, sync })
    if (this.#lead === undefined) this.#tellServers([{ sync }])
    if (before?.link === link) before.sync.close()
    sync.run().catch((error: unknown) => this.#lost(node, link, sync, error, log))
  }

  #reopenSyncs(): void {
    for (const [node, { link }] of [...this.#links]) if (!link.closed.aborted) this.#openSync(node, link)
  }

  #onLine(node: string, sync: SyncStream, line: FromAgent): void {
    // A line that was on its way when a newer link or stream took over.
    if (this.#links.get(node)?.sync !== sync) return
    if (line.type === 'hello' && this.#isTooFar(node, line.node)) return
    this.#lastHeard.heard(node)
    if (line.type === 'node') this.#noteSaid(node, line.node)
    this.#lead?.take(node, line)
    this.#options.listener.onReport(node, line)
  }

  #noteSaid(node: string, { problems }: NodeStatus): void {
    if (problems.length > 0) this.#said.set(node, problems)
    else this.#said.delete(node)
  }

  /** Its containers go on; its version is written down, so that people see why it is offline. */
  #isTooFar(node: string, status: NodeStatus): boolean {
    const { version = '', log } = this.#options
    if (versionDistance(status.agentVersion, version) !== 'far') return false
    const why = tooFarApart(status.agentVersion, version)
    log.warn({ node }, `refused the link of node ${node}: ${why}`)
    this.#lead?.presence.decline(node, status)
    this.#links.get(node)?.link.close(why)
    return true
  }

  #lost(node: string, link: AgentLink, sync: SyncStream, error: unknown, log: Logger): void {
    const current = this.#links.get(node)
    if (current?.link === link && current.sync !== sync) return
    if (current?.sync === sync) this.#forgetLink(node)
    link.close('the sync stream ended')
    if (!this.#isClosing) log.warn({ reason: messageOf(error) }, `the link to node ${node} ended`)
  }

  #forgetLink(node: string): void {
    this.#links.delete(node)
    this.#lastHeard.forget(node)
  }

  #removed(node: string): void {
    this.#links.get(node)?.link.close('the node was removed from the cluster')
    this.#forgetLink(node)
    this.#said.delete(node)
    this.#lead?.presence.forget(node)
    this.#twins.forget(node)
    this.#waits.wake(node)
  }

  /** A node that has joined here finds the leader by it. */
  #tellServers(links: Iterable<Pick<Connected, 'sync'>>): void {
    const servers = this.#options.servers?.()
    if (servers === undefined) return
    const { epoch, revision } = this.#state
    for (const { sync } of links) sync.send({ type: 'servers', revision, servers, epoch })
  }

  /** A leader looks at who is silent by itself, and writes it down. */
  #ping(): void {
    for (let due = this.#pace.due(); due > 0; due--) this.#pingPart()
  }

  #pingPart(): void {
    const part = this.#part++ % pingParts
    if (part === 0) this.#toPing = [...this.#links.keys()]
    const share = Math.ceil(this.#toPing.length / pingParts)
    const line = { type: 'ping' as const, at: Date.now() }
    for (const node of this.#toPing.slice(part * share, (part + 1) * share)) this.#links.get(node)?.sync.send(line)
    if (part === 0) this.#lookForSilent()
  }

  #lookForSilent(): void {
    if (this.#lead !== undefined) return
    for (const [node] of this.#lastHeard.silent()) this.#links.get(node)?.link.close('not heard of for too long')
  }

  #forget({ node, id: instance, createdAt }: InstanceStatus): void {
    const incarnation = createdAt === undefined ? {} : { createdAt }
    this.#links.get(node)?.sync.send({ type: 'forget', revision: this.#state.revision, instance, ...incarnation })
  }

  protected async linkSoon(node: string, { signal }: SignalOptions): Promise<AgentLink> {
    const { linkWaitMs = defaultLinkWaitMs } = this.#options
    const link = this.#links.get(node)?.link
    const isUp = link !== undefined && !link.closed.aborted
    if (!isUp && !this.#isClosing && this.isOnline(node)) await this.#waits.wait(node, linkWaitMs, signal)
    return this.linkOf(node)
  }

  /** After a restore, or where a line is cut, an agent may know only some of the servers. */
  #whyNoLink(node: string): string {
    const isHeardElsewhere = this.#lead === undefined && this.#state.nodeStatuses.get(node)?.online === true
    return isHeardElsewhere
      ? `node ${node} is online, but its agent has no link to this server; ask the one that leads (berth server ls, then the command there)`
      : `node ${node} is not connected; is its agent running?`
  }

  protected linkOf(node: string): AgentLink {
    const connected = this.#links.get(node)
    if (connected !== undefined) return connected.link
    const what = this.#state.nodes.has(node) ? this.#whyNoLink(node) : `there is no node ${node}`
    throw new BerthError(this.#state.nodes.has(node) ? 'node.offline' : 'node.not-found', what, {
      retryable: true,
      details: { node },
    })
  }
}
