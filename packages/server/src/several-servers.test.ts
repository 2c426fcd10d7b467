import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { AgentPeer, nodeStatus } from './agents/agent-peer.testing.ts'
import { eventually } from './eventually.testing.ts'
import type { LeaseTimes } from './leadership/index.ts'
import { ServerUnderTest } from './server-under-test.testing.ts'
import type { StoreUnderTest } from './store/contract/store-under-test.ts'
import { openTemporary } from './store/sqlite/open-temporary.testing.ts'
import type { Store } from './store/store.ts'

const leaseTimes: LeaseTimes = { ttlMs: 2_000, keepAliveMs: 200, marginMs: 300 }
/** Every wait has to bear a busy machine. */
const timeout = 120_000

let store: StoreUnderTest
let servers: ServerUnderTest[]
let peers: AgentPeer[]

beforeEach(async () => {
  store = await openTemporary()
  servers = []
  peers = []
})

afterEach(async () => {
  for (const peer of peers) await peer[Symbol.asyncDispose]()
  for (const server of servers) await server[Symbol.asyncDispose]()
  await store[Symbol.asyncDispose]()
})

/** What one server sees of the store that all of them share. */
const shared = (): Store =>
  new Proxy(store.store, {
    get: (target, name) => {
      if (name === Symbol.asyncDispose) return async () => undefined
      const value = Reflect.get(target, name, target) as unknown
      return typeof value === 'function' ? value.bind(target) : value
    },
  })

async function startServer(serverName: string, secretKey?: string): Promise<ServerUnderTest> {
  const directory = await mkdtemp(join(tmpdir(), `berth-${serverName}-`))
  const change = { serverName, leaseTimes, openSharedStore: async () => shared(), names: ['127.0.0.1'] }
  const server = new ServerUnderTest(directory, change)
  if (secretKey !== undefined) await server.write('secret.key', secretKey)
  servers.push(server)
  await server.run()
  return server
}

/** The second gets its key as `berth server join` does. */
async function startTwo(): Promise<readonly [ServerUnderTest, ServerUnderTest]> {
  const a = await startServer('a')
  const { token } = await a.local.call('createServerToken', { body: {} })
  const { secretKey } = await a.local.call('joinServer', { body: { token, name: 'b' } })
  return [a, await startServer('b', secretKey)]
}

/** One node with an agent that has dialled both. */
async function joinNode(name: string, to: readonly ServerUnderTest[]): Promise<AgentPeer[]> {
  const credentials = await (to[0] as ServerUnderTest).join(name)
  const dialled: AgentPeer[] = []
  for (const { edge } of to) dialled.push(await AgentPeer.dial(edge.agentPort, credentials))
  peers.push(...dialled)
  return dialled
}

const leaderOf = async (server: ServerUnderTest, role: string): Promise<string | undefined> => {
  const { items } = await server.local.list('listServers')
  return items.find(({ leads }) => leads.includes(role))?.name
}

