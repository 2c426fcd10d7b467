import type { AppSpec, EntrypointSpec } from '@berth/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TestCluster, testSpec } from './cluster.testing.ts'

const call = { actor: 'test' }

let cluster: TestCluster

beforeEach(async () => {
  cluster = await TestCluster.start()
})
afterEach(() => cluster[Symbol.asyncDispose]())

const low = { replicas: 2, resources: { cpuMilli: 2000 }, preemptible: true, readyTimeoutMs: 60_000 }
const high = { resources: { cpuMilli: 2000 }, priority: 100, preempt: true, readyTimeoutMs: 60_000 }

async function deploy(pool: string, name: string, entrypoint: Partial<EntrypointSpec>, over: Partial<AppSpec> = {}) {
  const environments = { batch: { env: {}, entrypoints: {} }, other: { env: {}, entrypoints: {} } }
  cluster.commits.set(name, testSpec({ [name]: entrypoint }, { environments, ...over }))
  const { build } = await cluster.operations.deploy(
    { app: 'shop', pool, ref: name, force: false, repository: '/repo' },
    call,
  )
  await cluster.until('the build', () => cluster.state.builds.get(build?.id ?? '')?.rollout !== undefined)
}

const of = (entrypoint: string) => cluster.state.instances.all().filter((each) => each.entrypoint === entrypoint)
const serving = (entrypoint: string) =>
  of(entrypoint).filter((each) => each.desired === 'run' && cluster.state.statuses.get(each.id)?.ready === true)
const settled = (pool: string) => cluster.state.pools.find('shop', pool)?.rollout === undefined
const events = (type: string) => cluster.state.events.all().filter((each) => each.type === type)
const oneMissing = { rollout: { surge: 1, unavailable: 1, settleMs: 0, before: [] } }

