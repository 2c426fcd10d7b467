import { afterEach, expect, it } from 'vitest'
import { waitUntil } from '../testing/wait-until.ts'
import type { NetSpace } from './net-space.testing.ts'
import { RoutedCluster } from './routed-cluster.testing.ts'
import type { RoutedNode } from './routed-node.testing.ts'

/** Of the first node's block. */
const address = '10.77.1.77'

let cluster: RoutedCluster
let container: NetSpace | undefined
afterEach(async () => {
  await container?.[Symbol.asyncDispose]()
  container = undefined
  await cluster[Symbol.asyncDispose]()
})

const nodeAt = (index: number): RoutedNode => cluster.nodes[index] as RoutedNode

/** The container that has it ends, and the next one has it somewhere else. */
async function move(to: RoutedNode): Promise<void> {
  await container?.[Symbol.asyncDispose]()
  for (const { host } of cluster.nodes)
    await waitUntil('the end of the former link', async () => !(await host.ip('link')).includes('berth-'))
  container = await to.bear(address)
  await cluster.moveTo(address, to)
}

async function reachedByAll(): Promise<void> {
  for (const node of cluster.nodes) {
    await waitUntil(`${node.place.name} to reach it`, async () => (await node.lostTo(address, 1)) === 0)
    expect(await node.lostTo(address, 5)).toBe(0)
    await node.host.run('busybox', 'ping', '-c', '1', '-W', '5', address)
    await container?.run('busybox', 'ping', '-c', '1', '-W', '5', `10.77.${node.place.number}.5`)
  }
}

const learnedBy = async (node: RoutedNode): Promise<string | undefined> => (await node.learned())[address]

it('is reached where it is, also from the bridge of the node whose block it is of, and after it has moved', {
  timeout: 60_000,
}, async () => {
  cluster = await RoutedCluster.switched(3)
  await move(nodeAt(1))
  await reachedByAll()
  expect(await nodeAt(2).host.ip('route', 'get', address)).toContain('via 10.9.0.2')
  await move(nodeAt(2))
  await reachedByAll()
  expect(await nodeAt(0).host.ip('route', 'get', address)).toContain('via 10.9.0.3')
  await container?.[Symbol.asyncDispose]()
  await cluster.moveTo(address, undefined)
  expect(await nodeAt(0).statics()).toEqual(['10.77.2.0/24', '10.77.3.0/24'])
  expect(await nodeAt(0).host.ip('neigh', 'show', 'proxy')).toBe('')
})

it('is told by BGP, believed by the node whose block it is of, and leaves no route behind', {
  timeout: 90_000,
}, async () => {
  cluster = await RoutedCluster.switched(3)
  await cluster.tell({})
  await cluster.whole()
  await cluster.learnedAll()
  await move(nodeAt(1))
  for (const index of [0, 2])
    await waitUntil('it to be learned', async () => (await learnedBy(nodeAt(index))) === '10.9.0.2')
  await reachedByAll()
  expect(await nodeAt(1).host.ip('route', 'get', address)).toContain('dev berth-0a4d014d')
  expect(await nodeAt(0).statics()).toEqual([])

  await move(nodeAt(2))
  for (const index of [0, 1])
    await waitUntil('it to be learned', async () => (await learnedBy(nodeAt(index))) === '10.9.0.3')
  await reachedByAll()

  // A static route has to be there before BGP ends.
  await cluster.tell({ mode: 'static' })
  for (const node of cluster.nodes)
    await waitUntil('it to have retired', async () => (await node.birdPid()) === undefined)
  await reachedByAll()
  expect(await nodeAt(0).statics()).toContain(address)

  await cluster.tell({})
  await cluster.whole()
  await container?.[Symbol.asyncDispose]()
  await cluster.moveTo(address, undefined)
  for (const node of cluster.nodes)
    await waitUntil('it to be forgotten', async () => (await learnedBy(node)) === undefined)
  await waitUntil('no rule of its own', async () => !(await nodeAt(0).host.ip('rule')).includes(address))
})

it('of another block is not taken from a node of which nobody has said that it has it', {
  timeout: 60_000,
}, async () => {
  cluster = await RoutedCluster.switched(2)
  await cluster.tell({})
  await cluster.whole()
  nodeAt(1).network = { ...nodeAt(1).network, addresses: [address, '10.77.9.9'] }
  nodeAt(1).service.networkChanged()
  await waitUntil('what is nobody’s', async () => '10.77.9.9' in (await nodeAt(0).learned()))
  expect(await learnedBy(nodeAt(0))).toBeUndefined()
})

/** A block more of the second node's. */
const further = '10.77.9.0/28'

it('a further block is reached from every node and told by BGP, and its routes go when it is given back', {
  timeout: 90_000,
}, async () => {
  cluster = await RoutedCluster.switched(3)
  container = await nodeAt(1).bear('10.77.9.5')
  const told = async (blocks: readonly string[]): Promise<void> => {
    for (const node of cluster.nodes) {
      const { blocks: _, ...before } = node.network
      const own = node === nodeAt(1) && blocks.length > 0 ? { blocks } : {}
      const peers = before.peers.map(({ blocks: __, ...peer }) =>
        peer.node === nodeAt(1).place.name && blocks.length > 0 ? { ...peer, blocks } : peer,
      )
      node.network = { ...before, peers, ...own }
      node.service.networkChanged()
      await node.checkStatic()
    }
  }
  const reached = async (): Promise<void> => {
    for (const node of [nodeAt(0), nodeAt(2)])
      await waitUntil('the further block', async () => (await node.lostTo('10.77.9.5', 1)) === 0)
  }
  await told([further])
  await reached()
  expect(await nodeAt(0).statics()).toEqual(['10.77.2.0/24', '10.77.3.0/24', further])

  await cluster.tell({})
  await cluster.whole()
  for (const node of [nodeAt(0), nodeAt(2)])
    await waitUntil('it to be learned', async () => (await node.learned())[further] === '10.9.0.2')
  await waitUntil('no static route', async () => {
    await nodeAt(0).checkStatic()
    return (await nodeAt(0).statics()).length === 0
  })
  await reached()

  await container[Symbol.asyncDispose]()
  container = undefined
  await told([])
  for (const node of [nodeAt(0), nodeAt(2)])
    await waitUntil('it to be forgotten', async () => (await node.learned())[further] === undefined)
  expect(await nodeAt(1).host.ip('rule')).not.toContain(further)
})
