import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TestCluster, testSpec, webRoute } from '../controllers/cluster.testing.ts'
import { Nodes } from './nodes.ts'

const call = { actor: 'test' }
const production = { app: 'shop', pool: 'production' }

let cluster: TestCluster
let nodes: Nodes

beforeEach(async () => {
  cluster = await TestCluster.start()
  nodes = new Nodes(cluster.records)
  await cluster.addNode('node-b', '10.77.2.0/24')
  cluster.commits.set('c1', testSpec({ web: { replicas: 4 } }, { routes: [webRoute] }))
  await cluster.deploy('c1')
})
afterEach(() => cluster[Symbol.asyncDispose]())

const on = (node: string) => cluster.state.instances.byNode(node)

describe('removing a node', () => {
  it('is refused while instances are meant to run there, whether it is heard of or not', async () => {
    for (const online of [true, false]) {
      await cluster.setOnline('node-b', online)
      await expect(nodes.remove('node-b', call)).rejects.toThrow(
        'remove node node-b: 2 instances are assigned to it; drain it first',
      )
    }
    expect(on('node-b')).toHaveLength(2)
  })

  it('that is being drained says what is still on it, and how to wait', async () => {
    for (const node of cluster.nodes.values()) node.stickGateway()
    await nodes.drain('node-b', 1, call)
    const [first, second] = on('node-b').map(({ id }) => id)
    await expect(nodes.remove('node-b', call)).rejects.toThrow(
      `remove node node-b: it is being drained, by test, and 2 instances are still on it: ${first}, ${second}; wait until nothing is left there (berth node drain node-b --wait`,
    )
  })

  it('that is lost moves its pools away and forgets what it was told to stop', async () => {
    cluster.nodes.get('node-b')?.disconnect()
    await cluster.setOnline('node-b', false)
    await nodes.update('node-b', { labels: { gateway: null } }, call)
    const { id } = await cluster.operations.restart(production, call)
    await cluster.until('the restart', () => cluster.state.rollouts.get(id)?.state === 'succeeded')
    await cluster.until('tombstones', () => on('node-b').every((each) => each.desired === 'stop'))
    expect(on('node-b')).toHaveLength(2)
    await nodes.remove('node-b', call)
    expect([on('node-b').length, cluster.state.nodes.has('node-b'), on('node-a').length]).toEqual([0, false, 4])
    expect(cluster.state.statuses.size).toBe(4)
  })

  it('is refused while a node that is there has yet to stop something', async () => {
    cluster.nodes.get('node-b')?.disconnect()
    const { id } = on('node-b')[0] ?? { id: '' }
    await cluster.records.commit('system:test', (tx) => {
      for (const each of on('node-b')) tx.put('instances', { ...each, desired: 'stop' })
    })
    await expect(nodes.remove('node-b', call)).rejects.toMatchObject({ code: 'node.in-use' })
    expect(cluster.state.instances.has(id)).toBe(true)
  })
})

it('a node that is not there is said so', async () => {
  await expect(nodes.remove('node-x', call)).rejects.toMatchObject({ code: 'node.not-found' })
})

it('a node is reached at another address, which the others are told', async () => {
  await nodes.update('node-b', { address: '192.0.2.9' }, call)
  expect(cluster.state.nodes.get('node-b')?.address).toBe('192.0.2.9')
  const told = { node: 'node-b', via: '192.0.2.9' }
  await cluster.until('the word', () =>
    cluster.feed.snapshot('node-a').network.peers.some((each) => each.node === told.node && each.via === told.via),
  )
  const [event] = cluster.state.events.all().filter(({ type }) => type === 'node.updated')
  expect(event?.message).toContain('is reached at 192.0.2.9, no more at 127.0.0.1')
  await nodes.update('node-a', { address: '192.0.2.8' }, call)
  await expect(nodes.update('node-b', { address: '192.0.2.8' }, call)).rejects.toMatchObject({
    code: 'node.invalid-address',
    message: expect.stringContaining('192.0.2.8 is where node node-a is reached'),
  })
  await expect(nodes.update('node-b', { address: 'h2.example' }, call)).rejects.toMatchObject({
    code: 'node.invalid-address',
  })
})
