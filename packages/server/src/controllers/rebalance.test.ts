import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TestCluster, testSpec } from './cluster.testing.ts'

const call = { actor: 'ana' }
const group = 'default'

let cluster: TestCluster

beforeEach(async () => {
  cluster = await TestCluster.start()
  const web = { replicas: 4, resources: { cpuMilli: 900 }, readyTimeoutMs: 60_000 }
  cluster.commits.set('c1', testSpec({ web }))
  await cluster.deploy('c1')
})
afterEach(() => cluster[Symbol.asyncDispose]())

const up = () => cluster.state.instances.all().filter((each) => each.desired === 'run')
const serving = () => up().filter((each) => cluster.state.statuses.get(each.id)?.ready === true)
const on = (node: string) => up().filter((each) => each.node === node)
const ended = () => cluster.state.rebalances.get(group)?.state === 'ended'
const events = (type: string) => cluster.state.events.all().filter((each) => each.type === type)
const start = (moves: number, disruption = 1) => cluster.operations.startRebalance({ group, moves, disruption }, call)

describe('a rebalancing', () => {
  it('is shown before it is done', async () => {
    await cluster.addNode('node-b', '10.77.2.0/24')
    const moves = cluster.operations.planRebalance({ group, moves: 10 })
    expect(moves).toHaveLength(2)
    expect(moves[0]).toMatchObject({ from: 'node-a', to: 'node-b' })
    expect(moves[0]?.before).toBeGreaterThan(moves[0]?.after ?? 1)
    expect(cluster.operations.planRebalance({ group, moves: 10 })).toEqual(moves)
    expect(on('node-a')).toHaveLength(4)
    expect(() => cluster.operations.planRebalance({ group: 'ghost', moves: 1 })).toThrow(/no node group ghost/)
  })

  it('replaces one after the other, ends when nothing more pays, and has nothing to do then', async () => {
    await cluster.addNode('node-b', '10.77.2.0/24')
    let fewest = 4
    const look = cluster.state.changes.subscribe(() => {
      fewest = Math.min(fewest, serving().length)
      expect(cluster.state.rebalances.get(group)?.moves.length ?? 0).toBeLessThanOrEqual(1)
    })
    await start(10)
    await expect(start(1)).rejects.toMatchObject({ code: 'rebalance.running' })
    await cluster.until('the end', ended)
    look()
    await cluster.until('rest', () => serving().length === 4)
    expect(fewest).toBe(4)
    expect([on('node-a').length, on('node-b').length]).toEqual([2, 2])
    expect(cluster.state.rebalances.get(group)).toMatchObject({ done: 2, message: 'no other move pays; 2 moved' })
    expect(events('instance.moves').map(({ message }) => message)).toEqual([
      expect.stringMatching(/^shop\.production\.web-\d moves from node-a, which is \d+ % full, to node-b$/),
      expect.stringMatching(/^shop\.production\.web-\d moves from node-a, which is \d+ % full, to node-b$/),
    ])
    expect(cluster.operations.planRebalance({ group, moves: 10 })).toEqual([])
  })

  it('makes no more moves than were asked for', async () => {
    await cluster.addNode('node-b', '10.77.2.0/24')
    await start(1)
    await cluster.until('the end', ended)
    expect(cluster.state.rebalances.get(group)).toMatchObject({
      done: 1,
      message: 'as many as were asked for; 1 moved',
    })
  })

  it('goes on after a restart of the server', async () => {
    await cluster.addNode('node-b', '10.77.2.0/24')
    await start(10)
    await cluster.until('a move', () => (cluster.state.rebalances.get(group)?.moves.length ?? 0) > 0)
    await cluster.stopServer()
    await cluster.startServer()
    for (const name of cluster.nodes.keys()) await cluster.connect(name)
    await cluster.until('the end', ended, 20_000)
    await cluster.until('rest', () => serving().length === 4)
    expect([on('node-a').length, on('node-b').length]).toEqual([2, 2])
  })

  it('is stopped by a person', async () => {
    await cluster.addNode('node-b', '10.77.2.0/24')
    await start(10)
    await cluster.operations.stopRebalance(group, call).catch(() => undefined)
    await cluster.until('the end', ended)
    await cluster.until('rest', () => serving().length === 4 && up().length === 4)
    await expect(cluster.operations.stopRebalance(group, call)).rejects.toMatchObject({ code: 'rebalance.not-running' })
  })
})

it('a node that joins is filled where its group says so, and only then', async () => {
  await cluster.addNode('node-b', '10.77.2.0/24')
  await cluster.pools.idle()
  expect(on('node-b')).toEqual([])
  await cluster.records.commit('system:test', (tx) => {
    const found = cluster.state.groups.find(group)
    if (found !== undefined) tx.put('groups', { ...found, rebalanceOnJoin: { disruption: 1 } })
  })
  await cluster.until('the rule is seen', () => cluster.state.rebalances.has(group))
  expect(on('node-b')).toEqual([])
  await cluster.records.commit('system:test', (tx) => {
    const node = cluster.state.nodes.get('node-b')
    if (node !== undefined) tx.put('nodes', { ...node, joinedAt: Date.now() })
  })
  await cluster.until('it is filled', () => on('node-b').length === 2 && ended())
  expect(events('rebalance.started').map(({ message }) => message)).toEqual([
    'node group default is rebalanced: node-b joined',
  ])
})
