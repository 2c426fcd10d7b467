import { type Instance, type NodeStatus, parseBlock, specDefaults, usableCount } from '@berth/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { stayingOn } from '../views/staying.ts'
import { TestCluster, testSpec } from './cluster.testing.ts'

const call = { actor: 'test' }
const production = { app: 'shop', pool: 'production' }
const routed: Partial<NodeStatus> = { network: { driver: 'routed', range: '10.77.0.0/16' } }

let cluster: TestCluster

beforeEach(async () => {
  cluster = await TestCluster.start()
  cluster.commits.set('keeps', testSpec({ db: { replicas: 2, address: 'keep' }, web: {} }))
  cluster.commits.set('again', testSpec({ db: { replicas: 2, address: 'keep', command: ['other'] }, web: {} }))
  cluster.commits.set('plain', testSpec({ db: { replicas: 2 }, web: {} }))
})
afterEach(() => cluster[Symbol.asyncDispose]())

const all = (): Instance[] => cluster.state.instances.all().filter(({ entrypoint }) => entrypoint === 'db')
const up = (): Instance[] => all().filter(({ desired }) => desired === 'run')
const addresses = (): Record<string, string | undefined> =>
  Object.fromEntries(up().map(({ slot, address }) => [String(slot), address]))
const kept = (): Record<string, string> =>
  Object.fromEntries(cluster.state.keptAddresses.all().map(({ slot, address }) => [String(slot), address]))
const allReady = (count: number): boolean =>
  up().length === count && up().every(({ id }) => cluster.state.statuses.get(id)?.ready === true)
const homeOf = (node: string): string => cluster.state.nodes.get(node)?.block.replace(/0\/24$/, '') ?? ''

async function change(name: string, drained: boolean): Promise<void> {
  await cluster.records.commit('system:test', (tx) => {
    const { drain: _, ...node } = cluster.state.nodes.get(name)!
    const drain = { since: 0, by: 'test', limit: 4 }
    tx.put('nodes', { ...node, schedulable: !drained, ...(drained ? { drain } : {}) })
  })
}

/** No two that run may have one address at any time. */
function watchForTwins(): string[] {
  const twins: string[] = []
  cluster.state.changes.subscribe(() => {
    const running = all().filter(({ id }) => cluster.state.statuses.get(id)?.phase === 'running')
    const taken = running.map(({ address }) => address)
    if (new Set(taken).size < taken.length) twins.push(taken.join())
  })
  return twins
}

