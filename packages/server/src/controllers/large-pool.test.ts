import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TestCluster, testSpec } from './cluster.testing.ts'
import { plainStatus } from './pretended-node.testing.ts'

const call = { actor: 'test' }
const production = { app: 'shop', pool: 'production' }
const nodes = 60

let cluster: TestCluster

beforeEach(async () => {
  cluster = await TestCluster.start()
  await cluster.setOnline('node-a', false)
  // Nobody answers for these, so that what is measured is the deciding.
  for (let n = 0; n < nodes; n++)
    await cluster.records.commit('system:test', (tx) => {
      const rest = { address: '127.0.0.1', schedulable: true, certificateFingerprint: '', joinedAt: 0 }
      tx.put('nodes', { name: `n-${n}`, labels: {}, block: `10.78.${n}.0/24`, ...rest })
      tx.put('nodeStatuses', { ...plainStatus, name: `n-${n}`, cpuMilli: 64_000, memoryBytes: 1e12, gateway: false })
    })
})
afterEach(() => cluster[Symbol.asyncDispose]())

async function deploy(replicas: number): Promise<void> {
  const web = { replicas, resources: { cpuMilli: 100, memoryBytes: 1e6 }, readyTimeoutMs: 600_000 }
  cluster.commits.set('c1', testSpec({ web }))
  await cluster.operations.deploy({ ...production, ref: 'c1', force: false, repository: '/repo' }, call)
}

describe('a pool of thousands', () => {
  it('is placed in one decision, in as many commits as it takes', async () => {
    let commits = 0
    const { records, state } = cluster
    const attempt = records.attempt.bind(records)
    records.attempt = (tx, options) => {
      commits += tx.isEmpty ? 0 : 1
      return attempt(tx, options)
    }
    await deploy(3000)
    const placed = () => state.instances.all().filter((each) => each.node !== undefined)
    await cluster.until('all have a place', () => placed().length === 3000, 120_000)
    expect(new Set(placed().map((each) => each.address)).size).toBe(3000)
    const counts = Map.groupBy(placed(), (each) => each.node)
    expect(new Set([...counts.values()].map((each) => each.length))).toEqual(new Set([50]))
    expect(commits).toBeLessThan(3000 / 30)
  }, 150_000)

  it('stops growing in the moment in which somebody wants fewer', async () => {
    await deploy(2000)
    await cluster.until('some are there', () => cluster.state.instances.size > 100, 60_000)
    await cluster.operations.scale({ ...production, replicas: { web: 10 }, dryRun: false }, call)
    const { size } = cluster.state.instances
    expect(size).toBeLessThan(2000)
    const up = () => cluster.state.instances.all().filter((each) => each.desired === 'run')
    await cluster.until('ten', () => up().length === 10)
    await cluster.pools.idle()
    // Whatever was on its way was refused: nothing has been created any more.
    expect(cluster.state.instances.size).toBe(size)
    expect(up()).toHaveLength(10)
  }, 90_000)
})
