import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TestCluster, testSpec } from '../controllers/cluster.testing.ts'
import { Externals } from '../externals/externals.ts'
import { explainPacket } from '../policy/explain-packet.ts'
import { ownersOf } from '../policy/net-ends.ts'
import { Profiles } from '../policy/profiles.ts'
import { NodeRoutes } from '../routing/node-routes.ts'
import { addressPoolView } from '../views/address-pool-view.ts'
import { instanceView } from '../views/instance-view.ts'
import type { ViewContext } from '../views/view-context.ts'
import { AddressPools } from './address-pools.ts'
import { addressesOfNode } from './list-addresses.ts'
import { showAddress } from './show-address.ts'
import { twinBlock } from './twin-pools.ts'

const call = { actor: 'test' }
const prefix = 'fd77:1::/64'
const twins = [{ range: '10.77.0.0/16', ipv6: prefix }]

let cluster: TestCluster
let pools: AddressPools
let externals: Externals
beforeEach(async () => {
  cluster = await TestCluster.start()
  const agents = { isOnline: () => false, request: async <T>() => ({}) as T }
  pools = new AddressPools({ records: cluster.records, range: '10.77.0.0/16', agents })
  externals = new Externals(cluster.records, { domain: 'berth', addressPools: () => pools.ranges() })
})
afterEach(() => cluster[Symbol.asyncDispose]())

const deploy = async (): Promise<void> => {
  const profiles = new Profiles(cluster.records)
  await profiles.put('web', { inbound: ['tcp:80 from ops', 'icmpv6:128 from fd00::/8'], outbound: [] }, {}, call)
  cluster.commits.set('c1', testSpec({ web: { profiles: ['web'] } }))
  await cluster.deploy('c1')
}
const webAddress = (): string => cluster.state.instances.all()[0]?.address ?? ''

describe('a pool with IPv6', () => {
  it('is told to nodes, with the twin of each instance', async () => {
    expect(cluster.feed.snapshot('node-a').network).not.toHaveProperty('twins')
    await pools.update('default', { ipv6: 'FD77:1:0::/64' }, call)
    await deploy()
    const { network, assignments, policy } = cluster.feed.snapshot('node-a')
    expect(network?.twins).toEqual(twins)
    expect(webAddress()).toBe('10.77.1.2')
    expect(assignments.map(({ address, address6 }) => [address, address6])).toEqual([['10.77.1.2', 'fd77:1::a4d:102']])
    expect(policy?.ipv6).toEqual({ pools: twins, members: {} })
    expect(pools.ranges()).toEqual(['10.77.0.0/16', 'fd77:1::a4d:0/112'])
  })

  it('has external services with IPv6 bear their tags, and names', async () => {
    await pools.update('default', { ipv6: prefix }, call)
    await deploy()
    await externals.put('jump', { addresses: ['192.0.2.7', '2001:DB8::7'], tags: ['ops'] }, {}, call)
    await cluster.until('the name', () => cluster.feed.snapshot('node-a').names.externals !== undefined)
    const { policy, names } = cluster.feed.snapshot('node-a')
    expect(policy?.members).toEqual({ ops: ['192.0.2.7'] })
    expect(policy?.ipv6).toEqual({ pools: twins, members: { ops: ['2001:db8::7'] } })
    expect(names.externals).toMatchObject([{ name: 'jump', addresses: ['192.0.2.7'], addresses6: ['2001:db8::7'] }])
    const inPool = externals.put('bad', { addresses: ['fd77:1::10.77.9.9'] }, {}, call)
    await expect(inPool).rejects.toThrow('in the cluster’s own pool')
  })

  it('is explained by addresses of both versions', async () => {
    await pools.update('default', { ipv6: prefix }, call)
    await deploy()
    await externals.put('jump', { addresses: ['2001:db8::7'], tags: ['ops'] }, {}, call)
    const reasonOf = (question: Parameters<typeof explainPacket>[1]) => {
      const { inbound, to } = explainPacket(cluster.state, question)
      return [to.address, inbound.allowed, inbound.reason, inbound.number]
    }
    const web = 'fd77:1::a4d:102'
    expect(reasonOf({ from: 'jump', to: 'shop/web', port: 80 })).toEqual([web, true, 'rule', 1])
    expect(reasonOf({ from: 'jump', to: 'shop/web', port: 81 })).toEqual([web, false, 'no-rule', undefined])
    expect(reasonOf({ from: 'fd00::9', to: web, protocol: 'icmp' })).toEqual([web, true, 'rule', 2])
    expect(reasonOf({ from: '192.0.2.7', to: 'shop/web', port: 80 })).toEqual([
      '10.77.1.2',
      false,
      'no-rule',
      undefined,
    ])
    expect(ownersOf(cluster.state)(web)).toMatchObject({
      kind: 'instance',
      name: 'shop.production.web-1',
      address: web,
    })
    expect(ownersOf(cluster.state)('fd77:1::a4d:101')).toMatchObject({ kind: 'node', name: 'node-a' })
  })

  it('is none for who has no address of it', async () => {
    await deploy()
    const question = { from: '2001:db8::7', to: 'shop/web', port: 80 }
    expect(() => explainPacket(cluster.state, question)).toThrow('has no address of IPv6')
    expect(cluster.feed.snapshot('node-a').policy).not.toHaveProperty('ipv6')
  })
})