describe('an entrypoint that keeps its addresses', () => {
  it('has them after a deploy, a restart, a rest and a server’s end', async () => {
    await cluster.addNode('node-b', '10.77.2.0/24')
    await cluster.deploy('keeps')
    const before = addresses()
    expect(Object.keys(before).sort()).toEqual(['1', '2'])
    expect(kept()).toEqual(before)
    const { rehearsal } = await cluster.operations.plan({ ...production, ref: 'again' }, call)
    expect(rehearsal?.end).toBe('done')
    expect(rehearsal?.kept).toMatchObject(
      ['1', '2'].map((slot) => ({ entrypoint: 'db', slot: Number(slot), address: before[slot] })),
    )
    const planned = rehearsal?.kept.map(({ node }) => node)
    const twins = watchForTwins()
    await cluster.deploy('again')
    expect(planned).toEqual(['1', '2'].map((slot) => up().find((each) => String(each.slot) === slot)?.node))
    expect(rehearsal?.kept.every(({ home, node, onlyThere }) => home === node && onlyThere !== undefined)).toBe(true)
    expect(up().every(({ release }) => release === 'v2')).toBe(true)
    expect(addresses()).toEqual(before)
    await cluster.operations.restart(production, call)
    await cluster.until('the restart', () => up().every(({ generation }) => generation === 3) && allReady(2))
    expect(addresses()).toEqual(before)
    await cluster.operations.scale({ ...production, replicas: { db: 0 }, dryRun: false }, call)
    await cluster.until('rest', () => all().length === 0)
    expect(kept()).toEqual(before)
    await cluster.stopServer()
    await cluster.startServer()
    for (const name of cluster.nodes.keys()) await cluster.connect(name)
    await cluster.operations.scale({ ...production, replicas: { db: 2 }, dryRun: false }, call)
    await cluster.until('both', () => allReady(2))
    expect(addresses()).toEqual(before)
    expect(twins).toEqual([])
  })

  it('leaves to others what its block has besides, and not one more', async () => {
    await cluster.deploy('keeps')
    const before = Object.values(addresses())
    const free = usableCount(parseBlock('10.77.1.0/24')) - 2
    cluster.commits.set(
      'many',
      testSpec({ db: { replicas: 0, address: 'keep' }, web: { replicas: free + 1, resources: {} } }),
    )
    const deploy = { app: 'shop', pool: 'production', ref: 'many', force: false, repository: '/repo' }
    await cluster.operations.deploy(deploy, call)
    const others = () => cluster.state.instances.all().filter(({ entrypoint }) => entrypoint === 'web')
    await cluster.until('all', () => others().filter(({ node }) => node !== undefined).length === free)
    await cluster.until('the last one', () =>
      others().some(({ unplaced }) => unplaced?.includes('addresses used up') === true),
    )
    const given = others().map(({ address }) => address)
    for (const address of before) expect(given).not.toContain(address)
    expect(Object.values(kept())).toEqual(before)
  })

  it('gives up those above what it is scaled to, and all when it keeps them no more', async () => {
    await cluster.deploy('keeps')
    const before = addresses()
    await cluster.operations.scale({ ...production, replicas: { db: 1 }, dryRun: false }, call)
    await cluster.until('one', () => all().length === 1 && Object.keys(kept()).length === 1)
    expect(kept()).toEqual({ 1: before[1] })
    await cluster.deploy('plain')
    await cluster.until('none', () => Object.keys(kept()).length === 0)
    expect(up().map(({ slot }) => slot)).toEqual([undefined])
    expect(cluster.state.events.all().filter(({ type }) => type === 'address.released')).toHaveLength(2)
    await cluster.deploy('keeps')
    await cluster.until('kept again', () => Object.keys(kept()).length === 1)
    await cluster.operations.removeApp('shop', call)
    await cluster.until('the end', () => !cluster.state.apps.has('shop'))
    expect(kept()).toEqual({})
  })
})

describe('on nodes with a bridge', () => {
  it('an instance that keeps its address does not leave a drained node, and it is said why', async () => {
    await cluster.addNode('node-b', '10.77.2.0/24')
    await cluster.deploy('keeps')
    const [first] = up()
    const { node = '', id = '', address } = first ?? {}
    await change(node, true)
    await cluster.until('the others to leave', () =>
      cluster.state.instances.byNode(node).every(({ entrypoint }) => entrypoint === 'db'),
    )
    await cluster.pools.idle()
    expect(cluster.state.instances.get(id)).toMatchObject({ desired: 'run', node })
    const context = { state: cluster.state, isOnline: () => true, traffic: cluster.traffic }
    expect(stayingOn(context, cluster.state.nodes.get(node)!)).toContainEqual({
      ...{ instance: id, later: false },
      why: `keeps its address ${address}; no other node can have it: that takes routed mode (berth up --network routed)`,
    })
    // Once there is a node that can have it, it goes there.
    await cluster.addNode('node-r', '10.77.9.0/24', routed)
    await cluster.until('the move', () => cluster.state.instances.byNode(node).length === 0 && allReady(2))
    expect(up().find((each) => each.address === address)?.node).toBe('node-r')
  })

  it('its successor waits for the node whose block the address is of, and says so', async () => {
    await cluster.addNode('node-b', '10.77.2.0/24')
    await cluster.deploy('keeps')
    const [{ node = '', id = '', address } = {}] = up()
    await change(node, true)
    await cluster.operations.stopInstance(id, call)
    await cluster.until('a successor', () => up().some(({ unplaced }) => unplaced !== undefined))
    expect(up().find(({ unplaced }) => unplaced !== undefined)?.unplaced).toBe(
      `${address} is kept for it; on ${node}, whose block it is of: 2 nodes: 1 cordoned, 1 without node = ${node}; no other node can have it: that takes routed mode (berth up --network routed)`,
    )
    await change(node, false)
    await cluster.until('both', () => allReady(2))
    expect(up().find((each) => each.address === address)?.node).toBe(node)
  })
})

