import { setImmediate as nextTurn } from 'node:timers/promises'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { State } from '../records/index.ts'
import { silent } from '../store/sqlite/open-temporary.testing.ts'
import { TestCluster, testSpec } from './cluster.testing.ts'
import { NodeWatch } from './node-watch.ts'

let cluster: TestCluster

beforeEach(async () => {
  cluster = await TestCluster.start()
  await cluster.addNode('node-b', '10.77.2.0/24')
  cluster.commits.set('c1', testSpec({ web: { replicas: 2, resources: { cpuMilli: 3000 } } }))
  await cluster.deploy('c1')
})
afterEach(() => cluster[Symbol.asyncDispose]())

it('counts from when a node was last heard of, asks others as soon as it is silent, and waits for no look when the time is over', async () => {
  const lastHeardAt = Date.now() - 200
  const seen: number[] = []
  const { records, state } = cluster
  await using watch = new NodeWatch({
    ...{ records, state, log: silent, lookMs: 3_600_000 },
    isOnline: (node) => state.nodeStatuses.get(node)?.online === true,
    silentSince: (node) => (node === 'node-b' ? lastHeardAt : undefined),
    reach: async () => [],
    onChange: () => seen.push(Date.now()),
  })
  expect(watch.fate('node-b', 1000)).toBe('here')
  cluster.nodes.get('node-b')?.disconnect()
  await cluster.setOnline('node-b', false)
  await cluster.until('the look', () => seen.length === 1)
  expect(watch.fate('node-b', 1000)).toBe('silent')
  // The patience of others that is longer puts nothing off.
  expect(watch.fate('node-b', 60_000)).toBe('silent')
  await cluster.until('the end of its patience', () => seen.length > 1)
  expect(watch.fate('node-b', 1000)).toBe('lost')
  expect(watch.fate('node-b', 60_000)).toBe('silent')
  expect(seen.at(-1)).toBeGreaterThanOrEqual(lastHeardAt + 999)
  await cluster.setOnline('node-b', true)
  expect(watch.fate('node-b', 1000)).toBe('here')
})

it('tells of a silent node once, again when somebody hears it, and of one that is held back as soon as enough others are there', async () => {
  const { records, state } = cluster
  await cluster.addNode('node-c', '10.77.3.0/24')
  const offline = new Set<string>()
  const told: string[] = []
  let isHeard = false
  await using watch = new NodeWatch({
    ...{ records, state, log: silent, lookMs: 3_600_000 },
    isOnline: (node) => !offline.has(node),
    silentSince: () => Date.now() - 60_000,
    reach: async (_, targets) => (isHeard ? targets : []),
    onChange: (node) => told.push(node),
  })
  const look = async (): Promise<string[]> => {
    told.length = 0
    await watch.look()
    return [...told]
  }
  offline.add('node-b').add('node-c')
  expect((await look()).sort()).toEqual(['node-b', 'node-c'])
  expect(await look()).toEqual([])
  // Two of three are gone: it may be this server that is cut off.
  expect(watch.fate('node-b', 1000)).toBe('silent')
  expect(await look()).toEqual([])
  offline.delete('node-c')
  const at = performance.now()
  await cluster.until('another moment', () => performance.now() - at > 10)
  expect(await look()).toEqual(['node-b'])
  expect(watch.fate('node-b', 1000)).toBe('lost')
  expect(await look()).toEqual([])
  isHeard = true
  expect(await look()).toEqual(['node-b'])
  expect(watch.fate('node-b', 1000)).toBe('agent-away')
  expect(await look()).toEqual([])
})

it('hundreds that fall silent one after the other are looked at together', async () => {
  const names = Array.from({ length: 300 }, (_, at) => `node-${at}`)
  const online = new Set(names)
  const told = new Set<string>()
  let looks = 0
  let listener: (change: object) => void = () => undefined
  const state = {
    changes: {
      subscribe: (each: typeof listener) => {
        listener = each
        return () => undefined
      },
    },
    nodes: { ids: () => names, has: () => true, get: () => undefined, size: names.length },
    instances: {
      byNode: (node: string) => {
        if (node === 'node-0') looks += 1
        return []
      },
    },
  } as unknown as State
  await using _ = new NodeWatch({
    ...{ records: cluster.records, state, log: silent, lookMs: 3_600_000 },
    isOnline: (node) => online.has(node),
    reach: async () => [],
    onChange: (node) => told.add(node),
  })
  const startedAt = performance.now()
  for (const name of names) {
    online.delete(name)
    listener({ kind: 'nodeStatuses', id: name, before: { online: true }, after: { online: false } })
    await nextTurn()
  }
  await cluster.until('all of them', () => told.size === names.length)
  expect(looks).toBeLessThanOrEqual(2 + (performance.now() - startedAt) / 200)
  expect(looks).toBeGreaterThan(0)
})
