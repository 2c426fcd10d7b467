import { once } from 'node:events'
import { join } from 'node:path'
import { encodeExecFrame, execChannel, type LogLine } from '@berth/api'
import { type Instance, toRequestCounts } from '@berth/core'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import type { AgentPeer } from '../agents/agent-peer.testing.ts'
import { decodeFrames, encodeFrame } from '../agents/length-framing.ts'
import { eventually } from '../eventually.testing.ts'
import { openState, Records } from '../records/index.ts'
import { instance } from '../records/sample-records.testing.ts'
import { ServerUnderTest } from '../server-under-test.testing.ts'
import { openSqliteStore } from '../store/sqlite/sqlite-store.ts'

const log = pino({ level: 'silent' })
let server: ServerUnderTest
let token: string
let host: string
const peers = new Map<string, AgentPeer>()

const web = (ordinal: number, node?: string): Instance => ({
  ...instance(`shop.production.web-${ordinal}`, node),
  ordinal,
  ...(node === undefined ? {} : { address: `10.77.0.${ordinal}` }),
})

/** Instances are made by controllers from releases; these tests only need them to be there. */
async function placeInstances(): Promise<void> {
  await server.join('a')
  await server.join('b')
  await server.stop()
  await using store = await openSqliteStore({ path: join(server.directory, 'state/server/store.db'), log })
  await using state = await openState(store, { log })
  await new Records(store, state).commit('system', (tx) => {
    tx.put('apps', { name: 'shop', vcs: 'git', createdAt: 1, createdBy: 'x', nextRelease: 1 })
    const quiet = { app: 'shop', name: 'quiet', environment: 'quiet', replicas: {}, generation: 1 }
    tx.put('pools', { ...quiet, nextGeneration: 2, nextOrdinal: {}, createdAt: 1 })
    for (const each of [web(1, 'a'), web(2, 'b'), web(3)]) tx.put('instances', each)
  })
}

beforeAll(async () => {
  server = await ServerUnderTest.start()
  token = await server.token('ann', 'deployer')
  await placeInstances()
  await server.run()
  host = `127.0.0.1:${server.edge.apiPort}`
  for (const name of ['a', 'b']) peers.set(name, await server.connect(name))
  for (const [node, name] of [
    ['a', 'web-1'],
    ['b', 'web-2'],
  ] as const) {
    const status = { id: `shop.production.${name}`, node, phase: 'running' as const, ready: true, restarts: 0 }
    await peers.get(node)?.send({ type: 'status', instances: [status] })
  }
  await eventually(async () => expect((await server.local.call('getStatus')).instancesReady).toBe(2))
})
afterAll(async () => await server[Symbol.asyncDispose]())

const line = (at: number, text: string): string => `${JSON.stringify({ at, stream: 'stdout', line: text })}\n`
function serveLogs(name: string, lines: readonly string[], end = true): void {
  peers.get(name)?.handlers.set('GET /v1/instances', (stream) => {
    stream.respond({ ':status': 200 })
    for (const each of lines) stream.write(each)
    if (end) stream.end()
  })
}

describe('a port that is published', () => {
  it('is none at which a program of the node listens, as far as that can be asked', async () => {
    const publish = (id: string) =>
      server.local.call('publishPort', { params: { id }, body: { hostPort: 9000, port: 80, protocol: 'tcp' } })
    peers.get('a')?.handlers.set('POST /v1/publishing', (stream) => {
      stream.respond({ ':status': 200 })
      stream.end(JSON.stringify({ taken: [{ hostPort: 9000, port: 80, protocol: 'tcp' }] }))
    })
    await expect(publish('shop.production.web-1')).rejects.toMatchObject({ code: 'publish.program-listens' })
    // The other one’s agent is of a version before.
    await expect(publish('shop.production.web-2')).resolves.toMatchObject({ node: 'b' })
  })
})