describe('who has which address', () => {
  const signal = AbortSignal.timeout(10_000)
  const web = 'fd77:1::a4d:102'
  const show = (asked: string) =>
    showAddress(asked, {
      ...{ state: cluster.state, pools: pools.all(), domain: 'berth', history: { of: () => undefined } },
      containerAt: async () => undefined,
    })
  beforeEach(async () => {
    await pools.update('default', { ipv6: prefix }, call)
    await deploy()
  })

  it('is told by both', async () => {
    const [instance] = cluster.state.instances.all()
    if (instance === undefined) throw new Error('an instance is to be placed')
    const gateway = { host: 'a.example.com', httpPort: 80, httpsPort: 443 }
    const traffic = { isInTraffic: () => false } as unknown as ViewContext['traffic']
    const context = { state: cluster.state, traffic, isOnline: () => true, gateway }
    expect(instanceView(context, instance)).toMatchObject({ address: '10.77.1.2', address6: web })
    const node = cluster.state.nodes.get('node-a')
    if (node === undefined) throw new Error('there is a node')
    const rows = addressesOfNode(cluster.state, pools.all(), node, undefined)
    expect(rows.map(({ address, address6 }) => [address, address6])).toEqual([
      ['10.77.1.1', 'fd77:1::a4d:101'],
      ['10.77.1.2', web],
    ])
    expect(twinBlock(cluster.state, node.block)).toBe('fd77:1::a4d:100/120')
  })

  it('is found by either, in any notation', async () => {
    const found = { kind: 'instance', address: '10.77.1.2', address6: web, instance: 'shop.production.web-1' }
    for (const asked of ['10.77.1.2', web, 'FD77:1:0::10.77.1.2'])
      expect(await show(asked)).toMatchObject({ ...found, node: 'node-a' })
    expect(await show('fd77:1::a4d:1fe')).toMatchObject({ kind: 'free', address: '10.77.1.254' })
    await expect(show('fd78::1')).rejects.toMatchObject({
      code: 'network.invalid-address',
      message: '"fd78::1" is no address of IPv4, nor one of IPv6 of a pool; write four numbers, e.g. 10.77.3.5',
    })
  })

  it('says whose the routes of IPv6 are that nodes tell of', async () => {
    const route = (block: string) => ({ block, kind: 'bgp' as const, from: 'node-b', reachable: true })
    const routes = ['10.77.1.0/24', 'fd77:1::a4d:100/120', 'fd77:1::a4d:900/120'].map(route)
    const request = async <T>() => ({ mode: 'bgp', running: true, sessions: [], routes }) as T
    const view = await new NodeRoutes(cluster.state, { request }).of('node-a', { signal })
    expect(view.routes.map(({ owner }) => owner)).toEqual(['node-a', 'node-a', undefined])
  })
})

describe('a pool of nodes in routed mode', () => {
  it('has IPv6 as well, on nodes of either kind', async () => {
    await cluster.addNode('node-r', '10.77.9.0/24', { network: { driver: 'routed', range: '10.77.0.0/16' } })
    await pools.update('default', { ipv6: prefix }, call)
    await deploy()
    for (const node of ['node-a', 'node-r']) expect(cluster.feed.snapshot(node).network?.twins).toEqual(twins)
  })
})

