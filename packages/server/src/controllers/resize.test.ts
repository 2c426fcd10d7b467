import type { NodeCores } from '@berth/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Approvals } from '../approvals/approvals.ts'
import { Groups } from '../groups/groups.ts'
import { TestCluster, testSpec } from './cluster.testing.ts'

const call = { actor: 'local:0' }
const production = { app: 'shop', pool: 'production' }
const web = { ...production, entrypoint: 'web', asWritten: false, dryRun: false }
const gibibyte = 1024 ** 3
const mebibyte = 1024 ** 2

let cluster: TestCluster

beforeEach(async () => {
  cluster = await TestCluster.start()
  await cluster.addNode('node-b', '10.77.2.0/24')
})
afterEach(() => cluster[Symbol.asyncDispose]())

const spec = (cpuMilli = 1000, memoryBytes = 256 * mebibyte) =>
  testSpec({ web: { replicas: 2, resources: { cpuMilli, memoryBytes } } })

const webs = () =>
  cluster.state.instances
    .byPool('shop', 'production')
    .filter((each) => each.entrypoint === 'web' && each.desired === 'run')
const cpus = () => webs().map((each) => each.cpuMilli)
const pool = () => cluster.state.pools.find('shop', 'production')
/** Of every instance its node has been told so. */
const nodesKnow = (cpuMilli: number): boolean =>
  webs().every((each) => cluster.nodes.get(each.node ?? '')?.assignments.get(each.id)?.cpuMilli === cpuMilli)
const eventsOf = (type: string) =>
  [...cluster.state.events.values()].filter((each) => each.type === type).map((each) => each.message)

const served = (ids: readonly string[]) => () =>
  webs().length === ids.length && webs().every((each) => cluster.state.statuses.get(each.id)?.ready === true)

async function deploy(ref: string, what = spec()): Promise<void> {
  cluster.commits.set(ref, what)
  await cluster.deploy(ref)
}

