import { afterEach, beforeEach, expect, it } from 'vitest'
import { TestCluster, testSpec } from './cluster.testing.ts'

const call = { actor: 'test' }
let cluster: TestCluster
beforeEach(async () => {
  cluster = await TestCluster.start()
})
afterEach(() => cluster[Symbol.asyncDispose]())

const web = (n: number) => `shop.production.web-${n}`
const attach = (n: number, name: string, address?: string) =>
  cluster.operations.attachNetwork(web(n), address === undefined ? { name } : { name, address }, call)
const detach = (n: number, name: string) => cluster.operations.detachNetwork(web(n), name, call)
const told = (n: number) => cluster.node.assignments.get(web(n))?.networks

async function tellNetworks(dockerNetworks: readonly string[]): Promise<void> {
  await cluster.records.commit('system:test', (tx) => {
    const status = cluster.state.nodeStatuses.get('node-a')
    if (status === undefined) throw new Error('no node-a')
    tx.put('nodeStatuses', { ...status, dockerNetworks })
  })
}

it('puts an instance into networks of its node and takes it out again; it is the same instance still', async () => {
  await tellNetworks(['bridge', 'lan', 'storage'])
  cluster.commits.set('c1', testSpec({ web: { replicas: 2 } }))
  await cluster.deploy('c1')
  await attach(1, 'storage')
  await attach(1, 'storage')
  await attach(1, 'lan', '192.0.2.7')
  await cluster.until('both', () => told(1)?.length === 2)
  expect(told(1)).toEqual([{ name: 'lan', address: '192.0.2.7' }, { name: 'storage' }])
  await expect(attach(2, 'lan', '192.0.2.7')).rejects.toMatchObject({
    code: 'attach.address-taken',
    message: expect.stringContaining(`berth net detach ${web(1)} lan`),
  })
  await attach(1, 'lan', '192.0.2.8')
  await attach(2, 'lan', '192.0.2.7')
  await cluster.until('the other address', () => told(1)?.[0]?.address === '192.0.2.8')
  await detach(1, 'lan')
  await detach(1, 'storage')
  await cluster.until('none', () => told(1) === undefined)
  await expect(detach(1, 'lan')).rejects.toMatchObject({ code: 'attach.not-found' })
  await expect(detach(2, 'vault')).rejects.toThrow('it is in lan')
  expect(cluster.state.instances.get(web(1))).toMatchObject({ restartNonce: 0 })
  const types = cluster.state.events.all().map(({ type }) => type)
  expect(types.filter((each) => each === 'instance.attached')).toHaveLength(4)
  expect(types.filter((each) => each === 'instance.detached')).toHaveLength(2)
})

it('places where its networks are, and keeps it in those of its entrypoint', async () => {
  const networks = ['storage']
  cluster.commits.set('c1', testSpec({ web: { networks, readyTimeoutMs: 60_000 } }))
  await cluster.operations.deploy(
    { app: 'shop', pool: 'production', ref: 'c1', force: false, repository: '/repo' },
    call,
  )
  await cluster.until('it waits', () => cluster.state.instances.unplaced().length === 1)
  expect(cluster.state.instances.unplaced()[0]?.unplaced).toBe('1 node: 1 without Docker network storage')
  await tellNetworks(['bridge', 'lan', 'storage'])
  await cluster.until('its order', () => told(1) !== undefined)
  expect(told(1)).toEqual([{ name: 'storage' }])
  expect(cluster.node.assignments.get(web(1))).not.toHaveProperty('network')
  await expect(detach(1, 'storage')).rejects.toMatchObject({ code: 'attach.of-entrypoint' })
  await attach(1, 'lan')
  await cluster.until('both', () => told(1)?.length === 2)
})

it('is refused with what would help', async () => {
  const ports = [{ name: 'http', port: 8080, protocol: 'tcp' as const, hostPort: 8080 }]
  cluster.commits.set('c1', testSpec({ web: {}, proxy: { network: 'host', ports } }))
  await cluster.deploy('c1')
  await expect(attach(1, 'lan')).rejects.toThrow('does not say which it has')
  await tellNetworks(['bridge', 'storage'])
  await expect(attach(1, 'lan')).rejects.toMatchObject({
    code: 'attach.no-network',
    message: expect.stringContaining('it has bridge, storage; make it there (docker network create lan)'),
  })
  await expect(attach(1, 'alpha')).rejects.toMatchObject({
    code: 'attach.impossible',
    message: expect.stringContaining('default route'),
  })
  const wanted = { name: 'storage' }
  await expect(cluster.operations.attachNetwork('shop.production.proxy-1', wanted, call)).rejects.toMatchObject({
    code: 'attach.impossible',
  })
  await expect(cluster.operations.attachNetwork(web(7), wanted, call)).rejects.toMatchObject({
    code: 'instance.not-found',
  })
})
