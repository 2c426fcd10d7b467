import { once } from 'node:events'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { request as httpRequest, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Client, createClient, type Transport } from '@berth/api'
import type { Role } from '@berth/core'
import { pino } from 'pino'
import { AgentPeer, nodeStatus, type PeerCredentials } from './agents/agent-peer.testing.ts'
import { serverName } from './authority/authority.ts'
import { createRequest } from './authority/certificate-request.testing.ts'
import type { Edge } from './compose/start-edge.ts'
import type { ServerConfig } from './config.ts'
import { writePrivateFile } from './files/private-files.ts'
import { runServer } from './main.ts'

export interface Answer {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly text: string
}

export interface Ask {
  readonly method?: string
  readonly path: string
  readonly token?: string
  readonly headers?: OutgoingHttpHeaders
  readonly body?: string | Buffer
}

/** Each node at an address of its own, whichever server it joins at. */
let joined = 0

/** A whole server in a folder of its own, reached as its users reach it. */
export class ServerUnderTest implements AsyncDisposable {
  readonly directory: string
  readonly logged: string[] = []
  edge!: Edge
  authorityPem = ''
  readonly #change: Partial<ServerConfig>
  #stop = new AbortController()
  #running: Promise<void> = Promise.resolve()
  readonly #peers: AgentPeer[] = []
  readonly #credentials = new Map<string, PeerCredentials>()

  constructor(directory: string, change: Partial<ServerConfig>) {
    this.directory = directory
    this.#change = change
  }

  static async start(change: Partial<ServerConfig> = {}): Promise<ServerUnderTest> {
    const server = new ServerUnderTest(await mkdtemp(join(tmpdir(), 'berth-server-')), change)
    await server.run()
    return server
  }

  get config(): ServerConfig {
    return {
      version: '0.1.0',
      log: pino({ level: 'debug' }, { write: (line) => void this.logged.push(line) }),
      stateDir: join(this.directory, 'state'),
      runDir: join(this.directory, 'run'),
      listen: '127.0.0.1:0',
      agentListen: '127.0.0.1:0',
      gatewayUrl: 'http://gateway.test:8080',
      ...this.#change,
    }
  }

  /** A file of the server's own, before it starts. */
  async write(name: string, content: string): Promise<void> {
    const directory = join(this.config.stateDir, 'server')
    await mkdir(directory, { recursive: true, mode: 0o700 })
    await writePrivateFile(join(directory, name), content)
  }

  /** Starts it, or starts it again after {@link stop}. */
  async run(): Promise<void> {
    this.#stop = new AbortController()
    const ready = Promise.withResolvers<Edge>()
    this.#running = runServer(this.config, { signal: this.#stop.signal, onReady: ready.resolve })
    this.#running.catch(ready.reject)
    this.edge = await ready.promise
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#running
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const peer of this.#peers) await peer[Symbol.asyncDispose]()
    await this.stop().catch(() => undefined)
    await rm(this.directory, { recursive: true, force: true })
  }

  /** By the unix socket, so as an admin. */
  readonly local: Client = createClient((request) => this.#transport(request))

  /** A client with a token, over TLS. */
  client(token: string): Client {
    return createClient((request) => this.#transport(request, token))
  }

  async token(name: string, role: Role): Promise<string> {
    const { token } = await this.local.call('createToken', { body: { name, owner: 'Ann', role } })
    return token
  }

  /** Over TLS, without checking the certificate (a test of its own does). */
  async ask(ask: Ask): Promise<Answer> {
    const response = await this.open(ask)
    let text = ''
    for await (const chunk of response.setEncoding('utf8')) text += chunk
    return { status: response.statusCode ?? 0, headers: response.headers, text }
  }

  async open({ method = 'GET', path, token, headers, body }: Ask, signal?: AbortSignal): Promise<IncomingMessage> {
    const call = httpsRequest({
      ...{ host: '127.0.0.1', port: this.edge.apiPort, method, path, rejectUnauthorized: false, agent: false },
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }),
        ...headers,
      },
      ...(signal === undefined ? {} : { signal }),
    })
    call.end(body)
    const [response] = (await once(call, 'response')) as [IncomingMessage]
    return response
  }

  async join(name: string): Promise<PeerCredentials> {
    const { token } = await this.local.call('createJoinToken', { body: {} })
    const { requestPem, keyPem } = await createRequest(name)
    joined += 1
    const address = `198.51.${100 + (joined >> 8)}.${joined & 255}`
    const body = { token, name, address, certificateRequestPem: requestPem }
    const { certificatePem, authorityPem } = await this.local.call('joinNode', { body })
    this.authorityPem = authorityPem
    const credentials = { certificatePem, keyPem, authorityPem }
    this.#credentials.set(name, credentials)
    return credentials
  }

  /** A node that has joined, dialled in and said hello. */
  async connect(name: string): Promise<AgentPeer> {
    const credentials = this.#credentials.get(name) ?? (await this.join(name))
    const peer = await AgentPeer.dial(this.edge.agentPort, credentials)
    this.#peers.push(peer)
    await peer.send({ type: 'hello', node: nodeStatus(name), instances: [] })
    return peer
  }

  async #transport(request: Parameters<Transport>[0], token?: string): ReturnType<Transport> {
    const { method, path, signal } = request
    const headers = { ...request.headers, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) }
    const options = { method, path, headers, agent: false as const, ...(signal === undefined ? {} : { signal }) }
    const call =
      token === undefined
        ? httpRequest({ ...options, socketPath: this.edge.socketPath })
        : httpsRequest({
            ...options,
            host: '127.0.0.1',
            port: this.edge.apiPort,
            ca: this.authorityPem,
            servername: serverName,
          })
    if (typeof request.body === 'string' || request.body === undefined) call.end(request.body)
    else {
      for await (const chunk of request.body) call.write(chunk)
      call.end()
    }
    const [response] = (await once(call, 'response')) as [IncomingMessage]
    const header = (name: string): string | undefined => response.headers[name]?.toString()
    return { status: response.statusCode ?? 0, body: response, header }
  }
}