describe('a resize', () => {
  it('changes what runs where it is, and says so first when asked', async () => {
    await deploy('c1')
    const before = webs()
    const plan = await cluster.operations.resize({ ...web, cpuMilli: 1500, dryRun: true }, call)
    expect(plan).toMatchObject({
      ...{ changes: true, problems: [], before: { cpuMilli: 1000 }, after: { cpuMilli: 1500 } },
      instances: [
        { name: 'web-1', how: 'in-place', before: { cpuMilli: 1000 }, after: { cpuMilli: 1500 } },
        { name: 'web-2', how: 'in-place' },
      ],
    })
    expect(cpus()).toEqual([1000, 1000])
    expect(await cluster.operations.resize({ ...web, cpuMilli: 1500 }, call)).toMatchObject({ changes: true })
    await cluster.until('the new size', () => cpus().every((each) => each === 1500))
    expect(webs().map((each) => [each.id, each.node, each.createdAt])).toEqual(
      before.map((each) => [each.id, each.node, each.createdAt]),
    )
    await cluster.until('the nodes to know', () => nodesKnow(1500))
    expect(eventsOf('pool.resized')).toEqual(['shop/production: web: cpu 1 → 1.5'])
    expect(eventsOf('instance.resized')).toHaveLength(2)
    expect(eventsOf('instance.resized')[0]).toMatch(/^shop\.production\.web-1 on node-[ab]: cpu 1 → 1\.5$/)
    expect(await cluster.operations.resize({ ...web, cpuMilli: 1500 }, call)).toMatchObject({ changes: false })
    expect(eventsOf('pool.resized')).toHaveLength(1)
  })

  it('holds for new instances, survives deploys until the yaml itself changes, and can be given up', async () => {
    await deploy('c1')
    await cluster.operations.resize({ ...web, cpuMilli: 1500, memoryBytes: gibibyte }, call)
    await cluster.operations.scale({ ...production, replicas: { web: 3 }, dryRun: false }, call)
    await cluster.until('three', () => cpus().length === 3 && cpus().every((each) => each === 1500))
    await deploy('c2')
    expect(webs().every((each) => each.release === 'v2' && each.cpuMilli === 1500)).toBe(true)
    await deploy('c3', spec(2000))
    // The yaml's CPU has changed, its memory has not.
    expect(webs().every((each) => each.cpuMilli === 2000 && each.memoryBytes === gibibyte)).toBe(true)
    const view = await cluster.operations.resize({ ...web, asWritten: true }, call)
    expect(view.after).toEqual({ cpuMilli: 2000, memoryBytes: 256 * mebibyte })
    await cluster.until('as written', () => webs().every((each) => each.memoryBytes === 256 * mebibyte))
    expect(pool()?.sizes).toBeUndefined()
    expect(webs().every((each) => each.sizes === undefined)).toBe(true)
  })

  it('changes limits of bandwidth of what runs, which take no room, and never below what is guaranteed', async () => {
    const resources = { outBitsPerSecond: 100_000_000, guaranteedOutBitsPerSecond: 50_000_000 }
    await cluster.addNode('node-c', '10.77.3.0/24', { uplink: { name: 'eth0', bitsPerSecond: 1_000_000_000 } })
    await deploy('c1', testSpec({ web: { replicas: 2, resources } }))
    const before = webs()
    const limits = () => webs().map((each) => cluster.nodes.get(each.node ?? '')?.assignments.get(each.id)?.bandwidth)
    expect(limits()).toEqual([{ outBitsPerSecond: 100_000_000 }, { outBitsPerSecond: 100_000_000 }])
    const change = { ...web, inBitsPerSecond: 200_000_000, outBitsPerSecond: 60_000_000 }
    expect(await cluster.operations.resize(change, call)).toMatchObject({ changes: true, problems: [] })
    await cluster.until('the nodes to know', () =>
      limits().every((each) => each?.inBitsPerSecond === 200_000_000 && each.outBitsPerSecond === 60_000_000),
    )
    expect(webs().map(({ id, createdAt }) => [id, createdAt])).toEqual(
      before.map(({ id, createdAt }) => [id, createdAt]),
    )
    expect(eventsOf('pool.resized')).toEqual(['shop/production: web: in no limit → 200Mbit, out 100Mbit → 60Mbit'])
    expect(eventsOf('instance.resized')[0]).toBe(
      'shop.production.web-1 on node-c: in no limit → 200Mbit, out 100Mbit → 60Mbit',
    )
    await expect(cluster.operations.resize({ ...web, outBitsPerSecond: 40_000_000 }, call)).rejects.toMatchObject({
      code: 'resize.invalid',
      message: expect.stringContaining('guarantees 50Mbit, so 40Mbit are too little a limit'),
    })
    await deploy('c2', testSpec({ web: { replicas: 2, resources } }))
    expect(limits().every((each) => each?.outBitsPerSecond === 60_000_000)).toBe(true)
  })

  it('comes back when the deploy that gave it up fails', async () => {
    await deploy('c1')
    await cluster.operations.resize({ ...web, cpuMilli: 1500 }, call)
    await cluster.until('the new size', () => cpus().every((each) => each === 1500))
    cluster.broken.add('v2')
    await deploy('c2', spec(2000))
    expect(pool()).toMatchObject({ release: 'v1', sizes: { web: { cpuMilli: { value: 1500, written: 1000 } } } })
    await cluster.until('two of before', () => webs().length === 2 && cpus().every((each) => each === 1500))
  })

  it('replaces what has no room on its node, within the bounds of a rollout', async () => {
    cluster.commits.set(
      'c1',
      testSpec({
        web: { replicas: 2, resources: { cpuMilli: 1000 } },
        db: {
          resources: { cpuMilli: 2500 },
          placement: { ...plainPlacement, where: ['node = node-a'] },
        },
      }),
    )
    await cluster.deploy('c1')
    expect(
      webs()
        .map((each) => each.node)
        .sort(),
    ).toEqual(['node-a', 'node-b'])
    const plan = await cluster.operations.resize({ ...web, cpuMilli: 2000, dryRun: true }, call)
    const moved = plan.instances.find((each) => each.node === 'node-a')
    expect(moved).toMatchObject({
      ...{ how: 'replace', to: 'node-b' },
      reason: 'node-a has too little CPU (1.5 of 2)',
    })
    expect(plan.instances.find((each) => each.node === 'node-b')).toMatchObject({ how: 'in-place' })
    const stays = webs().find((each) => each.node === 'node-b')?.id
    await cluster.operations.resize({ ...web, cpuMilli: 2000 }, call)
    await cluster.until(
      'two on node-b',
      () => webs().length === 2 && webs().every((each) => each.cpuMilli === 2000 && each.node === 'node-b'),
    )
    expect(webs().map((each) => each.id)).toContain(stays)
    expect(cluster.nodes.get('node-a')?.stoppedInTraffic).toEqual([])
  })

  it('is refused, and nothing changes, when there is no place for all of it', async () => {
    await deploy('c1')
    await deploy('c2', testSpec({ web: { replicas: 4, resources: { memoryBytes: gibibyte } } }))
    const before = JSON.stringify(pool())
    await expect(cluster.operations.resize({ ...web, memoryBytes: 5 * gibibyte }, call)).rejects.toMatchObject({
      code: 'resize.no-room',
      message: expect.stringContaining('finds no place'),
    })
    expect(JSON.stringify(pool())).toBe(before)
    const plan = await cluster.operations.resize({ ...web, memoryBytes: 5 * gibibyte, dryRun: true }, call)
    expect(plan.problems).not.toEqual([])
  })

  it('ends in a true state when the server dies in the middle', async () => {
    await deploy('c1', testSpec({ web: { replicas: 6, resources: { cpuMilli: 500 } } }))
    await cluster.operations.resize({ ...web, cpuMilli: 600 }, call)
    await cluster.stopServer()
    await cluster.startServer()
    for (const name of ['node-a', 'node-b']) await cluster.connect(name)
    await cluster.until('the new size', () => cpus().length === 6 && cpus().every((each) => each === 600))
    await cluster.until('the nodes to know', () => nodesKnow(600))
  })

  it('keeps memory reserved until the agent has lowered the limit', async () => {
    await deploy('c1', spec(500, 4 * gibibyte))
    for (const node of cluster.nodes.values()) node.memoryInUse = true
    await cluster.operations.resize({ ...web, memoryBytes: gibibyte }, call)
    await cluster.until('records', () => webs().every((each) => each.heldMemoryBytes === 4 * gibibyte))
    expect(webs().every((each) => each.memoryBytes === gibibyte)).toBe(true)
    // By CPU there is room for seven more on each node; half of its 8 GiB are still held.
    const more = () => cluster.operations.capacity(production)[0]?.more
    expect(more()).toBe(8)
    for (const node of cluster.nodes.values()) node.memoryInUse = false
    await cluster.operations.resize({ ...web, cpuMilli: 501 }, call)
    await cluster.until('the memory is free', () => more() === 12)
  })
})