describe('a pool that gets a prefix while instances run on nodes in routed mode', () => {
  const web = () => cluster.state.instances.all().filter(({ desired }) => desired === 'run')
  const names = () => cluster.feed.snapshot('node-a').names.entries.map(({ instance, only4 }) => [instance, only4])
  const rows = () =>
    addressesOfNode(cluster.state, pools.all(), cluster.state.nodes.get('node-r')!, undefined).flatMap((row) =>
      row.instance === undefined ? [] : [[row.instance, row.address6]],
    )

  it('leaves them without, and tells no address of theirs; those that replace them have it', async () => {
    await cluster.addNode('node-r', '10.77.9.0/24', { network: { driver: 'routed', range: '10.77.0.0/16' } })
    await cluster.records.commit('system:test', (tx) =>
      tx.put('nodes', { ...cluster.state.nodes.get('node-a')!, schedulable: false }),
    )
    await deploy()
    const [{ id = '' } = {}] = web()
    await cluster.until('the name', () => names().length === 1)
    expect(names()).toEqual([[id, undefined]])
    const pool = await pools.update('default', { ipv6: prefix }, call)
    expect(pool).toMatchObject({ ipv6: prefix, ipv6Since: expect.any(Number) as number })
    await cluster.until('the word', () => names()[0]?.[1] === true)
    expect(cluster.feed.snapshot('node-r').network?.twins).toEqual(twins)
    expect(rows()).toEqual([[id, undefined]])
    await cluster.operations.restart({ app: 'shop', pool: 'production' }, call)
    await cluster.until('the next', () => web().length === 1 && web()[0]?.id !== id && names().length === 1)
    await cluster.until('its name', () => names()[0]?.[0] === web()[0]?.id)
    expect(names()).toEqual([[web()[0]?.id, undefined]])
    expect(rows()).toContainEqual([web()[0]?.id, expect.stringMatching(/^fd77:1::a4d:9/)])
    expect(addressPoolView(cluster.state, pools.require('default'), [])).toMatchObject({ ipv6Since: pool.ipv6Since })
  })

  it('not while others of it run on a node with a bridge, nor on one that is to get one', async () => {
    await cluster.addNode('node-r', '10.77.9.0/24', {
      network: { driver: 'routed', range: '10.77.0.0/16', wanted: 'bridge' },
    })
    await cluster.records.commit('system:test', (tx) =>
      tx.put('nodes', { ...cluster.state.nodes.get('node-a')!, schedulable: false }),
    )
    await deploy()
    await expect(pools.update('default', { ipv6: prefix }, call)).rejects.toMatchObject({
      code: 'address-pool.in-use',
      message: expect.stringMatching(/on node-r, where Docker's network has to be made anew/) as string,
    })
  })
})

describe('a prefix is refused', () => {
  it.each([
    ['fd77::1/64', 'network.invalid-block', 'the block around it'],
    ['fd77::/100', 'network.invalid-block', 'choose /16 to /96'],
    ['fe80::/64', 'address-pool.unusable', 'link-local'],
    ['10.0.0.0/8', 'network.invalid-block', 'no block of IPv6'],
  ])('%s', async (ipv6, code, text) => {
    const refusal = { code, message: expect.stringContaining(text) as string }
    await expect(pools.update('default', { ipv6 }, call)).rejects.toMatchObject(refusal)
    await expect(pools.add({ name: 'b', range: '10.78.0.0/16', ipv6 }, call)).rejects.toMatchObject(refusal)
    expect(pools.all()).toHaveLength(1)
  })

  it('where there is another, and taken again where it is the same', async () => {
    await pools.add({ name: 'b', range: '10.78.0.0/16', ipv6: 'fd78::/96' }, call)
    expect(pools.require('b')).toMatchObject({ ipv6: 'fd78::/96' })
    await pools.update('b', { ipv6: 'fd78::/96', disabled: true }, call)
    await expect(pools.update('b', { ipv6: 'fd79::/96' }, call)).rejects.toMatchObject({
      code: 'address-pool.ipv6-set',
    })
    // The same prefix twice is no overlap: the IPv4 addresses behind it are others.
    await pools.add({ name: 'c', range: '10.79.0.0/16', ipv6: 'fd78::/96' }, call)
  })

  it('while instances have addresses of the pool on nodes with a bridge', async () => {
    await deploy()
    const refusal = { code: 'address-pool.in-use', message: expect.stringContaining('on node-a') as string }
    await expect(pools.update('default', { ipv6: prefix }, call)).rejects.toMatchObject(refusal)
    await pools.add({ name: 'b', range: '10.78.0.0/16', ipv6: 'fd78::/96' }, call)
  })

  it('with what somebody has', async () => {
    await externals.put('jump', { addresses: ['fd77:1::10.77.0.9'] }, {}, call)
    await expect(pools.update('default', { ipv6: prefix }, call)).rejects.toThrow('the external service jump')
  })
})
