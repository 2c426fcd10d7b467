import { once } from 'node:events'
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2'
import { createServer, type Server, type TLSSocket } from 'node:tls'
import type { FromAgent, LogLine, ToAgent } from '@berth/api'
import { agentAlpn } from '@berth/api/agent-protocol'
import type { Assignment, InstanceStatus, NameTable, NetworkConfig, NodeStatus } from '@berth/core'
import { readLines } from '../link/stream-io.ts'
import type { TestAuthority } from './test-authority.ts'
import { waitUntil } from './wait-until.ts'

const defaultNetwork: NetworkConfig = {
  pool: '10.77.0.0/16',
  block: '10.77.1.0/24',
  peers: [],
  domain: 'berth',
  defaultPool: 'production',
}

/**
 * The server's end of the link, for tests: real TLS, real HTTP/2, and a memory of what it ordered and what it was told. It listens at a
 * unix socket, since agents under test live in network namespaces.
 */
export class FakeServer implements AsyncDisposable {
  readonly path: string
  readonly assignments = new Map<string, Assignment>()
  readonly statuses = new Map<string, InstanceStatus>()
  /** Every status in the order of its arrival. */
  readonly history: InstanceStatus[] = []
  readonly received: FromAgent[] = []
  /** When each instance was first told to be ready. */
  readonly arrivals = new Map<string, number>()
  epoch = 'epoch-1'
  revision = 1
  network = defaultNetwork
  node: NodeStatus | undefined
  hellos = 0
  readonly #server: Server
  #session: ClientHttp2Session | undefined
  #sync: ClientHttp2Stream | undefined
  #version = 0

  private constructor(path: string, server: Server) {
    this.path = path
    this.#server = server
  }

  static async listen(path: string, authority: TestAuthority): Promise<FakeServer> {
    const { keyPem, certificatePem } = await authority.server()
    const server = createServer({
      key: keyPem,
      cert: `${certificatePem}\n${authority.certificatePem}\n`,
      ca: authority.certificatePem,
      requestCert: true,
      rejectUnauthorized: true,
      ALPNProtocols: [agentAlpn],
      minVersion: 'TLSv1.3',
    })
    const fake = new FakeServer(path, server)
    server.on('secureConnection', (socket) => fake.#accept(socket))
    server.on('tlsClientError', () => undefined)
    server.listen(path)
    await once(server, 'listening')
    return fake
  }

  get isLinked(): boolean {
    return this.#sync !== undefined
  }

  assign(assignment: Assignment): void {
    this.assignments.set(assignment.instance, assignment)
    this.send({ type: 'assign', revision: this.#next(), assignment })
  }

  change(instance: string, change: Partial<Assignment>): void {
    const known = this.assignments.get(instance)
    if (known === undefined) throw new Error(`there is no ${instance}`)
    this.assign({ ...known, ...change })
  }

  forget(instance: string): void {
    const createdAt = this.assignments.get(instance)?.createdAt
    this.assignments.delete(instance)
    const incarnation = createdAt === undefined ? {} : { createdAt }
    this.send({ type: 'forget', revision: this.#next(), instance, ...incarnation })
  }

  /** Is lost when there is no link, as a real server's lines are: the next snapshot has it all. */
  send(line: ToAgent): void {
    this.#sync?.write(`${JSON.stringify(line)}\n`)
  }

  /** Waits for a status of the instance. */
  status(
    instance: string,
    what: string,
    condition: (status: InstanceStatus) => boolean,
    deadlineMs = 60_000,
  ): Promise<InstanceStatus> {
    const explain = (): string => JSON.stringify({ last: this.statuses.get(instance), node: this.node }, null, 1)
    const find = (): InstanceStatus | false => {
      const status = this.statuses.get(instance)
      return status !== undefined && condition(status) && status
    }
    return waitUntil(`${instance} to be ${what}`, find, deadlineMs, explain)
  }

  ready(instance: string): Promise<InstanceStatus> {
    return this.status(instance, 'ready', (status) => status.ready)
  }

  linked(hellos: number, explain?: () => string): Promise<boolean> {
    return waitUntil(`hello ${hellos}`, () => this.hellos >= hellos, undefined, explain)
  }

  /** A stream of the link. */
  open(method: string, path: string, endStream = true): ClientHttp2Stream {
    if (this.#session === undefined) throw new Error('no agent is linked')
    return this.#session.request({ ':method': method, ':path': path }, { endStream })
  }

  async request(method: string, path: string, body?: unknown): Promise<{ status: number; body: unknown }> {
    const stream = this.open(method, path, body === undefined)
    if (body !== undefined) stream.end(JSON.stringify(body))
    const [headers] = await once(stream, 'response')
    const lines: string[] = []
    for await (const line of readLines(stream, 1e9)) lines.push(line)
    return { status: headers[':status'], body: lines.length === 0 ? undefined : JSON.parse(lines.join('\n')) }
  }

  async logs(instance: string, query = ''): Promise<LogLine[]> {
    const lines: LogLine[] = []
    const stream = this.open('GET', `/v1/instances/${encodeURIComponent(instance)}/logs${query}`)
    for await (const line of readLines(stream, 1e9)) lines.push(JSON.parse(line))
    return lines
  }

  /** Cuts the link; the agent dials again. */
  cut(): void {
    this.#session?.destroy()
  }

  /** Nobody listens any more, until {@link reopen}. */
  async close(): Promise<void> {
    this.#session?.destroy()
    this.#server.close()
    await waitUntil('the link to be cut', () => !this.isLinked)
  }

  async reopen(): Promise<void> {
    this.#server.listen(this.path)
    await once(this.#server, 'listening')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#session?.destroy()
    this.#server.close()
  }

  #accept(socket: TLSSocket): void {
    socket.on('error', () => undefined)
    const session = connect('https://agent', { createConnection: () => socket })
    session.on('error', () => undefined)
    this.#session = session
    const sync = session.request({ ':method': 'POST', ':path': '/v1/sync' }, { endStream: false })
    sync.on('error', () => undefined)
    sync.once('close', () => {
      if (this.#sync === sync) this.#sync = undefined
    })
    this.#sync = sync
    void this.#listen(sync).catch(() => undefined)
    this.send(this.#snapshot())
  }

  #snapshot(): ToAgent {
    const names: NameTable = { version: this.#version, entries: [] } as unknown as NameTable
    const { epoch, revision, network } = this
    return { type: 'snapshot', epoch, revision, assignments: [...this.assignments.values()], network, names }
  }

  async #listen(sync: ClientHttp2Stream): Promise<void> {
    for await (const text of readLines(sync, 1e9)) {
      const line = JSON.parse(text) as FromAgent
      this.received.push(line)
      if (line.type === 'hello') this.hellos += 1
      if (line.type === 'hello' || line.type === 'node') this.node = line.node
      if (line.type === 'hello' || line.type === 'status') {
        for (const status of line.instances) {
          this.statuses.set(status.id, status)
          this.history.push(status)
          if (status.ready && !this.arrivals.has(status.id)) this.arrivals.set(status.id, Date.now())
        }
      }
    }
  }

  #next(): number {
    this.revision += 1
    return this.revision
  }
}
