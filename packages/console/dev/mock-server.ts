import { readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { extname, join, normalize } from 'node:path'
import type { Endpoint, ErrorBody } from '@berth/api/endpoint'
import { endpoints } from '@berth/api/endpoints'
import { BerthError, messageOf } from '@berth/core/model/berth-error'
import { WebSocketServer } from 'ws'
import { matchPath } from '../src/router/match-path.ts'
import { accessHandlers } from './access-handlers.ts'
import { serveExec } from './exec-echo.ts'
import { type Call, type JsonHandlers, jsonHandlers } from './handlers.ts'
import { late } from './late.ts'
import { MockStore } from './mock-store.ts'
import { nameHandlers } from './name-handlers.ts'
import { networkHandlers } from './network-handlers.ts'
import { planHandlers } from './plan-handlers.ts'
import { schedulingHandlers } from './scheduling-handlers.ts'
import { seed } from './seed.ts'
import { Simulation } from './simulation.ts'
import { sizingHandlers } from './sizing-handlers.ts'
import { followLines, sendList, watchList } from './stream-answers.ts'
import { trafficHandlers } from './traffic-handlers.ts'

export interface MockOptions {
  readonly port?: number
  /** The built console; without it only the API is served. */
  readonly dist?: string
  /** A step of builds and rollouts. */
  readonly stepMs?: number
  readonly empty?: boolean
}

export const mockToken = 'berth_dev_token'
/** What each token may do. */
const roles = { [mockToken]: 'admin', berth_deployer_token: 'deployer', berth_viewer_token: 'viewer' } as const
export type MockToken = keyof typeof roles
const ranks: Readonly<Record<string, number>> = { none: 0, viewer: 1, deployer: 2, admin: 3 }
const types: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
}
const security = {
  'content-security-policy': "default-src 'self'; style-src 'self' 'unsafe-inline'",
  'x-content-type-options': 'nosniff',
}

/** The API that the console uses, with data that change, on loopback. For development and for the browser tests. */
export class MockServer implements AsyncDisposable {
  readonly store = new MockStore()
  readonly simulation: Simulation
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #stop = new AbortController()
  readonly #handlers: JsonHandlers
  readonly #dist: string | undefined
  /** While true every request is cut off, as with a server that is down. */
  #down = false

