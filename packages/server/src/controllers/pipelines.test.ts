import { BerthError, type Pipeline } from '@berth/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TestCluster, testSpec } from './cluster.testing.ts'

const actor = { actor: 'token:ann' }
let cluster: TestCluster
beforeEach(async () => {
  cluster = await TestCluster.start()
})
afterEach(async () => await cluster[Symbol.asyncDispose]())

const environments = { test: { env: {}, entrypoints: {} }, staging: { env: {}, entrypoints: {} } }
const spec = (version: string, over: object = {}) =>
  testSpec({ web: { env: { VERSION: version } }, unit: { type: 'job', replicas: 0 } }, { environments, ...over })

async function pipeline(over: Partial<Pipeline> = {}): Promise<void> {
  await cluster.records.commit('system:test', (tx) =>
    tx.put('pipelines', {
      ...{ app: 'shop', branches: ['main'], tags: [], deploy: 'test', automatic: [] },
      ...{ environments: ['test', 'staging', 'production'], version: 1, updatedAt: 0, updatedBy: 'local:0' },
      ...over,
    }),
  )
}

let pushes = 0
/** As a look at the repository queues it. */
async function push(commit: string): Promise<string> {
  pushes += 1
  const id = `b-push000${pushes}`
  const trigger = { ref: 'refs/heads/main', by: 'webhook', deploy: 'test' } as const
  await cluster.records.commit('system:test', (tx) => {
    if (!cluster.state.apps.has('shop'))
      tx.put('apps', {
        name: 'shop',
        repository: '/repo',
        vcs: 'git',
        createdAt: 0,
        createdBy: 'local:0',
        nextRelease: 1,
      })
    tx.create('builds', {
      ...{ id, app: 'shop', ref: commit, state: 'queued', trigger, createdAt: Date.now(), createdBy: 'pipeline:shop' },
    })
  })
  return id
}

const build = (id: string) => cluster.state.builds.get(id)
const ended = (id: string) => cluster.until(`build ${id}`, () => build(id)?.endedAt !== undefined)
const runs = (pool: string) => cluster.state.pools.find('shop', pool)?.release
const settled = (pool: string, release: string) =>
  cluster.until(
    `${release} in ${pool}`,
    () => runs(pool) === release && cluster.state.pools.find('shop', pool)?.rollout === undefined,
  )
const events = (type: string) => [...cluster.state.events.values()].filter((each) => each.type === type)

describe('a push', () => {
  it('is rolled out to its environment, and the same image promoted step by step', async () => {
    cluster.commits.set('c1', spec('1'))
    await pipeline()
    const id = await push('c1')
    await settled('test', 'v1')
    expect(build(id)).toMatchObject({ state: 'succeeded', release: 'v1', rollout: expect.any(String) })
    const first = await cluster.operations.promote({ app: 'shop', force: false }, actor)
    expect(first).toMatchObject({ from: 'test', rollout: { pool: 'staging', to: 'v1', createdBy: 'token:ann' } })
    await settled('staging', 'v1')
    await cluster.operations.promote({ app: 'shop', force: false }, actor)
    await settled('production', 'v1')
    expect(cluster.state.builds.size).toBe(1)
    await expect(cluster.operations.promote({ app: 'shop', force: false }, actor)).rejects.toMatchObject({
      code: 'promotion.nothing',
    })
  })

  it('goes through the chain by itself where that is said', async () => {
    cluster.commits.set('c1', spec('1'))
    await pipeline({ automatic: ['staging', 'production'] })
    await push('c1')
    await settled('production', 'v1')
    expect(
      events('release.promoted')
        .map((each) => each.subject.pool)
        .sort(),
    ).toEqual(['production', 'staging', 'test'])
  })

  it('that changes nothing replaces nothing', async () => {
    cluster.commits.set('c1', spec('1'))
    await pipeline()
    await push('c1')
    await settled('test', 'v1')
    const rollouts = cluster.state.rollouts.size
    await ended(await push('c1'))
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(cluster.state.rollouts.size).toBe(rollouts)
  })

  it('that finds its pool held waits, and the newest of those that wait goes', async () => {
    cluster.node.jobsHang = true
    cluster.commits.set('c1', spec('1', { rollout: { surge: 1, unavailable: 0, settleMs: 0, before: ['unit'] } }))
    for (const n of ['2', '3']) cluster.commits.set(`c${n}`, spec(n))
    await pipeline()
    await push('c1')
    await cluster.until('a rollout', () => cluster.state.pools.find('shop', 'test')?.rollout !== undefined)
    await ended(await push('c2'))
    await ended(await push('c3'))
    const held = cluster.state.pools.find('shop', 'test')?.rollout ?? ''
    expect(cluster.state.rollouts.get(held)?.to).toBe('v1')
    await cluster.operations.abortRollout(held, actor)
    await settled('test', 'v3')
    expect(cluster.state.rollouts.all().some(({ to }) => to === 'v2')).toBe(false)
  })

  it('whose rollout went back is not tried again', async () => {
    cluster.commits.set('c1', spec('1')).set('c2', spec('2'))
    cluster.broken.add('v2')
    await pipeline({ automatic: ['staging'] })
    await push('c1')
    await settled('staging', 'v1')
    await push('c2')
    await cluster.until('the way back', () =>
      cluster.state.rollouts.all().some(({ to, state }) => to === 'v2' && state === 'rolled-back'),
    )
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(runs('test')).toBe('v1')
    expect(cluster.state.rollouts.all().filter(({ to }) => to === 'v2')).toHaveLength(1)
    expect(runs('staging')).toBe('v1')
  })
})

