import { type StageSpec, specDefaults } from '@berth/core'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Freezes } from '../freezes/freezes.ts'
import { TestCluster, testSpec } from './cluster.testing.ts'

const call = { actor: 'test' }
const production = { app: 'shop', pool: 'production' }

let cluster: TestCluster

beforeEach(async () => {
  cluster = await TestCluster.start()
  await cluster.addNode('node-b', '10.77.2.0/24')
  cluster.commits.set('c1', testSpec({ web: { replicas: 2, resources: { cpuMilli: 1000 } } }))
  await cluster.deploy('c1')
})
afterEach(() => cluster[Symbol.asyncDispose]())

const serving = (now: number, lowest: number, highest: number) => ({ now, lowest, highest })
const webs = () => cluster.state.instances.all().filter((each) => each.desired === 'run')

describe('a plan', () => {
  it('says where new instances would run, and that some would not', async () => {
    const plan = await cluster.operations.plan({ ...production, replicas: { web: 6 } }, call)
    expect(plan.placements).toEqual([
      {
        entrypoint: 'web',
        nodes: [
          { node: 'node-a', count: 2 },
          { node: 'node-b', count: 2 },
        ],
        missing: 0,
      },
    ])
    const large = await cluster.operations.plan({ ...production, replicas: { web: 30 } }, call)
    expect(large.placements[0]?.missing).toBe(22)
    expect(large.problems).toEqual([
      'web: 22 of 30 find no place: 2 nodes: 2 too little CPU (most free: node-a, 0 of 1)',
    ])
    expect(large).toMatchObject({ unsaved: 'not everything finds a place' })
    expect(webs()).toHaveLength(2)
  })

  it('imagines nodes that there are not, and others gone', async () => {
    const without = await cluster.operations.plan({ ...production, replicas: { web: 6 }, without: ['node-b'] }, call)
    expect(without.placements).toMatchObject([{ nodes: [{ node: 'node-a', count: 3 }], missing: 2 }])
    const added = [{ count: 2, cpuMilli: 16_000, memoryBytes: 1e10 }]
    const larger = await cluster.operations.plan({ ...production, replicas: { web: 30 }, with: added }, call)
    expect(larger.placements[0]).toMatchObject({ missing: 0 })
    expect(larger.placements[0]?.nodes.map((each) => each.node)).toContain('imagined-1-2')
    expect(larger.unsaved).toBe('some of its nodes are imagined')
    const unknown = cluster.operations.plan({ ...production, without: ['node-x'] }, call)
    await expect(unknown).rejects.toMatchObject({ code: 'node.not-found' })
  })

  it('says what is left of the capacity meanwhile, and how many there are at a time', async () => {
    const of = async (spec: Parameters<typeof testSpec>[0], rollout: object) => {
      cluster.commits.set('c2', { ...testSpec(spec), rollout: { ...testSpec(spec).rollout, ...rollout } })
      return (await cluster.operations.plan({ ...production, ref: 'c2' }, call)).entrypoints[0]?.serving
    }
    const web = { resources: { cpuMilli: 1000 } }
    expect(await of({ web: { ...web, replicas: 2 } }, { surge: 1, unavailable: 0 })).toEqual(serving(2, 2, 3))
    expect(await of({ web: { ...web, replicas: 2 } }, { surge: 0, unavailable: 1 })).toEqual(serving(2, 1, 2))
    expect(await of({ web: { ...web, replicas: 5 } }, { surge: 1, unavailable: 1 })).toEqual(serving(2, 2, 6))
    const fewer = await cluster.operations.plan({ ...production, replicas: { web: 1 } }, call)
    expect(fewer.entrypoints[0]?.serving).toEqual(serving(2, 1, 2))
  })

  it('says what a deploy goes through, and what it waits for before', async () => {
    const spec = testSpec({ web: { replicas: 4, command: ['c2'] } })
    await new Freezes(cluster.records).add(
      { name: 'eve', reason: 'holidays', from: Date.now() - 1e6, until: Date.now() + 1e6 },
      call,
    )
    const stages: StageSpec[] = [
      {
        ...{
          name: 'canary',
          instances: 1,
          traffic: 50,
          gates: [{ type: 'health', forMs: 60_000 }, { type: 'person' }],
        },
        after: [{ type: 'job', job: 'notify', timeoutMs: 1000, onFailure: 'hold' }],
      },
      { name: 'half', instances: { percent: 50 }, gates: [] },
      { name: 'all', gates: [] },
    ]
    cluster.commits.set('c2', { ...spec, rollout: { ...spec.rollout, approvals: 2, stages } })
    const plan = await cluster.operations.plan({ ...production, ref: 'c2' }, call)
    expect(plan).toMatchObject({
      stages: [
        {
          ...{ name: 'canary', counts: { web: 1 }, traffic: '5%', gates: ['health for 1m', 'a person'] },
          ...{ before: [], after: ['job notify'] },
        },
        { name: 'half', counts: { web: 2 } },
        { name: 'all', counts: { web: 4 } },
      ],
      approvals: { needed: 2, rules: [] },
      freezes: [{ name: 'eve', reason: 'holidays' }],
    })
    expect((await cluster.operations.plan(production, call)).stages).toBeUndefined()
  })

  it('of a commit that is not built cannot be saved', async () => {
    cluster.commits.set('c2', testSpec({ web: { replicas: 1 } }))
    const plan = await cluster.operations.plan({ ...production, ref: 'c2' }, call)
    expect(plan.unsaved).toContain('is not built yet')
  })
})

