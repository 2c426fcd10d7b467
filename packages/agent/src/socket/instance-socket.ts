import { once } from 'node:events'
import { chmod, lstat, mkdir, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { dirname } from 'node:path'
import { type Assignment, BerthError, messageOf } from '@berth/core'
import type { Logger } from 'pino'
import { readMaintenance, readMetrics, readReadiness } from './read-report.ts'
import type { Services } from './service-table.ts'

/** What an instance's socket asks of the node, and tells it. */
export interface SocketSubject {
  readonly assignment: Assignment
  /** What is told of it: `GET /v1/instance`. */
  describe(): object
  services(): Services | undefined
  watchServices(listener: () => void): () => void
  readiness(said: { readonly ready: boolean; readonly message?: string }): Promise<void>
  maintenance(said: { readonly message?: string } | undefined): Promise<void>
  metrics(values: ReadonlyMap<string, number>): void
}

const maxConnections = 32
const maxBodyBytes = 16_384
const requestTimeoutMs = 10_000
const heartbeatMs = 15_000
/** A reader that leaves so much unread is let go; it reads the whole again. */
const maxUnreadBytes = 1_048_576

type Handler = (subject: SocketSubject, request: IncomingMessage, response: ServerResponse) => Promise<void> | void

const handlers: Readonly<Record<string, Handler>> = {
  'GET /v1/instance': (subject, _, response) => sendJson(response, subject.describe()),
  'GET /v1/services': (subject, _, response) => {
    const services = subject.services()
    if (services === undefined) throw notKnownYet()
    sendJson(response, services)
  },
  'GET /v1/services/watch': (subject, request, response) => watchServices(subject, request, response),
  'PUT /v1/readiness': async (subject, request, response) => {
    const { readiness, entrypoint } = subject.assignment
    if (readiness?.check.type !== 'report')
      throw new BerthError(
        'socket.not-asked',
        `the readiness of ${entrypoint} is not reported; say health: {readiness: report} in berth.yaml`,
      )
    await subject.readiness(readReadiness(await readBody(request)))
    sendNothing(response)
  },
  'PUT /v1/maintenance': async (subject, request, response) => {
    await subject.maintenance(readMaintenance(await readBody(request)))
    sendNothing(response)
  },
  'PUT /v1/metrics': async (subject, request, response) => {
    subject.metrics(readMetrics(await readBody(request)))
    sendNothing(response)
  },
}

const paths = [...new Set(Object.keys(handlers).map((key) => key.split(' ')[1] ?? ''))]

/** HTTP on a Unix socket that one instance has in its file system. */
export class InstanceSocket implements AsyncDisposable {
  readonly #path: string
  readonly #server: Server
  readonly #log: Logger
  readonly #subject: SocketSubject

  private constructor(path: string, subject: SocketSubject, log: Logger) {
    this.#path = path
    this.#subject = subject
    this.#log = log
    this.#server = createServer({ requestTimeout: requestTimeoutMs, headersTimeout: requestTimeoutMs }, (...call) =>
      this.#answer(...call),
    )
    this.#server.maxConnections = maxConnections
    this.#server.on('error', (error) => log.warn({ reason: messageOf(error) }, 'socket of an instance'))
  }

  /** Takes the place of one that a former agent has left. */
  static async open(path: string, subject: SocketSubject, log: Logger): Promise<InstanceSocket> {
    const socket = new InstanceSocket(path, subject, log)
    await socket.#listen()
    return socket
  }

  async isThere(): Promise<boolean> {
    return (await lstat(this.#path).catch(() => undefined))?.isSocket() === true
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#server.listening) return
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.#server.closeAllConnections()
    await closed
  }

  async #listen(): Promise<void> {
    await mkdir(dirname(this.#path), { recursive: true })
    await rm(this.#path, { force: true })
    const listening = once(this.#server, 'listening')
    this.#server.listen(this.#path)
    await listening
    // Whoever runs in the container may use it; its directory lets nobody else through.
    await chmod(this.#path, 0o666)
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const path = new URL(request.url ?? '/', 'http://berth').pathname
      const handler = handlers[`${request.method} ${path}`]
      if (handler === undefined) return sendError(response, paths.includes(path) ? notAllowed(path) : notFound(path))
      await handler(this.#subject, request, response)
    } catch (error) {
      if (!(error instanceof BerthError))
        this.#log.warn({ err: error }, 'a question at the socket of an instance failed')
      sendError(response, error)
    }
  }
}

/** Server-sent events: what there is now, and the whole again whenever it has changed. */
function watchServices(subject: SocketSubject, request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
  let last = ''
  const send = (text: string): void => {
    response.write(text)
    if (response.writableLength > maxUnreadBytes) request.socket.destroy()
  }
  const tell = (): void => {
    const services = subject.services()
    const text = services === undefined ? '' : JSON.stringify(services)
    if (text === last) return
    last = text
    send(`event: services\ndata: ${text}\n\n`)
  }
  // Something at once, so that the reader knows that it is connected.
  response.write(': services\n\n')
  tell()
  const end = subject.watchServices(tell)
  const heartbeat = setInterval(() => send(': still here\n\n'), heartbeatMs)
  response.once('close', () => {
    clearInterval(heartbeat)
    end()
  })
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > maxBodyBytes)
      throw new BerthError('socket.too-large', `the body is larger than ${maxBodyBytes} bytes; send less at once`)
    chunks.push(chunk)
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'))
  } catch (error) {
    throw new BerthError('socket.invalid', `the body is no JSON: ${messageOf(error)}`)
  }
}

const notFound = (path: string): BerthError =>
  new BerthError('socket.unknown-path', `there is no ${path} here; there are ${paths.join(', ')}`)

function notAllowed(path: string): BerthError {
  const methods = Object.keys(handlers).flatMap((key) => (key.endsWith(` ${path}`) ? [key.split(' ')[0]] : []))
  return new BerthError('socket.wrong-method', `${path} is asked by ${methods.join(' or ')}`)
}

const notKnownYet = (): BerthError =>
  new BerthError('socket.not-known', 'this node has not heard of any service yet; ask again in a moment', {
    retryable: true,
  })

const statuses: Readonly<Record<string, number>> = {
  'socket.unknown-path': 404,
  'socket.wrong-method': 405,
  'socket.not-asked': 409,
  'socket.too-large': 413,
  'socket.invalid': 400,
  'socket.not-known': 503,
}

function sendError(response: ServerResponse, error: unknown): void {
  const { code, message } =
    error instanceof BerthError ? error : { code: 'socket.failed', message: 'it failed; the agent’s log says why' }
  if (response.headersSent) return void response.destroy()
  // What is left of a body is not read.
  response.setHeader('connection', 'close')
  sendJson(response, { error: { code, message } }, statuses[code] ?? 500)
}

function sendJson(response: ServerResponse, body: object, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`)
}

const sendNothing = (response: ServerResponse): void => void response.writeHead(204).end()