it('a commit that was pushed over before it was fetched fails its build, and says so', async () => {
  await pipeline()
  cluster.commits.get = () => {
    throw new BerthError('source.commit-not-found', '/repo has no commit c1')
  }
  const id = await push('c1')
  await ended(id)
  expect(build(id)).toMatchObject({ state: 'failed', error: { code: 'source.commit-not-found' } })
  expect(build(id)?.error?.message).toContain('pushed to main, is gone: it was pushed over')
})

describe('the chain', () => {
  beforeEach(async () => {
    cluster.commits.set('c1', spec('1')).set('c2', spec('2'))
    await pipeline()
    await push('c1')
    await settled('test', 'v1')
  })

  it('is not gone past by a deploy, of a commit or a release, nor by force without a reason', async () => {
    const refused = expect.objectContaining({ code: 'promotion.not-succeeded' })
    const deploy = (more: object) =>
      cluster.operations.deploy({ app: 'shop', pool: 'production', ref: 'c2', force: false, ...more }, actor)
    await expect(deploy({})).rejects.toEqual(refused)
    await expect(deploy({ force: true })).rejects.toEqual(refused)
    await expect(deploy({ release: 'v1' })).rejects.toEqual(refused)
    await expect(deploy({ release: 'v1', force: true })).rejects.toEqual(refused)
    const skip = { app: 'shop', to: 'production', release: 'v1' }
    await expect(cluster.operations.promote({ ...skip, force: false }, actor)).rejects.toEqual(refused)
    await expect(cluster.operations.promote({ ...skip, force: true }, actor)).rejects.toMatchObject({
      code: 'promotion.no-reason',
    })
    expect(cluster.state.pools.find('shop', 'production')).toBeUndefined()
    await cluster.operations.promote({ ...skip, force: true, reason: 'the old one leaks' }, actor)
    await settled('production', 'v1')
    expect(events('release.promoted').at(-1)?.message).toContain('the old one leaks')
  })

  it('lets everything go back to where it has served', async () => {
    await cluster.operations.promote({ app: 'shop', force: false }, actor)
    await settled('staging', 'v1')
    await push('c2')
    await settled('test', 'v2')
    await cluster.operations.promote({ app: 'shop', to: 'staging', force: false }, actor)
    await settled('staging', 'v2')
    await cluster.operations.rollback({ app: 'shop', pool: 'staging', to: 'v1' }, actor)
    await settled('staging', 'v1')
  })

  it.each([
    [{ to: 'stagging' }, 'promotion.not-in-chain'],
    [{ from: 'test', to: 'production' }, 'promotion.not-next'],
    [{ from: 'staging', to: 'test' }, 'promotion.not-next'],
    [{ from: 'staging' }, 'promotion.nothing'],
    [{ release: 'v9' }, 'release.not-found'],
  ])('%j: %s', async (request, code) => {
    await expect(cluster.operations.promote({ app: 'shop', force: false, ...request }, actor)).rejects.toMatchObject({
      code,
    })
  })
})

