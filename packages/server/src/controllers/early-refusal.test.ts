import { BerthError } from '@berth/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TestCluster, testSpec, webRoute } from './cluster.testing.ts'

let cluster: TestCluster
const call = { actor: 'test' }
const to = (pool: string, ref = 'c1') => ({ app: 'shop', pool, ref, force: false, repository: '/repo' })
const staging = { staging: { env: {}, entrypoints: {} } }

beforeEach(async () => {
  cluster = await TestCluster.start()
})
afterEach(() => cluster[Symbol.asyncDispose]())

describe('a deploy is refused before anything is built', () => {
  afterEach(() => expect(cluster.state.builds.size).toBe(0))

  it('to an environment that the berth.yaml does not know, with the nearest that it does', async () => {
    cluster.commits.set('c1', testSpec({ web: {} }, { environments: staging }))
    await expect(cluster.operations.deploy(to('stagin'), call)).rejects.toMatchObject({
      code: 'environment.unknown',
      message: expect.stringMatching(/deploy to stagin: .* has staging under environments:; did you mean staging\?/),
    })
  })

  it('that misses a secret, with the command that sets it', async () => {
    cluster.commits.set('c1', testSpec({ web: { secrets: [{ name: 'DB', file: 'DB' }] } }))
    await expect(cluster.operations.deploy(to('production'), call)).rejects.toMatchObject({
      code: 'release.not-deployable',
      message:
        'deploy shop c1 to production: secret DB (used by web) is not set: berth secret set shop DB --environment production',
    })
  })

  it('that asks for more than its node group gives, and whose stage is about a site that is not', async () => {
    await cluster.records.commit('system:test', (tx) =>
      tx.put('groups', {
        ...{ name: 'default', cpu: 'shared', shareBase: 100, oversellMilli: 1000, createdAt: 0, createdBy: 'test' },
        quota: { cpuMilli: 150 },
      }),
    )
    const stages = [{ name: 'west', sites: ['west'], gates: [] }]
    const rollout = { surge: 1, unavailable: 0, settleMs: 0, before: [], stages }
    cluster.commits.set('c1', testSpec({ web: { replicas: 2 } }, { rollout }))
    await expect(cluster.operations.deploy(to('production'), call)).rejects.toMatchObject({
      code: 'release.not-deployable',
      message: expect.stringMatching(
        /^deploy shop c1 to production: a stage is about the site west, of which no node is.*; .*group default.*quota/,
      ),
    })
  })

  it('of an app that nobody knows and whose commit does not tell of it either; no app comes of it', async () => {
    cluster.refuse = new BerthError('build.app-mismatch', 'berth.yaml is of app "shop", not of "shpo"')
    await expect(cluster.operations.deploy({ ...to('production'), app: 'shpo' }, call)).rejects.toThrow('not of "shpo"')
    const build = { app: 'shpo', ref: 'c1', repository: '/repo', noReuse: false }
    await expect(cluster.operations.startBuild(build, call)).rejects.toThrow('not of "shpo"')
    expect(cluster.state.apps.size).toBe(0)
  })
})

it('refuses a route that another pool has before the build', async () => {
  cluster.commits.set('c1', testSpec({ web: {} }, { routes: [webRoute], environments: staging }))
  await cluster.deploy('c1')
  await expect(cluster.operations.deploy(to('staging'), call)).rejects.toThrow('belongs to shop/production')
  expect(cluster.state.builds.size).toBe(1)
})

it('a known app keeps the build that failed, with its output', async () => {
  cluster.commits.set('c1', testSpec({ web: {} }))
  await cluster.deploy('c1')
  cluster.refuse = new BerthError('spec.invalid', 'berth.yaml has a mistake')
  const { build } = await cluster.operations.deploy(to('production', 'c2'), call)
  await cluster.until('its end', () => cluster.state.builds.get(build?.id ?? '')?.state === 'failed')
})

it('is refused in the same words before a build and after it', async () => {
  cluster.commits.set('c1', testSpec({ web: {} }, { environments: staging }))
  await cluster.deploy('c1')
  const release = cluster.state.pools.find('shop', 'production')?.release ?? ''
  const held = await cluster.operations.restart({ app: 'shop', pool: 'production' }, call)
  await cluster.records.commit('system:test', (tx) => tx.put('rollouts', { ...held, state: 'paused' }))
  const said = async (what: object): Promise<string> => {
    const refused = await cluster.operations
      .deploy({ ...to('production'), ...what }, call)
      .catch((error: Error) => error)
    return refused instanceof Error ? refused.message : 'it was not refused'
  }
  const early = await said({})
  expect(early).toMatch(/^shop\/production is held by rollout r-\w+ to v1 of test since 20.*--force$/)
  expect(await said({ release })).toBe(early)
  expect(cluster.state.builds.size).toBe(1)
})