const plainPlacement = {
  strategy: { type: 'spread' },
  where: [],
  prefer: [],
  apart: [],
  near: [],
  max: {},
  tolerate: [],
  reschedule: 'never',
} as const

describe('misuse of a resize', () => {
  it.each([
    ['nothing', {}, 'resize.invalid', 'say how much'],
    ['both', { cpuMilli: 1000, asWritten: true }, 'resize.invalid', 'not both'],
    ['a share of a byte', { memoryBytes: 1000 }, 'resize.invalid', 'at least 6Mi'],
    ['too much CPU', { cpuMilli: 64_000 }, 'resize.invalid', 'more than any node has: at most 4'],
    ['too much memory', { memoryBytes: 64 * gibibyte }, 'resize.invalid', 'more than any node has'],
    ['no entrypoint', { entrypoint: 'wbe', cpuMilli: 1000 }, 'entrypoint.not-found', 'it has web'],
    ['no pool', { pool: 'staging', cpuMilli: 1000 }, 'pool.not-found', 'production'],
  ])('%s', async (_, args, code, message) => {
    await deploy('c1')
    await expect(cluster.operations.resize({ ...web, ...args }, call)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(message),
    })
    expect(pool()?.sizes).toBeUndefined()
  })

  it('is told while a rollout is under way', async () => {
    await deploy('c1')
    cluster.commits.set('c2', spec())
    cluster.node.stickGateway()
    await cluster.operations.restart(production, call)
    await expect(cluster.operations.resize({ ...web, cpuMilli: 2000 }, call)).rejects.toMatchObject({
      code: 'rollout.in-progress',
    })
  })
})