describe('tests', () => {
  const tested = (version: string) => spec(version, { test: ['unit'] })

  it('run in the image before it goes anywhere', async () => {
    cluster.commits.set('c1', tested('1'))
    await pipeline()
    const id = await push('c1')
    await settled('test', 'v1')
    expect(build(id)).toMatchObject({ state: 'succeeded', testsSince: expect.any(Number) })
    const { tests } = cluster.state.releases.find('shop', 'v1') ?? {}
    expect(tests).toMatchObject({
      state: 'passed',
      runs: [{ entrypoint: 'unit', state: 'passed', instance: 'shop.tests.unit-1' }],
    })
  })

  it('that fail keep the release from everywhere, whoever insists; the same commit built again is tested again', async () => {
    cluster.commits.set('c1', tested('1'))
    cluster.broken.add('v1')
    await pipeline()
    const id = await push('c1')
    await ended(id)
    expect(build(id)).toMatchObject({ state: 'failed', release: 'v1', error: { code: 'build.tests-failed' } })
    expect(build(id)?.error?.message).toContain('exit code 3')
    const refused = expect.objectContaining({ code: 'release.not-tested' })
    const deploy = (pool: string, force: boolean) =>
      cluster.operations.deploy({ app: 'shop', pool, ref: '', release: 'v1', force }, actor)
    await expect(deploy('test', true)).rejects.toEqual(refused)
    const forced = { app: 'shop', to: 'staging', release: 'v1', force: true, reason: 'now' }
    await expect(cluster.operations.promote(forced, actor)).rejects.toEqual(refused)
    expect(cluster.state.rollouts.size).toBe(0)
    cluster.broken.delete('v1')
    await ended((await cluster.operations.startBuild({ app: 'shop', ref: 'c1', noReuse: false }, actor)).id)
    expect(cluster.state.releases.find('shop', 'v1')?.tests).toMatchObject({ state: 'passed' })
  })

  it('of the same image and spec are not run twice', async () => {
    cluster.commits.set('c1', tested('1'))
    await pipeline()
    await push('c1')
    await settled('test', 'v1')
    await ended(await push('c1'))
    expect(cluster.state.instances.all().filter(({ type }) => type === 'job')).toHaveLength(1)
  })

  it('that a server has begun are waited for by the next one', async () => {
    cluster.node.jobsHang = true
    cluster.commits.set('c1', tested('1'))
    await pipeline()
    const id = await push('c1')
    await cluster.until('the test', () => cluster.state.statuses.get('shop.tests.unit-1')?.phase === 'running')
    await cluster.stopServer()
    await cluster.startServer()
    await cluster.connect()
    await cluster.until('the build to go on', () => build(id)?.state === 'running')
    await cluster.records.commit('system:test', (tx) => {
      const status = cluster.state.statuses.get('shop.tests.unit-1')
      const now = Date.now()
      if (status !== undefined)
        tx.put('statuses', {
          ...status,
          phase: 'ended',
          endedAt: now,
          lastExit: { code: 0, outOfMemory: false, at: now },
        })
    })
    await settled('test', 'v1')
    expect(cluster.state.instances.all().filter(({ type }) => type === 'job')).toHaveLength(1)
  })

  it('end with their build when that is cancelled, and hold up no other build meanwhile', async () => {
    cluster.node.jobsHang = true
    cluster.commits.set('c1', tested('1')).set('c2', spec('2'))
    await pipeline({ deploy: 'test' })
    const id = await push('c1')
    await cluster.until('the test', () => cluster.state.statuses.get('shop.tests.unit-1')?.phase === 'running')
    // There is one place for builds.
    await ended((await cluster.operations.startBuild({ app: 'shop', ref: 'c2', noReuse: false }, actor)).id)
    await cluster.operations.cancelBuild(id, actor)
    await cluster.until(
      'the job to be stopped',
      () => cluster.state.instances.get('shop.tests.unit-1')?.desired !== 'run',
    )
    await cluster.until(
      'the tests to have failed',
      () => cluster.state.releases.find('shop', 'v1')?.tests?.state === 'failed',
    )
    expect(build(id)?.state).toBe('cancelled')
  })
})
