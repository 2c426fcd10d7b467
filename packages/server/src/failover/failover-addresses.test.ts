import type { Node, NodeFailover, NodeStatus } from '@berth/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { AddressPools } from '../addresses/address-pools.ts'
import { TestCluster } from '../controllers/cluster.testing.ts'
import type { RoutingRecord } from '../records/index.ts'
import { failoverView } from '../views/failover-view.ts'
import { nodeView } from '../views/node-view.ts'
import { FailoverAddresses, requireFailoverWays } from './failover-addresses.ts'
import { failoverEvents } from './failover-events.ts'

const call = { actor: 'token:ann' }
const first = '192.0.2.10'
let cluster: TestCluster
let addresses: FailoverAddresses

beforeEach(async () => {
  cluster = await TestCluster.start()
  const { records } = cluster
  const agents = { isOnline: () => false, request: async <T>() => ({}) as T }
  const pools = new AddressPools({ records, range: '10.77.0.0/16', agents })
  addresses = new FailoverAddresses({ records, pools: () => pools.taken() })
})
afterEach(async () => await cluster[Symbol.asyncDispose]())

const change = (name: string, labels: Record<string, string>, drain?: boolean) =>
  cluster.records.commit('system:test', (tx) => {
    const node = cluster.state.nodes.get(name)
    const { drain: _, ...rest } = node ?? {}
    const mark = drain === true ? { drain: { since: 1, by: 'ann', limit: 1 } } : {}
    if (node !== undefined) tx.put('nodes', { ...node, ...rest, labels, ...mark })
  })
const say = (name: string, told: Partial<NodeStatus>) =>
  cluster.records.commit('system:test', (tx) => {
    const status = cluster.state.nodeStatuses.get(name)
    if (status !== undefined) tx.put('nodeStatuses', { ...status, abilities: ['failover'], ...told })
  })
const routes = (mode: RoutingRecord['mode'], peers: RoutingRecord['peers'] = []) =>
  cluster.records.commit('system:test', (tx) =>
    tx.put('routings', {
      ...{ name: 'cluster', mode, as: 64_512, sites: {}, meshUpTo: 50, reflectors: 2, peers },
      ...{ updatedAt: 1, updatedBy: 'ann' },
    }),
  )
const two = async (): Promise<void> => {
  await cluster.addNode('node-b', '10.77.2.0/24')
  for (const name of ['node-a', 'node-b']) await change(name, { gateway: 'true' })
}
const told = (node: string): NodeFailover | undefined => cluster.feed.snapshot(node).failover
const view = (address = first, now?: number) =>
  failoverView(
    { state: cluster.state, isOnline: (node) => cluster.state.nodeStatuses.get(node)?.online === true },
    cluster.failover,
    addresses.require(address),
    now,
  )
const holds = (since = 5_000): Partial<NodeStatus> => ({ failover: [{ address: first, state: 'holds', since }] })

