import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TestCluster, testSpec, webRoute } from './cluster.testing.ts'

const call = { actor: 'test' }
const production = { app: 'shop', pool: 'production' }
const deployOf = (ref: string) => ({ ...production, ref, force: false, repository: '/repo' })

let cluster: TestCluster

beforeEach(async () => {
  cluster = await TestCluster.start()
  const environments = Object.fromEntries(
    ['staging', ...Array.from({ length: 20 }, (_, n) => `test-${n}`)].map((name) => [
      name,
      { env: {}, entrypoints: {}, routes: [] },
    ]),
  )
  for (const ref of ['c1', 'c2'])
    cluster.commits.set(ref, testSpec({ web: { command: [ref] } }, { routes: [webRoute], environments }))
})
afterEach(() => cluster[Symbol.asyncDispose]())

const nothingLeft = () =>
  Object.fromEntries(
    (['apps', 'releases', 'builds', 'pools', 'rollouts', 'instances', 'statuses', 'secrets'] as const).map((kind) => [
      kind,
      cluster.state[kind].size,
    ]),
  )
const none = { apps: 0, releases: 0, builds: 0, pools: 0, rollouts: 0, instances: 0, statuses: 0, secrets: 0 }

describe('removing a pool', () => {
  it('ends the rollout that holds it', async () => {
    await cluster.deploy('c1')
    cluster.node.gatewayStuck = true
    const { id } = await cluster.operations.restart(production, call)
    await cluster.operations.removePool(production, call)
    expect(cluster.state.rollouts.get(id)).toMatchObject({
      state: 'aborted',
      message: 'shop/production is being removed',
      endedAt: expect.any(Number),
    })
    await expect(cluster.operations.abortRollout(id, call)).rejects.toMatchObject({ code: 'rollout.wrong-state' })
    cluster.node.unstickGateway()
    await cluster.until('the end', () => cluster.state.pools.size === 0)
    expect(cluster.state.instances.size).toBe(0)
  })

  it('ends a job that runs there', async () => {
    await cluster.deploy('c1')
    cluster.node.jobsHang = true
    await cluster.operations.runJob({ ...production, command: ['sleep'] }, call)
    await cluster.until('the job', () => cluster.state.statuses.size === 2)
    await cluster.operations.removePool(production, call)
    await cluster.until('the end', () => cluster.state.pools.size === 0)
    expect(cluster.node.assignments.size).toBe(0)
  })

  it('refuses what would only be undone', async () => {
    await cluster.deploy('c1')
    cluster.node.gatewayStuck = true
    await cluster.operations.removePool(production, call)
    const removing = { code: 'pool.removing', message: expect.stringContaining('shop/production is being removed') }
    const { operations } = cluster
    await expect(operations.deploy(deployOf('c2'), call)).rejects.toMatchObject(removing)
    await expect(operations.runJob({ ...production, command: ['x'] }, call)).rejects.toMatchObject(removing)
    await expect(operations.scale({ ...production, replicas: { web: 2 }, dryRun: false }, call)).rejects.toMatchObject(
      removing,
    )
    await expect(operations.restart(production, call)).rejects.toMatchObject(removing)
    await expect(operations.rollback({ ...production, to: 'v1' }, call)).rejects.toMatchObject(removing)
    expect(cluster.state.instances.size).toBe(1)
  })
})

describe('removing an app', () => {
  it('ends its builds, and what they make goes too', async () => {
    await cluster.deploy('c1')
    let ended = false
    cluster.buildGate = new Promise(() => {})
    cluster.onBuildEnd = () => {
      ended = true
    }
    await cluster.operations.deploy(deployOf('c2'), call)
    await cluster.until('a build', () => cluster.state.builds.all().some((each) => each.state === 'running'))
    await cluster.operations.startBuild({ app: 'shop', ref: 'c1', noReuse: false }, call)
    await cluster.operations.removeApp('shop', call)
    await cluster.until('the end', () => cluster.state.apps.size === 0)
    await cluster.until('the end of the build', () => ended)
    expect(nothingLeft()).toEqual(none)
  })

  it('takes a pool with it that a deploy makes at the same time', async () => {
    await cluster.deploy('c1')
    const staging = { ...deployOf(''), pool: 'staging', release: 'v1' }
    await Promise.allSettled([
      cluster.operations.removeApp('shop', call),
      ...Array.from({ length: 5 }, () => cluster.operations.deploy(staging, call)),
    ])
    await cluster.until('the end', () => cluster.state.apps.size === 0)
    expect(nothingLeft()).toEqual(none)
  })

  it('leaves no build behind that is queued at the same time', async () => {
    await cluster.deploy('c1')
    await Promise.allSettled([
      cluster.operations.removeApp('shop', call),
      ...Array.from({ length: 5 }, () =>
        cluster.operations.startBuild({ app: 'shop', ref: 'c2', noReuse: true }, call),
      ),
    ])
    await cluster.until('the end', () => cluster.state.apps.size === 0)
    expect(nothingLeft()).toEqual(none)
  })

  it('works with many pools, each held by a rollout', async () => {
    await cluster.deploy('c1')
    cluster.node.gatewayStuck = true
    const pools = Array.from({ length: 20 }, (_, n) => `test-${n}`)
    for (const pool of pools) await cluster.operations.deploy({ ...deployOf(''), pool, release: 'v1' }, call)
    await cluster.operations.removeApp('shop', call)
    cluster.node.unstickGateway()
    await cluster.until('the end', () => cluster.state.apps.size === 0)
    expect(nothingLeft()).toEqual(none)
  })
})
