import { type Instance, type NodeDrain, specDefaults } from '@berth/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TestCluster, testSpec, webRoute } from './cluster.testing.ts'

let cluster: TestCluster

beforeEach(async () => {
  cluster = await TestCluster.start()
  for (const [name, block] of [
    ['node-b', '10.77.2.0/24'],
    ['node-c', '10.77.3.0/24'],
  ] as const)
    await cluster.addNode(name, block)
})
afterEach(() => cluster[Symbol.asyncDispose]())

const up = (): Instance[] => cluster.state.instances.all().filter((each) => each.desired === 'run')
const on = (node: string): Instance[] => up().filter((each) => each.node === node)

async function change(name: string, drain: NodeDrain | undefined): Promise<void> {
  await cluster.records.commit('system:test', (tx) => {
    const { drain: _, ...node } = cluster.state.nodes.get(name) ?? fail(name)
    tx.put('nodes', { ...node, schedulable: drain === undefined, ...(drain === undefined ? {} : { drain }) })
  })
}

function fail(name: string): never {
  throw new Error(`no node ${name}`)
}

const deploy = async (
  replicas: number,
  reschedule: { readonly afterMs: number } | 'never' = { afterMs: 100 },
): Promise<void> => {
  const placement = { ...specDefaults.placement, reschedule }
  cluster.commits.set('c1', testSpec({ web: { replicas, placement } }))
  await cluster.deploy('c1')
}

describe('a drained node', () => {
  it('is left by one after the other, without fewer in traffic than wanted', async () => {
    await deploy(6)
    expect(on('node-b')).toHaveLength(2)
    let fewest = 6
    cluster.state.changes.subscribe(() => {
      const serving = up().filter((each) => cluster.state.statuses.get(each.id)?.ready === true)
      fewest = Math.min(fewest, serving.length)
    })
    await change('node-b', { since: 0, by: 'test', limit: 1 })
    await cluster.until('node-b is empty', () => cluster.state.instances.byNode('node-b').length === 0)
    expect(up()).toHaveLength(6)
    expect(fewest).toBe(6)
    expect(cluster.node.stoppedInTraffic).toEqual([])
    const reasons = cluster.state.events.all().filter((each) => each.type === 'instance.drain')
    expect(reasons.map((each) => each.message.split(': ')[1])).toEqual(['node-b is drained', 'node-b is drained'])
  })
})

describe('a drained node whose instances are routed to', () => {
  it('is left as soon as gateways have taken in what replaces them, though nothing else happens', async () => {
    cluster.commits.set('c1', testSpec({ web: { replicas: 3 } }, { routes: [webRoute] }))
    await cluster.deploy('c1')
    for (const node of cluster.nodes.values()) node.stickGateway()
    await change('node-b', { since: 0, by: 'test', limit: 1 })
    const ready = (): Instance[] => up().filter((each) => cluster.state.statuses.get(each.id)?.ready === true)
    await cluster.until('the replacement', () => ready().length === 4)
    await cluster.pools.idle()
    expect(on('node-b')).toHaveLength(1)
    for (const node of cluster.nodes.values()) node.unstickGateway()
    await cluster.until('node-b is empty', () => cluster.state.instances.byNode('node-b').length === 0)
    expect(up()).toHaveLength(3)
  })
})

describe('a silent node', () => {
  const silence = async (): Promise<void> => {
    cluster.nodes.get('node-b')?.disconnect()
    await cluster.setOnline('node-b', false)
  }

  it('is lost after a while, and comes back to tombstones', async () => {
    await deploy(3)
    const [old] = on('node-b')
    await silence()
    await cluster.until('a replacement', () => up().length === 3 && on('node-b').length === 0)
    expect(cluster.state.instances.get(old?.id ?? '')).toMatchObject({ desired: 'stop', stopReason: 'node-b is lost' })
    await cluster.setOnline('node-b', true)
    await cluster.connect('node-b')
    await cluster.until('the end', () => !cluster.state.instances.has(old?.id ?? ''))
    expect(up()).toHaveLength(3)
  })

  it('keeps its instances while anything on it answers others: only its agent is away', async () => {
    await deploy(3)
    const [old] = on('node-b')
    cluster.answering.add(old?.address ?? '')
    await silence()
    await cluster.until('the word', () => cluster.state.events.all().some((each) => each.type === 'node.agent-away'))
    cluster.aheadMs += 10_000
    await cluster.until('another look', () => cluster.lastLook > Date.now() - 15)
    expect(on('node-b')).toEqual([old])
    cluster.answering.clear()
    cluster.aheadMs += 20_000
    await cluster.until('a replacement', () => up().length === 3 && on('node-b').length === 0)
  })

  it('keeps those of an app that never gives up', async () => {
    await deploy(3, 'never')
    const before = on('node-b')
    await silence()
    cluster.aheadMs += 86_400_000
    const looked = Date.now()
    await cluster.until('looks', () => cluster.lastLook > looked + 60)
    expect(on('node-b')).toEqual(before)
  })

  it('is not given up when most nodes are silent: the server itself may be cut off', async () => {
    await deploy(3)
    const before = up()
    for (const name of ['node-a', 'node-b']) {
      cluster.nodes.get(name)?.disconnect()
      await cluster.setOnline(name, false)
    }
    cluster.aheadMs += 86_400_000
    const looked = Date.now()
    await cluster.until('looks', () => cluster.lastLook > looked + 60)
    expect(up()).toEqual(before)
  })
})