describe('two servers on one store', { timeout }, () => {
  it('know each other and who leads', async () => {
    const [a, b] = await startTwo()
    await eventually(async () => {
      for (const server of [a, b]) {
        const { items } = await server.local.list('listServers')
        expect(items.map(({ name }) => name)).toEqual(['a', 'b'])
        expect(items[0]?.leads).toEqual(['builds', 'clock', 'cluster', 'upkeep'])
        expect(items[0]?.agentAddress).toBe(`127.0.0.1:${a.edge.agentPort}`)
      }
    })
    expect(await b.local.call('getStatus')).toMatchObject({ server: 'b', nodes: 0 })
  })

  it('give the key of the cluster to who has a token, once, and to nobody by a token for nodes', async () => {
    const a = await startServer('a')
    const { token } = await a.local.call('createServerToken', { body: {} })
    const first = await a.local.call('joinServer', { body: { token, name: 'b' } })
    expect(Buffer.from(first.secretKey, 'base64')).toHaveLength(32)
    const again = a.local.call('joinServer', { body: { token, name: 'c' } })
    await expect(again).rejects.toMatchObject({ code: 'join.token-used' })
    const { token: forNodes } = await a.local.call('createJoinToken', { body: {} })
    const wrong = a.local.call('joinServer', { body: { token: forNodes, name: 'c' } })
    await expect(wrong).rejects.toMatchObject({ code: 'join.invalid-token' })
    const events = await a.local.list('listEvents')
    expect(events.items.map(({ type }) => type)).toContain('server.joined')
    expect(a.logged.join('')).not.toContain(first.secretKey)
    expect(JSON.stringify(await store.store.list(''))).not.toContain(first.secretKey)
  })

  it('refuse one without the key, and one with another', async () => {
    await startServer('a')
    await expect(startServer('b')).rejects.toMatchObject({ code: 'secrets.key-missing' })
    const other = Buffer.alloc(32, 7).toString('base64')
    await expect(startServer('c', other)).rejects.toMatchObject({ code: 'secrets.cannot-open' })
  })

  it('have one authority, in the store and not in clear', async () => {
    const [a, b] = await startTwo()
    const [one, other] = await Promise.all([a, b].map((server) => server.local.call('getStatus')))
    expect(one?.authority?.fingerprint).toBe(other?.authority?.fingerprint)
    const kept = JSON.stringify(await store.store.list(''))
    expect(kept).toContain('/authority/root')
    expect(kept).not.toContain('PRIVATE KEY')
  })

  it('lead an agent from one of them; the other hears it', async () => {
    const both = await startTwo()
    const [leading, listening] = await joinNode('n1', both)
    await eventually(() => expect(leading?.received[0]).toMatchObject({ type: 'snapshot', term: expect.any(Number) }))
    await leading?.send({ type: 'hello', node: nodeStatus('n1'), instances: [] })
    await listening?.send({ type: 'node', node: nodeStatus('n1') })
    await eventually(async () => {
      for (const server of both)
        expect(await server.local.call('getStatus')).toMatchObject({ nodes: 1, nodesOnline: 1 })
    })
    await eventually(() => expect(listening?.received.some(({ type }) => type === 'ping')).toBe(true))
    expect(listening?.received.some(({ type }) => type === 'snapshot')).toBe(false)
    await eventually(async () => {
      const { items } = await both[1].local.list('listServers')
      expect(items.map(({ hears }) => hears)).toEqual([1, 1])
    })
    expect(leading?.received[0]).toMatchObject({ servers: [{ port: both[0].edge.agentPort }, {}] })
  })

  it('pass everything on when the leader stops, at once and with a higher term', async () => {
    const both = await startTwo()
    const [first, second] = await joinNode('n1', both)
    await eventually(() => expect(first?.last('snapshot')).toBeDefined())
    const term = first?.last('snapshot')?.term ?? 0
    await both[0].stop()
    await eventually(() => expect(second?.last('snapshot')).toBeDefined())
    expect(second?.last('snapshot')?.term).toBeGreaterThan(term)
    await eventually(async () => expect(await leaderOf(both[1], 'cluster')).toBe('b'))
    await second?.send({ type: 'hello', node: nodeStatus('n1'), instances: [] })
    await eventually(async () => expect(await both[1].local.call('getStatus')).toMatchObject({ nodesOnline: 1 }))
  })

  it('do not take in one of the same name, or of a version too far away', async () => {
    const a = await startServer('a')
    const { token } = await a.local.call('createServerToken', { body: {} })
    const { secretKey } = await a.local.call('joinServer', { body: { token, name: 'b' } })
    await expect(startServer('a', secretKey)).rejects.toMatchObject({ code: 'server.name-taken' })
    const far = new ServerUnderTest(await mkdtemp(join(tmpdir(), 'berth-far-')), {
      ...{ serverName: 'far', version: '0.9.0', leaseTimes, openSharedStore: async () => shared() },
    })
    await far.write('secret.key', secretKey)
    await expect(far.run()).rejects.toMatchObject({ code: 'server.version-apart' })
    await far[Symbol.asyncDispose]()
  })
})

it('a server on a file of its own gives no token to another', async () => {
  const server = await ServerUnderTest.start()
  servers.push(server)
  await expect(server.local.call('createServerToken', { body: {} })).rejects.toMatchObject({ code: 'server.alone' })
  const { items } = await server.local.list('listServers')
  expect(items).toMatchObject([{ leads: ['builds', 'clock', 'cluster', 'upkeep'], answers: true }])
})