describe('on routed nodes', () => {
  beforeEach(async () => {
    await cluster.addNode('node-b', '10.77.2.0/24', routed)
    await cluster.addNode('node-c', '10.77.3.0/24', routed)
  })

  it('goes where there is room, is told to all as that node’s, and comes home when it is replaced again', async () => {
    await cluster.deploy('keeps')
    const before = addresses()
    const [{ node: home = '', address = '' } = {}] = up().filter(({ node }) => node !== 'node-a')
    const lines: object[] = []
    cluster.feed.subscribe('node-a', (line) => lines.push(line))
    await change(home, true)
    await cluster.until('the move', () => cluster.state.instances.byNode(home).length === 0 && allReady(2))
    expect(addresses()).toEqual(before)
    const other = up().find((each) => each.address === address)?.node ?? ''
    expect(['node-b', 'node-c']).toContain(other)
    expect(other).not.toBe(home)
    const bearer = (name: string) => cluster.feed.snapshot(name).network.addresses
    expect([bearer(other), bearer(home), bearer('node-a')]).toEqual([[address], undefined, undefined])
    const { peers } = cluster.feed.snapshot('node-a').network
    expect(peers.filter(({ addresses = [] }) => addresses.length > 0)).toMatchObject([
      { node: other, addresses: [address] },
    ])
    await cluster.until('the word', () => JSON.stringify(lines).includes(`"addresses":["${address}"]`))
    // The address of the node that is drained stays kept there, and others of that block are given.
    await change(home, false)
    await cluster.operations.scale({ ...production, replicas: { web: 40 }, dryRun: false }, call)
    await cluster.until(
      'all',
      () => cluster.state.instances.all().filter(({ entrypoint }) => entrypoint === 'web').length === 40,
    )
    const others = cluster.state.instances.byNode(home).map((each) => each.address ?? '')
    expect(others.length).toBeGreaterThan(0)
    expect(others.every((each) => each.startsWith(homeOf(home)))).toBe(true)
    expect(others).not.toContain(address)
    await cluster.operations.restart(production, call)
    await cluster.until('the return', () => up().every(({ generation }) => generation === 2) && allReady(2))
    expect(up().find((each) => each.address === address)?.node).toBe(home)
    expect(bearer(other)).toBeUndefined()
    await cluster.until('the word of that', () => !JSON.stringify(lines.at(-1)).includes('"addresses"'))
  })

  it('stays at home while routes are entries of a provider’s table, which lead to whole blocks', async () => {
    await cluster.deploy('keeps')
    await cluster.records.commit('system:test', (tx) => {
      const settings = { as: 64_512, sites: {}, meshUpTo: 50, reflectors: 2, peers: [] }
      tx.put('routings', { name: 'cluster', mode: 'cloud', ...settings, updatedAt: 0, updatedBy: 'test' })
    })
    const [{ node = '', id = '' } = {}] = up().filter((each) => each.node !== 'node-a')
    await change(node, true)
    await cluster.operations.stopInstance(id, call)
    await cluster.until('a successor', () => up().some(({ unplaced }) => unplaced !== undefined))
    expect(up().find(({ unplaced }) => unplaced !== undefined)?.unplaced).toContain(
      'elsewhere nobody would reach it, since entries of a provider’s table lead to whole blocks',
    )
    await change(node, false)
    await cluster.until('both', () => allReady(2))
  })

  it('is at the new node alone after a node is given up, also when that comes back', async () => {
    const placement = { ...specDefaults.placement, reschedule: { afterMs: 100 } }
    cluster.commits.set('moves', testSpec({ db: { replicas: 2, address: 'keep', placement } }))
    await cluster.deploy('moves')
    const [{ node: lost = '', id = '', address = '' } = {}] = up().filter(({ node }) => node !== 'node-a')
    cluster.nodes.get(lost)?.disconnect()
    await cluster.setOnline(lost, false)
    await cluster.until('a successor', () => allReady(2) && up().every(({ node }) => node !== lost))
    const next = up().find((each) => each.address === address)?.node ?? ''
    expect(cluster.feed.snapshot('node-a').network.peers).toContainEqual(
      expect.objectContaining({ node: next, addresses: [address] }),
    )
    await cluster.setOnline(lost, true)
    await cluster.connect(lost)
    await cluster.until('the end of the former', () => !cluster.state.instances.has(id))
    expect(up().find((each) => each.address === address)?.node).toBe(next)
  })
})
