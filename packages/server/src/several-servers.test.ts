import { createHmac } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { BerthError } from '@berth/core'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { AgentPeer, nodeStatus } from './agents/agent-peer.testing.ts'
import { testSpec } from './controllers/cluster.testing.ts'
import { eventually } from './eventually.testing.ts'
import type { LeaseTimes } from './leadership/index.ts'
import { Records } from './records/index.ts'
import { openState } from './records/open-state.ts'
import { RelayPass } from './relay/relay-pass.ts'
import { ServerUnderTest } from './server-under-test.testing.ts'
import { type Files, GitRepository, Workspace } from './source/repositories.testing.ts'
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

/** What can go wrong on the way to the store. */
interface Way {
  /** Changes are not heard of. */
  isHeld: boolean
  /** Nothing gets through. */
  isCut: boolean
}

/** What one server sees of the store that all of them share. */
const shared = (way: Way = { isHeld: false, isCut: false }): Store =>
  new Proxy(store.store, {
    get: (target, name) => {
      if (name === Symbol.asyncDispose) return async () => undefined
      if (name === 'watch') return (...args: Parameters<Store['watch']>) => heldBack(target.watch(...args), way)
      if (way.isCut && typeof name === 'string' && /^(get|list|commit|.*Lease.*)$/.test(name))
        return async () => {
          throw new BerthError('store.unavailable', `no way to the store for ${name}`, { retryable: true })
        }
      const value = Reflect.get(target, name, target) as unknown
      return typeof value === 'function' ? value.bind(target) : value
    },
  })

async function* heldBack<T>(batches: AsyncIterable<T>, way: Way): AsyncGenerator<T> {
  for await (const batch of batches) {
    while (way.isHeld || way.isCut) await delay(10)
    yield batch
  }
}

async function startServer(serverName: string, secretKey?: string, way?: Way): Promise<ServerUnderTest> {
  const directory = await mkdtemp(join(tmpdir(), `berth-${serverName}-`))
  const change = { serverName, leaseTimes, openSharedStore: async () => shared(way), names: ['127.0.0.1'] }
  const server = new ServerUnderTest(directory, change)
  if (secretKey !== undefined) await server.write('secret.key', secretKey)
  servers.push(server)
  await server.run()
  return server
}