describe('logs', () => {
  it('are merged by time over all instances of an app', async () => {
    serveLogs('a', [line(1, 'a1'), line(4, 'a4'), line(5, 'a5')])
    serveLogs('b', [line(2, 'b2'), line(3, 'b3'), line(6, 'b6')])
    const lines = await Array.fromAsync(server.local.lines('getLogs', { query: { app: 'shop' } }))
    expect(lines.map((each) => each.line)).toEqual(['a1', 'b2', 'b3', 'a4', 'a5', 'b6'])
    expect(lines[0]?.instance).toBe('shop.production.web-1')
  })

  it('are searched for a text, never for a pattern', async () => {
    serveLogs('a', [line(1, 'aaa'), line(2, '(a+)+$')])
    serveLogs('b', [])
    const lines = await Array.fromAsync(server.local.lines('getLogs', { query: { app: 'shop', grep: '(a+)+$' } }))
    expect(lines.map((each) => each.line)).toEqual(['(a+)+$'])
  })

  it('come live while they are followed, and end with the reader', async () => {
    serveLogs('a', [line(1, 'a1')], false)
    serveLogs('b', [line(2, 'b2')], false)
    const seen: string[] = []
    const stop = new AbortController()
    const read = async () => {
      const options = { query: { app: 'shop', follow: 'true' } } as const
      for await (const each of server.local.lines('getLogs', options, { signal: stop.signal })) {
        seen.push(each.line)
        if (seen.length === 2) stop.abort()
      }
    }
    await expect(read()).rejects.toThrow()
    expect(seen).toEqual(['a1', 'b2'])
  })

  it('go on over a lost link without repeating', async () => {
    let calls = 0
    peers.get('a')?.handlers.set('GET /v1/instances', (stream, url) => {
      calls += 1
      stream.respond({ ':status': 200 })
      if (calls === 1) stream.write(line(10, 'first') + line(10, 'second'), () => stream.destroy(new Error('cut')))
      else {
        expect(url.searchParams.get('sinceMs')).toBe('10')
        stream.end(line(10, 'first') + line(10, 'second') + line(10, 'third') + line(11, 'fourth'))
      }
    })
    const query = { instance: 'shop.production.web-1', follow: 'true' } as const
    const lines = await Array.fromAsync(server.local.lines('getLogs', { query }))
    expect(lines.filter((each) => each.stream === 'stdout').map((each) => each.line)).toEqual([
      'first',
      'second',
      'third',
      'fourth',
    ])
    expect(lines.filter((each: LogLine) => each.stream === 'system')).toHaveLength(1)
  })

  it('say in a line which node cannot be asked', async () => {
    serveLogs('a', [line(1, 'a1')])
    peers.get('b')?.handlers.delete('GET /v1/instances')
    const lines = await Array.fromAsync(server.local.lines('getLogs', { query: { app: 'shop' } }))
    expect(lines.map((each) => each.stream).sort()).toEqual(['stdout', 'system'])
    expect(lines.find((each) => each.stream === 'system')?.line).toContain('shop.production.web-2 on b')
  })
})

describe('metrics', () => {
  it('are asked of the nodes concerned', async () => {
    const samples = (name: string) => [
      { instance: `shop.production.${name}`, node: 'x', cpuLimitMilli: 1, memoryLimitBytes: 1, samples: [] },
      { instance: 'other.production.web-1', node: 'x', cpuLimitMilli: 1, memoryLimitBytes: 1, samples: [] },
    ]
    for (const [node, name] of [
      ['a', 'web-1'],
      ['b', 'web-2'],
    ] as const)
      peers.get(node)?.handlers.set('GET /v1/metrics', (stream) => {
        stream.respond({ ':status': 200 })
        stream.end(JSON.stringify({ items: samples(name) }))
      })
    const all = await server.local.call('getMetrics', { query: { app: 'shop' } })
    expect(all.items.map((each) => each.instance).sort()).toEqual(['shop.production.web-1', 'shop.production.web-2'])
    const one = await server.local.call('getMetrics', { query: { node: 'b', sinceMs: '5' } })
    expect(one.items.map((each) => each.instance)).toEqual(['shop.production.web-2'])
  })
})

