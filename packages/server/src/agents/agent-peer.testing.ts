import { once } from 'node:events'
import { performServerHandshake, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import { agentAlpn, type FromAgent, type NodeUse, peersHeader, type ToAgent } from '@berth/api'
import type { NodeStatus } from '@berth/core'
import { serverName } from '../authority/authority.ts'
import { readBoundedLines } from './bounded-lines.ts'

export interface PeerCredentials {
  readonly certificatePem: string
  readonly keyPem: string
  readonly authorityPem: string
}

export interface PeerOptions {
  readonly tls?: ConnectionOptions
  /** What it says that it has of its peers. */
  readonly peers?: string
}

type Handler = (stream: ServerHttp2Stream, url: URL) => void | Promise<void>

/** The agent's side of a link, reduced to the protocol: dials, serves HTTP/2, keeps what it was sent. */
export class AgentPeer implements AsyncDisposable {
  readonly received: ToAgent[] = []
  /** By method and first two segments: `GET /v1/metrics`. */
  readonly handlers = new Map<string, Handler>()
  readonly goaways: string[] = []
  answerPings = true
  /** Told with its heartbeats. */
  use: NodeUse | undefined
  readonly #socket: TLSSocket
  readonly #peers: string | undefined
  readonly #session: ServerHttp2Session
  /** The last one that a server has opened. */
  #sync = Promise.withResolvers<ServerHttp2Stream>()
  #isSynced = false

  private constructor(socket: TLSSocket, peers: string | undefined) {
    this.#socket = socket
    this.#peers = peers
    this.#session = performServerHandshake(socket)
    this.#session.on('error', () => undefined)
    this.#session.on('goaway', (_code, _last, why?: Buffer) => this.goaways.push(why?.toString() ?? ''))
    this.#session.on('stream', (stream, headers) => {
      stream.on('error', () => undefined)
      const url = new URL(headers[':path'] ?? '/', 'http://agent')
      const name = `${headers[':method']} ${url.pathname.split('/').slice(0, 3).join('/')}`
      if (name === 'POST /v1/sync') void this.#serveSync(stream)
      else void this.#serve(name, stream, url)
    })
  }

  static async dial(
    port: number,
    credentials: PeerCredentials,
    { tls = {}, peers }: PeerOptions = {},
  ): Promise<AgentPeer> {
    const socket = connect({
      host: '127.0.0.1',
      port,
      cert: credentials.certificatePem,
      key: credentials.keyPem,
      ca: credentials.authorityPem,
      servername: serverName,
      ALPNProtocols: [agentAlpn],
      ...tls,
    })
    await once(socket, 'secureConnect')
    socket.on('error', () => undefined)
    return new AgentPeer(socket, peers)
  }

  async send(line: FromAgent): Promise<void> {
    const stream = await this.#sync.promise
    stream.write(`${JSON.stringify(line)}\n`)
  }

  async sendText(text: string): Promise<void> {
    const stream = await this.#sync.promise
    stream.write(text)
  }

  get closed(): boolean {
    return this.#socket.destroyed
  }

  /** The last line of a type. */
  last<T extends ToAgent['type']>(type: T): Extract<ToAgent, { readonly type: T }> | undefined {
    return this.received.findLast((line): line is Extract<ToAgent, { readonly type: T }> => line.type === type)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#socket.destroyed) return
    const closed = once(this.#socket, 'close')
    this.#session.destroy()
    this.#socket.destroy()
    await closed
  }

  async #serveSync(stream: ServerHttp2Stream): Promise<void> {
    stream.respond({ ':status': 200, ...(this.#peers === undefined ? {} : { [peersHeader]: this.#peers }) })
    if (this.#isSynced) this.#sync = Promise.withResolvers()
    this.#isSynced = true
    this.#sync.resolve(stream)
    try {
      for await (const text of readBoundedLines(stream, 10_000_000)) {
        const line = JSON.parse(text) as ToAgent
        this.received.push(line)
        const use = this.use === undefined ? {} : { use: this.use }
        if (line.type === 'ping' && this.answerPings) await this.send({ type: 'pong', at: line.at, ...use })
      }
    } catch {
      // The server closed the link; tests look at `closed`.
    }
  }

  async #serve(name: string, stream: ServerHttp2Stream, url: URL): Promise<void> {
    const handler = this.handlers.get(name)
    if (handler !== undefined) return await handler(stream, url)
    stream.respond({ ':status': 404 })
    stream.end(
      JSON.stringify({ error: { code: 'agent.not-found', message: `no ${name}`, retryable: false, details: {} } }),
    )
  }
}

export const nodeStatus = (name: string, change: Partial<NodeStatus> = {}): NodeStatus => ({
  name,
  online: true,
  cpuMilli: 4000,
  memoryBytes: 8 * 1024 ** 3,
  diskBytes: 100e9,
  diskFreeBytes: 50e9,
  agentVersion: '0.1.0',
  engineVersion: '20.10.24',
  engineApi: '1.41',
  kernel: '6.1.0',
  os: 'Debian 12',
  cgroup: 'v1',
  gateway: false,
  problems: [],
  ...change,
})
