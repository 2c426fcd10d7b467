import { once } from 'node:events'
import { mkdir, rename, rm, stat } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { dirname } from 'node:path'
import { BerthError, messageOf } from '@berth/core'
import type { Logger } from 'pino'
import { badCall, isRecord, type PluginBody, type PluginHandlers } from './plugin-call.ts'

const bodyLimitBytes = 1024 * 1024
const closeLimitMs = 2_000
const contentType = 'application/vnd.docker.plugins.v1.2+json'

/**
 * Docker's plugin protocol over a unix socket: POST with a body of JSON, answered with JSON; what went wrong is its `Err` and `Error`,
 * which Docker shows to whoever asked.
 *
 * The socket is bound to a name of its own and renamed into place. So a successor takes over from a predecessor without a moment in
 * between, and closing the predecessor, which removes the name that it was bound to, does not remove the successor's.
 */
export class PluginServer implements AsyncDisposable {
  readonly #path: string
  readonly #handlers: PluginHandlers
  readonly #log: Logger
  #server: Server | undefined

  constructor(path: string, handlers: PluginHandlers, log: Logger) {
    this.#path = path
    this.#handlers = handlers
    this.#log = log
  }

  /** Serves at the path, in place of whoever did. Throws `plugin.cannot-serve`. */
  async open(): Promise<void> {
    const temporary = `${this.#path}.${process.pid}`
    const server = createServer((request, response) => void this.#serve(request, response))
    // Docker keeps its connections, and waits a second before it tries again by one that was just being closed.
    server.keepAliveTimeout = 0
    try {
      await mkdir(dirname(this.#path), { recursive: true, mode: 0o755 })
      await rm(temporary, { force: true })
      server.listen(temporary)
      await once(server, 'listening')
      await rename(temporary, this.#path)
    } catch (cause) {
      server.close()
      const text = `serve Docker's network plugin at ${this.#path}: ${messageOf(cause)}`
      throw new BerthError('plugin.cannot-serve', text, { cause, retryable: true })
    }
    const former = this.#server
    this.#server = server
    if (former !== undefined) await closed(former)
  }

  /** Serves anew when somebody has removed the socket, or it could not be made before; a successor's is left alone. */
  async keep(): Promise<void> {
    const found = await stat(this.#path).then(
      () => true,
      () => false,
    )
    if (found && this.#server !== undefined) return
    await this.open()
    this.#log.info({ path: this.#path }, "made the socket of Docker's network plugin anew")
  }

  /** The path stays: whoever calls meanwhile is told that nobody is there, and tries again. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#server !== undefined) await closed(this.#server)
    this.#server = undefined
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? ''
    try {
      const answer = await this.#answer(path, await readBody(request))
      this.#log.debug({ path }, 'answered Docker')
      send(response, 200, answer)
    } catch (error) {
      this.#log.warn({ path, error: messageOf(error) }, 'refused a call of Docker')
      // Docker reads the one of network drivers and the other of IPAM drivers.
      send(response, statusOf(error), { Err: messageOf(error), Error: messageOf(error) })
    }
  }

  async #answer(path: string, text: string): Promise<object> {
    const handler = Object.hasOwn(this.#handlers, path) ? this.#handlers[path] : undefined
    if (handler === undefined) {
      const known = Object.keys(this.#handlers).join(', ')
      throw new BerthError('plugin.unknown-call', `there is no call ${path.slice(0, 200)}; there are: ${known}`)
    }
    // Docker reads what it sends but once: where an answer is lost it calls again with nothing.
    if (text === '' && handler.length > 0)
      throw new BerthError(
        'plugin.call-cut',
        `${path.slice(1)}: netd ended while Docker asked, and Docker asks again without saying what; start the container again`,
        { retryable: true },
      )
    return await handler(parseBody(text))
  }
}

/** By their status Docker tells only calls that a plugin does not have. */
function statusOf(error: unknown): number {
  if (!(error instanceof BerthError)) return 500
  if (error.code === 'plugin.unknown-call') return 404
  return error.code === 'plugin.bad-call' ? 400 : 200
}

function send(response: ServerResponse, status: number, answer: object): void {
  response.writeHead(status, { 'Content-Type': contentType }).end(JSON.stringify(answer))
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > bodyLimitBytes) throw badCall(`the body is longer than ${bodyLimitBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** Some calls come without a body, or with `null`. */
function parseBody(text: string): PluginBody {
  if (text.trim() === '') return {}
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch (cause) {
    throw new BerthError('plugin.bad-call', `the body is no JSON: ${messageOf(cause)}`, { cause })
  }
  if (body === null) return {}
  if (!isRecord(body)) throw badCall('the body has to be an object')
  return body
}

async function closed(server: Server): Promise<void> {
  const end = once(server, 'close')
  server.close()
  // What is being answered is answered first, and its connection is idle then.
  const idle = setInterval(() => server.closeIdleConnections(), 20)
  const limit = setTimeout(() => server.closeAllConnections(), closeLimitMs)
  await end
  clearInterval(idle)
  clearTimeout(limit)
}
