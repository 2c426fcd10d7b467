import { once } from 'node:events'
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  createServer,
  type Http2Server,
  type ServerHttp2Stream,
} from 'node:http2'
import type { AddressInfo } from 'node:net'
import { type FromAgent, type NodeUse, peersHeader, type SyncMode, type ToAgent } from '@berth/api'
import {
  type InstanceStatus,
  isPeerDescription,
  type NodeStatus,
  noRequests,
  type Peers,
  type RequestRow,
} from '@berth/core'
import { pino } from 'pino'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { DesiredLine } from '../node/desired-state.ts'
import { waitUntil } from '../testing/wait-until.ts'
import { readLines } from './stream-io.ts'
import { SyncService } from './sync-service.ts'

let agent: Http2Server
let client: ClientHttp2Session
let sync: SyncService
let applied: DesiredLine[]
let offered: [string, number][]
let use: NodeUse | undefined
let counted: readonly RequestRow[] | undefined
let peers: Peers

const instance: InstanceStatus = { id: 'web-1', node: 'a', phase: 'running', ready: true, restarts: 0 }
const nodeStatus = { name: 'a', online: true } as NodeStatus

beforeEach(async () => {
  applied = []
  offered = []
  use = undefined
  counted = undefined
  peers = [{ node: 'b', block: '10.0.2.0/24', via: '1.1.1.1' }]
  sync = new SyncService({
    log: pino({ level: 'silent' }),
    apply: async (line) => void applied.push(line),
    settled: async () => undefined,
    peers: () => peers,
    nodeStatus: () => nodeStatus,
    instanceStatuses: () => [instance],
    nodeUse: () => use,
    onHello: () => undefined,
    onClock: () => undefined,
    onServers: (epoch, servers) => void offered.push([epoch, servers.length]),
    gatewayReport: () => ({ type: 'gateway', version: 7, inflight: {} }),
    requests: () => counted,
  })
  agent = createServer()
  agent.on('stream', (stream, headers) => {
    const query = new URL(String(headers[':path']), 'http://agent').searchParams
    const { signal } = new AbortController()
    stream.on('error', () => undefined)
    sync.serve({ stream: stream as ServerHttp2Stream, query, signal }).catch(() => undefined)
  })
  agent.listen(0)
  await once(agent, 'listening')
  client = connect(`http://127.0.0.1:${(agent.address() as AddressInfo).port}`)
})

afterEach(() => {
  client.destroy()
  agent.close()
})

/** A server's end of one stream. */
class Server {
  readonly received: FromAgent[] = []
  readonly #stream: ClientHttp2Stream
  /** What the agent says that it has of its peers. */
  peers: unknown

  constructor(mode?: SyncMode) {
    const query = mode === undefined ? '' : `?mode=${mode}`
    this.#stream = client.request({ ':method': 'POST', ':path': `/v1/sync${query}` }, { endStream: false })
    this.#stream.on('error', () => undefined)
    this.#stream.once('response', (headers) => {
      this.peers = headers[peersHeader]
    })
    void this.#read().catch(() => undefined)
  }

  say(line: ToAgent): void {
    this.#stream.write(`${JSON.stringify(line)}\n`)
  }

  snapshot(term: number | undefined, epoch = 'e', revision = 1): void {
    const [network, names] = [{}, {}] as never[]
    this.say({ type: 'snapshot', epoch, revision, term, assignments: [], network, names } as unknown as ToAgent)
  }

  types(): string[] {
    return this.received.map(({ type }) => type)
  }

  close(): void {
    this.#stream.close()
  }

  get isEnded(): boolean {
    return this.#stream.readableEnded || this.#stream.closed
  }

  async #read(): Promise<void> {
    for await (const line of readLines(this.#stream, 1e6)) this.received.push(JSON.parse(line))
  }
}

const heard = (server: Server, type: FromAgent['type']): Promise<unknown> =>
  waitUntil(type, () => server.types().includes(type), 20_000)

const terms = (): unknown[] => applied.flatMap((line) => (line.type === 'snapshot' ? [line.term] : []))
const forget = (name: string): ToAgent => ({ type: 'forget', revision: 2, instance: name })

it('tells a server that listens what the node is and what its gateway has in force, and nothing of instances', async () => {
  const listener = new Server('listen')
  await heard(listener, 'gateway')
  listener.say(forget('web-1'))
  listener.say({ type: 'servers', revision: 3, epoch: 'e', servers: [{ host: 'a', port: 1 }] })
  listener.say({ type: 'ping', at: 1 })
  await heard(listener, 'pong')
  sync.status(instance)
  sync.node(nodeStatus)
  await waitUntil('the node again', () => listener.types().filter((type) => type === 'node').length === 2, 20_000)
  expect(listener.types()).not.toContain('status')
  expect(listener.types()).not.toContain('hello')
  expect(offered).toEqual([['e', 1]])
  expect(applied).toEqual([])
})

it('reports to the leader while others listen', async () => {
  const listener = new Server('listen')
  const leader = new Server('lead')
  leader.snapshot(5)
  await heard(leader, 'hello')
  sync.status(instance)
  sync.gateway({ version: 8, inflight: {} })
  await heard(leader, 'status')
  await waitUntil('version 8', () => JSON.stringify(listener.received).includes('"version":8'), 20_000)
  await waitUntil('version 8', () => JSON.stringify(leader.received).includes('"version":8'), 20_000)
})