  private constructor({ dist, stepMs = 900, empty = false }: MockOptions) {
    this.#dist = dist
    if (!empty) seed(this.store, Date.now())
    this.simulation = new Simulation(this.store, stepMs, this.#stop.signal)
    this.#handlers = {
      ...jsonHandlers(this.store, this.simulation, Date.now()),
      ...accessHandlers(this.store),
      ...schedulingHandlers(this.store, this.simulation),
      ...networkHandlers(this.store),
      ...nameHandlers(this.store),
      ...planHandlers(this.store, this.simulation),
      ...sizingHandlers(this.store),
      ...trafficHandlers(this.store),
    }
    this.#server = createServer((request, response) => void this.#answer(request, response))
    this.#server.on('connection', (socket) => {
      if (this.#down) return socket.destroy()
      this.#sockets.add(socket)
      socket.once('close', () => this.#sockets.delete(socket))
    })
    const exec = new WebSocketServer({ server: this.#server })
    exec.on('connection', (socket, request) => {
      const query = new URL(request.url ?? '/', 'http://mock').searchParams
      serveExec(socket, query.get('columns') ?? '80', query.get('rows') ?? '24')
    })
  }

  static async start(options: MockOptions = {}): Promise<MockServer> {
    const mock = new MockServer(options)
    await new Promise<void>((resolve) => mock.#server.listen(options.port ?? 0, '127.0.0.1', resolve))
    return mock
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Cuts all connections, and every new one until {@link comeBack}. */
  goDown(): void {
    this.#down = true
    for (const socket of this.#sockets) socket.destroy()
  }

  comeBack(): void {
    this.#down = false
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    this.goDown()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://mock')
    try {
      if (url.pathname.startsWith('/v1/')) await late()
      if (url.pathname === '/v1/login') return await login(request, response)
      if (url.pathname === '/v1/logout')
        return void response.writeHead(200, { 'set-cookie': 'berth_session=; Max-Age=0; Path=/' }).end('{"ok":true}')
      if (url.pathname.startsWith('/v1/')) return await this.#api(url, request, response)
      await this.#file(url.pathname, response)
    } catch (error) {
      sendError(response, error)
    }
  }

  async #api(url: URL, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const role = /berth_session=(\w+)/.exec(request.headers.cookie ?? '')?.[1]
    if (role === undefined) throw new BerthError('auth.missing', 'log in first')
    for (const [name, endpoint] of Object.entries(endpoints) as [keyof typeof endpoints, Endpoint][]) {
      const params = endpoint.method === request.method ? matchPath(endpoint.path, url.pathname) : undefined
      if (params === undefined) continue
      if ((ranks[role] ?? 0) < (ranks[endpoint.role] ?? 9))
        throw new BerthError('auth.forbidden', `${name} needs the role ${endpoint.role}`)
      const call: Call = { params, query: Object.fromEntries(url.searchParams), body: await readBody(request) }
      if (endpoint.transport === 'list') {
        const list = name as Parameters<typeof sendList>[1]
        return call.query.watch === 'true'
          ? watchList(this.store, list, call, response)
          : sendList(this.store, list, call, response)
      }
      if (endpoint.transport === 'ndjson') return followLines(this.store, name, call, response)
      const handler = this.#handlers[name as keyof JsonHandlers]
      if (handler === undefined) throw new BerthError('mock.missing', `the mock does not answer ${name}`)
      const answer = handler(call)
      return sendJson(response, 200, name === 'getStatus' ? { ...answer, role, actor: actorOf[role] } : answer)
    }
    throw new BerthError('api.not-found', `there is no ${request.method} ${url.pathname}`)
  }

  async #file(pathname: string, response: ServerResponse): Promise<void> {
    if (this.#dist === undefined) throw new BerthError('api.not-found', 'the mock was started without a built console')
    // A page's address may look like a file's (`/instances/shop.production.web-4`): what is no file is a page.
    const file =
      pathname === '/' ? undefined : await readFile(join(this.#dist, normalize(pathname))).catch(() => undefined)
    const name = file === undefined ? '/index.html' : pathname
    const content = file ?? (await readFile(join(this.#dist, name)))
    // As the server does: names of assets change with what is in them.
    const caching = name.startsWith('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache'
    const type = types[extname(name)] ?? 'application/octet-stream'
    response.writeHead(200, { 'content-type': type, 'cache-control': caching, ...security }).end(content)
  }
}

const actorOf: Readonly<Record<string, string>> = { admin: 'token:dev', deployer: 'token:mai', viewer: 'token:guest' }

async function login(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { token } = await readBody(request)
  const role = roles[token as MockToken]
  if (role === undefined)
    throw new BerthError('auth.invalid-token', 'the token is not valid: it is mistyped, or it was revoked')
  response.setHeader('set-cookie', `berth_session=${role}; HttpOnly; SameSite=Strict; Path=/`)
  sendJson(response, 200, { ok: true })
}

// biome-ignore lint/suspicious/noExplicitAny: whatever was sent
async function readBody(request: IncomingMessage): Promise<any> {
  let text = ''
  for await (const chunk of request) text += chunk
  return text === '' ? {} : JSON.parse(text)
}

const sendJson = (response: ServerResponse, code: number, body: unknown): void =>
  void response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(body))

function sendError(response: ServerResponse, error: unknown): void {
  if (response.headersSent) return void response.end()
  const { code, retryable, details } =
    error instanceof BerthError ? error : { code: 'mock.failed', retryable: false, details: {} }
  const body: ErrorBody = { error: { code, message: messageOf(error), retryable, details } }
  sendJson(
    response,
    code === 'auth.forbidden' ? 403 : code.startsWith('auth.') ? 401 : /not-(found|set)$/.test(code) ? 404 : 400,
    body,
  )
}
