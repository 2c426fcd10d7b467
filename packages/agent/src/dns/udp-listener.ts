import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { isIPv6 } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { Query } from './message.ts'
import type { Responder } from './responder.ts'

/** Less than what a service manager waits before it kills. */
export const endGraceMs = 2000

const receiveBufferBytes = 4 * 1024 * 1024
const limitOf = (query: Query): number => query.udpBytes

/**
 * Serves DNS by UDP at one address. Several processes may serve the same one (the kernel shares the packets out between them), so that
 * a new process takes over before the old one ends.
 */
export class UdpListener implements AsyncDisposable {
  readonly #socket: Socket
  readonly #responder: Responder
  readonly #pending = new Set<Promise<void>>()
  #closed = false

  private constructor(socket: Socket, responder: Responder) {
    this.#socket = socket
    this.#responder = responder
    socket.on('message', (message, from) => this.#receive(message, from))
    // A client that is gone is no reason to end: UDP reports it on the next use of the socket.
    socket.on('error', () => {})
  }

  /** Rejects with the system's error (`EADDRNOTAVAIL`, `EADDRINUSE`, `EACCES`). `port` 0 takes a free one. */
  static async open(address: string, port: number, responder: Responder): Promise<UdpListener> {
    const family = isIPv6(address) ? 6 : 4
    const socket = createSocket({
      type: `udp${family}`,
      reusePort: true,
      recvBufferSize: receiveBufferBytes,
      // Askers are known by address; the default takes a turn of the event loop to find that out.
      lookup: (host, _options, done) => done(null, host, family),
    })
    const listening = once(socket, 'listening')
    socket.bind({ port, address, exclusive: true })
    try {
      await listening
    } catch (error) {
      socket.close()
      throw error
    }
    return new UdpListener(socket, responder)
  }

  get port(): number {
    return this.#socket.address().port
  }

  /** What has arrived is answered first, unless others take too long to say it. */
  async [Symbol.asyncDispose](): Promise<void> {
    // Packets in the socket's buffer are read in this turn of the event loop, or in the next.
    for (let turn = 0; turn < 2; turn++) await new Promise((resolve) => setImmediate(resolve))
    await Promise.race([Promise.all(this.#pending), delay(endGraceMs, undefined, { ref: false })])
    this.#closed = true
    const closed = once(this.#socket, 'close')
    this.#socket.close()
    await closed
  }

  #receive(message: Buffer, from: RemoteInfo): void {
    const answer = this.#responder.respond(message, from.address, limitOf)
    if (answer instanceof Promise) {
      const sending = answer.then((late) => this.#send(late, from)).finally(() => this.#pending.delete(sending))
      this.#pending.add(sending)
    } else if (answer !== undefined) this.#send(answer, from)
  }

  /** Without a callback, which would cost a turn of the queue for each answer: where one cannot be sent, the asker asks again. */
  #send(answer: Buffer, to: RemoteInfo): void {
    if (!this.#closed) this.#socket.send(answer, to.port, to.address)
  }
}