it('does not report that an instance is assigned, until there was more to tell of it', async () => {
  const leader = new Server('lead')
  leader.snapshot(5)
  await heard(leader, 'hello')
  const assigned: InstanceStatus = { ...instance, id: 'web-2', phase: 'assigned', ready: false }
  const problem = { ...assigned, message: 'its image cannot be pulled' }
  const said = () =>
    leader.received.flatMap((line) => (line.type === 'status' ? line.instances : [])).map(({ message }) => message)
  sync.status(assigned)
  sync.status({ ...instance, message: 'first' })
  await waitUntil('the first', () => said().includes('first'), 20_000)
  sync.status(problem)
  await waitUntil('the problem', () => said().includes(problem.message), 20_000)
  sync.status(assigned)
  await waitUntil('its end', () => said().length === 3, 20_000)
  expect(said()).toEqual(['first', problem.message, undefined])
})

it('takes no more from a leader once it has heard one of a later term', async () => {
  const [first, second] = [new Server('lead'), new Server('lead')]
  first.snapshot(5)
  await heard(first, 'hello')
  second.snapshot(9)
  await heard(second, 'hello')
  first.say(forget('from the first'))
  second.say(forget('from the second'))
  await waitUntil('the line', () => applied.length === 3, 20_000)
  expect(applied.at(-1)).toMatchObject({ instance: 'from the second' })
  expect(terms()).toEqual([5, 9])
})

it('refuses a leader of an earlier term, also shortly after the later one is gone', async () => {
  const second = new Server('lead')
  second.snapshot(9)
  await heard(second, 'hello')
  const late = new Server('lead')
  late.snapshot(5)
  await waitUntil('its end', () => late.isEnded, 20_000)
  second.close()
  const again = new Server('lead')
  again.snapshot(5)
  await waitUntil('its end', () => again.isEnded, 20_000)
  const next = new Server('lead')
  next.snapshot(12)
  await heard(next, 'hello')
  expect(terms()).toEqual([9, 12])
})

it('judges a store of another epoch by that alone, not by its terms', async () => {
  const first = new Server('lead')
  first.snapshot(9)
  await heard(first, 'hello')
  const restored = new Server('lead')
  restored.snapshot(3, 'restored')
  await heard(restored, 'hello')
  expect(terms()).toEqual([9, 3])
})

it('takes what servers of the form before say: no mode, no term, and the newest stream counts', async () => {
  const first = new Server('lead')
  first.snapshot(9)
  await heard(first, 'hello')
  const old = new Server()
  old.snapshot(undefined)
  await heard(old, 'hello')
  first.say(forget('from the first'))
  old.say(forget('from the old one'))
  await waitUntil('the line', () => applied.length === 3, 20_000)
  expect(applied.at(-1)).toMatchObject({ instance: 'from the old one' })
})

it('tells with its heartbeats what the node uses, once it has been measured', async () => {
  const listener = new Server('listen')
  listener.say({ type: 'ping', at: 1 })
  await heard(listener, 'pong')
  use = { cpuMilli: 1500, memoryBytes: 1024 }
  listener.say({ type: 'ping', at: 2 })
  const pongs = () => listener.received.filter(({ type }) => type === 'pong')
  await waitUntil('the second', () => pongs().length === 2, 20_000)
  expect(pongs()).toEqual([
    { type: 'pong', at: 1 },
    { type: 'pong', at: 2, use },
  ])
})

it('says what it has of its peers, and takes a snapshot without them as one with those, whatever has come since', async () => {
  const server = new Server('lead')
  await waitUntil('the description', () => isPeerDescription(server.peers), 20_000)
  const said = peers
  peers = []
  const network = { pool: '10.0.0.0/8', block: '10.0.1.0/24', peers: [], domain: 'd', defaultPool: 'p' }
  const names = { version: 1, entries: [] }
  server.say({
    ...{ type: 'snapshot', epoch: 'e', revision: 1, assignments: [], network, names, peerParts: [3] },
  } as unknown as ToAgent)
  await heard(server, 'hello')
  expect(applied).toMatchObject([{ type: 'snapshot', peerParts: [3], network: { ...network, peers: said } }])
  server.snapshot(undefined, 'e', 2)
  await waitUntil('the other one', () => applied.length === 2, 20_000)
  expect(applied[1]).toMatchObject({ network: {} })
  expect(applied[1]).not.toMatchObject({ network: { peers: said } })
})

it('tells a server that only listens nothing of its peers', async () => {
  const listener = new Server('listen')
  await heard(listener, 'node')
  expect(listener.peers).toBeUndefined()
})

const rowOf = (instance: string, ok: number): RequestRow => ({
  ...{ route: 'r', pool: 'shop/production/web', instance },
  counts: noRequests().with(1, ok),
})
const told = (server: Server) =>
  server.received.flatMap((line) =>
    line.type === 'requests' ? [[line.begins === true, line.rows.map((each) => [each.instance, each.counts[1]])]] : [],
  )

it.each(['lead', 'listen'] as const)(
  'begins with all requests so far, and then tells what has changed: %s',
  async (mode) => {
    counted = [rowOf('a', 1), rowOf('b', 2)]
    const server = new Server(mode)
    if (mode === 'lead') server.snapshot(1)
    await waitUntil('the beginning', () => told(server).length === 2, 20_000)
    sync.requests([rowOf('a', 5)])
    sync.requests([rowOf('a', 6)])
    await waitUntil('the change', () => told(server).length === 3, 20_000)
    sync.requests([])
    await waitUntil('that nothing has changed', () => told(server).length === 4, 20_000)
    const all = [
      ['a', 1],
      ['b', 2],
    ]
    expect(told(server)).toEqual([
      [true, all],
      [false, []],
      [false, [['a', 6]]],
      [false, []],
    ])
  },
)

it('says nothing of requests where there is no gateway', async () => {
  const server = new Server('listen')
  await heard(server, 'gateway')
  sync.node(nodeStatus)
  await waitUntil('the node again', () => server.types().filter((type) => type === 'node').length === 2, 20_000)
  expect(told(server)).toEqual([])
})
