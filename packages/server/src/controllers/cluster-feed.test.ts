import { hash } from 'node:crypto'
import { defaultBgpSettings, describePeers, type Peers, peerPartOf } from '@berth/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { FeedLine } from '../agents/node-feed.ts'
import { TestCluster, testSpec, webRoute } from './cluster.testing.ts'
import { ClusterFeed } from './cluster-feed.ts'

const call = { actor: 'test' }
const production = { app: 'shop', pool: 'production' }

let cluster: TestCluster
let lines: FeedLine[]

beforeEach(async () => {
  cluster = await TestCluster.start()
  cluster.commits.set(
    'c1',
    testSpec({ web: {}, db: { ports: [{ name: 'sql', port: 5432, protocol: 'tcp' }] } }, { routes: [webRoute] }),
  )
  lines = []
  cluster.feed.subscribe('node-a', (line) => lines.push(line))
})
afterEach(() => cluster[Symbol.asyncDispose]())

const names = () => cluster.feed.snapshot('node-a').names
const ofType = <T extends FeedLine['type']>(type: T) =>
  lines.filter((line) => line.type === type) as Extract<FeedLine, { type: T }>[]

describe('names', () => {
  it('of a first deploy exist before anything is ready, and end with the app', async () => {
    cluster.broken.add('v1')
    await cluster.operations.deploy({ ...production, ref: 'c1', force: false, repository: '/repo' }, call)
    await cluster.until('names', () => (names().apps?.[0]?.entrypoints.length ?? 0) > 0)
    expect(names()).toMatchObject({
      entries: [],
      apps: [{ app: 'shop', entrypoints: ['web', 'db'], pools: ['production'] }],
    })
    await cluster.operations.removeApp('shop', call)
    await cluster.until('no names', () => names().apps?.length === 0)
    await cluster.until('the word of it', () => ofType('names').at(-1)?.names.apps?.length === 0)
  })

  it('of an app means its default entrypoint, as routes without one do, and that of the default pool', async () => {
    cluster.commits.set('c2', testSpec({ worker: { ports: [] }, api: {}, web: {} }, {}))
    cluster.commits.set('c3', testSpec({ admin: {} }, { environments: { blue: { env: {}, entrypoints: {} } } }))
    await cluster.deploy('c2')
    await cluster.until('its names', () => names().apps?.[0]?.pools.length === 1)
    expect(names().apps).toEqual([{ app: 'shop', pools: ['production'], entrypoints: ['api', 'worker', 'web'] }])
    await cluster.operations.deploy({ app: 'shop', pool: 'blue', ref: 'c3', force: false, repository: '/repo' }, call)
    await cluster.until('both pools', () => names().apps?.[0]?.entrypoints.length === 4)
    expect(names().apps).toMatchObject([
      { pools: ['production', 'blue'], entrypoints: ['api', 'worker', 'web', 'admin'] },
    ])
  })

  it('lead to ready instances only, and are not sent again when nothing changes', async () => {
    await cluster.deploy('c1')
    await cluster.until('both', () => names().entries.length === 2)
    expect(names().entries.map((each) => [each.entrypoint, each.ports[0]?.name])).toEqual([
      ['db', 'sql'],
      ['web', 'http'],
    ])
    const sent = ofType('names').length
    await cluster.setOnline('node-a', true)
    await cluster.operations.scale({ ...production, replicas: { web: 1 }, dryRun: false }, call)
    await cluster.pools.idle()
    expect(ofType('names')).toHaveLength(sent)
  })
})

describe('assignments', () => {
  it('are sent when they are made, drain and stop, and forgotten at the end', async () => {
    await cluster.deploy('c1')
    const id = cluster.state.instances.all().find((each) => each.entrypoint === 'db')?.id ?? ''
    await cluster.operations.stopInstance(id, call)
    await cluster.until('the end', () => !cluster.state.instances.has(id))
    const own = ofType('assign').filter((line) => line.assignment.instance === id)
    expect(own.map((line) => line.assignment.desired)).toEqual(['run', 'drain', 'stop'])
    const { createdAt } = own[0]?.assignment ?? {}
    expect(createdAt).toEqual(expect.any(Number))
    expect(ofType('forget')).toMatchObject([{ instance: id, createdAt }])
  })

  it('are in the snapshot of their own node only; routes in those of gateways', async () => {
    await cluster.deploy('c1')
    await cluster.addNode('node-b', '10.77.2.0/24')
    expect(cluster.feed.snapshot('node-a').assignments).toHaveLength(2)
    expect(cluster.feed.snapshot('node-b')).toMatchObject({
      assignments: [],
      network: { block: '10.77.2.0/24', peers: [{ node: 'node-a', block: '10.77.1.0/24', via: '127.0.0.1' }] },
    })
    await cluster.records.commit('system:test', (tx) => {
      const node = cluster.state.nodes.get('node-a')
      if (node !== undefined) tx.put('nodes', { ...node, labels: {} })
    })
    expect(cluster.feed.snapshot('node-a')).toMatchObject({ gatewayEnds: true })
    expect(cluster.feed.snapshot('node-a').routes).toBeUndefined()
    expect(ofType('gateway-ends')).toHaveLength(1)
    expect(cluster.feed.snapshot('node-b').routes?.routes).toHaveLength(1)
    expect(cluster.feed.snapshot('node-b').gatewayEnds).toBeUndefined()
  })
})

