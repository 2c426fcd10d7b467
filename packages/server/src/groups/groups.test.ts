import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Approvals } from '../approvals/approvals.ts'
import { Tokens } from '../auth/tokens.ts'
import { TestCluster, testSpec } from '../controllers/cluster.testing.ts'
import { groupListing } from '../http/listings/scheduling-listings.ts'
import { Nodes } from '../nodes/nodes.ts'
import { groupView } from '../views/scheduling-views.ts'
import { Groups } from './groups.ts'

const gibibyte = 1024 ** 3
const admin = { actor: 'local:0' }
const production = { app: 'shop', pool: 'production' }

let cluster: TestCluster
let groups: Groups
let nodes: Nodes
let approvals: Approvals

beforeEach(async () => {
  cluster = await TestCluster.start()
  groups = new Groups(cluster.records)
  nodes = new Nodes(cluster.records)
  approvals = new Approvals(cluster.records)
  await cluster.addNode('node-b', '10.77.2.0/24')
})
afterEach(() => cluster[Symbol.asyncDispose]())

const actorOf = async (owner: string): Promise<string> => {
  await new Tokens(cluster.records).create({ name: owner, owner, role: 'deployer' }, admin)
  return `token:${owner}`
}
const deploy = (ref: string, actor = admin.actor) =>
  cluster.operations.deploy({ ...production, ref, force: false, repository: '/repo' }, { actor })
const buildEnds = async (id: string | undefined): Promise<string | undefined> => {
  await cluster.until('the build', () => cluster.state.builds.get(id ?? '')?.endedAt !== undefined)
  return cluster.state.builds.get(id ?? '')?.error?.message
}
const nodesOf = (): (string | undefined)[] => [
  ...new Set(cluster.state.instances.byPool('shop', 'production').map((each) => each.node)),
]
const eventsOf = (type: string): string[] =>
  cluster.state.events
    .all()
    .filter((event) => event.type === type)
    .map((event) => `${event.actor}: ${event.message}`)

describe('a node group', () => {
  it('`default` always exists, shared, and is written down when it is changed', async () => {
    expect(groups.require('default')).toMatchObject({ cpu: 'shared', shareBase: 10, oversellMilli: 1000 })
    await groups.update('default', { oversellMilli: 2000, quota: { cpuMilli: 8000 } }, admin)
    expect(groups.require('default')).toMatchObject({ cpu: 'shared', oversellMilli: 2000, quota: { cpuMilli: 8000 } })
    await groups.update('default', { quota: null }, admin)
    expect(groups.require('default').quota).toBeUndefined()
    await expect(groups.remove('default', admin)).rejects.toThrow('it always exists')
  })

  it('is made, changed and removed by somebody', async () => {
    await groups.create('fast', { cpu: 'bound', shareBase: 100, maxSharedCores: 2 }, admin)
    await groups.update('fast', { allowedOwners: ['ana'] }, admin)
    await groups.remove('fast', admin)
    expect(eventsOf('group.created')).toEqual([
      'local:0: node group fast: bound cores in 100 pieces, at most 2 shared a node',
    ])
    expect(eventsOf('group.updated')[0]).toContain('for ana')
    expect(eventsOf('group.removed')).toHaveLength(1)
  })

  it.each<[string, () => Promise<unknown>, string]>([
    ['twice', () => groups.create('default', {}, admin), 'group.exists'],
    ['with a name that is none', () => groups.create('Fast One', {}, admin), 'name.invalid'],
    ['that is unknown', () => groups.update('slow', {}, admin), 'group.not-found'],
    [
      'with rules that do not go together',
      () => groups.create('x', { cpu: 'shared', maxSharedCores: 1 }, admin),
      'group.invalid',
    ],
    ['with owners that are none', () => groups.create('x', { allowedOwners: [' '] }, admin), 'group.invalid'],
  ])('is refused %s', async (_, act, code) => {
    await expect(act()).rejects.toMatchObject({ code })
  })

  it('cannot go while nodes are in it; a node cannot leave it with instances', async () => {
    await groups.create('fast', {}, admin)
    await nodes.update('node-b', { group: 'fast' }, admin)
    await expect(groups.remove('fast', admin)).rejects.toMatchObject({ code: 'group.in-use' })
    await expect(nodes.update('node-b', { group: 'nowhere' }, admin)).rejects.toMatchObject({ code: 'group.not-found' })
    cluster.commits.set('c1', testSpec({ web: { replicas: 2 } }))
    await cluster.deploy('c1')
    expect(nodesOf()).toEqual(['node-a'])
    await expect(nodes.update('node-a', { group: 'fast' }, admin)).rejects.toMatchObject({ code: 'node.in-use' })
    await nodes.update('node-b', { group: 'default' }, admin)
    expect(cluster.state.nodes.get('node-b')?.group).toBeUndefined()
    await groups.remove('fast', admin)
  })

  it('shows what its nodes have and what is given out', async () => {
    cluster.commits.set('c1', testSpec({ web: { replicas: 2 } }))
    await cluster.deploy('c1')
    const context = { state: cluster.state, isOnline: () => true } as never
    const view = groupView(context, groups.require('default'))
    expect(view).toMatchObject({ nodes: 2, instances: 2, cpuGivenMilli: 200, memoryGivenBytes: 128 * 1024 ** 2 })
  })

  it('shows whether it is being rebalanced, or was, and tells when that changes', async () => {
    const listing = groupListing({ state: cluster.state, isOnline: () => true } as never)
    const shown = () => listing.get('default')?.rebalance
    const touched: string[] = []
    const unsubscribe = cluster.state.changes.subscribe((change) => {
      if (change.kind === 'rebalances') touched.push(...listing.touched(change))
    })
    expect(shown()).toBeUndefined()
    await cluster.operations.startRebalance({ group: 'default', moves: 1, disruption: 1 }, admin)
    expect(touched).toContain('default')
    expect(['running', 'ended']).toContain(shown())
    expect(listing.all().map(({ name, rebalance }) => [name, rebalance])).toEqual([['default', shown()]])
    await cluster.until('it has ended', () => shown() === 'ended')
    unsubscribe()
  })
})