/** The second gets its key as `berth server join` does. */
async function startTwo(way?: Way): Promise<readonly [ServerUnderTest, ServerUnderTest]> {
  const a = await startServer('a')
  const { token } = await a.local.call('createServerToken', { body: {} })
  const { secretKey } = await a.local.call('joinServer', { body: { token, name: 'b' } })
  return [a, await startServer('b', secretKey, way)]
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
    const ports = (leading?.last('snapshot')?.servers ?? []).map(({ port }) => port)
    expect(ports).toContain(both[0].edge.agentPort)
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

/** A commit of a work tree, as the command line sends it. */
function bundleOf(files: Files): { readonly bundle: Buffer; readonly commit: string } {
  using work = new Workspace()
  const repository = new GitRepository(work.path('shop'), files)
  repository.git('bundle', 'create', work.path('shop.bundle'), 'HEAD', '--all')
  return { bundle: readFileSync(work.path('shop.bundle')), commit: repository.git('rev-parse', 'HEAD') }
}

describe('callers of two servers on one store', { timeout }, () => {
  it('read at either what they wrote at the other, and are told when one is behind', async () => {
    const way = { isHeld: false, isCut: false }
    const [a, b] = await startTwo(way)
    const token = await a.token('ann', 'admin')
    await eventually(async () => expect((await b.ask({ path: '/v1/status', token })).status).toBe(200))
    way.isHeld = true
    const body = JSON.stringify({ name: 'shop', repository: 'https://git.test/shop' })
    const headers = { 'content-type': 'application/json' }
    const written = await a.ask({ method: 'POST', path: '/v1/apps', token, headers, body })
    expect(written).toMatchObject({ status: 200, headers: { 'berth-revision': expect.stringMatching(/^\d+; epoch=/) } })
    const seen = { 'berth-revision': written.headers['berth-revision'] as string }
    expect((await b.ask({ path: '/v1/apps/shop', token })).status).toBe(404)
    const behind = await b.ask({ path: '/v1/apps/shop', token, headers: seen })
    expect(behind.status).toBe(503)
    expect(JSON.parse(behind.text).error).toMatchObject({ code: 'state.behind', retryable: true })
    const waiting = b.ask({ path: '/v1/apps/shop', token, headers: seen })
    await delay(100)
    way.isHeld = false
    expect((await waiting).status).toBe(200)
    const ofAnotherStore = { 'berth-revision': '999999; epoch=before-the-restore' }
    expect((await b.ask({ path: '/v1/apps/shop', token, headers: ofAnotherStore })).status).toBe(200)
    const nonsense = await b.ask({ path: '/v1/apps/shop', token, headers: { 'berth-revision': 'latest' } })
    expect(nonsense.status).toBe(400)
  })

  it('learn where both are, and how old is what one shows that is cut off from the store', async () => {
    const way = { isHeld: false, isCut: false }
    const [a, b] = await startTwo(way)
    const token = await a.token('ann', 'admin')
    const both = [a, b].map((server) => `127.0.0.1:${server.edge.apiPort}`).sort()
    await eventually(async () => {
      const { headers } = await b.ask({ path: '/v1/apps', token })
      expect(headers['berth-servers']?.toString().split(' ')).toEqual(both)
      expect(headers['berth-state-age']).toBeUndefined()
    })
    way.isCut = true
    await eventually(async () => {
      const { status, headers } = await b.ask({ path: '/v1/apps', token })
      expect(status).toBe(200)
      expect(Number(headers['berth-state-age'])).toBeGreaterThanOrEqual(2)
    })
    const body = JSON.stringify({ name: 'shop', repository: 'https://git.test/shop' })
    const headers = { 'content-type': 'application/json' }
    const refused = await b.ask({ method: 'POST', path: '/v1/apps', token, headers, body })
    expect(JSON.parse(refused.text).error.code).toBe('store.unavailable')
    way.isCut = false
    await eventually(async () => {
      expect((await b.ask({ path: '/v1/apps', token })).headers['berth-state-age']).toBeUndefined()
    })
  })

  it('deploy from a work tree at either: what reads sources is done where they are', async () => {
    const [a, b] = await startTwo()
    await eventually(async () => expect(await leaderOf(b, 'builds')).toBe('a'))
    const token = await a.token('ann', 'deployer')
    const good = bundleOf({ 'berth.yaml': 'app: shop\nbuild:\n  dockerfile: Dockerfile\nentrypoints:\n  web: {}\n' })
    const headers = { 'content-type': 'application/octet-stream' }
    const path = '/v1/apps/shop/source'
    const sent = await b.ask({ method: 'PUT', path, token, headers, body: good.bundle })
    expect(sent).toMatchObject({ status: 200 })
    const { repository } = JSON.parse(sent.text)
    const source = { repository, ref: good.commit }
    // It was read: an environment that it does not have is refused.
    const wrong = b.local.call('deploy', { params: { app: 'shop' }, body: { ...source, pool: 'nowhere' } })
    await expect(wrong).rejects.toMatchObject({ code: expect.stringMatching(/^environment\./) })
    const { build } = await b.local.call('deploy', { params: { app: 'shop' }, body: { ...source, pool: 'production' } })
    expect(build).toMatchObject({ app: 'shop', createdBy: 'local:0' })
    const id = build?.id ?? ''
    // Its output comes from the server that runs it, until it ends.
    const lines: string[] = []
    for await (const { line } of b.local.lines('getBuildOutput', { params: { id }, query: { follow: 'true' } })) {
      lines.push(line)
      if (line.startsWith('not yet')) await b.local.call('cancelBuild', { params: { id } })
    }
    expect(lines.join('\n')).toContain(`commit ${good.commit} by Ada`)
    await eventually(async () =>
      expect(await b.local.call('getBuild', { params: { id } })).toMatchObject({ state: 'cancelled' }),
    )
    // When that server is gone, that much is said.
    await a.stop()
    const left: string[] = []
    for await (const { line } of b.local.lines('getBuildOutput', { params: { id } })) left.push(line)
    expect(left[0]).toMatch(/^the output is on server a, which cannot be asked/)
  })

  it('tell either of a push, and compare releases at either: repositories are read by the one that builds', async () => {
    const [a, b] = await startTwo()
    await eventually(async () => expect(await leaderOf(b, 'builds')).toBe('a'))
    using work = new Workspace()
    const repository = new GitRepository(work.path('shop'), { 'berth.yaml': 'app: shop\n' })
    const first = repository.git('rev-parse', 'HEAD')
    await b.local.call('createApp', { body: { name: 'shop', repository: repository.dir } })
    await b.local.call('setPipeline', { params: { app: 'shop' }, query: {}, body: { branches: ['main'] } })
    const { secret } = await b.local.call('createWebhookSecret', { params: { app: 'shop' } })
    const push = async (to: ServerUnderTest, key: string) => {
      const body = JSON.stringify({ ref: 'refs/heads/main' })
      const signature = `sha256=${createHmac('sha256', key).update(body).digest('hex')}`
      const headers = {
        ...{ 'content-type': 'application/json', 'x-github-event': 'push', 'x-hub-signature-256': signature },
      }
      const { status, text } = await to.ask({ method: 'POST', path: '/hooks/shop', headers, body })
      return { status, ...(JSON.parse(text) as { builds?: string[]; error?: { code: string } }) }
    }
    expect(await push(b, 'another')).toMatchObject({ status: 401, error: { code: 'hook.bad-signature' } })
    const told = await Promise.all([push(b, secret), push(a, secret), push(b, secret)])
    expect(told.map(({ status }) => status)).toEqual([202, 202, 202])
    const builds = await b.local.list('listBuilds', { query: { app: 'shop' } })
    expect(builds.items).toMatchObject([{ ref: first, createdBy: 'pipeline:shop', trigger: { by: 'webhook' } }])
    expect(new Set(told.flatMap(({ builds: made = [] }) => made))).toEqual(new Set([builds.items[0]?.id]))
    const second = repository.commit({ 'a.txt': 'a' }, 'sell more')
    const { builds: asked } = await b.local.call('lookAtPipeline', { params: { app: 'shop' }, body: {} })
    expect(asked).toMatchObject([{ ref: second, createdBy: 'pipeline:shop' }])
    await using state = await openState(store.store, { log: pino({ level: 'silent' }) })
    await new Records(store.store, state, { processTag: 'test' }).commit('system:test', (tx) => {
      const release = { app: 'shop', image: 'sha256:one', spec: testSpec({ web: {} }), createdAt: 1, createdBy: 'ann' }
      tx.create('releases', { ...release, id: 'v1', commit: first })
      tx.create('releases', { ...release, id: 'v2', commit: second })
      tx.create('pools', {
        ...{ app: 'shop', name: 'production', environment: 'production', release: 'v1', generation: 1 },
        ...{ nextGeneration: 2, replicas: {}, nextOrdinal: {}, createdAt: 1 },
      })
    })
    const query = { pool: 'production' }
    const asks = { params: { app: 'shop', release: 'v2' }, query }
    await eventually(async () => {
      const diff = await b.local.call('getReleaseDiff', asks)
      expect(diff).toMatchObject({ from: 'v1', to: 'v2', removed: [], added: [{ subject: 'sell more' }] })
      expect(diff).toEqual(await a.local.call('getReleaseDiff', asks))
    })
    const away = b.local.call('getReleaseDiff', { params: { app: 'shop', release: 'v9' }, query })
    await expect(away).rejects.toMatchObject({ code: 'release.not-found' })
    const hasMirror = ({ config }: ServerUnderTest) => existsSync(join(config.stateDir, 'server/sources/git/shop.git'))
    expect([a, b].map(hasMirror)).toEqual([true, false])
    // The other one takes over, with nothing of the repository on its disk.
    await a.stop()
    const third = repository.commit({ 'a.txt': 'b' }, 'sell less')
    await eventually(async () => expect((await push(b, secret)).status).toBe(202))
    const after = await b.local.list('listBuilds', { query: { app: 'shop' } })
    expect(after.items.map(({ ref }) => ref)).toEqual(expect.arrayContaining([first, second, third]))
    expect(await b.local.call('getReleaseDiff', asks)).toMatchObject({ added: [{ subject: 'sell more' }] })
  })

  it('cannot pretend that a server passes on their calls', async () => {
    const a = await startServer('a')
    const forged = new RelayPass({ derive: () => Buffer.alloc(32, 1) })
    const pass = forged.issue({ actor: 'me', role: 'admin' }, 'b', { method: 'GET', path: '/v1/status' })
    const answer = await a.ask({ path: '/v1/status', headers: { 'berth-relay': pass } })
    expect(answer.status).toBe(401)
    expect(JSON.parse(answer.text).error.code).toBe('auth.invalid-relay')
  })
})

it('a leader that hears fewer than half of the nodes that another hears gives up the role', { timeout }, async () => {
  const [a, b] = await startTwo()
  await joinNode('n1', [b])
  await eventually(async () => expect(await leaderOf(b, 'cluster')).toBe('b'), 110_000)
  expect(await leaderOf(a, 'builds')).toBe('a')
  expect(a.logged.join('')).toContain('it hears 0 nodes')
})

it('a server on a file of its own gives no token to another', async () => {
  const server = await ServerUnderTest.start()
  servers.push(server)
  await expect(server.local.call('createServerToken', { body: {} })).rejects.toMatchObject({ code: 'server.alone' })
  const { items } = await server.local.list('listServers')
  expect(items).toMatchObject([{ leads: ['builds', 'clock', 'cluster', 'upkeep'], answers: true }])
})
