import type { UsageReport } from '@berth/api'
import { LogHistogram } from '@berth/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TestCluster, testSpec } from '../controllers/cluster.testing.ts'
import { advisePools } from './advise-pools.ts'

const dayMs = 86_400_000
const now = 20_000 * dayMs
const mebibyte = 2 ** 20

let cluster: TestCluster
beforeEach(async () => {
  cluster = await TestCluster.start()
  const resources = { cpuMilli: 1000, memoryBytes: 1024 * mebibyte }
  cluster.commits.set('c1', testSpec({ web: { replicas: 3, resources }, report: { type: 'job', resources } }))
  await cluster.deploy('c1')
})
afterEach(() => cluster[Symbol.asyncDispose]())

const report = (over: Partial<UsageReport['items'][number]> = {}, cpuMilli = 200): UsageReport => ({
  sampleMs: 2000,
  items: [
    {
      ...{ entrypoint: 'shop/production/web', type: 'service', cpuLimitMilli: 1000, memoryLimitBytes: 1024 * mebibyte },
      days: [
        {
          ...{ day: 19_999, samples: 40_000, firstAt: now - dayMs, lastAt: now, cpuMaxMilli: cpuMilli },
          ...{
            cpu: histogram(cpuMilli),
            memoryMaxBytes: 200 * mebibyte,
            throttledMilli: 0,
            restarts: 0,
            outOfMemory: 0,
          },
        },
      ],
      ...over,
    },
  ],
})

function histogram(cpuMilli: number) {
  const counts = new LogHistogram()
  counts.add(cpuMilli, 40_000)
  return counts.counts()
}

const adviceOn = (reports: Record<string, UsageReport>, query = {}) =>
  advisePools(cluster.state, { reports: new Map(Object.entries(reports)), missing: [] }, query, now)

describe('advice about what runs', () => {
  it('has what would be freed, the command and the lines of berth.yaml', () => {
    const [web, job] = adviceOn({ 'node-a': report() })
    expect(web).toMatchObject({
      ...{
        kind: 'change',
        confidence: 'medium',
        instances: 3,
        advised: { cpuMilli: 300, memoryBytes: 240 * mebibyte },
      },
      frees: { cpuMilli: 2100, memoryBytes: 3 * 784 * mebibyte },
      command: 'berth resize shop/web --cpu 0.3 --memory 240Mi',
      yaml: ['cpu: 0.3', 'memory: 240Mi'],
      ...{ replicasInstead: 2, commandInstead: 'berth scale shop/web 2' },
    })
    expect(job).toMatchObject({ entrypoint: 'report', type: 'job', kind: 'wait', instances: 0 })
  })

  it('is in cores of the reference machine', async () => {
    const node = cluster.state.nodes.get('node-a')
    await cluster.records.commit('system:test', (tx) => {
      if (node !== undefined) tx.put('nodes', { ...node, speedMilli: 2000 })
    })
    expect(adviceOn({ 'node-a': report() })[0]?.used).toMatchObject({ cpuMaxMilli: 400 })
  })

  it('after a resize knows what was used, and that the new limits were not met', async () => {
    const met = report()
    const [day] = met.items[0]?.days ?? []
    if (day === undefined) throw new Error('no day')
    const days = [{ ...day, throttledMilli: 40_000 * 500, outOfMemory: 2 }]
    expect(adviceOn({ 'node-a': report({ days }) })[0]).toMatchObject({
      ...{ used: { throttledMilli: 500, outOfMemory: 2 }, advised: { cpuMilli: 1300, memoryBytes: 1536 * mebibyte } },
    })
    const larger = { cpuMilli: 1300, memoryBytes: 1536 * mebibyte, asWritten: false, dryRun: false }
    const target = { app: 'shop', pool: 'production', entrypoint: 'web' }
    await cluster.operations.resize({ ...target, ...larger }, { actor: 'local:0' })
    expect(adviceOn({ 'node-a': report({ days }) })[0]).toMatchObject({
      ...{ asked: { cpuMilli: 1300 }, used: { throttledMilli: 0, outOfMemory: 0, cpuMaxMilli: 200 } },
    })
  })

  it('leaves out one-off jobs that borrow an entrypoint, and what is not asked for', () => {
    expect(adviceOn({ 'node-a': report({ type: 'job' }) })[0]).toMatchObject({ kind: 'wait' })
    expect(adviceOn({}, { app: 'shop', entrypoint: 'report' }).map((each) => each.entrypoint)).toEqual(['report'])
    expect(() => adviceOn({}, { app: 'shop', entrypoint: 'wbe' })).toThrow('no entrypoint wbe')
    expect(() => adviceOn({}, { app: 'shpo' })).toThrow('no app shpo')
    expect(() => adviceOn({}, { app: 'shop', pool: 'staging' })).toThrow('no pool shop/staging')
  })
})
