import type { IncomingMessage, ServerResponse } from 'node:http'

/** What a program asks, by whichever way it came. */
export interface Asked {
  readonly method: string
  /** `/v1/kv/a?index=7`, as it was sent. */
  readonly url: string
  /** By their names in lower case. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  /** Of the caller; asking the kernel for it costs something. */
  readonly address: () => string
  readonly body: AsyncIterable<Buffer>
}

/** Where one answer goes. */
export interface Reply {
  /** It was sent, or nobody is there who would take it. */
  readonly isOver: boolean
  /** Called once when the caller goes; perhaps also after the answer was sent. */
  onGone(gone: () => void): void
  /** Once; nothing happens when it is over. */
  send(outgoing: Outgoing): void
}

export type Handle = (asked: Asked, reply: Reply) => void

/** An answer with all its headers, as it is sent to one caller or to thousands. */
export class Outgoing {
  readonly status: number
  /** Names and values in turn. */
  readonly headers: readonly string[]
  readonly body: string | Buffer
  #bytes: Buffer | undefined

  constructor(status: number, headers: readonly string[], body: string | Buffer) {
    this.status = status
    this.headers = [...headers, 'Content-Length', String(Buffer.byteLength(body))]
    this.body = body
  }

  /** All of it as it goes over a connection that is kept, made once; `end` gives the lines that node:http puts behind the headers. */
  bytes(statusText: string, end: () => string): Buffer {
    if (this.#bytes !== undefined) return this.#bytes
    let head = `HTTP/1.1 ${this.status} ${statusText}\r\n`
    for (let at = 0; at < this.headers.length; at += 2) head += `${this.headers[at]}: ${this.headers[at + 1]}\r\n`
    this.#bytes = Buffer.concat([Buffer.from(`${head}${end()}\r\n`, 'latin1'), Buffer.from(this.body)])
    return this.#bytes
  }
}

export const askedBy = (request: IncomingMessage): Asked => ({
  ...{ method: request.method ?? 'GET', url: request.url ?? '/', headers: request.headers, body: request },
  address: () => request.socket.remoteAddress ?? '',
})

/** By node:http. */
export class HttpReply implements Reply {
  readonly #request: IncomingMessage
  readonly #response: ServerResponse

  constructor(request: IncomingMessage, response: ServerResponse) {
    this.#request = request
    this.#response = response
  }

  get isOver(): boolean {
    return this.#response.destroyed || this.#response.headersSent
  }

  onGone(gone: () => void): void {
    this.#response.once('close', gone)
  }

  send({ status, headers, body }: Outgoing): void {
    if (this.isOver) return
    this.#response.writeHead(status, [...headers])
    this.#response.end(this.#request.method === 'HEAD' ? undefined : body)
    // What is left of a body that nobody reads.
    if (!this.#request.complete) this.#request.resume()
  }
}
