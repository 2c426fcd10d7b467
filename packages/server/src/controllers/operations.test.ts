import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readInstanceLogs } from '../logs/read-instance-logs.ts'
import { TestCluster, testSpec, webRoute } from './cluster.testing.ts'

const call = { actor: 'test' }
const production = { app: 'shop', pool: 'production' }

let cluster: TestCluster

beforeEach(async () => {
  cluster = await TestCluster.start()
  for (const [ref, replicas] of Object.entries({ c1: 3, c2: 2, c3: 1 }))
    cluster.commits.set(ref, testSpec({ web: { replicas, command: [ref] } }, { routes: [webRoute] }))
})
afterEach(async () => {
  await cluster[Symbol.asyncDispose]()
  expect(cluster.node.stoppedInTraffic).toEqual([])
})

const pool = () => cluster.state.pools.find('shop', 'production')
const endOf = (id: string) => cluster.until('the end', () => cluster.state.rollouts.get(id)?.endedAt !== undefined)

describe('another repository', () => {
  it('becomes the app’s when something was built from it, not before', async () => {
    await cluster.deploy('c1')
    const build = async (ref: string, source: { repository?: string } = {}) => {
      const { id } = await cluster.operations.startBuild({ app: 'shop', ref, noReuse: false, ...source }, call)
      await cluster.until('the build', () => cluster.state.builds.get(id)?.endedAt !== undefined)
      return cluster.state.builds.get(id)
    }
    expect(await build('nothing', { repository: '/mistyped' })).toMatchObject({ state: 'failed' })
    expect(cluster.state.apps.get('shop')).toMatchObject({ repository: '/repo' })
    expect(await build('c2')).toMatchObject({ state: 'succeeded' })
    expect(await build('c2', { repository: '/moved' })).toMatchObject({ state: 'succeeded', release: 'v2' })
    expect(cluster.state.apps.get('shop')).toMatchObject({ repository: '/moved', nextRelease: 3 })
    expect(await build('c3', { repository: '/moved-again' })).toMatchObject({ state: 'succeeded', release: 'v3' })
    expect(cluster.state.apps.get('shop')).toMatchObject({ repository: '/moved-again', nextRelease: 4 })
  })
})

describe('a rollout that takes over from another', () => {
  it('goes back to the counts of before the first one', async () => {
    await cluster.deploy('c1')
    await cluster.operations.startBuild({ app: 'shop', ref: 'c2', noReuse: false }, call)
    await cluster.operations.startBuild({ app: 'shop', ref: 'c3', noReuse: false }, call)
    await cluster.until('the releases', () => cluster.state.releases.size === 3)
    cluster.node.gatewayStuck = true
    const deploy = { ...production, ref: '', force: true }
    await cluster.operations.deploy({ ...deploy, release: 'v2' }, call)
    const { rollout } = await cluster.operations.deploy({ ...deploy, release: 'v3' }, call)
    await cluster.operations.abortRollout(rollout?.id ?? '', call)
    cluster.node.unstickGateway()
    await endOf(rollout?.id ?? '')
    expect(pool()?.replicas).toEqual({ web: { count: 3, setBy: 'spec', specCount: 3 } })
    await cluster.until('rest', () => cluster.state.instances.size === 3)
    expect(cluster.state.instances.all().every((each) => each.release === 'v1')).toBe(true)
  })
})

describe('going back', () => {
  it('after a restart leads to the release before it', async () => {
    await cluster.deploy('c1')
    await cluster.deploy('c2')
    await endOf((await cluster.operations.restart(production, call)).id)
    const { id, to } = await cluster.operations.rollback(production, call)
    expect(to).toBe('v1')
    await endOf(id)
    expect(pool()?.release).toBe('v1')
  })

  it('passes over a release that is gone', async () => {
    for (const ref of ['c1', 'c2', 'c3']) await cluster.deploy(ref)
    await cluster.records.commit('system:test', (tx) => tx.delete('releases', 'shop/v2'))
    expect(await cluster.operations.rollback(production, call)).toMatchObject({ to: 'v1' })
  })

  it('stops a rollout under way', async () => {
    await cluster.deploy('c1')
    cluster.node.gatewayStuck = true
    const { id } = await cluster.operations.restart(production, call)
    for (let times = 0; times < 2; times++)
      expect(await cluster.operations.rollback(production, call)).toMatchObject({ id, state: 'rolling-back' })
    cluster.node.unstickGateway()
    await endOf(id)
    expect(cluster.state.rollouts.get(id)?.state).toBe('aborted')
  })
})

describe('scaling', () => {
  it('to nothing and back, and in the middle of a rollout', async () => {
    await cluster.deploy('c1')
    const scale = (web: number) => cluster.operations.scale({ ...production, replicas: { web }, dryRun: false }, call)
    await scale(0)
    await cluster.until('nothing', () => cluster.state.instances.size === 0)
    expect(cluster.traffic.table.routes).toMatchObject([{ allowEmpty: true, targets: [{ members: [] }] }])
    await scale(2)
    await cluster.until('two', () => cluster.traffic.table.routes[0]?.targets[0]?.members.length === 2)
    const { id } = await cluster.operations.restart(production, call)
    await scale(4)
    await endOf(id)
    expect(cluster.state.rollouts.get(id)?.state).toBe('succeeded')
    await cluster.until('four', () => cluster.state.instances.size === 4)
  })
})

describe('a plan', () => {
  it('counts the room of an ended job once', async () => {
    const resources = { cpuMilli: 3000 }
    const jobSpec = { type: 'job' as const, replicas: 0, ports: [], resources }
    cluster.commits.set('c4', testSpec({ web: {}, crunch: jobSpec }))
    await cluster.deploy('c4')
    const { id } = await cluster.operations.runJob({ ...production, entrypoint: 'crunch' }, call)
    await cluster.until('the job', () => cluster.state.statuses.get(id)?.phase === 'ended')
    cluster.commits.set('c5', testSpec({ web: { resources: { cpuMilli: 5000 } } }))
    const plan = await cluster.operations.plan({ ...production, ref: 'c5' }, call)
    expect(plan.problems.join()).toContain('5 cores are more than any node has')
  })
})

describe('an entrypoint that is misspelt', () => {
  it('has no logs, not even ones to wait for; one that rests has', async () => {
    await cluster.deploy('c1')
    const logs = (entrypoint: string) => () =>
      readInstanceLogs({
        state: cluster.state,
        agents: { logs: () => (async function* () {})() },
        query: { ...production, entrypoint, follow: true },
        signal: AbortSignal.timeout(1),
      })
    expect(logs('wbe')).toThrow('no entrypoint wbe of shop; there are: web')
    await cluster.operations.scale({ ...production, replicas: { web: 0 }, dryRun: false }, call)
    await cluster.until('rest', () => cluster.state.instances.size === 0)
    expect(logs('web')).not.toThrow()
  })

  it('that is a service is told how it is run beside', async () => {
    await cluster.deploy('c1')
    await expect(cluster.operations.runJob({ ...production, entrypoint: 'web' }, call)).rejects.toThrow(
      'berth run shop/web -- COMMAND',
    )
  })
})
