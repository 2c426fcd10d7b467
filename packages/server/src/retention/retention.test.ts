import type { Build, Instance, Pool, Release, Rollout } from '@berth/core'
import { pino } from 'pino'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { eventually } from '../eventually.testing.ts'
import { openTemporaryRecords, type RecordsUnderTest } from '../records/open-records.testing.ts'
import { Retention } from './retention.ts'

let under: RecordsUnderTest
beforeEach(async () => {
  under = await openTemporaryRecords()
})
afterEach(async () => await under[Symbol.asyncDispose]())

const build = (id: string, createdAt: number, endedAt?: number): Build => ({
  id,
  app: 'shop',
  ref: 'HEAD',
  state: endedAt === undefined ? 'running' : 'succeeded',
  createdAt,
  createdBy: 'local:0',
  ...(endedAt === undefined ? {} : { endedAt }),
})

it('keeps the newest events and ended builds, and every build that runs', async () => {
  for (let i = 0; i < 30; i += 1) {
    await under.records.commit('local:0', (tx) => {
      tx.put('builds', build(`b-${i}`, i, i === 3 ? undefined : i))
      for (let j = 0; j < 8; j += 1) tx.event({ type: 'routing.set', subject: {}, message: `${i}/${j}` })
    })
  }
  const removed: string[] = []
  await using _retention = new Retention({
    records: under.records,
    log: pino({ level: 'silent' }),
    removeBuildOutput: async (id) => void removed.push(id),
    limits: { events: 20, buildsPerApp: 5 },
    intervalMs: 10,
  })
  await eventually(() => expect(removed).toHaveLength(24))
  expect(under.state.events.size).toBe(20)
  expect(under.state.events.all().map((event) => event.message)).toContain('29/7')
  expect([...under.state.builds.ids()].sort()).toEqual(['b-25', 'b-26', 'b-27', 'b-28', 'b-29', 'b-3'])
  const { revision } = under.state
  await under.records.commit('local:0', (tx) => tx.event({ type: 'routing.set', subject: {}, message: 'one more' }))
  await eventually(() => expect(under.state.revision).toBe(revision + 2))
  expect(under.state.events.size).toBe(20)
})

const release = (n: number): Release => ({
  app: 'shop',
  id: `v${n}`,
  image: `sha256:${n}`,
  spec: { app: 'shop' } as Release['spec'],
  createdAt: n,
  createdBy: 'local:0',
})

const pool = (over: Partial<Pool> = {}): Pool => ({
  app: 'shop',
  name: 'production',
  environment: 'production',
  generation: 1,
  nextGeneration: 2,
  replicas: {},
  nextOrdinal: {},
  createdAt: 0,
  ...over,
})

const rollout = (id: string, over: Partial<Rollout>): Rollout => ({
  id,
  app: 'shop',
  pool: 'production',
  reason: 'deploy',
  to: 'v1',
  fromGeneration: 0,
  toGeneration: 1,
  state: 'succeeded',
  message: '',
  progress: {},
  replicasBefore: {},
  jobsDone: [],
  createdAt: 0,
  updatedAt: 0,
  createdBy: 'local:0',
  ...over,
})

function retain(limits: ConstructorParameters<typeof Retention>[0]['limits'] & object): Retention {
  const log = pino({ level: 'silent' })
  return new Retention({ records: under.records, log, removeBuildOutput: async () => {}, limits, intervalMs: 10 })
}

it('keeps releases that run, that are on their way, that can be gone back to, and the newest', async () => {
  await under.records.commit('local:0', (tx) => {
    tx.put('apps', { name: 'shop', vcs: 'git', createdAt: 0, createdBy: 'local:0', nextRelease: 31 })
    for (let n = 1; n <= 30; n += 1) tx.put('releases', release(n))
    tx.put('pools', pool({ release: 'v5', rollout: 'r-open' }))
    tx.put('rollouts', rollout('r-open', { from: 'v5', to: 'v7', state: 'running' }))
    tx.put('rollouts', rollout('r-back', { from: 'v3', to: 'v5', endedAt: 9 }))
    tx.put('rollouts', rollout('r-older', { from: 'v1', to: 'v3', endedAt: 8 }))
    tx.put('rollouts', rollout('r-failed', { from: 'v5', to: 'v6', endedAt: 10, state: 'rolled-back' }))
    tx.put('instances', { id: 'shop.production.job-1', app: 'shop', pool: 'production', release: 'v2' } as Instance)
    tx.event({ type: 'routing.set', subject: {}, message: 'made' })
  })
  await using _retention = retain({ releasesPerApp: 3, rolloutsBack: 1 })
  await eventually(() => expect(under.state.releases.size).toBe(7))
  expect(under.state.releases.byApp('shop').map(({ id }) => id)).toEqual(['v2', 'v3', 'v5', 'v7', 'v28', 'v29', 'v30'])
})

it('keeps the way back however many rollouts have failed since', async () => {
  await under.records.commit('local:0', (tx) => {
    tx.put('rollouts', rollout('r-good', { endedAt: 1, createdAt: 1 }))
    tx.put('rollouts', rollout('r-runs', { createdAt: 0, state: 'running' }))
    for (let n = 0; n < 10; n += 1)
      tx.put('rollouts', rollout(`r-${n}`, { endedAt: 2, createdAt: 2 + n, state: 'failed' }))
    tx.event({ type: 'routing.set', subject: {}, message: 'made' })
  })
  await using _retention = retain({ rolloutsPerPool: 2 })
  await eventually(() => expect(under.state.rollouts.size).toBe(4))
  expect([...under.state.rollouts.ids()].sort()).toEqual(['r-8', 'r-9', 'r-good', 'r-runs'])
})

it('removes no release that is deployed at the same moment', async () => {
  await under.records.commit('local:0', (tx) => {
    tx.put('apps', { name: 'shop', vcs: 'git', createdAt: 0, createdBy: 'local:0', nextRelease: 31 })
    for (let n = 1; n <= 30; n += 1) tx.put('releases', release(n))
    tx.put('pools', pool())
    tx.event({ type: 'routing.set', subject: {}, message: 'made' })
  })
  const { commit } = under.records
  const deploying = Promise.withResolvers<boolean>()
  let once = () => {
    once = () => {}
    const deploy = under.records.begin('system:test')
    deploy.put('pools', pool({ release: 'v1' }), { ifUnchanged: true })
    deploying.resolve(under.records.tryCommit(deploy))
  }
  // The deploy gets in between the decision about the releases and its commit.
  under.records.commit = (actor, decide, options) =>
    commit.call(
      under.records,
      actor,
      (tx) => {
        const value = decide(tx)
        once()
        return value
      },
      options,
    ) as never
  await using _retention = retain({ releasesPerApp: 3 })
  expect(await deploying.promise).toBe(true)
  await eventually(() => expect(under.state.releases.size).toBeLessThanOrEqual(4))
  expect(under.state.releases.byApp('shop').map(({ id }) => id)).toEqual(['v1', 'v28', 'v29', 'v30'])
})
