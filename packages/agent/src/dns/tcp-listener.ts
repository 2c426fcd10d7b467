import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import type { Responder } from './responder.ts'
import { endGraceMs } from './udp-listener.ts'

const maxConnections = 512
const idleTimeoutMs = 10_000
const maxMessageBytes = 65_535
const limitOf = (): number => maxMessageBytes

/** Serves DNS by TCP at one address: messages with their length before them, several on a connection, answered as they get ready. */
export class TcpListener implements AsyncDisposable {
  readonly #server: Server
  readonly #connections = new Set<Connection>()

  private constructor(server: Server, responder: Responder) {
    this.#server = server
    server.maxConnections = maxConnections
    server.on('connection', (socket) => {
      const connection = new Connection(socket, responder)
      this.#connections.add(connection)
      socket.once('close', () => this.#connections.delete(connection))
    })
    server.on('error', () => {})
  }

  /** Rejects with the system's error (`EADDRNOTAVAIL`, `EADDRINUSE`, `EACCES`). */
  static async open(address: string, port: number, responder: Responder): Promise<TcpListener> {
    const server = createServer()
    server.listen({ host: address, port, reusePort: true, exclusive: true })
    await once(server, 'listening')
    return new TcpListener(server, responder)
  }

  /** Questions under way are answered first. Peers that leave their end of a connection open are not waited for. */
  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    for (const connection of this.#connections) connection.end()
    const timer = setTimeout(() => {
      for (const connection of this.#connections) connection.destroy()
    }, endGraceMs)
    await closed
    clearTimeout(timer)
  }
}

class Connection {
  readonly #socket: Socket
  readonly #responder: Responder
  #received: Buffer = Buffer.alloc(0)
  #open = 0
  #ending = false

  constructor(socket: Socket, responder: Responder) {
    this.#socket = socket
    this.#responder = responder
    socket.setTimeout(idleTimeoutMs, () => socket.destroy())
    socket.on('error', () => socket.destroy())
    socket.on('end', () => this.end())
    socket.on('data', (chunk: Buffer) => this.#receive(chunk))
  }

  /** Ends it once the answers under way are sent. */
  end(): void {
    this.#ending = true
    if (this.#open === 0) this.#socket.end()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  #receive(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk])
    while (this.#received.length >= 2) {
      const end = 2 + this.#received.readUInt16BE(0)
      if (this.#received.length < end) return
      const message = this.#received.subarray(2, end)
      this.#received = this.#received.subarray(end)
      void this.#answer(message)
    }
  }

  async #answer(message: Buffer): Promise<void> {
    this.#open++
    const answer = await this.#responder.respond(message, addressOf(this.#socket), limitOf)
    this.#open--
    // A connection that carries nonsense is of no more use.
    if (answer === undefined) this.#socket.destroy()
    else this.#send(answer)
    if (this.#ending) this.end()
  }

  #send(answer: Buffer): void {
    const length = Buffer.alloc(2)
    length.writeUInt16BE(answer.length)
    this.#socket.cork()
    this.#socket.write(length)
    this.#socket.write(answer)
    this.#socket.uncork()
  }
}

const addressOf = (socket: Socket): string => socket.remoteAddress ?? ''
