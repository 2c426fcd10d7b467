import { type EntrypointSpec, type PlacementSpec, specDefaults } from '@berth/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Groups } from '../groups/groups.ts'
import { Nodes } from '../nodes/nodes.ts'
import { poolView } from '../views/pool-view.ts'
import { TestCluster, testSpec } from './cluster.testing.ts'

const call = { actor: 'local:0' }
const production = { app: 'shop', pool: 'production' }
const each = (over: Partial<PlacementSpec> = {}): Partial<EntrypointSpec> => ({
  placement: { ...specDefaults.placement, strategy: { type: 'each', count: 1 }, ...over },
})

let cluster: TestCluster
let nodes: Nodes

beforeEach(async () => {
  cluster = await TestCluster.start()
  nodes = new Nodes(cluster.records)
  await cluster.addNode('node-b', '10.77.2.0/24')
})
afterEach(() => cluster[Symbol.asyncDispose]())

const up = () =>
  cluster.state.instances
    .byPool('shop', 'production')
    .filter(({ desired }) => desired === 'run')
    .map(({ release, node }) => `${release} ${node}`)
    .sort()
const until = (...expected: string[]) => cluster.until(expected.join(', '), () => up().join() === expected.join())
const view = () =>
  poolView(
    {
      ...cluster,
      isOnline: (node: string) => cluster.state.nodeStatuses.get(node)?.online === true,
      gateway: { host: '', httpPort: 80, httpsPort: 443 },
    } as never,
    cluster.state.pools.find('shop', 'production')!,
  )

describe('a service on every node', () => {
  it('runs once on each, follows nodes as they come, match and leave, and has no count of its own', async () => {
    cluster.commits.set('c1', testSpec({ web: each({ where: ['!spot'] }) }))
    await cluster.deploy('c1')
    await until('v1 node-a', 'v1 node-b')
    expect(cluster.state.pools.find('shop', 'production')?.replicas).toEqual({})
    expect(view().entrypoints).toMatchObject([{ name: 'web', wanted: 2, setBy: 'nodes', ready: 2 }])
    await expect(
      cluster.operations.scale({ ...production, replicas: { web: 3 }, dryRun: false }, call),
    ).rejects.toMatchObject({ code: 'entrypoint.not-counted' })
    await cluster.addNode('node-c', '10.77.3.0/24')
    await until('v1 node-a', 'v1 node-b', 'v1 node-c')
    await nodes.update('node-b', { labels: { spot: 'true' } }, call)
    await until('v1 node-a', 'v1 node-c')
    await nodes.drain('node-c', 1, call)
    await until('v1 node-a')
    await nodes.undrain('node-c', call)
    await nodes.update('node-b', { labels: { spot: null } }, call)
    await until('v1 node-a', 'v1 node-b', 'v1 node-c')
    expect(
      cluster.state.instances
        .all()
        .every((instance) => instance.pinnedTo === instance.node || instance.desired !== 'run'),
    ).toBe(true)
  })

  it('is planned by node, with what has no room', async () => {
    const plan = (ref: string, more: object = {}) =>
      cluster.operations.plan({ ...production, ref, repository: '/repo', ...more }, call)
    cluster.commits.set('c1', testSpec({ web: each(), api: { replicas: 1 } }))
    cluster.commits.set('c2', testSpec({ web: { ...each(), resources: { cpuMilli: 3950 } }, api: { replicas: 1 } }))
    expect(await plan('c1')).toMatchObject({
      entrypoints: [
        { name: 'api', action: 'create', create: 1 },
        { name: 'web', action: 'create', create: 2 },
      ],
      problems: [],
    })
    await cluster.deploy('c1')
    await until('v1 node-a', 'v1 node-a', 'v1 node-b')
    await cluster.addNode('node-c', '10.77.3.0/24')
    await until('v1 node-a', 'v1 node-a', 'v1 node-b', 'v1 node-c')
    const replaced = await plan('c2')
    expect(replaced.entrypoints[1]).toMatchObject({ name: 'web', action: 'update', replace: 3, create: 0 })
    expect(replaced.problems).toHaveLength(3)
    expect(replaced.problems[0]).toMatch(/^web: no place on node-a: 3 nodes: .*1 too little CPU/)
    expect((await plan('c1', { without: ['node-c'] })).entrypoints[1]).toMatchObject({
      name: 'web',
      destroy: 1,
      unchanged: 2,
    })
  })

  it('keeps its place on a node that takes no new instances, and is replaced there', async () => {
    cluster.commits.set('c1', testSpec({ web: each() }))
    cluster.commits.set('c2', testSpec({ web: each() }))
    await cluster.deploy('c1')
    await nodes.update('node-b', { schedulable: false }, call)
    await cluster.deploy('c2')
    await until('v2 node-a', 'v2 node-b')
  })

  it('waits for no silent node, and is made right there when it is back', async () => {
    cluster.commits.set('c1', testSpec({ web: each() }))
    cluster.commits.set('c2', testSpec({ web: each() }))
    await cluster.deploy('c1')
    await until('v1 node-a', 'v1 node-b')
    cluster.nodes.get('node-b')?.disconnect()
    await cluster.setOnline('node-b', false)
    // Gateways are nodes as well, and one that is silent must not hold the rollout up here.
    await nodes.update('node-b', { labels: { gateway: null } }, call)
    await cluster.deploy('c2')
    expect(cluster.state.pools.find('shop', 'production')?.release).toBe('v2')
    await cluster.setOnline('node-b', true)
    await cluster.connect('node-b')
    await until('v2 node-a', 'v2 node-b')
  })

  it('belongs to the nodes of its group alone, and moves with its pool', async () => {
    await new Groups(cluster.records).create('fast', {}, call)
    await nodes.update('node-b', { group: 'fast' }, call)
    cluster.commits.set('c1', testSpec({ web: each() }))
    await cluster.deploy('c1')
    await until('v1 node-a')
    await cluster.operations.movePool({ ...production, group: 'fast' }, call)
    await until('v1 node-b')
  })

  it('says which taints and ports keep it away', async () => {
    const taints = { dedicated: 'ml' }
    await nodes.update('node-b', { taints }, call)
    cluster.commits.set('c1', testSpec({ web: each() }))
    cluster.commits.set('c2', testSpec({ web: each({ tolerate: [{ key: 'dedicated' }] }) }))
    await cluster.deploy('c1')
    await until('v1 node-a')
    await cluster.deploy('c2')
    await until('v2 node-a', 'v2 node-b')
  })
})