describe('peers', () => {
  it('are told as they come, change and leave; a node whose own block is another gets its network', async () => {
    await cluster.addNode('node-b', '10.77.2.0/24')
    const onB = { node: 'node-b', block: '10.77.2.0/24', via: '127.0.0.1' }
    await cluster.until('the word', () => ofType('peers').some(({ put }) => put.some(({ node }) => node === 'node-b')))
    expect(ofType('peers').flatMap(({ put }) => put)).toContainEqual(onB)
    const change = (name: string, more: object) =>
      cluster.records.commit('system:test', (tx) => {
        const node = cluster.state.nodes.get(name)
        if (node !== undefined) tx.put('nodes', { ...node, ...more })
      })
    await change('node-b', { labels: { site: 'x' } })
    await change('node-a', { block: '10.77.9.0/24' })
    await cluster.until('its network', () => ofType('network').length === 1)
    expect(ofType('network')[0]?.network).toMatchObject({ block: '10.77.9.0/24', peers: [onB] })
    await cluster.records.commit('system:test', (tx) => tx.delete('nodes', 'node-b'))
    await cluster.until('the end', () => ofType('peers').at(-1)?.gone.includes('node-b') === true)
    expect(cluster.feed.snapshot('node-a').network.peers).toEqual([])
  })
})

describe('peers in parts', () => {
  const sha256 = (text: string) => hash('sha256', text)
  const held = (peers: Peers) => cluster.feed.snapshot('node-a', describePeers(peers, sha256))
  const b = { node: 'node-b', block: '10.77.2.0/24', via: '127.0.0.1' }

  it('are those that a node has not as it says; what it has is in no line, and all that lack a part get one line', async () => {
    await cluster.addNode('node-b', '10.77.2.0/24')
    expect(held([])).toMatchObject({ network: { block: '10.77.1.0/24', peers: [] }, peerParts: [peerPartOf('node-b')] })
    expect(held([b]).peerParts).toEqual([])
    expect(held([{ ...b, via: '9.9.9.9' }]).peerParts).toEqual([peerPartOf('node-b')])
    expect(new Set(held([b, { ...b, node: 'gone' }]).peerParts)).toEqual(new Set([peerPartOf('gone')]))
    const line = cluster.feed.peerPart(peerPartOf('node-b'))
    expect(line).toMatchObject({ type: 'peer-part', peers: expect.arrayContaining([b]) })
    expect(cluster.feed.peerPart(peerPartOf('node-b'))).toBe(line)
    await cluster.records.commit('system:test', (tx) => tx.delete('nodes', 'node-b'))
    expect(held([b]).peerParts).toEqual([peerPartOf('node-b')])
    expect(cluster.feed.peerPart(peerPartOf('node-b'))).not.toMatchObject({ peers: expect.arrayContaining([b]) })
    expect(held([]).peerParts).toEqual([])
  })
})

describe('where short names are looked for', () => {
  const put = (searchDomains: readonly string[], meshUpTo: number) =>
    cluster.records.commit('system:test', (tx) => {
      const record = { name: 'cluster' as const, mode: 'static' as const, ...defaultBgpSettings, meshUpTo, peers: [] }
      tx.put('routings', { ...record, searchDomains, updatedAt: 1, updatedBy: 'test' })
    })

  it('is said to every node when it changes, and not again', async () => {
    await put(['corp.example'], 50)
    await cluster.until('the word', () => ofType('network').length === 1)
    expect(ofType('network')[0]?.network.searchDomains).toEqual(['corp.example'])
    await put(['corp.example'], 40)
    await put([], 40)
    await cluster.until('the end of it', () => ofType('network').length === 2)
    expect(ofType('network')[1]?.network.searchDomains).toBeUndefined()
  })
})

