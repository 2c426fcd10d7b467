import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Nodes } from '../nodes/nodes.ts'
import { TestCluster, testSpec } from './cluster.testing.ts'

const call = { actor: 'test' }
const production = { app: 'shop', pool: 'production' }

let cluster: TestCluster

beforeEach(async () => {
  cluster = await TestCluster.start()
})
afterEach(() => cluster[Symbol.asyncDispose]())

const placed = (entrypoint: string) =>
  cluster.state.instances.all().filter((each) => each.entrypoint === entrypoint && each.node !== undefined)

async function deploySoon(ref: string): Promise<void> {
  await cluster.operations.deploy({ ...production, ref, force: false, repository: '/repo' }, call)
}

describe('placing', () => {
  it('spreads more instances over more nodes than one commit can hold', async () => {
    for (let n = 0; n < 40; n++) await cluster.addNode(`node-${n}`, `10.77.${n + 10}.0/24`, { gateway: false })
    cluster.commits.set('wide', testSpec({ web: { replicas: 60 } }))
    await cluster.deploy('wide')
    expect(cluster.state.rollouts.all()).toMatchObject([{ state: 'succeeded' }])
    expect(new Set(placed('web').map((each) => each.node)).size).toBe(41)
    expect(new Set(placed('web').map((each) => each.address)).size).toBe(60)
  })

  it('gives room to small instances though many large ones wait before them', async () => {
    const large = { replicas: 40, resources: { cpuMilli: 8000 }, readyTimeoutMs: 60_000 }
    cluster.commits.set('mixed', testSpec({ big: large, worker: { replicas: 2 } }))
    await deploySoon('mixed')
    await cluster.until('the small ones', () => placed('worker').length === 2)
    expect(placed('big')).toEqual([])
    expect(cluster.state.instances.unplaced()[0]?.unplaced).toContain('8 cores are more than any node has')
  })

  it('decides about many waiting pools one after the other, without a lost commit', async () => {
    await cluster.setOnline('node-a', false)
    const pools = Array.from({ length: 15 }, (_, n) => `test-${n}`)
    const environments = Object.fromEntries(pools.map((name) => [name, { env: {}, entrypoints: {} }]))
    cluster.commits.set('c1', testSpec({ web: { readyTimeoutMs: 60_000 } }, { environments }))
    await cluster.operations.startBuild({ app: 'shop', ref: 'c1', noReuse: false, repository: '/repo' }, call)
    await cluster.until('the release', () => cluster.state.releases.size === 1)
    for (const pool of pools)
      await cluster.operations.deploy({ app: 'shop', pool, ref: '', release: 'v1', force: false }, call)
    await cluster.until('all wait', () => cluster.state.instances.unplaced().length === pools.length)
    let lost = 0
    const { records } = cluster
    const attempt = records.attempt.bind(records)
    records.attempt = async (tx, options) => {
      const result = await attempt(tx, options)
      if (!result.ok) lost += 1
      return result
    }
    await cluster.setOnline('node-a', true)
    await cluster.until('all have a place', () => placed('web').length === pools.length)
    expect(lost).toBe(0)
  })

  it('guarantees no more than an uplink carries, and says what is free', async () => {
    const uplink = { name: 'eth0', bitsPerSecond: 1_000_000_000 }
    await cluster.addNode('node-b', '10.77.2.0/24', { gateway: false, uplink })
    const resources = { guaranteedOutBitsPerSecond: 400_000_000, guaranteedInBitsPerSecond: 1_000_000 }
    cluster.commits.set('c1', testSpec({ web: { replicas: 3, resources, readyTimeoutMs: 60_000 } }))
    await deploySoon('c1')
    await cluster.until(
      'one waits',
      () => cluster.state.instances.unplaced().length === 1 && placed('web').length === 2,
    )
    expect(placed('web').map((each) => each.node)).toEqual(['node-b', 'node-b'])
    // What node-a has is not known.
    expect(cluster.state.instances.unplaced()[0]?.unplaced).toBe(
      '2 nodes: 1 too little bandwidth-in (most free: node-a, 0bit of 1Mbit), 1 too little bandwidth-out (most free: node-b, 200Mbit of 400Mbit)',
    )
    await cluster.records.commit('system:test', (tx) => {
      const node = cluster.state.nodes.get('node-a')
      if (node === undefined) throw new Error('no node-a')
      tx.put('nodes', { ...node, resources: { 'bandwidth-in': 500_000_000, 'bandwidth-out': 500_000_000 } })
    })
    await cluster.until('all have a place', () => placed('web').length === 3)
  })

  it('lets a job borrow an entrypoint whose port of the node is taken', async () => {
    const ports = [{ name: 'http', port: 8080, protocol: 'tcp' as const, hostPort: 80 }]
    cluster.commits.set('c1', testSpec({ web: { ports } }))
    await cluster.deploy('c1')
    const job = await cluster.operations.runJob({ ...production, entrypoint: 'web', command: ['migrate'] }, call)
    await cluster.until('the job', () => cluster.state.statuses.get(job.id)?.phase === 'ended')
    expect(cluster.node.assignments.get(job.id)?.ports).toEqual([{ name: 'http', port: 8080, protocol: 'tcp' }])
  })

  it('gives what is in its node’s network the node’s address, once a node for each port', async () => {
    const ports = [{ name: 'http', port: 8080, protocol: 'tcp' as const, hostPort: 8080 }]
    const proxy = { network: 'host' as const, ports, replicas: 2, readyTimeoutMs: 60_000 }
    cluster.commits.set('c1', testSpec({ proxy, web: { replicas: 2 } }))
    await deploySoon('c1')
    await cluster.until(
      'one waits',
      () => cluster.state.instances.unplaced().length === 1 && placed('web').length === 2,
    )
    expect(placed('proxy')).toMatchObject([
      { node: 'node-a', address: '127.0.0.1', network: 'host', hostPorts: [8080] },
    ])
    expect(cluster.state.instances.unplaced()[0]?.unplaced).toContain('8080')
    expect(placed('web').map(({ address }) => address)).toEqual(['10.77.1.2', '10.77.1.3'])
    expect(cluster.state.fences.get('node-a')?.lastAddress).toBe('10.77.1.3')
    const id = placed('proxy')[0]?.id ?? ''
    expect(cluster.node.assignments.get(id)).toMatchObject({ network: 'host', address: '127.0.0.1' })
    const nodes = new Nodes(cluster.records, () => 0)
    await expect(nodes.update('node-a', { address: '192.0.2.7' }, call)).rejects.toThrow(
      `reach node node-a at 192.0.2.7: ${id} has its address`,
    )
  })

  it('puts what is in a bridge of Docker’s where that is, behind its node’s address', async () => {
    const ports = [{ name: 'http', port: 80, protocol: 'tcp' as const, hostPort: 8080 }]
    const db = { network: 'bridge:storage' as const, ports, readyTimeoutMs: 60_000 }
    cluster.commits.set('c1', testSpec({ db, web: { bind: [{ app: 'shop', entrypoint: 'db', as: 'DB' }] } }))
    await deploySoon('c1')
    await cluster.until('it waits', () => cluster.state.instances.unplaced().length === 1 && placed('web').length === 1)
    expect(cluster.state.instances.unplaced()[0]?.unplaced).toBe('1 node: 1 without Docker network storage')
    const told = { dockerNetworks: ['bridge', 'storage'] }
    await cluster.addNode('node-b', '10.77.2.0/24', { gateway: false, ...told })
    await cluster.until('a place', () => placed('db').length === 1)
    const [{ id } = { id: '' }] = placed('db')
    expect(placed('db')).toMatchObject([
      { node: 'node-b', address: '127.0.0.1', network: 'bridge:storage', hostPorts: [8080] },
    ])
    expect(cluster.state.fences.get('node-b')?.lastAddress).toBeUndefined()
    const node = () => cluster.nodes.get('node-b')
    await cluster.until('its order', () => node()?.assignments.has(id) === true)
    expect(node()?.assignments.get(id)).toMatchObject({ network: 'bridge:storage', address: '127.0.0.1', ports })
    const [{ id: web } = { id: '' }] = placed('web')
    expect(cluster.node.assignments.get(web)?.env).toMatchObject({
      DB_HOST: 'db.production.shop.berth',
      DB_PORT: '8080',
    })
    await expect(
      cluster.operations.publishPort(id, { hostPort: 9000, port: 80, protocol: 'tcp' }, call),
    ).rejects.toMatchObject({ code: 'publish.bridge-network', message: expect.stringContaining('hostPort') })
  })

  it('never places what is ordered to stop in the same moment', async () => {
    cluster.commits.set(
      'big',
      testSpec({ web: { replicas: 2, resources: { cpuMilli: 3000 }, readyTimeoutMs: 60_000 } }),
    )
    await deploySoon('big')
    await cluster.until('one waits', () => cluster.state.instances.unplaced().length === 1)
    const waiting = cluster.state.instances.unplaced()[0]?.id ?? ''
    await cluster.records.commit('system:test', (tx) => {
      const pool = cluster.state.pools.find('shop', 'production')
      const status = cluster.state.nodeStatuses.get('node-a')
      if (pool === undefined || status === undefined) throw new Error('no pool or no node')
      tx.put('pools', { ...pool, replicas: { web: { count: 1, setBy: 'scale', specCount: 2 } } })
      tx.put('nodeStatuses', { ...status, cpuMilli: 16_000 })
    })
    await cluster.until('one is left', () => cluster.state.instances.size === 1)
    const events = cluster.state.events.all().filter((each) => each.subject.instance === waiting)
    expect(events.map((each) => each.type)).toEqual(['instance.created', 'instance.drain', 'instance.stop'])
  })
})