describe('where cores are bound', () => {
  const cores: NodeCores = { count: 4, numa: [[0, 1, 2, 3]] }

  beforeEach(async () => {
    const groups = new Groups(cluster.records)
    await groups.create('fast', { cpu: 'bound', shareBase: 10 }, call)
    await cluster.addNode('node-c', '10.77.3.0/24', { cores })
    await cluster.records.commit('system:test', (tx) => {
      const node = cluster.state.nodes.get('node-c')
      if (node !== undefined) tx.put('nodes', { ...node, group: 'fast' })
    })
    const placement = { ...plainPlacement, group: 'fast' }
    await deploy('c1', testSpec({ web: { replicas: 1, resources: { cpuMilli: 1300 }, placement } }))
  })

  it('keeps the cores that it has, adds others and gives them back', async () => {
    const [before] = webs()
    await cluster.operations.resize({ ...web, cpuMilli: 2300 }, call)
    await cluster.until('more', () => cpus()[0] === 2300)
    const whole = (text: string | undefined) => text?.split(',')[0]
    expect(webs()[0]?.id).toBe(before?.id)
    expect(webs()[0]?.cores).toContain(':300')
    expect(webs()[0]?.cores).toMatch(/^0-1|^0,|^0-/)
    await cluster.operations.resize({ ...web, cpuMilli: 1300 }, call)
    await cluster.until('less', () => cpus()[0] === 1300)
    expect(whole(webs()[0]?.cores)).toBe(whole(before?.cores))
  })

  it('names the nearest that could be had', async () => {
    await expect(cluster.operations.resize({ ...web, cpuMilli: 1250 }, call)).rejects.toMatchObject({
      code: 'resize.invalid',
      message: expect.stringContaining('the nearest are 1.2 and 1.3'),
    })
    await expect(cluster.operations.resize({ ...web, cpuMilli: 50 }, call)).rejects.toMatchObject({
      message: expect.stringContaining('the least is 0.1'),
    })
  })

  it('stays within the quota of its node group', async () => {
    await new Groups(cluster.records).update('fast', { quota: { cpuMilli: 2000 } }, call)
    await expect(cluster.operations.resize({ ...web, cpuMilli: 2300 }, call)).rejects.toMatchObject({
      code: 'resize.no-room',
      message: expect.stringContaining('quota'),
    })
    const id = webs()[0]?.id ?? ''
    const alone = { id, asWritten: false, dryRun: false }
    await expect(cluster.operations.resizeInstance({ ...alone, cpuMilli: 2300 }, call)).rejects.toMatchObject({
      code: 'resize.no-room',
    })
    await cluster.operations.resizeInstance({ ...alone, cpuMilli: 2000 }, call)
    expect(cpus()).toEqual([2000])
  })
})

describe('one instance alone', () => {
  const alone = { id: 'shop.production.web-1', asWritten: false, dryRun: false }

  it('is changed where it is, stays so when its entrypoint is resized, and can go back', async () => {
    await deploy('c1')
    expect(await cluster.operations.resizeInstance({ ...alone, cpuMilli: 3000, dryRun: true }, call)).toMatchObject({
      instances: [{ name: 'web-1', how: 'in-place', after: { cpuMilli: 3000 } }],
    })
    expect(cpus()).toEqual([1000, 1000])
    await cluster.operations.resizeInstance({ ...alone, cpuMilli: 3000 }, call)
    expect(cpus()).toEqual([3000, 1000])
    const view = await cluster.operations.resize({ ...web, cpuMilli: 2000 }, call)
    expect(view.instances[0]).toMatchObject({ how: 'stays', reason: expect.stringContaining('resized alone') })
    await cluster.until('the other', () => cpus()[1] === 2000)
    expect(cpus()).toEqual([3000, 2000])
    await cluster.operations.resizeInstance({ ...alone, asWritten: true }, call)
    expect(cpus()).toEqual([2000, 2000])
    expect(webs()[0]?.sizedAlone).toBeUndefined()
  })

  it('is refused where its node has no room, and the books are as before', async () => {
    await deploy('c1')
    await cluster.operations.resizeInstance({ ...alone, id: 'shop.production.web-2', cpuMilli: 4000 }, call)
    const more = () => cluster.operations.capacity(production)[0]?.more
    const before = more()
    const [, other] = webs()
    expect(other?.cpuMilli).toBe(4000)
    await expect(cluster.operations.resizeInstance({ ...alone, cpuMilli: 4001 }, call)).rejects.toMatchObject({
      code: 'resize.invalid',
    })
    await cluster.operations.scale({ ...production, replicas: { web: 3 }, dryRun: false }, call)
    await cluster.until('a third', served(['1', '2', '3']))
    await expect(cluster.operations.resizeInstance({ ...alone, cpuMilli: 4000 }, call)).rejects.toMatchObject({
      code: 'resize.no-room',
      message: expect.stringContaining('resize its entrypoint'),
    })
    expect(more()).toBe((before ?? 0) - 1)
    await expect(
      cluster.operations.resizeInstance({ ...alone, id: 'shop.production.web-9', cpuMilli: 1000 }, call),
    ).rejects.toMatchObject({ code: 'instance.not-found' })
  })
})

