import { performServerHandshake, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import { setTimeout as delay } from 'node:timers/promises'
import type { TLSSocket } from 'node:tls'
import type { FromAgent, ToAgent } from '@berth/api'
import type { NodeStatus } from '@berth/core'
import type { AgentDialer, NodeCredentials } from './agent-dialer.ts'
import { answerRequest } from './agent-requests.ts'
import { LineSplitter } from './line-splitter.ts'
import { type Pace, type SimulatedInstance, SimulatedInstances, statusOf } from './simulated-instances.ts'

/** As real agents have it: so many statuses in one line, so long between attempts to reach a server. */
const maxStatuses = 256
const firstPauseMs = 100
const maxPauseMs = 2_000
const windowBytes = 1_048_576

export interface SimulatedNodeOptions {
  readonly credentials: NodeCredentials
  readonly dialer: AgentDialer
  readonly pace: Pace
  readonly status: Omit<NodeStatus, 'name' | 'online'>
  readonly later: (node: SimulatedNode, instance: SimulatedInstance, delayMs: number) => void
  /** It has something to report: {@link SimulatedNode.flush} is to be called soon. */
  readonly hasNews: (node: SimulatedNode) => void
}

/** A node whose agent speaks the real protocol to a real server, and whose containers are numbers. */
export class SimulatedNode {
  readonly name: string
  readonly instances: SimulatedInstances
  /** How far its clock is ahead of the machine's. */
  skewMs = 0
  /** Lines that it got, by type. */
  readonly received = new Map<string, number>()
  /** How often it has tried to reach the server. */
  dials = 0
  readonly #options: SimulatedNodeOptions
  readonly #news = new Set<SimulatedInstance>()
  #life: AbortController | undefined
  #session: ServerHttp2Session | undefined
  #sync: ServerHttp2Stream | undefined
  #isSynced = false
  #isBlocked = false
  #isHanging = false

  constructor(options: SimulatedNodeOptions) {
    this.#options = options
    this.name = options.credentials.name
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

  /** Begins to dial, and goes on until {@link die}. Resolves after the first hello. */
  async start(): Promise<void> {
    if (this.#life !== undefined) return
    this.#life = new AbortController()
    const { signal } = this.#life
    const linked = Promise.withResolvers<void>()
    void this.#run(signal, linked.resolve)
    signal.addEventListener('abort', () => linked.resolve(), { once: true })
    await linked.promise
  }

  /** The machine is off. {@link start} brings it back, with what it ran. */
  die(): void {
    this.#life?.abort()
    this.#life = undefined
    this.cut()
  }

  /** The connection breaks; the agent dials again. */
  cut(): void {
    this.#session?.destroy()
  }

  /** The connection stays open and nothing comes over it any more, in either direction: a cut cable, a stopped process. */
  hang(): void {
    this.#isHanging = true
    this.#sync?.pause()
  }

  /** What had piled up is read and answered, if the link is still there. */
  wake(): void {
    this.#isHanging = false
    this.#sync?.resume()
    if (this.#news.size > 0) this.#options.hasNews(this)
  }

  /** Whatever a broken agent may say. */
  sendText(text: string): void {
    this.#sync?.write(text)
  }

  send(line: FromAgent): void {
    this.sendText(`${JSON.stringify(line)}\n`)
  }

  /** Sends what is new; of several changes of one instance the last. */
  flush(): void {
    if (!this.#isSynced || this.#isBlocked || this.#isHanging || this.#news.size === 0) return
    const changed = [...this.#news]
    this.#news.clear()
    for (let from = 0; from < changed.length; from += maxStatuses) {
      const some = changed.slice(from, from + maxStatuses).map((each) => statusOf(each, this.name, this.skewMs))
      this.#write({ type: 'status', instances: some })
    }
  }

  #note(instance: SimulatedInstance): void {
    this.#news.add(instance)
    this.#options.hasNews(this)
  }

  async #run(signal: AbortSignal, onLinked: () => void): Promise<void> {
    for (let failures = 0; !signal.aborted; failures += 1) {
      try {
        this.dials += 1
        const socket = await this.#options.dialer.dial(this.#options.credentials, signal)
        const startedAt = performance.now()
        await this.#serve(socket, onLinked)
        if (performance.now() - startedAt > 10_000) failures = 0
      } catch {
        // The server is not there, or has had enough of this connection: again after a pause.
      }
      const limitMs = Math.min(maxPauseMs, firstPauseMs * 2 ** Math.min(failures, 10))
      await delay(limitMs / 2 + Math.random() * (limitMs / 2), undefined, { signal }).catch(() => undefined)
    }
  }

  async #serve(socket: TLSSocket, onLinked: () => void): Promise<void> {
    const session = performServerHandshake(socket, {
      settings: { initialWindowSize: windowBytes, enablePush: false },
    })
    this.#session = session
    session.setLocalWindowSize(windowBytes)
    session.on('error', () => undefined)
    session.on('stream', (stream, headers) => {
      stream.on('error', () => undefined)
      const path = String(headers[':path'])
      if (path.split('?')[0] === '/v1/sync') this.#serveSync(stream, path.endsWith('mode=listen'), onLinked)
      else answerRequest(stream, String(headers[':method']), path).catch(() => stream.destroy())
    })
    await new Promise<void>((resolve) => session.once('close', resolve))
    if (this.#session === session) this.#session = undefined
  }

  /** A server that does not lead only listens whether the node is there. */
  #serveSync(stream: ServerHttp2Stream, onlyListens: boolean, onLinked: () => void): void {
    stream.respond({ ':status': 200, 'content-type': 'application/x-ndjson' })
    this.#sync = stream
    this.#isSynced = false
    this.#isBlocked = false
    if (onlyListens) this.#write({ type: 'node', node: this.#describe() })
    const splitter = new LineSplitter((line) => this.#take(line, onLinked))
    stream.on('data', (chunk: Buffer) => splitter.take(chunk))
    stream.on('drain', () => {
      this.#isBlocked = false
      this.flush()
    })
    stream.once('close', () => {
      if (this.#sync !== stream) return
      this.#sync = undefined
      this.#isSynced = false
    })
    if (this.#isHanging) stream.pause()
  }

  #take(line: Buffer, onLinked: () => void): void {
    const type = typeOf(line)
    this.received.set(type, (this.received.get(type) ?? 0) + 1)
    const act = this.#acts[type as ToAgent['type']]
    if (act !== undefined) act(JSON.parse(line.toString()) as never)
    if (type === 'snapshot') onLinked()
  }

  /** Names, routes and the network concern what a simulated node does not have. */
  readonly #acts: { readonly [T in ToAgent['type']]?: (line: Extract<ToAgent, { readonly type: T }>) => void } = {
    ping: ({ at }) => {
      if (!this.#isHanging) this.#write({ type: 'pong', at })
    },
    assign: ({ assignment }) => this.instances.assign(assignment),
    forget: ({ instance, createdAt }) => this.instances.forget(instance, createdAt),
    snapshot: ({ assignments }) => {
      for (const each of assignments) this.instances.assign(each)
      this.#sayHello()
    },
  }

  #describe = (): NodeStatus => ({ ...this.#options.status, name: this.name, online: true })

  #sayHello(): void {
    const node = this.#describe()
    const all = [...this.instances.values()]
    this.#news.clear()
    for (const each of all.slice(maxStatuses)) this.#news.add(each)
    const first = all.slice(0, maxStatuses).map((each) => statusOf(each, this.name, this.skewMs))
    this.#write({ type: 'hello', node, instances: first })
    this.#isSynced = true
    this.flush()
  }

  #write(line: FromAgent): void {
    const stream = this.#sync
    if (stream === undefined || stream.destroyed) return
    if (!stream.write(`${JSON.stringify(line)}\n`)) this.#isBlocked = true
  }
}

/** Of a line as servers write them, `{"type":"assign",…`, without reading the rest. */
function typeOf(line: Buffer): string {
  const start = '{"type":"'.length
  return line.toString('latin1', start, line.indexOf('"', start))
}
