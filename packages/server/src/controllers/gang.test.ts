import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { RecordTransaction } from '../records/index.ts'
import { TestCluster, testSpec } from './cluster.testing.ts'

const call = { actor: 'test' }
const production = { app: 'shop', pool: 'production' }

let cluster: TestCluster

beforeEach(async () => {
  cluster = await TestCluster.start()
})
afterEach(() => cluster[Symbol.asyncDispose]())

const entrypoint = (replicas: number, cpuMilli = 1000) => ({
  ...{ replicas, gang: true, resources: { cpuMilli }, readyTimeoutMs: 60_000 },
})

async function deploy(name: string, replicas: number, cpuMilli = 1000, pool = 'production'): Promise<void> {
  const environments = { other: { env: {}, entrypoints: {} } }
  cluster.commits.set(name, testSpec({ [name]: entrypoint(replicas, cpuMilli) }, { environments }))
  await cluster.operations.deploy({ app: 'shop', pool, ref: name, force: false, repository: '/repo' }, call)
}

const all = () => cluster.state.instances.all()
const placed = () => all().filter((each) => each.node !== undefined)
const placesSome = (tx: RecordTransaction): boolean =>
  tx.build().operations.some((each) => each.type === 'put' && each.key.startsWith('/fence/'))
/** What agents have ever heard of. */
const heard = () => [...cluster.nodes.values()].flatMap((node) => [...node.assignments.keys()])

/** A server that is stuck until it is stopped. */
const never = (signal: AbortSignal | undefined): Promise<never> =>
  new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)))

describe('a gang', () => {
  it('waits as a whole, says why in one sentence, and begins as a whole', async () => {
    await deploy('ring', 6)
    await cluster.until('the reason', () => all().some((each) => each.unplaced?.startsWith('all 6 or none') === true))
    expect(placed()).toEqual([])
    const first = all().find((each) => each.ordinal === 1)
    expect(first?.unplaced).toBe(
      'all 6 or none: 4 would find a place, then 1 node: 1 too little CPU (most free: node-a, 0 of 1)',
    )
    expect(all().find((each) => each.ordinal === 2)?.unplaced).toBe('all or none: see shop.production.ring-1')
    await cluster.addNode('node-b', '10.77.2.0/24')
    await cluster.until('all', () => placed().length === 6)
    await cluster.until('the rollout', () => cluster.state.rollouts.all()[0]?.state === 'succeeded')
  })

  it('too large for one commit is heard of only when the last has its place', async () => {
    await cluster.records.commit('system:test', (tx) => {
      const status = cluster.state.nodeStatuses.get('node-a')
      if (status !== undefined) tx.put('nodeStatuses', { ...status, cpuMilli: 64_000 })
    })
    let early = 0
    const look = cluster.state.changes.subscribe(() => {
      if (heard().length > 0 && placed().length < 50) early += 1
    })
    await deploy('ring', 50)
    await cluster.until('the rollout', () => cluster.state.rollouts.all()[0]?.state === 'succeeded')
    look()
    expect(early).toBe(0)
    expect(heard()).toHaveLength(50)
    expect(cluster.state.pools.find('shop', 'production')?.openGangs).toEqual({ ring: 1 })
  })

  it.each([0, 1, 2])('half-written by a server that died after part %i is gone on with by the next', async (parts) => {
    await cluster.records.commit('system:test', (tx) => {
      const status = cluster.state.nodeStatuses.get('node-a')
      if (status !== undefined) tx.put('nodeStatuses', { ...status, cpuMilli: 64_000 })
    })
    let written = 0
    const { records } = cluster
    const attempt = records.attempt.bind(records)
    records.attempt = async (tx, options) => {
      const isPart = placesSome(tx)
      if (!isPart) return attempt(tx, options)
      written += 1
      return written > parts ? never(options?.signal) : attempt(tx, options)
    }
    await deploy('ring', 50)
    await cluster.until('it is stuck', () => written > parts)
    expect(heard()).toEqual([])
    expect(placed()).toHaveLength(parts * 18)
    await cluster.stopServer()
    await cluster.startServer()
    await cluster.connect()
    await cluster.until('all', () => placed().length === 50 && heard().length === 50)
  })

  it('gives its places back when the others find none any more', async () => {
    await cluster.records.commit('system:test', (tx) => {
      const status = cluster.state.nodeStatuses.get('node-a')
      if (status !== undefined) tx.put('nodeStatuses', { ...status, cpuMilli: 64_000 })
    })
    let written = 0
    const { records } = cluster
    const attempt = records.attempt.bind(records)
    records.attempt = async (tx, options) => {
      const isPart = placesSome(tx)
      if (!isPart || ++written !== 2) return attempt(tx, options)
      const status = cluster.state.nodeStatuses.get('node-a')
      // The node has become smaller, and this part is lost.
      if (status !== undefined)
        await records.commit('system:test', (change) => change.put('nodeStatuses', { ...status, cpuMilli: 20_000 }))
      return { ok: false, revision: cluster.state.revision }
    }
    await deploy('ring', 50)
    await cluster.until('nothing is held', () => written >= 2 && placed().length === 0)
    expect(heard()).toEqual([])
    expect(all().find((each) => each.ordinal === 1)?.unplaced).toMatch(/^all 50 or none: \d+ would find a place/)
  })

  it('all or none, in whatever order nodes come and go and counts change', async () => {
    const nodes = ['node-b', 'node-c', 'node-d']
    for (const [index, name] of nodes.entries()) await cluster.addNode(name, `10.77.${index + 2}.0/24`)
    await deploy('ring', 3)
    await cluster.until('it runs', () => placed().length === 3)
    const deed = fc.oneof(
      fc.record({ node: fc.constantFrom('node-a', ...nodes), online: fc.boolean() }),
      fc.record({ count: fc.integer({ min: 0, max: 20 }) }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(deed, { minLength: 2, maxLength: 8 }), async (deeds) => {
        for (const each of deeds) {
          if ('count' in each)
            await cluster.operations.scale({ ...production, replicas: { ring: each.count }, dryRun: false }, call)
          else await cluster.setOnline(each.node, each.online)
          await cluster.pools.idle()
          // Those that were to be created together wait together.
          const waiting = all().filter((one) => one.node === undefined && one.desired === 'run')
          const makers = new Set(waiting.map((one) => one.createdAt))
          const mixed = placed().filter((one) => one.desired === 'run' && makers.has(one.createdAt))
          expect(mixed).toEqual([])
        }
      }),
      { numRuns: 8, endOnFailure: true },
    )
  })
})
