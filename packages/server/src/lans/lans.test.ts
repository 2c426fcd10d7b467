import type { NodeStatus } from '@berth/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { AddressPools } from '../addresses/address-pools.ts'
import { TestCluster, testSpec } from '../controllers/cluster.testing.ts'
import { explainPacket } from '../policy/explain-packet.ts'
import { ownersOf } from '../policy/net-ends.ts'
import { silent } from '../store/sqlite/open-temporary.testing.ts'
import { lanView } from '../views/lan-view.ts'
import { LanKeeper } from './lan-keeper.ts'
import { reachedAddress } from './lan-nodes.ts'
import { Lans } from './lans.ts'

const call = { actor: 'token:ann' }
const lan = { name: 'lan', mode: 'macvlan', parent: 'eth1', subnet: '192.168.7.0/24', range: '192.168.7.128/26' }
let cluster: TestCluster
let lans: Lans
let pools: AddressPools
let keeper: LanKeeper

beforeEach(async () => {
  cluster = await TestCluster.start()
  const { records } = cluster
  const agents = { isOnline: () => false, request: async <T>() => ({}) as T }
  pools = new AddressPools({ records, range: '10.77.0.0/16', agents })
  lans = new Lans({
    records,
    pools: () => pools.all().map(({ name, range }) => ({ what: `the address pool ${name}`, range })),
  })
  keeper = new LanKeeper({ records, log: silent })
})
afterEach(async () => {
  await keeper[Symbol.asyncDispose]()
  await cluster[Symbol.asyncDispose]()
})

const slices = (name = 'lan') => cluster.state.lans.get(name)?.slices ?? {}
const told = (node: string) => cluster.feed.snapshot(node).network.lans
const view = (name = 'lan') =>
  lanView(
    { state: cluster.state, isOnline: (node) => cluster.state.nodeStatuses.get(node)?.online === true },
    lans.require(name),
  )
const label = (name: string, labels: Record<string, string>) =>
  cluster.records.commit('system:test', (tx) => {
    const node = cluster.state.nodes.get(name)
    if (node !== undefined) tx.put('nodes', { ...node, labels })
  })
const say = (name: string, change: Partial<NodeStatus>) =>
  cluster.records.commit('system:test', (tx) => {
    const status = cluster.state.nodeStatuses.get(name)
    if (status !== undefined) tx.put('nodeStatuses', { ...status, ...change })
  })
const placed = () => cluster.state.instances.all().map(({ node }) => node)
const deploySoon = () =>
  cluster.operations.deploy({ app: 'shop', pool: 'production', ref: 'c1', force: false, repository: '/repo' }, call)