describe('one that waits', () => {
  it('displaces one of lower priority, which waits and says for whom', async () => {
    await deploy('batch', 'low', low, oneMissing)
    await cluster.until('both', () => serving('low').length === 2 && settled('batch'))
    await deploy('production', 'high', high)
    await cluster.until('it serves', () => serving('high').length === 1)
    await cluster.until('rest', () => settled('production') && of('low').every((each) => each.desired === 'run'))
    expect(serving('low')).toHaveLength(1)
    expect(of('low').find((each) => each.node === undefined)).toMatchObject({
      displacedBy: 'shop/high',
      unplaced: expect.stringMatching(/^displaced by shop\/high: 1 node: 1 too little CPU/),
    })
    expect(of('high')).toMatchObject([{ node: 'node-a' }])
    expect(of('high')[0]).not.toHaveProperty('waitsFor')
    expect(events('instance.displaced').map((each) => each.message)).toEqual([
      'shop.batch.low-1 (priority 0) makes room for shop.production.high-1 (priority 100) on node-a',
    ])
  })

  it('is told by a plan, which changes nothing', async () => {
    await deploy('batch', 'low', low, oneMissing)
    await cluster.until('both', () => serving('low').length === 2 && settled('batch'))
    cluster.commits.set('high', testSpec({ high: { ...high, replicas: 2 } }))
    const plan = await cluster.operations.plan({ app: 'shop', pool: 'production', ref: 'high' }, call)
    expect(plan.placements).toEqual([
      {
        entrypoint: 'high',
        nodes: [{ node: 'node-a', count: 1 }],
        missing: 1,
        displaces: [{ instance: 'shop.batch.low-1', node: 'node-a' }],
      },
    ])
    expect(plan.problems).toEqual([
      expect.stringMatching(/^high: 1 of 2 find no place: 1 node: 1 (over-committed|too)/),
    ])
    expect(serving('low')).toHaveLength(2)
  })

  it('lets a successor serve elsewhere first', async () => {
    await cluster.addNode('node-b', '10.77.2.0/24')
    await cluster.records.commit('system:test', (tx) => {
      for (const name of ['node-a', 'node-b']) {
        const node = cluster.state.nodes.get(name)
        if (node !== undefined) tx.put('nodes', { ...node, labels: { ...node.labels, name } })
      }
    })
    await deploy('batch', 'low', { ...low, replicas: 3 })
    await cluster.until('three', () => serving('low').length === 3 && settled('batch'))
    const full = of('low').filter((each) => each.node === 'node-a').length === 2 ? 'node-a' : 'node-b'
    const where = [`name = ${full}`]
    let fewest = 3
    const look = cluster.state.changes.subscribe(() => {
      fewest = Math.min(fewest, serving('low').length)
    })
    const placement = {
      strategy: { type: 'spread' as const },
      where,
      prefer: [],
      apart: [],
      near: [],
      max: {},
      tolerate: [],
    }
    await deploy('production', 'high', { ...high, placement: { ...placement, reschedule: { afterMs: 60_000 } } })
    await cluster.until('it serves', () => serving('high').length === 1 && settled('production'))
    look()
    expect(fewest).toBe(3)
    expect(serving('low')).toHaveLength(3)
    expect(of('high')[0]?.node).toBe(full)
  })

  it.each([
    ['of equal priority', { ...low, priority: 100 }, oneMissing],
    ['that does not allow it', { ...low, preemptible: false }, oneMissing],
    ['that may not be missing and fits nowhere else', low, {}],
  ])('displaces nothing %s', async (_, entrypoint, over) => {
    await deploy('batch', 'low', entrypoint, over)
    await cluster.until('both', () => serving('low').length === 2 && settled('batch'))
    await deploy('production', 'high', high)
    await cluster.until('it waits', () => of('high')[0]?.unplaced !== undefined)
    await cluster.pools.idle()
    expect(serving('low')).toHaveLength(2)
    expect(events('instance.displaced')).toEqual([])
  })

  it('keeps its place while those that leave still run, through a restart of the server', async () => {
    await deploy('batch', 'low', low, oneMissing)
    await cluster.until('both', () => serving('low').length === 2 && settled('batch'))
    // Nothing is heard of its end.
    cluster.node.disconnect()
    await deploy('production', 'high', high)
    await cluster.until('its place', () => of('high')[0]?.node !== undefined)
    expect(of('high')).toMatchObject([{ node: 'node-a', waitsFor: ['shop.batch.low-1'] }])
    await deploy('other', 'third', { resources: { cpuMilli: 2000 }, readyTimeoutMs: 60_000 })
    await cluster.until('the third waits', () => of('third')[0]?.unplaced !== undefined)
    await cluster.stopServer()
    await cluster.startServer()
    await cluster.pools.idle()
    expect(of('third')[0]?.node).toBeUndefined()
    expect(cluster.node.assignments.has('shop.production.high-1')).toBe(false)
    await cluster.connect()
    await cluster.until('it serves', () => serving('high').length === 1)
    expect(events('instance.displaced')).toHaveLength(1)
    expect(of('third')[0]?.node).toBeUndefined()
  })

  it('is forgotten: who was to leave stays', async () => {
    await deploy('batch', 'low', low, oneMissing)
    await cluster.until('both', () => serving('low').length === 2 && settled('batch'))
    cluster.node.disconnect()
    await deploy('production', 'high', high)
    await cluster.until('its place', () => of('high')[0]?.waitsFor !== undefined)
    await cluster.operations.removePool({ app: 'shop', pool: 'production' }, call)
    await cluster.connect()
    await cluster.until('it is gone', () => of('high').length === 0)
    await cluster.until('rest', () => serving('low').length === 2)
  })

  it('ends a job that allows it', async () => {
    cluster.node.jobsHang = true
    const job = { type: 'job' as const, resources: { cpuMilli: 3000 }, preemptible: true }
    const environments = { batch: { env: {}, entrypoints: {} } }
    cluster.commits.set('job', testSpec({ job, low: { ...low, replicas: 0 } }, { environments }))
    await cluster.deploy('job', 'batch')
    const run = await cluster.operations.runJob({ app: 'shop', pool: 'batch', entrypoint: 'job' }, call)
    await cluster.until('it runs', () => cluster.state.statuses.get(run.id)?.startedAt !== undefined)
    await deploy('production', 'high', high)
    await cluster.until('it serves', () => serving('high').length === 1)
    expect(events('instance.stop').map((each) => each.message)).toContain(
      `${run.id} is stopped: displaced by shop/high`,
    )
  })
})

it('of several that wait the most important is placed first, whatever their pools', async () => {
  await cluster.setOnline('node-a', false)
  const sizes = { resources: { cpuMilli: 3000 }, readyTimeoutMs: 60_000 }
  await deploy('batch', 'first', { ...sizes, priority: -5 })
  await deploy('other', 'second', { ...sizes, priority: 5 })
  await deploy('production', 'third', sizes)
  await cluster.until('all wait', () => cluster.state.instances.unplaced().length === 3)
  // A pool in the middle of a commit is not in line yet.
  await cluster.pools.idle()
  await cluster.setOnline('node-a', true)
  await cluster.until('one has a place', () => cluster.state.instances.unplaced().length === 2)
  expect(cluster.state.instances.all().filter((each) => each.node !== undefined)).toMatchObject([
    { entrypoint: 'second' },
  ])
})
