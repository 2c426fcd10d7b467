import { setTimeout as delay } from 'node:timers/promises'
import { BerthError, type EntrypointSpec } from '@berth/core'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { TestCluster, testSpec } from './cluster.testing.ts'
import { plainStatus } from './pretended-node.testing.ts'

const call = { actor: 'test' }
const nodes = ['node-a', 'node-b'] as const
const shape = { resources: { cpuMilli: 2000 }, preemptible: true, readyTimeoutMs: 60_000 }
/** By pool, from the least important on; each may displace those before it. */
const pools: Readonly<Record<string, Partial<EntrypointSpec>>> = {
  batch: shape,
  other: { ...shape, priority: 50, preempt: true },
  production: { ...shape, priority: 100, preempt: true },
}
const poolNames = Object.keys(pools)

type Deed = (cluster: TestCluster) => Promise<unknown>

const restartServer: Deed = async (cluster) => {
  await cluster.stopServer()
  await cluster.startServer()
  for (const name of cluster.nodes.keys()) await cluster.connect(name)
}
const cordon =
  (name: string, schedulable: boolean): Deed =>
  (cluster) =>
    cluster.records.commit('system:test', (tx) => {
      const node = cluster.state.nodes.get(name)
      if (node !== undefined) tx.put('nodes', { ...node, schedulable })
    })
const silence =
  (name: string): Deed =>
  async (cluster) => {
    cluster.nodes.get(name)?.disconnect()
    await delay(10)
    await cluster.connect(name)
  }

const anyNode = fc.constantFrom(...nodes)
const deed: fc.Arbitrary<Deed> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.nat(30).map(
      (ms): Deed =>
        () =>
          delay(ms),
    ),
  },
  {
    weight: 8,
    arbitrary: fc.record({ pool: fc.constantFrom(...poolNames), web: fc.nat(4) }).map(
      ({ pool, web }): Deed =>
        ({ operations }) =>
          operations.scale({ app: 'shop', pool, replicas: { web }, dryRun: false }, call),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.nat(2).map(
      (moves): Deed =>
        ({ operations }) =>
          operations.startRebalance({ group: 'default', moves: moves + 1, disruption: 1 }, call),
    ),
  },
  { weight: 1, arbitrary: anyNode.map((name) => cordon(name, false)) },
  { weight: 2, arbitrary: anyNode.map((name) => cordon(name, true)) },
  { weight: 1, arbitrary: anyNode.map(silence) },
  { weight: 1, arbitrary: fc.constant(restartServer) },
)

/** Two nodes with room for two each; nothing of it runs yet. */
async function deployed(): Promise<TestCluster> {
  const cluster = await TestCluster.start()
  await cluster.addNode('node-b', '10.77.2.0/24')
  const environments = Object.fromEntries(poolNames.map((name) => [name, { env: {}, entrypoints: {} }]))
  for (const [pool, entrypoint] of Object.entries(pools)) {
    const rollout = { surge: 1, unavailable: 4, settleMs: 0, before: [] }
    cluster.commits.set(pool, testSpec({ web: { ...entrypoint, replicas: 0 } }, { environments, rollout }))
    await cluster.deploy(pool, pool)
  }
  return cluster
}

const webs = ({ state }: TestCluster, pool: string) =>
  state.instances.byPool('shop', pool).filter((each) => each.desired === 'run')
const placed = (cluster: TestCluster, pool: string) =>
  webs(cluster, pool).filter(({ id }) => cluster.state.statuses.get(id)?.ready === true).length
const wanted = ({ state }: TestCluster, pool: string) => state.pools.find('shop', pool)?.replicas.web?.count ?? 0

/** As many as are wanted of each, from the most important on, for as long as there is room. */
function rightCounts(cluster: TestCluster): number[] {
  let room = 4
  const counts = poolNames.toReversed().map((pool) => {
    const count = Math.min(room, wanted(cluster, pool))
    room -= count
    return count
  })
  return counts.reverse()
}

const isAtRest = (cluster: TestCluster): boolean => {
  const right = rightCounts(cluster)
  const all = cluster.state.instances.all()
  return (
    poolNames.every((pool, index) => placed(cluster, pool) === right[index]) &&
    all.every((each) => each.desired === 'run') &&
    cluster.state.rebalances.all().every((each) => each.state === 'ended')
  )
}

it('whoever comes, goes, moves or restarts: no node runs more than it has, only the less important leave, and all come to rest', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(deed, { minLength: 10, maxLength: 40 }), async (todo) => {
      await using cluster = await deployed()
      const overfull: string[] = []
      const look = setInterval(() => {
        for (const { name, busyMilli } of cluster.nodes.values())
          if (busyMilli > plainStatus.cpuMilli) overfull.push(`${name}: ${busyMilli}`)
      }, 1)
      try {
        for (const act of todo) {
          await act(cluster).catch((error: unknown) => {
            if (!(error instanceof BerthError)) throw error
          })
        }
        for (const name of nodes) await cordon(name, true)(cluster)
        await cluster.until(`rest with ${rightCounts(cluster)}`, () => isAtRest(cluster), 20_000)
        await cluster.pools.idle()
        const { revision } = cluster.state
        await delay(100)
        expect(cluster.state.revision).toBe(revision)
      } finally {
        clearInterval(look)
      }
      expect(overfull).toEqual([])
      const events = cluster.state.events.all().filter(({ type }) => type === 'instance.displaced')
      for (const { message } of events) {
        const [, victim, newcomer] = /\(priority (\d+)\) makes room for .*\(priority (\d+)\)/.exec(message) ?? []
        expect(Number(victim), message).toBeLessThan(Number(newcomer))
      }
    }),
    { numRuns: 6, endOnFailure: true },
  )
}, 240_000)
