import type { FromAgent, ToAgent } from '@berth/api'
import { type NetworkConfig, type NodeStatus, withOwnAddresses } from '@berth/core'
import type { AgentDialer, NodeCredentials } from './agent-dialer.ts'
import { PeerNotes } from './peer-notes.ts'
import { type Pace, type SimulatedInstance, SimulatedInstances, statusOf } from './simulated-instances.ts'
import { type LinkListener, SimulatedLink } from './simulated-link.ts'

/** As real agents have it: so many statuses in one line. */
const maxStatuses = 256

export interface SimulatedNodeOptions {
  readonly credentials: NodeCredentials
  /** One a server. */
  readonly dialers: readonly AgentDialer[]
  readonly pace: Pace
  readonly status: Omit<NodeStatus, 'name' | 'online'>
  readonly later: (node: SimulatedNode, instance: SimulatedInstance, delayMs: number) => void
  /** It has something to report: {@link SimulatedNode.flush} is to be called soon. */
  readonly hasNews: (node: SimulatedNode) => void
  /** What it had of its peers when it was last up. */
  readonly peers?: string | undefined
}

/** A node whose agent speaks the real protocol to real servers, and whose containers are numbers. */
export class SimulatedNode {
  readonly name: string
  readonly instances: SimulatedInstances
  /** How far its clock is ahead of the machine's. */
  skewMs = 0
  /** Lines that it got, by type. */
  readonly received = new Map<string, number>()
  readonly peers: PeerNotes
  readonly #options: SimulatedNodeOptions
  readonly #links: readonly SimulatedLink[]
  readonly #news = new Set<SimulatedInstance>()
  #life: AbortController | undefined
  #firstLink = Promise.withResolvers<void>()
  /** The one whose word counts: that of the leader with the highest term. */
  #lead: { readonly link: SimulatedLink; readonly term: number } | undefined
  #isSynced = false
  #isHanging = false
  /** As of its peers nothing but digests is kept, it knows of no peer. */
  #network: NetworkConfig | undefined

  constructor(options: SimulatedNodeOptions) {
    this.#options = options
    this.name = options.credentials.name
    this.peers = new PeerNotes(this.name, options.peers)
    this.#links = options.dialers.map((dialer) => new SimulatedLink(dialer, this.#listener))
    this.instances = new SimulatedInstances(
      options.pace,
      (instance, delayMs) => options.later(this, instance, delayMs),
      (instance) => this.#note(instance),
    )
  }

  /** Its link is up, and the server has been told what runs. */
  get isLinked(): boolean {
    return this.#isSynced
  }

  /** How often it has tried to reach a server. */
  get dials(): number {
    return this.#links.reduce((sum, { dials }) => sum + dials, 0)
  }