describe('Consul’s names', () => {
  const register = (saidAt: number, status: 'passing' | 'critical') =>
    cluster.records.commit('system:test', (tx) => {
      const check = { id: 'c', name: 'c', notes: '', status, output: '', ttlMs: 10_000, saidAt }
      tx.put('registeredServices', {
        ...{ id: 'legacy', name: 'legacy', address: '10.0.0.9', port: 80, tags: ['old'], meta: {}, checks: [check] },
        ...{ updatedAt: 1, updatedBy: 'test' },
      })
    })

  it('are said with the network, and what programs register with the names, while it is well', async () => {
    await cluster.records.commit('system:test', (tx) => {
      const record = { name: 'cluster' as const, mode: 'static' as const, ...defaultBgpSettings, peers: [] }
      tx.put('routings', { ...record, consulDomain: 'consul', updatedAt: 1, updatedBy: 'test' })
    })
    await cluster.until('the word', () => ofType('network').length === 1)
    const consul = { domain: 'consul', node: 'node-a', address: '127.0.0.1' }
    expect(ofType('network')[0]?.network.consul).toEqual(consul)
    await register(1, 'passing')
    await cluster.until('the name', () => ofType('names').at(-1)?.names.services !== undefined)
    expect(ofType('names').at(-1)?.names.services).toEqual([
      { service: 'legacy', address: '10.0.0.9', port: 80, tags: ['old'] },
    ])
    const said = ofType('names').length
    await register(2, 'passing')
    await register(3, 'critical')
    await cluster.until('its end', () => ofType('names').at(-1)?.names.services === undefined)
    expect(ofType('names')).toHaveLength(said + 1)
  })
})

describe('how routes are learned', () => {
  it('is in the snapshot, and is said again to the nodes for which it changes', async () => {
    cluster.routing = (node) => ({ mode: 'bgp', as: 1, address: '10.0.0.1', reflects: node === 'node-b', sessions: [] })
    expect(cluster.feed.snapshot('node-a').routing).toMatchObject({ reflects: false })
    await cluster.addNode('node-b', '10.77.2.0/24')
    await cluster.addNode('node-c', '10.77.3.0/24')
    await cluster.until('the peers', () => ofType('peers').some(({ put }) => put.some(({ node }) => node === 'node-c')))
    // Two nodes more, and nothing else for this one.
    expect(ofType('routing')).toEqual([])
    cluster.routing = () => ({ mode: 'static' })
    await cluster.addNode('node-d', '10.77.4.0/24')
    await cluster.until('the word', () => ofType('routing').length > 0)
    expect(ofType('routing')).toMatchObject([{ routing: { mode: 'static' } }])
  })
})

describe('names in a cluster that is too large for everybody to know everything', () => {
  let feed: ClusterFeed

  beforeEach(async () => {
    cluster.commits.set(
      'large',
      testSpec({
        web: { replicas: 3 },
        worker: { ports: [] },
        db: { ports: [{ name: 'sql', port: 5432, protocol: 'tcp' }] },
      }),
    )
    await cluster.deploy('large')
    feed = new ClusterFeed({
      ...{ state: cluster.state, addressPool: '10.77.0.0/16', domain: 'berth', defaultPool: 'production' },
      ...{
        secretsFor: () => new Map(),
        routes: () => cluster.traffic.table,
        routing: () => undefined,
        failover: (node: string) => cluster.failover.of(node),
        servers: () => undefined,
        fullNamesLimit: 1,
      },
    })
    for (const node of ['node-a', 'node-b']) feed.subscribe(node, (line) => lines.push(line))
    await cluster.operations.restart(production, call)
    await cluster.until('a table of its own', () => ofType('names').length > 0)
  })
  afterEach(() => feed[Symbol.dispose]())

  it('are those of what runs on the node, as far as it listens', async () => {
    await cluster.until('all', () => feed.snapshot('node-a').names.entries.length === 4)
    const { entries, apps } = feed.snapshot('node-a').names
    expect(new Set(entries.map((each) => each.entrypoint))).toEqual(new Set(['web', 'db']))
    expect(apps).toEqual([{ app: 'shop', pools: ['production'], entrypoints: ['web', 'db'] }])
  })

  it('are none on a node on which nothing runs, until something does', async () => {
    expect(feed.snapshot('node-b').names).toMatchObject({ entries: [], apps: [] })
    await cluster.addNode('node-b', '10.77.2.0/24')
    await cluster.operations.scale({ ...production, replicas: { web: 5 }, dryRun: false }, call)
    await cluster.until('something', () => feed.snapshot('node-b').names.entries.length > 0)
  })
})