describe('a plan stage by stage', () => {
  const gated: readonly StageSpec[] = [
    { name: 'canary', instances: 1, gates: [{ type: 'person' }] },
    { name: 'all', gates: [] },
  ]
  const byNode = (list: readonly { readonly node?: string | undefined }[]) =>
    Object.fromEntries([...Map.groupBy(list, ({ node = '' }) => node)].sort().map(([node, all]) => [node, all.length]))
  const told = (list: readonly { readonly node: string; readonly count: number }[]) =>
    byNode(list.flatMap(({ node, count }) => Array.from({ length: count }, () => ({ node }))))

  it('names the places that the rollout then gives, on a cluster where nothing else happens', async () => {
    await cluster.addNode('node-c', '10.77.3.0/24')
    for (const node of cluster.nodes.values()) node.readyAfterMs = 200
    const scenes = fc.record({
      replicas: fc.integer({ min: 2, max: 4 }),
      cpuMilli: fc.integer({ min: 3, max: 13 }).map((tenths) => tenths * 100),
      together: fc.boolean(),
      strategy: fc.constantFrom(
        { type: 'spread' } as const,
        { type: 'pack' } as const,
        { type: 'fill', count: 2 } as const,
      ),
    })
    let tries = 0
    await fc.assert(
      fc.asyncProperty(scenes, async ({ replicas, cpuMilli, together, strategy }) => {
        const ref = `s${++tries}`
        const placement = { ...specDefaults.placement, strategy }
        const spec = testSpec({ web: { replicas, resources: { cpuMilli }, command: [ref], placement } })
        const surge = together ? replicas : 1
        cluster.commits.set(ref, { ...spec, rollout: { ...spec.rollout, surge, stages: [...gated] } })
        const { rehearsal, saved, placements } = await cluster.operations.plan({ ...production, ref }, call)
        const before = byNode(webs())
        expect(saved).toBeUndefined()
        expect(rehearsal).toMatchObject({ end: 'done', unknown: [], stages: [{ name: 'canary' }, { name: 'all' }] })
        const [canary, all] = rehearsal?.stages ?? []
        await cluster.operations.deploy({ ...production, ref, force: false, repository: '/repo' }, call)
        const held = () => cluster.state.rollouts.all().find(({ endedAt }) => endedAt === undefined)
        await cluster.until('the gate', () => held()?.message.includes('waits for a person') === true)
        const id = held()?.id ?? ''
        const news = () => webs().filter(({ rollout }) => rollout === id)
        expect(byNode(news())).toEqual(told(canary?.created.filter(({ isNew }) => isNew) ?? []))
        await cluster.operations.continueRollout(id, call)
        await cluster.until('the end', () => cluster.state.rollouts.get(id)?.state === 'succeeded')
        const created = [...(canary?.created ?? []), ...(all?.created ?? [])].filter(({ isNew }) => isNew)
        expect(byNode(webs())).toEqual(told(created))
        expect(byNode(webs())).toEqual(told(placements[0]?.nodes ?? []))
        const left = [...(canary?.left ?? []), ...(all?.left ?? [])]
        expect(told(left.filter(({ isNew }) => !isNew))).toEqual(before)
        await cluster.until('the old ones have gone', () => cluster.state.instances.all().length === replicas)
      }),
      { numRuns: 5 },
    )
  })

  it('says how many serve at the least, what a node gives out at the peak, and what finds no place', async () => {
    const spec = testSpec({ web: { replicas: 2, resources: { cpuMilli: 3000 }, command: ['c2'] } })
    cluster.commits.set('c2', { ...spec, rollout: { ...spec.rollout, surge: 0, unavailable: 1 } })
    const { rehearsal } = await cluster.operations.plan({ ...production, ref: 'c2' }, call)
    expect(rehearsal).toMatchObject({ end: 'done', kept: [], unplaced: [] })
    expect(rehearsal?.stages).toMatchObject([{ name: 'all', serving: { web: { lowest: 1, highest: 2 } } }])
    const peaks = rehearsal?.stages[0]?.peaks ?? []
    expect(peaks.map(({ node, ofCpuMilli }) => [node, ofCpuMilli])).toEqual([
      ['node-a', 4000],
      ['node-b', 4000],
    ])
    expect(peaks.every(({ cpuMilli }) => cpuMilli >= 3000 && cpuMilli <= 4000)).toBe(true)
    cluster.commits.set('c3', testSpec({ web: { replicas: 3, resources: { cpuMilli: 3000 } } }))
    const large = await cluster.operations.plan({ ...production, ref: 'c3' }, call)
    expect(large.rehearsal).toMatchObject({ end: 'stuck', unplaced: [{ entrypoint: 'web', count: 1 }] })
    expect(large.problems[0]).toContain('find no place')
  })

  it('says what it does not go through', async () => {
    cluster.commits.set('c2', testSpec({ web: { replicas: 2, gang: true, command: ['c2'] } }))
    const { rehearsal } = await cluster.operations.plan({ ...production, ref: 'c2' }, call)
    expect(rehearsal).toMatchObject({ end: 'unknown', unknown: ['gang'], stages: [] })
    expect((await cluster.operations.plan(production, call)).rehearsal).toBeUndefined()
  })
})

