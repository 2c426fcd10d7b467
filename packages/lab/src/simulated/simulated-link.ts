import { performServerHandshake, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import { setTimeout as delay } from 'node:timers/promises'
import type { TLSSocket } from 'node:tls'
import { type FromAgent, peersHeader } from '@berth/api'
import type { AgentDialer, NodeCredentials } from './agent-dialer.ts'
import { answerRequest } from './agent-requests.ts'
import { LineSplitter } from './line-splitter.ts'

/** As real agents have it: so long between attempts to reach a server. */
const firstPauseMs = 100
const maxPauseMs = 2_000
const windowBytes = 1_048_576

export interface LinkListener {
  /** What the node has of its peers. */
  peers(): string
  /** A server has opened the sync stream; one that only listens wants to know what the node is. */
  onSync(link: SimulatedLink, onlyListens: boolean): void
  onLine(link: SimulatedLink, line: Buffer): void
  onDrain(link: SimulatedLink): void
  onSyncEnd(link: SimulatedLink): void
}

/** A simulated node's connection to one server, dialled again whenever it ends. */
export class SimulatedLink {
  /** How often it has tried to reach the server. */
  dials = 0
  readonly #dialer: AgentDialer
  readonly #listener: LinkListener
  #session: ServerHttp2Session | undefined
  #sync: ServerHttp2Stream | undefined
  #isBlocked = false
  #isHanging = false

  constructor(dialer: AgentDialer, listener: LinkListener) {
    this.#dialer = dialer
    this.#listener = listener
  }

  get isBlocked(): boolean {
    return this.#isBlocked
  }

  /** Dials, and goes on until the signal comes. */
  async run(credentials: NodeCredentials, signal: AbortSignal): Promise<void> {
    for (let failures = 0; !signal.aborted; failures += 1) {
      try {
        this.dials += 1
        const socket = await this.#dialer.dial(credentials, signal)
        const startedAt = performance.now()
        await this.#serve(socket)
        if (performance.now() - startedAt > 10_000) failures = 0
      } catch {
        // The server is not there, or has had enough of this connection: again after a pause.
      }
      const limitMs = Math.min(maxPauseMs, firstPauseMs * 2 ** Math.min(failures, 10))
      await delay(limitMs / 2 + Math.random() * (limitMs / 2), undefined, { signal }).catch(() => undefined)
    }
  }

  cut(): void {
    this.#session?.destroy()
  }

  /** Ends the stream alone: this server is not obeyed. */
  refuse(): void {
    this.#sync?.close()
  }

  hang(): void {
    this.#isHanging = true
    this.#sync?.pause()
  }

  wake(): void {
    this.#isHanging = false
    this.#sync?.resume()
  }

  write(text: string): void {
    const stream = this.#sync
    if (stream === undefined || stream.destroyed) return
    if (!stream.write(text)) this.#isBlocked = true
  }

  send(line: FromAgent): void {
    this.write(`${JSON.stringify(line)}\n`)
  }

  async #serve(socket: TLSSocket): Promise<void> {
    const session = performServerHandshake(socket, {
      settings: { initialWindowSize: windowBytes, enablePush: false },
    })
    this.#session = session
    session.setLocalWindowSize(windowBytes)
    session.on('error', () => undefined)
    session.on('stream', (stream, headers) => {
      stream.on('error', () => undefined)
      const path = String(headers[':path'])
      if (path.split('?')[0] === '/v1/sync') this.#serveSync(stream, path.endsWith('mode=listen'))
      else answerRequest(stream, String(headers[':method']), path).catch(() => stream.destroy())
    })
    await new Promise<void>((resolve) => session.once('close', resolve))
    if (this.#session === session) this.#session = undefined
  }

  #serveSync(stream: ServerHttp2Stream, onlyListens: boolean): void {
    const said = onlyListens ? {} : { [peersHeader]: this.#listener.peers() }
    stream.respond({ ':status': 200, 'content-type': 'application/x-ndjson', ...said })
    this.#sync = stream
    this.#isBlocked = false
    this.#listener.onSync(this, onlyListens)
    const splitter = new LineSplitter((line) => {
      if (this.#sync === stream) this.#listener.onLine(this, line)
    })
    stream.on('data', (chunk: Buffer) => splitter.take(chunk))
    stream.on('drain', () => {
      this.#isBlocked = false
      this.#listener.onDrain(this)
    })
    stream.once('close', () => {
      if (this.#sync !== stream) return
      this.#sync = undefined
      this.#listener.onSyncEnd(this)
    })
    if (this.#isHanging) stream.pause()
  }
}
