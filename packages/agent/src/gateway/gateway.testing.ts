import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, readFile } from 'node:fs/promises'
import { createServer as createHttpServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { type AddressInfo, connect, type Server } from 'node:net'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { freePort } from '@berth/api/testing/free-ports.testing'
import { pino } from 'pino'
import { Scratch } from '../testing/scratch.ts'
import type { Gateway } from './gateway.ts'
import { createNginxGateway } from './nginx-gateway.ts'
import type { NginxGatewayOptions } from './nginx-options.ts'

/** A gateway counts by names that hold the port: one that came again would go on with the counts of who had it before. */
const portsGiven = new Set<number>()

async function listenOnNewPort(server: Server): Promise<number> {
  for (let tries = 0; tries < 50; tries++) {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    if (!portsGiven.has(port)) {
      portsGiven.add(port)
      return port
    }
    server.close()
    await once(server, 'close')
  }
  throw new Error('no port that has not been given before')
}

/** Waits until `check` is true; throws after `withinMs`. */
export async function eventually(check: () => boolean | Promise<boolean>, withinMs = 10_000): Promise<void> {
  const deadline = Date.now() + withinMs
  while (!(await check())) {
    if (Date.now() > deadline) throw new Error(`not within ${withinMs} ms: ${check}`)
    await delay(5)
  }
}

export interface TestGateway extends AsyncDisposable {
  readonly gateway: Gateway
  readonly options: NginxGatewayOptions
  /** Lines that the gateway logged. */
  readonly logged: Record<string, unknown>[]
  fetch(path: string, given?: FetchOptions): Promise<Reply>
}

/** A running gateway with a folder and ports of its own; stopped and removed at the end. */
export async function openGateway(
  given: Partial<NginxGatewayOptions> & { readonly stateDirMode?: number; readonly everywhere?: boolean } = {},
): Promise<TestGateway> {
  const scratch = new Scratch('gateway')
  const stateDir = scratch.dir
  await chmod(stateDir, given.stateDirMode ?? 0o711)
  const logged: Record<string, unknown>[] = []
  const options: NginxGatewayOptions = {
    stateDir: join(stateDir, 'gateway'),
    httpPort: await freePort(),
    // At all of the machine's addresses where that is asked for, as on nodes.
    ...(given.everywhere === true ? {} : { listenAddress: '127.0.0.1' }),
    workers: 2,
    log: pino({ level: 'debug' }, { write: (line: string) => logged.push(JSON.parse(line)) }),
    ...given,
  }
  const gateway = createNginxGateway(options)
  await gateway.start()
  return {
    gateway,
    options,
    logged,
    fetch: (path, fetchOptions) => fetchFrom(options.httpPort, path, fetchOptions),
    async [Symbol.asyncDispose]() {
      await gateway.stop({ graceMs: 0 })
      await scratch[Symbol.asyncDispose]()
    },
  }
}

export interface FetchOptions {
  readonly method?: string
  readonly host?: string
  /** Of the gateway; loopback of IPv4. */
  readonly address?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Iterable<Buffer> | AsyncIterable<Buffer>
  readonly tls?: { readonly servername: string }
  readonly signal?: AbortSignal
}

export interface Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
  /** With TLS: the names in the server's certificate. */
  readonly certificateName?: string
}

/** One request on a connection of its own, with exactly this path and host. */
export async function fetchFrom(port: number, path: string, given: FetchOptions = {}): Promise<Reply> {
  const headers = { host: given.host ?? 'shop.example.com', connection: 'close', ...given.headers }
  const options = {
    host: given.address ?? '127.0.0.1',
    port,
    path,
    method: given.method ?? 'GET',
    headers,
    agent: false as const,
    ...(given.signal === undefined ? {} : { signal: given.signal }),
  }
  const call =
    given.tls === undefined
      ? request(options)
      : httpsRequest({ ...options, servername: given.tls.servername, rejectUnauthorized: false })
  void sendBody(call, given.body)
  const [response] = (await once(call, 'response')) as [IncomingMessage]
  const socket = response.socket as unknown as { getPeerCertificate?: () => { subject?: { CN?: string } } }
  const certificateName = socket.getPeerCertificate?.().subject?.CN
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk as Buffer)
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    body: Buffer.concat(chunks).toString(),
    ...(certificateName === undefined ? {} : { certificateName }),
  }
}