describe('a failover address', () => {
  it('is told to gateways alone, and to one that is drained or none any more that it has nothing', async () => {
    await two()
    const heard: (NodeFailover | undefined)[] = []
    const stop = cluster.feed.subscribe('node-a', (line) => {
      if (line.type === 'failover') heard.push(line.failover)
    })
    expect(told('node-a')).toEqual({ source: '', addresses: [] })
    await addresses.add({ address: first }, call)
    await cluster.until('a line of it', () => heard.length === 1)
    const address = (node: string): string => cluster.state.nodes.get(node)?.address ?? ''
    const both = ['node-a', 'node-b'].map((node) => told(node)?.addresses[0])
    expect(both).toMatchObject([
      { by: 'vrrp', router: 1, peers: [address('node-b')] },
      { by: 'vrrp', router: 1, peers: [address('node-a')] },
    ])
    expect(both.flatMap((each) => (each?.by === 'vrrp' ? [each.priority] : [])).sort()).toEqual([253, 254])

    await change('node-a', { gateway: 'true' }, true)
    await cluster.until('it to be told that it has nothing', () => heard.at(-1)?.addresses.length === 0)
    expect(told('node-b')?.addresses).toMatchObject([{ peers: [] }])
    await change('node-b', {})
    await cluster.until('it to have it again, being the only one', () => heard.at(-1)?.addresses.length === 1)
    await addresses.remove(first, call)
    await cluster.until('it to be told', () => heard.at(-1)?.addresses.length === 0)
    stop()
  })

  it('is announced where routes are learned by BGP, unless somebody has chosen', async () => {
    await two()
    await addresses.add({ address: first }, call)
    await addresses.add({ address: '192.0.2.11', by: 'vrrp' }, call)
    await routes('bgp')
    expect(told('node-a')?.addresses.map(({ by }) => by)).toEqual(['bgp', 'vrrp'])
    expect(view()).toMatchObject({ by: 'bgp', chosen: false })
    expect(view().problems).toContain('no router is told of it: berth net peer set')
    await routes('bgp', [{ name: 'r1', address: '10.0.0.254', as: 65_000 }])
    expect(view().problems.join()).not.toContain('router')
  })

  it('is refused where nobody could have it, or somebody has it', async () => {
    const refused = (wanted: Parameters<FailoverAddresses['add']>[0], message: string) =>
      expect(addresses.add(wanted, call)).rejects.toThrow(message)
    await change('node-a', {})
    await refused({ address: first }, 'no node is a gateway; label one first: berth node label NODE gateway=true')
    await two()
    await change('node-b', { gateway: 'true', site: 'paris' })
    await refused({ address: first, site: 'pari' }, 'no gateway is of the site pari; did you mean paris?')
    await refused({ address: `${first}/32` }, 'is no address')
    await refused({ address: '10.77.3.4' }, 'the address pool default has 10.77.0.0/16')
    await cluster.records.commit('system:test', (tx) => {
      const node = cluster.state.nodes.get('node-b')
      if (node !== undefined) tx.put('nodes', { ...node, address: '198.51.100.7' })
    })
    await refused({ address: '198.51.100.7' }, 'node node-b has 198.51.100.7')
    await refused({ address: first, by: 'bgp' }, 'berth net set --routes bgp')
    await addresses.add({ address: first, site: 'paris' }, call)
    await refused({ address: first }, 'is a failover address already')
    expect(told('node-a')?.addresses).toEqual([])
    await routes('cloud')
    await refused({ address: '192.0.2.11' }, 'routes cloud')
    await routes('bgp')
    await refused({ address: '2001:db8::10' }, 'no IPv6')
    await addresses.add({ address: '2001:DB8::10', by: 'vrrp' }, call)
    expect(addresses.require('2001:db8:0::10').router).toBe(2)
    expect(() => addresses.require('192.0.2.99')).toThrow(`there are: ${first}, 2001:db8::10`)
  })

  it('keeps routes from becoming what it has no way in', async () => {
    await two()
    await routes('bgp')
    await addresses.add({ address: first, by: 'bgp' }, call)
    expect(() => requireFailoverWays(cluster.state, 'static')).toThrow('let one hold it (--by vrrp)')
    expect(() => requireFailoverWays(cluster.state, 'cloud')).toThrow('routes cloud')
    requireFailoverWays(cluster.state, 'bgp')
  })

  it('is shown with who has it since when, and what is wrong', async () => {
    await two()
    await addresses.add({ address: first }, call)
    expect(view().problems[0]).toContain('its agent knows of no failover addresses: berth node upgrade node-a')
    await say('node-a', holds())
    expect(view().nodes[0]).toMatchObject({ name: 'node-a', state: 'holds', since: 5_000 })
    const { state, traffic } = cluster
    const context = { state, traffic, isOnline: () => true, gateway: { host: 'g', httpPort: 80, httpsPort: 443 } }
    expect(nodeView(context, state.nodes.get('node-a') as Node).failover).toEqual(holds().failover)
    expect(view().problems).toEqual(['agents of node-b know of no failover addresses: berth node upgrade node-b'])
    await say('node-b', {})
    expect(view()).toMatchObject({ by: 'vrrp', problems: [], nodes: [{}, { state: 'waits' }] })
    expect(view().nodes.filter(({ preferred }) => preferred)).toHaveLength(1)

    await say('node-b', holds(6_000))
    expect(view(first, 12_000).problems).toEqual([])
    expect(view(first, 20_000).problems[0]).toContain('node-a and node-b have it at once')
    await say('node-b', {
      failover: [{ address: first, state: 'problem', why: 'no network of this node contains it' }],
    })
    await say('node-a', { online: false, ...holds() })
    expect(view().problems).toEqual([
      'nobody is known to have it: node-a: had it when its agent was last heard; node-b: no network of this node contains it',
    ])
    await say('node-a', { online: true, failover: [] })
    const { createdAt } = addresses.require(first)
    expect(view(first, createdAt + 9_000).problems).toEqual([])
    expect(view(first, createdAt + 11_000).problems).toEqual([
      'nobody has it: node-a: its agent is taking it up; node-b: no network of this node contains it',
    ])
    await change('node-b', {})
    expect(view().problems).toContain('only node-a may have it: nobody takes it over')
    await change('node-a', {})
    expect(view().problems).toEqual(['no node is a gateway: berth node label NODE gateway=true'])
  })

  it('makes an event when it comes to a node, and when it leaves one', async () => {
    await two()
    await addresses.add({ address: first }, call)
    const { state } = cluster
    const status = (name: string) => state.nodeStatuses.get(name) as NodeStatus
    await say('node-a', { online: false, ...holds() })
    const came = { ...status('node-b'), ...holds() }
    expect(failoverEvents(state, status('node-b'), came)).toMatchObject([
      {
        type: 'failover.taken',
        subject: { node: 'node-b' },
        message: `node-b has ${first} now; before or beside it node-a (offline)`,
      },
    ])
    expect(failoverEvents(state, came, came)).toEqual([])
    const left = {
      ...came,
      failover: [{ address: first, state: 'waits' as const, why: 'its gateway does not answer' }],
    }
    expect(failoverEvents(state, came, left)).toMatchObject([
      { type: 'failover.left', message: `node-b has let go of ${first}: its gateway does not answer` },
    ])
  })
})
