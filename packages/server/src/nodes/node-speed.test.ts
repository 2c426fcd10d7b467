import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TestCluster } from '../controllers/cluster.testing.ts'
import { NodeSpeed } from './node-speed.ts'
import { Nodes } from './nodes.ts'

const call = { signal: new AbortController().signal, context: { actor: 'token:ana' } }

let cluster: TestCluster
let nodes: Nodes
const rates = new Map<string, number>()
let speed: NodeSpeed

beforeEach(async () => {
  cluster = await TestCluster.start()
  nodes = new Nodes(cluster.records)
  await cluster.addNode('node-b', '10.77.2.0/24')
  await cluster.addNode('node-c', '10.77.3.0/24')
  rates.clear()
  for (const [node, rate] of [
    ['node-a', 4000],
    ['node-b', 3000],
    ['node-c', 1],
  ] as const)
    rates.set(node, rate)
  speed = new NodeSpeed(cluster.state, nodes, {
    isConnected: (node) => rates.has(node),
    measureSpeed: async (node) => rates.get(node) ?? 0,
  })
})
afterEach(() => cluster[Symbol.asyncDispose]())

describe('the speed of a node', () => {
  it('is measured against the first of full speed, and written down by whoever asked', async () => {
    expect(await speed.measure('node-b', undefined, call)).toMatchObject({
      ...{ against: 'node-a', measured: 3000, reference: 4000 },
      node: { name: 'node-b', speedMilli: 750 },
    })
    const events = cluster.state.events.all().filter((event) => event.type === 'node.updated')
    expect(events.map(({ actor, message }) => [actor, message])).toEqual([['token:ana', 'node-b: speed 0.75']])
  })

  it('is taken times that of the node it is compared with, within bounds', async () => {
    await nodes.update('node-b', { speedMilli: 500 }, call.context)
    expect((await speed.measure('node-a', 'node-b', call)).node.speedMilli).toBe(670)
    expect((await speed.measure('node-c', 'node-a', call)).node.speedMilli).toBe(10)
  })

  it('cannot be told without another', async () => {
    rates.delete('node-b')
    rates.delete('node-c')
    await expect(speed.measure('node-a', undefined, call)).rejects.toMatchObject({ code: 'node.no-reference' })
  })
})