async function sendBody(call: ReturnType<typeof request>, body: FetchOptions['body']): Promise<void> {
  // The answer may come, and the connection go, before the body is through.
  call.on('error', () => {})
  if (body === undefined || typeof body === 'string') {
    call.end(body)
    return
  }
  for await (const chunk of body) call.write(chunk)
  call.end()
}

export interface Upstream extends AsyncDisposable {
  readonly port: number
  /** Requests that arrived. */
  readonly seen: { readonly method: string; readonly url: string; readonly headers: IncomingMessage['headers'] }[]
  close(): Promise<void>
}

export type Handler = (request: IncomingMessage, response: ServerResponse) => unknown

/** Answers with the request's body, once it has all of it: nginx sends no more of a request whose answer has begun. */
export async function echoBody(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  response.end(Buffer.concat(chunks))
}

/** A member: answers with its port unless `handler` does something else. `upgrade` takes over websockets. */
export async function openUpstream(
  handler?: Handler,
  given: { readonly port?: number; readonly upgrade?: (request: IncomingMessage, socket: Duplex) => void } = {},
): Promise<Upstream> {
  const seen: { method: string; url: string; headers: IncomingMessage['headers'] }[] = []
  const server = createHttpServer((incoming, response) => {
    seen.push({ method: incoming.method ?? '', url: incoming.url ?? '', headers: incoming.headers })
    if (handler !== undefined) return handler(incoming, response)
    incoming.resume()
    response.end(String(port))
  })
  if (given.upgrade !== undefined) server.on('upgrade', given.upgrade)
  const port = given.port ?? (await listenOnNewPort(server))
  if (given.port !== undefined) {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
  }
  const close = async () => {
    server.closeAllConnections()
    if (server.listening) await new Promise((resolve) => server.close(resolve))
  }
  return { port, seen, close, [Symbol.asyncDispose]: close }
}

/** A member in a process of its own, which can be killed; it answers after `delayMs`. */
export async function spawnUpstream(delayMs: number): Promise<{ readonly port: number; readonly child: ChildProcess }> {
  const program = `
    const server = require('node:http').createServer((request, response) => {
      request.resume()
      setTimeout(() => response.end(String(server.address().port)), ${delayMs})
    }).listen(0, '127.0.0.1', () => console.log(server.address().port))`
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = (await once(child.stdout!, 'data')) as [Buffer]
  return { port: Number(line.toString()), child }
}

/** Accepts a websocket and sends back every byte. */
export function acceptEcho({ headers }: IncomingMessage, socket: Duplex): void {
  if (headers.upgrade !== 'websocket' || headers.connection !== 'upgrade') throw new Error('no websocket was asked for')
  socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n')
  socket.on('error', () => {})
  socket.pipe(socket)
}

export interface OpenWebsocket extends AsyncDisposable {
  echo(text: string): Promise<string>
  /** When the other side closed it. */
  readonly closed: Promise<void>
}

export async function openWebsocket(port: number): Promise<OpenWebsocket> {
  const socket = connect(port, '127.0.0.1')
  socket.write(
    'GET /chat HTTP/1.1\r\nHost: shop.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\r\n',
  )
  const [head] = (await once(socket, 'data')) as [Buffer]
  if (!/^HTTP\/1.1 101 /.test(head.toString())) throw new Error(`no websocket: ${head.toString()}`)
  return {
    closed: new Promise((resolve) => socket.once('close', () => resolve())),
    async echo(text) {
      socket.write(text)
      const [data] = (await once(socket, 'data')) as [Buffer]
      return data.toString()
    },
    async [Symbol.asyncDispose]() {
      socket.destroy()
    },
  }
}

export const readText = (path: string): Promise<string> => readFile(path, 'utf8').catch(() => '')
