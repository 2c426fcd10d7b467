import { expect, it } from 'vitest'
import { TestCluster, testSpec } from './cluster.testing.ts'

it('a build that another server has written down as cancelled ends here', async () => {
  await using cluster = await TestCluster.start()
  cluster.commits.set('v1', testSpec({}))
  cluster.buildGate = new Promise(() => undefined)
  let ended = 0
  cluster.onBuildEnd = () => {
    ended += 1
  }
  const target = { app: 'shop', pool: 'production', ref: 'v1', force: false, repository: '/repo' }
  const { build } = await cluster.operations.deploy(target, { actor: 'test' })
  const id = build?.id ?? ''
  await cluster.until('the build to run', () => cluster.state.builds.get(id)?.state === 'running')
  await cluster.records.commit('system:test', (tx) => {
    const running = cluster.state.builds.get(id)
    if (running !== undefined) tx.put('builds', { ...running, state: 'cancelled', endedAt: 1 }, { ifUnchanged: true })
  })
  await cluster.until('its end', () => ended === 1)
  expect(cluster.state.builds.get(id)?.state).toBe('cancelled')
})
