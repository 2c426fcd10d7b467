import { setTimeout as delay } from 'node:timers/promises'
import { BerthError } from '@berth/core'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { TestCluster, testSpec, webRoute } from './cluster.testing.ts'

const call = { actor: 'test' }
const production = { app: 'shop', pool: 'production' }

/** One thing that people, machines or networks do. What does not fit the moment is refused with a code, and nothing else. */
type Deed = (cluster: TestCluster) => Promise<unknown>

const nodeOf = (cluster: TestCluster, name: string) => {
  const node = cluster.nodes.get(name)
  if (node === undefined) throw new Error(`no node ${name}`)
  return node
}
const heldBy = (cluster: TestCluster) => cluster.state.pools.find('shop', 'production')?.rollout ?? 'none'
const nth = (cluster: TestCluster, n: number) => {
  const ids = [...cluster.state.instances.ids()]
  return ids[n % Math.max(1, ids.length)] ?? 'none'
}

async function cutOff(cluster: TestCluster, name: string): Promise<void> {
  nodeOf(cluster, name).disconnect()
  await cluster.setOnline(name, false)
}

async function reconnect(cluster: TestCluster, name: string): Promise<void> {
  nodeOf(cluster, name).disconnect()
  await cluster.setOnline(name, true)
  await cluster.connect(name)
}

async function restartServer(cluster: TestCluster): Promise<void> {
  await cluster.stopServer()
  await cluster.startServer()
  for (const name of cluster.nodes.keys()) if (cluster.state.nodeStatuses.get(name)?.online) await cluster.connect(name)
}

const anyNode = fc.constantFrom('node-a', 'node-b')
const deeds: readonly [weight: number, fc.Arbitrary<Deed>][] = [
  [6, fc.nat(40).map((ms) => () => delay(ms))],
  [
    3,
    fc.constantFrom('v1', 'v2', 'v3').map((release) => (cluster) => {
      return cluster.operations.deploy({ ...production, ref: '', release, force: true }, call)
    }),
  ],
  [1, fc.constant((cluster) => cluster.operations.restart(production, call))],
  [1, fc.constant((cluster) => cluster.operations.rollback(production, call))],
  [
    2,
    fc
      .nat(5)
      .map((web) => (cluster) => cluster.operations.scale({ ...production, replicas: { web }, dryRun: false }, call)),
  ],
  [1, fc.constant((cluster) => cluster.operations.pauseRollout(heldBy(cluster), call))],
  [1, fc.constant((cluster) => cluster.operations.resumeRollout(heldBy(cluster), call))],
  [1, fc.constant((cluster) => cluster.operations.abortRollout(heldBy(cluster), call))],
  [2, fc.nat(20).map((n) => (cluster) => cluster.operations.stopInstance(nth(cluster, n), call))],
  [1, fc.constant((cluster) => cluster.operations.runJob({ ...production, command: ['x'] }, call))],
  [1, anyNode.map((name) => (cluster) => cutOff(cluster, name))],
  [2, anyNode.map((name) => (cluster) => reconnect(cluster, name))],
  [1, anyNode.map((name) => async (cluster) => nodeOf(cluster, name).stickGateway())],
  [2, anyNode.map((name) => async (cluster) => nodeOf(cluster, name).unstickGateway())],
  [2, fc.constant(restartServer)],
]
const deed = fc.oneof(...deeds.map(([weight, arbitrary]) => ({ weight, arbitrary })))

async function deployedCluster(): Promise<TestCluster> {
  const cluster = await TestCluster.start()
  await cluster.addNode('node-b', '10.77.2.0/24')
  const jobs = { migrate: { type: 'job' as const, replicas: 0, ports: [] } }
  const rollout = { surge: 1, unavailable: 0, settleMs: 5, before: ['migrate'] }
  for (const ref of ['c1', 'c2', 'c3']) {
    const web = { replicas: 3, command: [ref], readyTimeoutMs: 500 }
    cluster.commits.set(ref, testSpec({ web, ...jobs }, { routes: [webRoute], rollout }))
  }
  cluster.broken.add('v3')
  for (const ref of ['c1', 'c2', 'c3']) {
    await cluster.operations.startBuild({ app: 'shop', ref, noReuse: false, repository: '/repo' }, call)
    await cluster.until('the release', () => cluster.state.releases.find('shop', `v${ref.slice(1)}`) !== undefined)
  }
  await cluster.operations.deploy({ ...production, ref: '', release: 'v1', force: false }, call)
  return cluster
}

/** Everything is well again; a paused rollout goes on. */
async function heal(cluster: TestCluster): Promise<void> {
  for (const name of cluster.nodes.keys()) {
    nodeOf(cluster, name).unstickGateway()
    await reconnect(cluster, name)
  }
  if (cluster.state.rollouts.get(heldBy(cluster))?.state === 'paused')
    await cluster.operations.resumeRollout(heldBy(cluster), call)
}

function isAtRest({ state }: TestCluster): boolean {
  const pool = state.pools.find('shop', 'production')
  if (pool === undefined || pool.rollout !== undefined) return false
  const services = state.instances.all().filter((each) => each.type === 'service')
  const wanted = pool.release === undefined ? 0 : (pool.replicas.web?.count ?? 0)
  const right = services.filter((each) => each.release === pool.release && each.generation === pool.generation)
  return services.length === wanted && right.length === wanted
}

it('whatever people, nodes, gateways and servers do, the pool comes to rest, and nothing in traffic is stopped', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(deed, { minLength: 20, maxLength: 60 }), async (todo) => {
      await using cluster = await deployedCluster()
      for (const act of todo) {
        await act(cluster).catch((error: unknown) => {
          if (!(error instanceof BerthError)) throw error
        })
      }
      await heal(cluster)
      await cluster.until('rest', () => isAtRest(cluster), 20_000)
      await cluster.until('the end of all rollouts', () =>
        cluster.state.rollouts.all().every((each) => each.endedAt !== undefined),
      )
      expect([...cluster.nodes.values()].flatMap((node) => node.stoppedInTraffic)).toEqual([])
    }),
    { numRuns: 6, endOnFailure: true },
  )
}, 120_000)