describe('what is no counted service', () => {
  it('a job: its next runs have it, and the one under way when it is named', async () => {
    await deploy('c1', testSpec({ train: { type: 'job', resources: { cpuMilli: 500 }, restart: 'never' } }))
    cluster.node.jobsHang = true
    const node = cluster.nodes.get('node-b')
    if (node !== undefined) node.jobsHang = true
    const run = await cluster.operations.runJob({ ...production, entrypoint: 'train' }, call)
    await cluster.until('it runs', () => cluster.state.statuses.get(run.id)?.phase === 'running')
    const view = await cluster.operations.resize({ ...web, entrypoint: 'train', cpuMilli: 1500 }, call)
    expect(view.instances).toMatchObject([{ how: 'stays', reason: expect.stringContaining('under way') }])
    expect(cluster.state.instances.get(run.id)?.cpuMilli).toBe(500)
    await cluster.operations.resizeInstance({ id: run.id, cpuMilli: 700, asWritten: false, dryRun: false }, call)
    expect(cluster.state.instances.get(run.id)?.cpuMilli).toBe(700)
    const next = await cluster.operations.runJob({ ...production, entrypoint: 'train' }, call)
    await cluster.until('the next', () => cluster.state.instances.get(next.id)?.cpuMilli === 1500)
  })

  it('a service on every node: in place where there is room, and elsewhere as it is', async () => {
    const each = { ...plainPlacement, strategy: { type: 'each', count: 1 } } as const
    cluster.commits.set(
      'c1',
      testSpec({
        web: { resources: { cpuMilli: 500 }, placement: each },
        db: { resources: { cpuMilli: 3000 }, placement: { ...plainPlacement, where: ['node = node-a'] } },
      }),
    )
    await cluster.deploy('c1')
    await cluster.operations.resize({ ...web, cpuMilli: 2000 }, call)
    await cluster.until('one of them', () => cpus().includes(2000))
    await cluster.pools.idle()
    const byNode = Object.fromEntries(webs().map((one) => [one.node, one.cpuMilli]))
    expect(byNode).toEqual({ 'node-a': 500, 'node-b': 2000 })
    // Room comes when its neighbour goes.
    await cluster.operations.scale({ ...production, replicas: { db: 0 }, dryRun: false }, call)
    await cluster.until('both', () => cpus().every((cpu) => cpu === 2000))
  })
})

describe('memory above what a group gives without asking', () => {
  beforeEach(async () => {
    const memoryApproval = { aboveBytes: gibibyte, approvers: ['ana'] }
    await new Groups(cluster.records).update('default', { memoryApproval }, call)
    await deploy('c1')
  })

  it.each(['approve', 'deny'] as const)('waits for a person who says: %s', async (decision) => {
    const view = await cluster.operations.resize({ ...web, memoryBytes: 2 * gibibyte }, call)
    expect(view.awaits).toContain('berth approve shop/web@production')
    await cluster.pools.idle()
    expect(webs().every((each) => each.memoryBytes === 256 * mebibyte)).toBe(true)
    await new Approvals(cluster.records).decide({ ...production, entrypoint: 'web', decision }, call)
    await cluster.pools.idle()
    const bytes = decision === 'approve' ? 2 * gibibyte : 256 * mebibyte
    await cluster.until('the end of it', () => webs().every((each) => each.memoryBytes === bytes))
    expect(pool()?.awaitedSizes).toBeUndefined()
  })
})