describe('a saved plan', () => {
  it('is done exactly', async () => {
    const { saved } = await cluster.operations.plan({ ...production, replicas: { web: 5 } }, call)
    if (saved === undefined) throw new Error('nothing was saved')
    await cluster.operations.applyPlan(saved, call)
    await cluster.until('five', () => webs().length === 5 && webs().every((each) => each.node !== undefined))
    expect(
      webs()
        .map((each) => each.node)
        .sort(),
    ).toEqual([...(saved.slots.web ?? [])].sort())
  })

  it('puts every instance of a release where it was planned', async () => {
    cluster.commits.set('c2', testSpec({ web: { replicas: 2, resources: { cpuMilli: 1000 } } }))
    const build = await cluster.operations.startBuild({ app: 'shop', ref: 'c2', noReuse: true }, call)
    await cluster.until('the build', () => cluster.state.builds.get(build.id)?.endedAt !== undefined)
    const release = cluster.state.builds.get(build.id)?.release ?? ''
    const { saved } = await cluster.operations.plan({ ...production, release }, call)
    if (saved === undefined) throw new Error('nothing was saved')
    // Not what would be chosen freely.
    const slots = { web: ['node-b', 'node-b'] }
    const { rollout } = await cluster.operations.applyPlan({ ...saved, slots }, call)
    await cluster.until('the end', () => cluster.state.rollouts.get(rollout?.id ?? '')?.state === 'succeeded')
    await cluster.until('the old ones have left', () => webs().length === 2)
    expect(webs().map((each) => each.node)).toEqual(['node-b', 'node-b'])
  })

  it('that its bearer has changed gets no more than groups give, and no entrypoints that are none', async () => {
    await cluster.records.commit('system:test', (tx) =>
      tx.put('groups', {
        ...{ name: 'default', cpu: 'shared', shareBase: 100, oversellMilli: 1000, createdAt: 0, createdBy: 'test' },
        quota: { cpuMilli: 3000 },
      }),
    )
    const { saved } = await cluster.operations.plan({ ...production, replicas: { web: 3 } }, call)
    if (saved === undefined) throw new Error('nothing was saved')
    const forged = cluster.operations.applyPlan({ ...saved, replicas: { web: 1000 } }, call)
    await expect(forged).rejects.toMatchObject({ code: 'group.not-allowed' })
    await cluster.operations.applyPlan({ ...saved, replicas: { ...saved.replicas, ghost: 5 } }, call)
    expect(Object.keys(cluster.state.pools.find('shop', 'production')?.replicas ?? {})).toEqual(['web'])
  })

  it('is refused when the world has moved', async () => {
    const { saved } = await cluster.operations.plan({ ...production, replicas: { web: 5 } }, call)
    if (saved === undefined) throw new Error('nothing was saved')
    await cluster.operations.scale({ ...production, replicas: { web: 3 }, dryRun: false }, call)
    await cluster.until('three', () => webs().filter((each) => each.node !== undefined).length === 3)
    const applied = cluster.operations.applyPlan(saved, call)
    await expect(applied).rejects.toMatchObject({
      code: 'plan.stale',
      message: expect.stringMatching(/node-[ab] has changed, or what is given out there; plan again$/),
    })
    expect(cluster.state.pools.find('shop', 'production')?.replicas.web?.count).toBe(3)
  })
})

describe('capacity', () => {
  it('counts how many more fit and names what runs out', () => {
    expect(cluster.operations.capacity(production)).toEqual([
      { entrypoint: 'web', running: 2, more: 6, nodes: 2, missing: [{ what: 'CPU', nodes: 2 }] },
    ])
    expect(cluster.operations.capacity({ ...production, without: ['node-b'] })).toMatchObject([{ more: 3, nodes: 1 }])
  })
})
