import { randomBytes, randomInt } from 'node:crypto'
import { createSocket, type Socket } from 'node:dgram'
import { createConnection, isIPv6 } from 'node:net'
import { BerthError } from '@berth/core'
import { loopMarkBytes, type Query } from './message.ts'
import { encodeUpstreamQuery, readUpstreamAnswer, type UpstreamAnswer } from './upstream-message.ts'

/** Several sockets, each with a port of its own, so that a forger has more to guess than an id. */
const socketCount = 4

interface Waiting {
  readonly query: Query
  readonly resolve: (answer: UpstreamAnswer) => void
  readonly reject: (error: Error) => void
}

interface Channel {
  readonly socket: Socket
  readonly waiting: Map<number, Waiting>
}

/** One of the host's resolvers. */
export class Upstream implements Disposable {
  readonly address: string
  /** Goes with every question, and tells it from others' if it comes back. */
  readonly loopMark = randomBytes(loopMarkBytes).toString('hex')
  readonly #port: number
  readonly #channels = new Map<number, Promise<Channel>>()

  constructor(address: string, port = 53) {
    this.address = address
    this.#port = port
  }

  /** Asks by UDP, and by TCP when the answer did not fit. Rejects when there is no answer within the time. */
  async ask(query: Query, timeoutMs: number): Promise<UpstreamAnswer> {
    const answer = await this.#askByUdp(query, timeoutMs)
    return answer.truncated ? await this.#askByTcp(query, timeoutMs).catch(() => answer) : answer
  }

  [Symbol.dispose](): void {
    const channels = [...this.#channels.values()]
    this.#channels.clear()
    for (const opening of channels)
      void opening.then(
        (channel) => this.#close(channel, 'it was closed'),
        () => {},
      )
  }

  async #askByUdp(query: Query, timeoutMs: number): Promise<UpstreamAnswer> {
    const { socket, waiting } = await this.#channel(randomInt(socketCount))
    const id = freeId(waiting)
    const { promise, resolve, reject } = Promise.withResolvers<UpstreamAnswer>()
    waiting.set(id, { query, resolve, reject })
    const timer = setTimeout(() => reject(this.#failure('it did not answer in time')), timeoutMs)
    socket.send(encodeUpstreamQuery(query, id, this.loopMark), (error) => {
      if (error !== null) reject(error)
    })
    return await promise.finally(() => {
      clearTimeout(timer)
      waiting.delete(id)
    })
  }

  #channel(index: number): Promise<Channel> {
    const existing = this.#channels.get(index)
    if (existing !== undefined) return existing
    const opening = this.#open(index)
    this.#channels.set(index, opening)
    opening.catch(() => this.#channels.delete(index))
    return opening
  }

  async #open(index: number): Promise<Channel> {
    const socket = createSocket(isIPv6(this.address) ? 'udp6' : 'udp4')
    const channel: Channel = { socket, waiting: new Map() }
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    socket.on('message', (message) => receive(channel, message))
    socket.on('error', (error) => {
      reject(error)
      this.#channels.delete(index)
      this.#close(channel, error.message)
    })
    // Connected: the kernel lets nobody else's packets in, and reports a port where nobody listens at once.
    socket.connect(this.#port, this.address, () => resolve())
    await promise
    return channel
  }

  #close({ socket, waiting }: Channel, why: string): void {
    for (const { reject } of waiting.values()) reject(this.#failure(why))
    try {
      socket.close()
    } catch {
      // Closed by an error before.
    }
  }

  #askByTcp(query: Query, timeoutMs: number): Promise<UpstreamAnswer> {
    const id = randomInt(0x10000)
    const request = encodeUpstreamQuery(query, id, this.loopMark)
    const length = Buffer.alloc(2)
    length.writeUInt16BE(request.length)
    return new Promise((resolve, reject) => {
      const socket = createConnection({ host: this.address, port: this.#port, timeout: timeoutMs })
      let received = Buffer.alloc(0)
      const fail = (why: string) => {
        socket.destroy()
        reject(this.#failure(why))
      }
      socket.on('error', (error) => fail(error.message))
      socket.on('timeout', () => fail('it did not answer by TCP in time'))
      socket.on('end', () => fail('it ended the connection'))
      socket.on('data', (chunk: Buffer) => {
        received = Buffer.concat([received, chunk])
        if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return
        socket.destroy()
        const answer = readUpstreamAnswer(received.subarray(2, 2 + received.readUInt16BE(0)), query, id)
        if (answer === undefined) fail('it answered something else')
        else resolve(answer)
      })
      socket.write(Buffer.concat([length, request]))
    })
  }

  #failure(why: string): BerthError {
    return new BerthError('netd.upstream-failed', `ask the resolver ${this.address}: ${why}`, { retryable: true })
  }
}

function freeId(waiting: ReadonlyMap<number, Waiting>): number {
  let id = randomInt(0x10000)
  while (waiting.has(id)) id = (id + 1) & 0xffff
  return id
}

function receive({ waiting }: Channel, message: Buffer): void {
  if (message.length < 2) return
  const id = message.readUInt16BE(0)
  const asked = waiting.get(id)
  const answer = asked === undefined ? undefined : readUpstreamAnswer(message, asked.query, id)
  if (answer !== undefined) asked?.resolve(answer)
}