  /** Begins to dial, and goes on until {@link die}. Resolves after the first hello. */
  async start(): Promise<void> {
    if (this.#life !== undefined) return
    this.#life = new AbortController()
    const { signal } = this.#life
    const first = Promise.withResolvers<void>()
    this.#firstLink = first
    for (const link of this.#links) void link.run(this.#options.credentials, signal)
    signal.addEventListener('abort', () => first.resolve(), { once: true })
    await first.promise
  }

  /** The machine is off. {@link start} brings it back, with what it ran. */
  die(): void {
    this.#life?.abort()
    this.#life = undefined
    this.cut()
  }

  /** Its connections break; the agent dials again. */
  cut(): void {
    for (const link of this.#links) link.cut()
  }

  /** Connections stay open and nothing comes over them any more, in either direction: a cut cable, a stopped process. */
  hang(): void {
    this.#isHanging = true
    for (const link of this.#links) link.hang()
  }

  /** What had piled up is read and answered, if the link is still there. */
  wake(): void {
    this.#isHanging = false
    for (const link of this.#links) link.wake()
    if (this.#news.size > 0) this.#options.hasNews(this)
  }

  /** Whatever a broken agent may say. */
  sendText(text: string): void {
    this.#lead?.link.write(text)
  }

  send(line: FromAgent): void {
    this.#lead?.link.send(line)
  }

  /** Sends what is new; of several changes of one instance the last. */
  flush(): void {
    const link = this.#lead?.link
    if (link === undefined || !this.#isSynced || link.isBlocked || this.#isHanging || this.#news.size === 0) return
    const changed = [...this.#news]
    this.#news.clear()
    for (let from = 0; from < changed.length; from += maxStatuses) {
      const some = changed.slice(from, from + maxStatuses).map((each) => statusOf(each, this.name, this.skewMs))
      link.send({ type: 'status', instances: some })
    }
  }

  #note(instance: SimulatedInstance): void {
    this.#news.add(instance)
    this.#options.hasNews(this)
  }

  readonly #listener: LinkListener = {
    peers: () => this.peers.description,
    onSync: (link, onlyListens) => {
      if (this.#lead?.link === link) this.#endLead()
      // A server that does not lead only listens whether the node is there.
      if (onlyListens) link.send({ type: 'node', node: this.#describe() })
    },
    onLine: (link, line) => this.#take(link, line),
    onDrain: (link) => {
      if (this.#lead?.link === link) this.flush()
    },
    onSyncEnd: (link) => {
      if (this.#lead?.link === link) this.#endLead()
    },
  }

  #endLead(): void {
    this.#lead = undefined
    this.#isSynced = false
  }

  #take(link: SimulatedLink, line: Buffer): void {
    const type = typeOf(line)
    this.received.set(type, (this.received.get(type) ?? 0) + 1)
    if (link === this.#lead?.link) this.#notePeers(type, line)
    const act = this.#acts[type as ToAgent['type']]
    if (act !== undefined && (type === 'ping' || type === 'snapshot' || link === this.#lead?.link))
      act(JSON.parse(line.toString()) as never, link)
    if (type === 'snapshot') this.#firstLink.resolve()
  }

  #notePeers(type: string, line: Buffer): void {
    if (type === 'peer-part') this.peers.takePart(line)
    else if (type === 'peers' || type === 'network') this.peers.forget()
    else return
    // Of the many lines about others only those that name the node are read.
    if (type !== 'network' && line.includes(`"node":"${this.name}"`)) this.#noteOwnBlocks(line)
  }

  /** It says that it has a block in force as soon as it hears of it. */
  #noteOwnBlocks(line: Buffer): void {
    const said = JSON.parse(line.toString()) as Extract<ToAgent, { readonly type: 'peers' | 'peer-part' }>
    if (this.#network === undefined) return
    const before = JSON.stringify(this.#network.blocks)
    this.#network = withOwnAddresses(this.#network, said.type === 'peers' ? said.put : said.peers)
    if (this.#isSynced && JSON.stringify(this.#network.blocks) !== before)
      this.send({ type: 'node', node: this.#describe() })
  }

  /** Names and routes concern what a simulated node does not have. */
  readonly #acts: {
    readonly [T in ToAgent['type']]?: (line: Extract<ToAgent, { readonly type: T }>, link: SimulatedLink) => void
  } = {
    ping: ({ at }, link) => {
      if (!this.#isHanging) link.send({ type: 'pong', at })
    },
    assign: ({ assignment }) => this.instances.assign(assignment),
    forget: ({ instance, createdAt }) => this.instances.forget(instance, createdAt),
    network: ({ network }) => {
      this.#network = { ...network, peers: [] }
    },
    snapshot: ({ assignments, network, term = 0 }, link) => {
      // One that was succeeded and does not know it.
      if (this.#lead !== undefined && this.#lead.link !== link && this.#lead.term > term) return link.refuse()
      this.#lead = { link, term }
      this.#network = { ...network, peers: [] }
      for (const each of assignments) this.instances.assign(each)
      this.#sayHello(link)
    },
  }

  #describe(): NodeStatus {
    const status = { ...this.#options.status, name: this.name, online: true }
    if (this.#network === undefined) return status
    const { pool: range, blocks = [] } = this.#network
    return { ...status, network: { driver: 'routed', range, blocks } }
  }

  #sayHello(link: SimulatedLink): void {
    const all = [...this.instances.values()]
    this.#news.clear()
    for (const each of all.slice(maxStatuses)) this.#news.add(each)
    const first = all.slice(0, maxStatuses).map((each) => statusOf(each, this.name, this.skewMs))
    link.send({ type: 'hello', node: this.#describe(), instances: first, accepts: ['peers'] })
    this.#isSynced = true
    this.flush()
  }
}

/** Of a line as servers write them, `{"type":"assign",…`, without reading the rest. */
function typeOf(line: Buffer): string {
  const start = '{"type":"'.length
  return line.toString('latin1', start, line.indexOf('"', start))
}