describe('a network of the machines’ own', () => {
  it('gives each node that it is for a slice, now and later, and tells it; nobody else hears of it', async () => {
    const heard: string[] = []
    const stop = cluster.feed.subscribe('node-a', ({ type }) => heard.push(type))
    await lans.create({ ...lan, gateway: '192.168.7.1', vlan: 120 }, call)
    expect(slices()).toEqual({ 'node-a': '192.168.7.128/30' })
    expect(told('node-a')).toEqual([
      {
        ...{ name: 'lan', mode: 'macvlan', parent: 'eth1', vlan: 120, gateway: '192.168.7.1' },
        ...{ subnet: '192.168.7.0/24', range: '192.168.7.128/26', slice: '192.168.7.128/30' },
      },
    ])
    await cluster.until('a line about it', () => heard.includes('network'))
    heard.length = 0
    await cluster.addNode('node-b', '10.77.2.0/24')
    await cluster.until('its slice', () => slices()['node-b'] === '192.168.7.132/30')
    expect(told('node-b')?.[0]?.slice).toBe('192.168.7.132/30')
    expect(heard).not.toContain('network')
    stop()
    await lans.create(
      {
        ...lan,
        name: 'rack',
        parent: 'eth2',
        subnet: '192.168.8.0/24',
        range: undefined,
        label: { name: 'rack', value: 'r7' },
      },
      call,
    )
    expect([slices('rack'), told('node-b')?.length]).toEqual([{}, 1])
    await label('node-b', { rack: 'r7' })
    await cluster.until('its slice there', () => slices('rack')['node-b'] === '192.168.8.0/28')
    expect(told('node-b')?.map(({ name }) => name)).toEqual(['lan', 'rack'])
  })

  it('takes a slice back when the node has let go of it, not while it may have it', async () => {
    await lans.create({ ...lan, label: { name: 'gateway', value: 'true' } }, call)
    await say('node-a', { dockerNetworks: ['lan'], lanProblems: {} })
    await label('node-a', {})
    await say('node-a', { online: false, dockerNetworks: [] })
    await keeper[Symbol.asyncDispose]()
    keeper = new LanKeeper({ records: cluster.records, log: silent })
    expect(view().nodes).toMatchObject([{ name: 'node-a', state: 'waiting', message: 'its agent is away' }])
    await say('node-a', { online: true, lanProblems: { lan: 'network lan: it is in use' } })
    expect(view().nodes).toMatchObject([{ state: 'problem', message: 'network lan: it is in use' }])
    expect(slices()).toEqual({ 'node-a': '192.168.7.128/30' })
    await say('node-a', { lanProblems: {} })
    await cluster.until('it is free', () => Object.keys(slices()).length === 0)
    await label('node-a', { gateway: 'true' })
    await cluster.until('another one', () => slices()['node-a'] === '192.168.7.132/30')
  })

  it('says of each node how it stands there', async () => {
    await lans.create({ ...lan, range: '192.168.7.128/29', sliceSize: 30 }, call)
    await cluster.addNode('node-b', '10.77.2.0/24', {
      lanProblems: { lan: 'network lan: this node has no interface eth1' },
    })
    await cluster.addNode('node-c', '10.77.3.0/24')
    await cluster.until('both slices are given', () => Object.keys(slices()).length === 2)
    expect(view()).toMatchObject({
      slices: { total: 2, used: 2 },
      nodes: [
        {
          name: 'node-a',
          slice: '192.168.7.128/30',
          state: 'problem',
          message: expect.stringContaining('node upgrade'),
        },
        { name: 'node-b', state: 'problem', message: 'network lan: this node has no interface eth1' },
        { name: 'node-c', state: 'problem', message: 'no slice of the range is left' },
      ],
    })
    await say('node-a', { lanProblems: {} })
    expect(view().nodes[0]).toMatchObject({ state: 'waiting', message: 'its agent is making it' })
    await say('node-a', { dockerNetworks: ['lan'] })
    expect(view().nodes[0]).toEqual({ name: 'node-a', slice: '192.168.7.128/30', state: 'ready' })
    await cluster.records.commit('system:test', (tx) => tx.delete('nodes', 'node-b'))
    await cluster.until('the next one has its slice', () => slices()['node-c'] === '192.168.7.132/30')
  })

  it('is where instances are placed that name it, on nodes that have it, and stays while they do', async () => {
    await cluster.addNode('node-b', '10.77.2.0/24', { dockerNetworks: ['lan'] })
    await lans.create({ ...lan, label: { name: 'rack', value: 'r7' } }, call)
    cluster.commits.set('c1', testSpec({ web: { networks: ['lan'], readyTimeoutMs: 60_000 } }))
    await deploySoon()
    await cluster.until('it waits', () => cluster.state.instances.unplaced().length === 1)
    expect(cluster.state.instances.unplaced()[0]?.unplaced).toBe('2 nodes: 2 without Docker network lan')
    await label('node-a', { gateway: 'true', rack: 'r7' })
    await cluster.until('a slice', () => slices()['node-a'] !== undefined)
    await say('node-a', { dockerNetworks: ['lan'], lanProblems: {} })
    await cluster.until('a place', () => placed().every((node) => node === 'node-a'))
    const [{ id } = { id: '' }] = cluster.state.instances.all()
    const attach = (address: string) => cluster.operations.attachNetwork(id, { name: 'lan', address }, call)
    await expect(attach('192.168.7.140')).rejects.toMatchObject({
      code: 'attach.address-elsewhere',
      message: expect.stringContaining("is not node-a's to give, which has 192.168.7.128/30 of that network"),
    })
    await attach('192.168.7.130')
    expect(view()).toMatchObject({ instances: 1 })
    await expect(lans.remove('lan', call)).rejects.toMatchObject({
      code: 'lan.in-use',
      message: expect.stringContaining(`remove the network lan: ${id}`),
    })
    await label('node-a', { gateway: 'true' })
    await say('node-a', { dockerNetworks: [] })
    expect(slices()).toEqual({ 'node-a': '192.168.7.128/30' })
    await cluster.operations.removePool({ app: 'shop', pool: 'production' }, call)
    await cluster.until('it has gone', () => cluster.state.pools.find('shop', 'production') === undefined)
    await lans.remove('lan', call)
    expect([told('node-a'), cluster.state.lans.size]).toEqual([undefined, 0])
    const types = cluster.state.events.all().map(({ type }) => type)
    expect(types).toEqual(expect.arrayContaining(['network.created', 'network.removed']))
  })

  it('is the only one of an entrypoint, whose instances are reached where Docker has put them', async () => {
    await cluster.addNode('node-b', '10.77.2.0/24', { dockerNetworks: ['berth-link'] })
    cluster.commits.set('c1', testSpec({ web: { network: 'lan:lan', readyTimeoutMs: 60_000 } }))
    await expect(deploySoon()).rejects.toMatchObject({
      message: expect.stringContaining('there is no network lan of the machines’ own: berth net create lan'),
    })
    await lans.create({ ...lan, label: { name: 'gateway', value: 'true' } }, call)
    await cluster.until('slices', () => slices()['node-b'] !== undefined)
    await say('node-a', { dockerNetworks: ['lan'], lanProblems: {} })
    await deploySoon()
    await cluster.until('it waits', () => cluster.state.instances.unplaced().length === 1)
    expect(cluster.state.instances.unplaced()[0]?.unplaced).toBe(
      '2 nodes: 1 without Docker network lan, 1 without links of its own (berth up --network routed)',
    )
    await say('node-a', { dockerNetworks: ['lan', 'berth-link'] })
    await cluster.until('a place', () => placed().every((node) => node === 'node-a'))
    const [instance] = cluster.state.instances.all()
    if (instance === undefined) throw new Error('one is to be placed')
    const report = (address: string) =>
      cluster.records.commit('system:test', (tx) =>
        tx.put('statuses', { id: instance.id, node: 'node-a', phase: 'running', ready: true, restarts: 0, address }),
      )
    const reached = () => {
      const found = cluster.state.instances.get(instance.id)
      return found === undefined ? undefined : reachedAddress(cluster.state, found)
    }
    const named = () => cluster.feed.snapshot('node-a').names.entries.map(({ address }) => address)
    // Whatever a node says: none but those of its own slice are its instances'.
    for (const address of ['127.0.0.1', '192.168.7.140', '10.77.1.9']) {
      await report(address)
      expect(reached()).toBeUndefined()
    }
    await report('192.168.7.129')
    await cluster.until('its name', () => named().join() === '192.168.7.129')
    expect(reached()).toBe('192.168.7.129')
    const { from, outbound } = explainPacket(cluster.state, { from: '192.168.7.129', to: '192.0.2.1', port: 80 })
    expect([from, outbound.reason]).toEqual([
      { name: instance.id, address: '192.168.7.129', node: 'node-a', profiles: [] },
      'no-instance',
    ])
    expect(ownersOf(cluster.state)('192.168.7.129')).toMatchObject({ kind: 'instance', name: instance.id })
    await report('192.168.7.130')
    await cluster.until('its new address', () => named().join() === '192.168.7.130')
    await expect(lans.remove('lan', call)).rejects.toMatchObject({
      code: 'lan.in-use',
      message: expect.stringContaining(`remove the network lan: ${instance.id}`),
    })
    const ports = { hostPort: 8080, port: 80, protocol: 'tcp' as const }
    await expect(cluster.operations.publishPort(instance.id, ports, call)).rejects.toMatchObject({
      code: 'publish.lan-network',
    })
  })

  it('is refused where others have its addresses or its name', async () => {
    await lans.create(lan, call)
    const refused = async (change: Partial<Parameters<Lans['create']>[0]>, code: string, message: string) =>
      await expect(lans.create({ ...lan, name: 'other', ...change }, call)).rejects.toMatchObject({
        code,
        message: expect.stringContaining(message),
      })
    await refused({ name: 'lan' }, 'lan.exists', 'berth net rm lan')
    await refused({ mode: 'overlay' }, 'lan.invalid', 'there is no mode "overlay"')
    await refused({ subnet: '192.168.0.0/20' }, 'lan.overlap', 'the network lan (192.168.7.0/24)')
    await refused({ range: '192.168.7.128/27' }, 'lan.overlap', '--range')
    await refused({ subnet: '10.77.9.0/24', range: undefined }, 'lan.overlap', 'the address pool default')
    await refused({ groups: ['front'], range: '192.168.7.0/26' }, 'group.not-found', 'front')
    await cluster.records.commit('system:test', (tx) => {
      const node = cluster.state.nodes.get('node-a')
      if (node !== undefined) tx.put('nodes', { ...node, address: '192.168.7.9' })
    })
    await refused({ range: '192.168.7.0/26' }, 'lan.collides', 'and node node-a has 192.168.7.9')
    await expect(pools.add({ name: 'paris', range: '192.168.0.0/16' }, call)).rejects.toThrow('the network lan')
    await expect(lans.remove('lam', call)).rejects.toMatchObject({
      code: 'lan.not-found',
      message: expect.stringContaining('did you mean lan?'),
    })
    await lans.create({ ...lan, name: 'other', range: '192.168.7.64/26' }, call)
  })

  it('gives no slice twice, whoever decides at the same time', async () => {
    await lans.create({ ...lan, range: '192.168.7.128/25', sliceSize: 30 }, call)
    const second = new LanKeeper({ records: cluster.records, log: silent })
    const names = Array.from({ length: 20 }, (_, index) => `n${index}`)
    await Promise.all(names.map((name, index) => cluster.addNode(name, `10.77.${index + 10}.0/24`)))
    await cluster.until('all have one', () => Object.keys(slices()).length === 21)
    expect(new Set(Object.values(slices())).size).toBe(21)
    await second[Symbol.asyncDispose]()
  })
})
