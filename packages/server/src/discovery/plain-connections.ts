import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { Handle, Outgoing, Reply } from './consul-exchange.ts'
import { readPlainRequest } from './plain-request.ts'

export interface PlainConnectionsOptions {
  readonly handle: Handle
  /** How long one without a call stays open. */
  readonly keepAliveMs: number
  /** Of {@link WaitingCalls}: whoever has been answered since then asks again only after those who have no answer yet. */
  readonly tellingSince?: () => number | undefined
  readonly now?: () => number
}

/**
 * Connections that are kept and ask one plain GET after the other, as those do that wait. They cost a tenth of what node:http keeps and makes
 * for a call, and of an answer to thousands they write the same bytes. Whatever else comes goes to node:http, with its connection and for good.
 */
export class PlainConnections implements Disposable {
  readonly #options: PlainConnectionsOptions
  readonly #open = new Set<PlainConnection>()
  readonly #timer: NodeJS.Timeout
  /** Their questions wait. */
  readonly #later: PlainConnection[] = []

  constructor(options: PlainConnectionsOptions) {
    this.#options = options
    this.#timer = setInterval(() => this.closeIdle(options.keepAliveMs), options.keepAliveMs / 5).unref()
  }

  get size(): number {
    return this.#open.size
  }

  /** `handOver` gets a socket with all that has not been answered yet still to be read. */
  take(socket: Socket, handOver: (socket: Socket) => void): void {
    const { handle, keepAliveMs, tellingSince = () => undefined, now = () => performance.now() } = this.#options
    const timeout = Math.floor(keepAliveMs / 1_000)
    const end = (): string =>
      `Date: ${new Date().toUTCString()}\r\nConnection: keep-alive\r\nKeep-Alive: timeout=${timeout}\r\n`
    const connection: PlainConnection = new PlainConnection(socket, {
      ...{ handle, end, now, tellingSince },
      later: () => this.#takeLater(connection),
      left: () => this.#open.delete(connection),
      handOver,
    })
    this.#open.add(connection)
  }

  #takeLater(connection: PlainConnection): void {
    if (this.#later.push(connection) === 1) setImmediate(this.#look)
  }

  readonly #look = (): void => {
    if (this.#options.tellingSince?.() !== undefined) setImmediate(this.#look)
    else for (const connection of this.#later.splice(0)) connection.takeNext()
  }

  /** Of those without a call, which have been so for `idleMs`. */
  closeIdle(idleMs: number): void {
    const before = (this.#options.now ?? (() => performance.now()))() - idleMs
    for (const connection of [...this.#open]) if (connection.idleSince <= before) connection.close()
  }

  closeAll(): void {
    for (const connection of [...this.#open]) connection.destroy()
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
    this.closeAll()
  }
}

interface Surroundings {
  readonly handle: Handle
  /** Last lines of an answer's headers. */
  readonly end: () => string
  readonly now: () => number
  readonly tellingSince: () => number | undefined
  /** Calls `takeNext` once all have been told. */
  readonly later: () => void
  readonly left: () => void
  readonly handOver: (socket: Socket) => void
}

class PlainConnection {
  readonly #socket: Socket
  readonly #around: Surroundings
  /** Of the call that goes on. */
  #reply: PlainReply | undefined
  /** Came while one goes on, or others have no answer yet. */
  #next: Buffer | undefined
  #idleSince: number

  constructor(socket: Socket, around: Surroundings) {
    this.#socket = socket
    this.#around = around
    this.#idleSince = around.now()
    socket.setNoDelay(true)
    socket.on('data', this.#take).on('end', this.#endToo).on('error', this.#failed).on('close', this.#closed)
  }

  /** While a call goes on, or is still to be looked at, it is not idle. */
  get idleSince(): number {
    return this.#reply === undefined && this.#next === undefined ? this.#idleSince : Number.POSITIVE_INFINITY
  }

  close(): void {
    this.#socket.destroySoon()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  readonly #take = (bytes: Buffer): void => {
    const isFirst = this.#reply === undefined && this.#next === undefined
    const since = this.#around.tellingSince()
    const isTooSoon = since !== undefined && this.#idleSince >= since
    if (isFirst && !isTooSoon) {
      this.#ask(bytes)
      return
    }
    // The answer comes first. What is read is bounded by one chunk.
    this.#next = this.#next === undefined ? bytes : Buffer.concat([this.#next, bytes])
    this.#socket.pause()
    if (isFirst) this.#around.later()
  }

  #ask(bytes: Buffer): void {
    const request = readPlainRequest(bytes)
    if (request === undefined) {
      this.#leave(bytes)
      return
    }
    this.#reply = new PlainReply(this)
    const { url, headers } = request
    this.#around.handle({ method: 'GET', url, headers, address: this.#address, body: nothing }, this.#reply)
  }

  readonly #address = (): string => this.#socket.remoteAddress ?? ''

  /** To node:http, which begins with what could not be read here. */
  #leave(bytes: Buffer): void {
    const { left, handOver } = this.#around
    const socket = this.#socket
    socket.off('data', this.#take).off('end', this.#endToo).off('error', this.#failed).off('close', this.#closed)
    left()
    socket.pause()
    socket.unshift(bytes)
    handOver(socket)
    socket.resume()
  }

  send(outgoing: Outgoing): void {
    this.#reply = undefined
    this.#idleSince = this.#around.now()
    if (this.#socket.destroyed) return
    this.#socket.write(outgoing.bytes(STATUS_CODES[outgoing.status] ?? '', this.#around.end))
    // Not from within: the answer may have been sent while its question was read.
    if (this.#next !== undefined) setImmediate(this.takeNext)
  }

  readonly takeNext = (): void => {
    const bytes = this.#next
    this.#next = undefined
    if (bytes === undefined || this.#socket.destroyed) return
    this.#ask(bytes)
    this.#socket.resume()
  }

  readonly #endToo = (): void => {
    this.#socket.end()
    this.#reply?.leave()
  }

  readonly #failed = (): void => void this.#socket.destroy()

  readonly #closed = (): void => {
    this.#around.left()
    this.#reply?.leave()
  }
}

class PlainReply implements Reply {
  #connection: PlainConnection | undefined
  #gone: (() => void) | undefined

  constructor(connection: PlainConnection) {
    this.#connection = connection
  }

  get isOver(): boolean {
    return this.#connection === undefined
  }

  onGone(gone: () => void): void {
    this.#gone = gone
  }

  send(outgoing: Outgoing): void {
    const connection = this.#connection
    this.#connection = undefined
    this.#gone = undefined
    connection?.send(outgoing)
  }

  /** Nobody is there any more. */
  leave(): void {
    const gone = this.#gone
    this.#connection = undefined
    this.#gone = undefined
    gone?.()
  }
}

const nothing: AsyncIterable<Buffer> = {
  async *[Symbol.asyncIterator]() {},
}
