import { specDefaults } from '@berth/core'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { TestCluster, testSpec } from '../controllers/cluster.testing.ts'
import { Nodes } from '../nodes/nodes.ts'

let cluster: TestCluster
beforeEach(async () => {
  cluster = await TestCluster.start()
  await cluster.addNode('node-b', '10.77.2.0/24')
})
afterEach(() => cluster[Symbol.asyncDispose]())

const nodesOf = (pool: string): (string | undefined)[] =>
  cluster.state.instances.byPool('shop', pool).map((each) => each.node)

it('an environment places as it says, and is booked so', async () => {
  await new Nodes(cluster.records).update('node-b', { labels: { disk: 'ssd' } }, { actor: 'local:0' })
  const placement = { where: ['disk = ssd'], apart: [{ app: 'shop', entrypoint: 'db' }] }
  const environments = { staging: { env: {}, entrypoints: { web: { placement, replicas: 1 } }, routes: [] } }
  const near = { ...specDefaults.placement, where: ['node = node-b'] }
  cluster.commits.set('c1', testSpec({ web: { replicas: 1 } }, { environments }))
  await cluster.deploy('c1', 'staging')
  expect(nodesOf('staging')).toEqual(['node-b'])
  cluster.commits.set('c2', testSpec({ db: { placement: near, readyTimeoutMs: 200 } }, { environments }))
  await cluster.deploy('c2')
  const [rollout] = cluster.state.rollouts.byPool('shop', 'production')
  expect(rollout?.message).toContain('anti-affinity with shop/')
})
