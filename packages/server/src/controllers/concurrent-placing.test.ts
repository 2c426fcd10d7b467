import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Records, RecordTransaction } from '../records/index.ts'
import { TestCluster, testSpec } from './cluster.testing.ts'
import { plainStatus } from './pretended-node.testing.ts'

const call = { actor: 'test' }
const production = { app: 'shop', pool: 'production' }
const nodes = 200
const replicas = 1_200
/** A commit of less is not one of those that go beside each other. */
const manySteps = 60

let cluster: TestCluster

beforeEach(async () => {
  cluster = await TestCluster.start()
  await cluster.setOnline('node-a', false)
  for (let from = 0; from < nodes; from += 40)
    await cluster.records.commit('system:test', (tx) => {
      for (let n = from; n < from + 40; n++) putNode(tx, n)
    })
})
afterEach(() => cluster[Symbol.asyncDispose]())

/** Nobody answers for these: what is looked at is the deciding. */
function putNode(tx: RecordTransaction, n: number): void {
  const rest = { address: '127.0.0.1', schedulable: true, certificateFingerprint: '', joinedAt: 0 }
  tx.put('nodes', { name: `n-${n}`, labels: {}, block: `10.78.${n}.0/24`, ...rest })
  tx.put('nodeStatuses', { ...plainStatus, name: `n-${n}`, cpuMilli: 64_000, memoryBytes: 1e12, gateway: false })
}

async function deploy(): Promise<void> {
  const web = { replicas, resources: { cpuMilli: 100, memoryBytes: 1e6 }, readyTimeoutMs: 600_000 }
  cluster.commits.set('c1', testSpec({ web }))
  await cluster.operations.deploy({ ...production, ref: 'c1', force: false, repository: '/repo' }, call)
}

/** `act` is done before each of the large commits, which counts them and how many are under way. */
function watchCommits(act: (count: number, signal: AbortSignal | undefined) => Promise<void>) {
  const seen = { count: 0, underWay: 0, most: 0 }
  const { records } = cluster
  const attempt: Records['attempt'] = records.attempt.bind(records)
  records.attempt = async (tx, options = {}) => {
    if (tx.size < manySteps) return attempt(tx, options)
    seen.count += 1
    seen.underWay += 1
    seen.most = Math.max(seen.most, seen.underWay)
    try {
      await act(seen.count, options.signal)
      return await attempt(tx, options)
    } finally {
      seen.underWay -= 1
    }
  }
  return seen
}

const placed = () => cluster.state.instances.all().filter((each) => each.node !== undefined)
const untilPlaced = () => cluster.until('all have a place', () => placed().length === replicas, 120_000)

function expectNothingTwice(): void {
  expect(cluster.state.instances.size).toBe(replicas)
  expect(new Set(placed().map((each) => each.address)).size).toBe(replicas)
  for (const { node, address } of placed()) expect(address).toMatch(`10.78.${node?.slice(2)}.`)
  const counts = Map.groupBy(placed(), (each) => each.node)
  // As even as where one goes after the other.
  expect(Math.max(...[...counts.values()].map((each) => each.length))).toBeLessThanOrEqual(replicas / nodes + 1)
}

describe('commits of one plan beside each other', () => {
  it('place everything once', async () => {
    const seen = watchCommits(async (count) => {
      // A store that answers at once has done one before there is another. The first of a plan is alone.
      if (count > 1) await vi.waitUntil(() => seen.most > 2, { timeout: 5_000 }).catch(() => undefined)
    })
    await deploy()
    await untilPlaced()
    expectNothingTwice()
    expect(seen.most).toBeGreaterThan(2)
    expect(seen.count).toBeLessThan(replicas / 30)
  }, 150_000)

  it('leave to the next server what a crash has kept from being committed', async () => {
    const seen = watchCommits(async (count, signal) => {
      // Every other one is never heard of again.
      if (count > 4 && count % 2 === 1)
        await new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)))
    })
    await deploy()
    await cluster.until('some have a place', () => seen.count > 6 && placed().length > 0, 60_000)
    await cluster.stopServer()
    await cluster.startServer()
    const before = placed()
    expect(before.length).toBeLessThan(replicas)
    await untilPlaced()
    expectNothingTwice()
    for (const each of before)
      expect(cluster.state.instances.get(each.id)).toMatchObject({ node: each.node, address: each.address })
  }, 150_000)

  it('write nothing any more once the term is over', async () => {
    const leader = { role: 'cluster', server: 'other', session: 'other', since: 0 }
    let over = 0
    watchCommits(async (count) => {
      if (count !== 6) return
      over = (await cluster.records.commit('system:test', (tx) => tx.put('leaders', leader))).revision
    })
    await deploy()
    await cluster.until('the other leads', () => over > 0, 60_000)
    await cluster.stopServer()
    const { instances } = cluster.state
    expect(instances.size).toBeLessThan(replicas)
    for (const id of instances.ids()) expect(instances.modRevision(id)).toBeLessThan(over)
  }, 150_000)

  it('put nothing on a node that was taken out meanwhile', async () => {
    const name = 'n-100'
    let since = 0
    watchCommits(async (count) => {
      if (count !== 3) return
      const { revision } = await cluster.records.commit('system:test', (tx) => {
        const node = cluster.state.nodes.get(name)
        if (node !== undefined) tx.put('nodes', { ...node, schedulable: false }, { ifUnchanged: true })
        tx.put('fences', { ...cluster.state.fences.get(name), node: name, updatedAt: 1 }, { ifUnchanged: true })
      })
      since = revision
    })
    await deploy()
    await untilPlaced()
    const later = placed().filter((each) => cluster.state.instances.modRevision(each.id) > since)
    expect(later.length).toBeGreaterThan(0)
    expect(later.filter((each) => each.node === name)).toEqual([])
    expect(new Set(placed().map((each) => each.address)).size).toBe(replicas)
  }, 150_000)
})