describe('traffic', () => {
  const row = (ok: number, failed: number) => ({
    ...{ route: 'r', pool: 'shop/production/web', instance: 'shop.production.web-1' },
    counts: toRequestCounts({
      ...{ classes: [0, ok, 0, 0, failed], lost: failed, failures: failed, latencySumMs: ok * 3 },
      buckets: [0, 0, ok, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    }),
  })

  it('is what gateways have told, by instance, and until when they have', async () => {
    expect(await server.local.call('getTraffic', {})).toEqual({ routes: [], instances: [] })
    await server.local.call('updateNode', { params: { name: 'a' }, body: { labels: { gateway: 'true' } } })
    const peer = peers.get('a')
    await peer?.send({ type: 'requests', begins: true, rows: [row(1_000, 0)] })
    await peer?.send({ type: 'requests', rows: [row(1_030, 2)] })
    await eventually(async () => {
      const { instances, knownToMs } = await server.local.call('getTraffic', { query: { app: 'shop' } })
      expect(Math.abs((knownToMs ?? 0) - Date.now())).toBeLessThan(60_000)
      expect(instances).toMatchObject([{ instance: 'shop.production.web-1', release: 'v1', p50Ms: 3.5 }])
      const [{ perSecond = 0, lostPerSecond = 0 } = {}] = instances
      expect(perSecond).toBeGreaterThan(0)
      expect(lostPerSecond / perSecond).toBeCloseTo(2 / 32, 9)
    })
    const other = await server.local.call('getTraffic', { query: { app: 'other' } })
    expect(other.instances).toEqual([])
    const { instances } = await server.local.call('getTraffic', { query: { app: 'shop', instances: 'false' } })
    expect(instances).toEqual([])
  })

  it('of a pool come in steps for charts, and not in more than a chart has', async () => {
    const params = { app: 'shop', pool: 'quiet' }
    const ask = (stepMs: number) =>
      server.local.call('getPoolTraffic', { params, query: { fromMs: 0, toMs: 60_000, stepMs } })
    expect((await ask(10_000)).steps?.map(({ atMs }) => atMs)).toEqual([0, 10_000, 20_000, 30_000, 40_000, 50_000])
    await expect(ask(4_000)).rejects.toMatchObject({ code: 'request.invalid' })
    await expect(
      server.local.call('getPoolTraffic', { params, query: { fromMs: 0, toMs: 6_000_000, stepMs: 5_000 } }),
    ).rejects.toMatchObject({ code: 'request.invalid' })
  })

  it('of a pool that there is not is refused', async () => {
    const params = { app: 'shop', pool: 'nowhere' }
    await expect(server.local.call('getPoolTraffic', { params })).rejects.toMatchObject({ code: 'pool.not-found' })
  })
})

describe('exec', () => {
  const open = async (id: string, query: string) => {
    const socket = new WebSocket(`wss://${host}/v1/instances/${id}/exec?${query}`, {
      rejectUnauthorized: false,
      headers: { authorization: `Bearer ${token}` },
    })
    const frames: Buffer[] = []
    socket.on('message', (data: Buffer) => frames.push(data))
    const closed = new Promise<number>((resolve) => socket.once('close', (code) => resolve(code)))
    await once(socket, 'open')
    return { socket, frames, closed }
  }

  it('carries a terminal to the agent and back, and its exit code', async () => {
    const queries: URLSearchParams[] = []
    peers.get('a')?.handlers.set('POST /v1/instances', async (stream, url) => {
      queries.push(url.searchParams)
      stream.respond({ ':status': 200 })
      for await (const frame of decodeFrames(stream.on('error', () => undefined))) {
        if (frame[0] === execChannel.stdin)
          stream.write(encodeFrame(encodeExecFrame(execChannel.stdout, frame.subarray(1))))
        if (frame[0] === execChannel.stdinEnd)
          stream.end(encodeFrame(encodeExecFrame(execChannel.exit, Buffer.from('{"code":7}'))))
      }
    })
    const { socket, frames, closed } = await open(
      'shop.production.web-1',
      'command=echo&command=%24%28id%29&tty=true&columns=80&rows=24',
    )
    const big = Buffer.alloc(300_000, 'x')
    socket.send(encodeExecFrame(execChannel.stdin, Buffer.from('hi')))
    socket.send(encodeExecFrame(execChannel.stdin, big))
    socket.send(encodeExecFrame(execChannel.stdinEnd, Buffer.alloc(0)))
    expect(await closed).toBe(1000)
    expect(frames.map((frame) => [frame[0], frame.length])).toEqual([
      [execChannel.stdout, 3],
      [execChannel.stdout, 300_001],
      [execChannel.exit, 11],
    ])
    expect(queries[0]?.getAll('command')).toEqual(['echo', '$(id)'])
    const { items } = await server.local.list('listEvents', { query: { app: 'shop' } })
    expect(items[0]).toMatchObject({ type: 'instance.exec', actor: 'token:ann' })
    expect(items[0]?.message).not.toContain('$(id)')
  })

  it('ends the command’s stream when the caller leaves', async () => {
    const [started, ended] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    peers.get('a')?.handlers.set('POST /v1/instances', (stream) => {
      stream.respond({ ':status': 200 })
      stream.once('close', () => ended.resolve())
      started.resolve()
    })
    const { socket } = await open('shop.production.web-1', 'command=sh')
    await started.promise
    socket.terminate()
    await ended.promise
    expect(socket.readyState).toBe(socket.CLOSED)
  })

  it.each([
    ['shop.production.web-9', 'no instance'],
    ['shop.production.web-3', 'has no node yet'],
    ['shop.production.web-2', 'no POST /v1/instances'],
  ])('says why there is no terminal in %s', async (id, says) => {
    const { frames, closed } = await open(id, 'command=sh')
    expect(await closed).toBe(1011)
    expect(frames.at(-1)?.[0]).toBe(execChannel.error)
    expect(frames.at(-1)?.subarray(1).toString()).toContain(says)
  })

  it('takes nothing but binary frames, of a bounded size', async () => {
    peers.get('a')?.handlers.set('POST /v1/instances', (stream) => stream.respond({ ':status': 200 }))
    const text = await open('shop.production.web-1', 'command=sh')
    text.socket.send('hello')
    expect(await text.closed).toBe(1003)
    const large = await open('shop.production.web-1', 'command=sh')
    large.socket.send(Buffer.alloc(2_000_000))
    expect(await large.closed).toBe(1009)
  })
})

describe('views', () => {
  it('show what is wanted, what is seen and what is not known', async () => {
    const { items } = await server.local.list('listInstances', { query: { app: 'shop' } })
    expect(items.map((each) => [each.name, each.node, each.phase, each.ready])).toEqual([
      ['web-1', 'a', 'running', true],
      ['web-2', 'b', 'running', true],
      ['web-3', undefined, 'pending', false],
    ])
    expect(await server.local.call('getNode', { params: { name: 'a' } })).toMatchObject({ online: true, instances: 1 })
    await expect(server.local.call('removeNode', { params: { name: 'a' } })).rejects.toMatchObject({
      code: 'node.in-use',
    })
  })
})