describe('who may use a group', () => {
  it('is said by owner; admins always may', async () => {
    await groups.create('fast', { allowedOwners: ['ana'] }, admin)
    await nodes.update('node-b', { group: 'fast' }, admin)
    const [ana, bob] = [await actorOf('ana'), await actorOf('bob')]
    const placement = {
      strategy: { type: 'spread' },
      where: [],
      prefer: [],
      apart: [],
      near: [],
      max: {},
      tolerate: [],
      reschedule: 'never',
      group: 'fast',
    } as const
    cluster.commits.set('c1', testSpec({ web: { placement } }))
    await expect(deploy('c1', bob)).rejects.toThrow('node group fast is not for bob')
    const allowed = await deploy('c1', ana)
    expect(await buildEnds(allowed.build?.id)).toBeUndefined()
    await cluster.until('it serves', () => cluster.state.pools.find('shop', 'production')?.release !== undefined)
    expect(nodesOf()).toEqual(['node-b'])
    const scale = { ...production, replicas: { web: 3 }, dryRun: false }
    await expect(cluster.operations.scale(scale, { actor: bob })).rejects.toMatchObject({ code: 'group.not-allowed' })
    await cluster.operations.scale({ ...scale, replicas: { web: 0 } }, { actor: bob })
    await cluster.operations.scale(scale, admin)
  })

  it('a group that does not exist is told before anything runs', async () => {
    cluster.commits.set('c1', testSpec({ web: { replicas: 1 } }))
    await cluster.deploy('c1')
    await expect(cluster.operations.movePool({ ...production, group: 'gone' }, admin)).rejects.toMatchObject({
      code: 'group.not-found',
    })
  })
})

describe('the quota of a group', () => {
  it('is kept when deploying and scaling, as one sentence', async () => {
    await groups.update('default', { quota: { cpuMilli: 250 } }, admin)
    cluster.commits.set('c1', testSpec({ web: { replicas: 2 } }))
    await cluster.deploy('c1')
    const scale = { ...production, replicas: { web: 3 }, dryRun: false }
    await expect(cluster.operations.scale(scale, admin)).rejects.toThrow(
      'scale shop/production: group default: 0 of 0.25 cores of its quota are given out, 0.3 more asked for',
    )
    await groups.update('default', { quota: null }, admin)
    await cluster.operations.scale(scale, admin)
  })
})

