import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from 'node:http2'
import type { TLSSocket } from 'node:tls'
import type { ErrorBody } from '@berth/api'
import { BerthError } from '@berth/core'
import { readBoundedLines } from './bounded-lines.ts'

const maxErrorBytes = 65_536
/** What the server takes in before it has read it, per stream and for the whole link. */
const streamWindowBytes = 1_048_576
const linkWindowBytes = 8_388_608

export interface RequestOptions {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  readonly path: string
  readonly headers?: OutgoingHttpHeaders
  /** True: the answer is all there is to wait for. False: the caller writes a body and ends it. */
  readonly endStream: boolean
  readonly signal?: AbortSignal | undefined
}

/** One agent's connection: HTTP/2 with the server as the client, on the socket that the agent dialled. */
export class AgentLink {
  readonly node: string
  readonly #session: ClientHttp2Session
  readonly #closed = new AbortController()

  constructor(node: string, socket: TLSSocket) {
    this.node = node
    this.#session = connect(`https://${node}`, {
      createConnection: () => socket,
      settings: { initialWindowSize: streamWindowBytes, enablePush: false },
    })
    this.#session.setLocalWindowSize(linkWindowBytes)
    // Without a listener an error of the session would end the process; every stream learns of it by itself.
    this.#session.on('error', () => undefined)
    this.#session.once('close', () => this.#closed.abort(linkLost(node)))
  }

  /** Aborts when the link is gone. */
  get closed(): AbortSignal {
    return this.#closed.signal
  }

  /** `why` reaches the agent with the connection's end. */
  close(why: string): void {
    if (this.#session.destroyed) return
    this.#session.goaway(constants.NGHTTP2_NO_ERROR, 0, Buffer.from(why))
    this.#session.destroy()
  }

  /** Throws `node.offline` when the link is gone or going. */
  requireOpen(): void {
    if (this.#session.closed || this.#session.destroyed) throw linkLost(this.node)
  }

  /** Opens a stream. It is destroyed when the signal aborts; the caller reads its answer with {@link answerOf}. */
  open(options: RequestOptions): ClientHttp2Stream {
    this.requireOpen()
    const { method, path, headers, endStream, signal } = options
    const stream = this.#session.request(
      { ':method': method, ':path': path, ...headers },
      { endStream, ...(signal === undefined ? {} : { signal }) },
    )
    // Whoever reads it gets the error as well; a stream that nobody reads yet must not end the process.
    stream.on('error', () => undefined)
    return stream
  }
}

const linkLost = (node: string): BerthError =>
  new BerthError('node.offline', `the link to node ${node} was lost; its agent dials again by itself`, {
    retryable: true,
    details: { node },
  })

/** Waits for the answer's head; an error document becomes a `BerthError` with the agent's own code. */
export async function answerOf(
  link: AgentLink,
  stream: ClientHttp2Stream,
  signal?: AbortSignal,
): Promise<IncomingHttpHeaders> {
  const head = await headOf(link, stream, signal)
  const status = Number(head[':status'] ?? 0)
  if (status < 400) return head
  let text = ''
  for await (const line of readBoundedLines(stream, maxErrorBytes)) text += line
  throw errorOf(link.node, status, text)
}

async function headOf(link: AgentLink, stream: ClientHttp2Stream, signal?: AbortSignal): Promise<IncomingHttpHeaders> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingHttpHeaders>()
  stream.once('response', (headers) => resolve(headers))
  stream.once('error', (error) => reject(error))
  stream.once('close', () => reject(linkLost(link.node)))
  try {
    return await promise
  } catch (error) {
    throw failureOf(link, error, signal)
  }
}

/** The reason that a caller can do something with: its own abort, the lost link, or what the stream said. */
export function failureOf(link: AgentLink, error: unknown, signal?: AbortSignal): unknown {
  if (signal?.aborted === true) return signal.reason
  if (error instanceof BerthError) return error
  if (link.closed.aborted) return link.closed.reason
  return new BerthError('agent.stream-failed', `a stream to node ${link.node} failed: ${String(error)}`, {
    retryable: true,
    cause: error,
    details: { node: link.node },
  })
}

function errorOf(node: string, status: number, text: string): BerthError {
  try {
    const { error } = JSON.parse(text) as ErrorBody
    return new BerthError(error.code, error.message, {
      retryable: error.retryable,
      details: { ...error.details, node },
    })
  } catch {
    return new BerthError('agent.refused', `node ${node} answered ${status}: ${text.slice(0, 500)}`, {
      details: { node, status },
    })
  }
}