describe('moving a pool', () => {
  it('replaces its instances on nodes of the other group, and back', async () => {
    await groups.create('fast', {}, admin)
    await nodes.update('node-b', { group: 'fast' }, admin)
    cluster.commits.set('c1', testSpec({ web: { replicas: 2 } }))
    await cluster.deploy('c1')
    const { rollout } = await cluster.operations.movePool({ ...production, group: 'fast' }, admin)
    await cluster.until('the move', () => cluster.state.rollouts.get(rollout?.id ?? '')?.endedAt !== undefined)
    await cluster.until('all are there', () => nodesOf().length === 1 && nodesOf()[0] === 'node-b')
    expect(cluster.state.pools.find('shop', 'production')?.group).toBe('fast')
    expect((await cluster.operations.movePool({ ...production, group: 'fast' }, admin)).rollout).toBeUndefined()
    const back = await cluster.operations.movePool({ ...production, group: null }, admin)
    await cluster.until('the way back', () => cluster.state.rollouts.get(back.rollout?.id ?? '')?.endedAt !== undefined)
    await cluster.until('all are back', () => nodesOf().length === 1 && nodesOf()[0] === 'node-a')
    expect(eventsOf('pool.moved')).toHaveLength(2)
  })

  it('that finds no room is undone, with its group', async () => {
    await groups.create('empty', {}, admin)
    cluster.commits.set('c1', testSpec({ web: { replicas: 2, readyTimeoutMs: 300 } }))
    await cluster.deploy('c1')
    const { rollout } = await cluster.operations.movePool({ ...production, group: 'empty' }, admin)
    await cluster.until('the end', () => cluster.state.rollouts.get(rollout?.id ?? '')?.endedAt !== undefined)
    expect(cluster.state.rollouts.get(rollout?.id ?? '')).toMatchObject({ state: 'rolled-back' })
    const pool = cluster.state.pools.find('shop', 'production')
    expect(pool?.group).toBeUndefined()
    await cluster.until(
      'two serve',
      () => cluster.state.instances.byPool('shop', 'production').filter((each) => each.desired === 'run').length === 2,
    )
  })
})

describe('memory above what a group gives without asking', () => {
  const large = testSpec({ web: { replicas: 1, resources: { cpuMilli: 100, memoryBytes: gibibyte } } })
  const rollout = () => cluster.state.rollouts.get(cluster.state.pools.find('shop', 'production')?.rollout ?? '')

  beforeEach(async () => {
    const memoryApproval = { aboveBytes: gibibyte / 2, approvers: ['ana'] }
    await groups.update('default', { memoryApproval }, admin)
    cluster.commits.set('c1', large)
  })

  it('waits for a person, and goes on with their yes', async () => {
    const [ana, bob] = [await actorOf('ana'), await actorOf('bob')]
    expect(await buildEnds((await deploy('c1', bob)).build?.id)).toBeUndefined()
    await cluster.until('it waits', () => rollout()?.state === 'paused')
    expect(rollout()?.message).toContain(
      'web asks for 1Gi of memory in group default; say yes with: berth approve shop/web@production',
    )
    expect(cluster.state.instances.byPool('shop', 'production')).toEqual([])
    const id = rollout()?.id ?? ''
    await expect(cluster.operations.resumeRollout(id, admin)).rejects.toMatchObject({ code: 'approval.required' })
    const wish = { ...production, entrypoint: 'web', decision: 'approve' } as const
    await expect(approvals.decide(wish, { actor: bob })).rejects.toMatchObject({ code: 'approval.forbidden' })
    await approvals.decide(wish, { actor: ana })
    await cluster.until('it serves', () => cluster.state.rollouts.get(id)?.state === 'succeeded')
    expect(eventsOf('approval.approved')).toEqual([
      `${ana}: shop/production: approved 1024 MiB of memory for web in group default`,
    ])
    cluster.commits.set('c2', large)
    await cluster.deploy('c2')
    expect(cluster.state.pools.find('shop', 'production')?.release).toBe('v2')
  })

  it('is forgotten with its pool, and with its app', async () => {
    await deploy('c1')
    await cluster.until('it waits', () => rollout()?.state === 'paused')
    await cluster.operations.removePool(production, admin)
    expect(cluster.state.approvals.size).toBe(0)
    await cluster.until('it is gone', () => cluster.state.pools.size === 0)
    await deploy('c1')
    await cluster.until('it waits again', () => rollout()?.state === 'paused')
    await cluster.operations.removeApp('shop', admin)
    await cluster.until('the app is gone', () => cluster.state.apps.size === 0)
    expect(cluster.state.approvals.size).toBe(0)
  })

  it('ends with their no', async () => {
    await deploy('c1')
    await cluster.until('it waits', () => rollout()?.state === 'paused')
    const id = rollout()?.id ?? ''
    await approvals.decide({ ...production, entrypoint: 'web', decision: 'deny' }, admin)
    await cluster.until('the end', () => cluster.state.rollouts.get(id)?.endedAt !== undefined)
    expect(cluster.state.rollouts.get(id)?.message).toContain('removed')
    await expect(
      approvals.decide({ ...production, entrypoint: 'nothing', decision: 'deny' }, admin),
    ).rejects.toMatchObject({
      code: 'approval.not-found',
    })
  })
})
