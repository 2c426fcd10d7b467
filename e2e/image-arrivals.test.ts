import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { InstanceView, NodeView, RolloutView } from '../packages/api/src/index.ts'
import type { LabHost } from '../packages/lab/src/index.ts'
import { webApp, webSource } from './support/apps.ts'
import { Cluster, type Repository } from './support/cluster.ts'
import { startLoad, until } from './support/load.ts'

let cluster: Cluster
let second: LabHost
let repository: Repository

beforeAll(async () => {
  cluster = await Cluster.start({ hosts: 2 })
  const [, other] = cluster.lab.hosts
  if (other === undefined) throw new Error('a lab of two has two hosts')
  second = other
  const { token } = (await cluster.mustBerth(['node', 'token', '-o', 'json'])).json<{ token: string }>()
  const to = ['--server', `${cluster.first.address}:7600`, '--node', 'h2', '--address', second.address]
  await cluster.mustBerth(['node', 'join', ...to, '--no-gateway'], { host: second, env: { BERTH_JOIN_TOKEN: token } })
  await cluster.untilOnline(2)
  repository = await cluster.repository('shop', webApp({ replicas: 4 }))
  await cluster.mustBerth(['deploy', 'shop', '--repository', repository.path])
})
afterAll(() => cluster[Symbol.asyncDispose]())

const latest = async (): Promise<RolloutView | undefined> =>
  (await cluster.client.list('listRollouts', { query: { app: 'shop', limit: 1 } })).items[0]
const running = async (): Promise<readonly InstanceView[]> =>
  (await cluster.client.list('listInstances', { query: { app: 'shop' } })).items.filter(
    (each) => each.desired === 'run',
  )

describe('a rollout on two machines, one of which has built its image', () => {
  it('brings it to the other before anything is replaced, shows that, and loses no request', async () => {
    const load = startLoad(`${cluster.gatewayUrl}/`, { host: 'shop.test', connections: 2 })
    await repository.commit({ 'server.js': webSource('2') })
    const deployed = await cluster.mustBerth(['deploy', 'shop'])
    expect(deployed.stderr).toContain('its image is on 1 of 2 nodes, on its way to h2')
    expect(deployed.stderr).toContain('the image is on all 2 nodes that need it')
    const rollout = await latest()
    expect(rollout).toMatchObject({ state: 'succeeded', images: { wanted: 2, there: 2, missing: [] } })
    const made = (await running()).filter((each) => each.release === 'v2').map((each) => each.createdAt)
    expect(made.length).toBeGreaterThanOrEqual(4)
    expect(Math.min(...made)).toBeGreaterThanOrEqual(rollout?.images?.doneAt ?? Number.POSITIVE_INFINITY)
    expect((await load.stop()).failures).toEqual([])
  })

  it('waits for nothing when it is there: a restart, a rollback', async () => {
    await cluster.mustBerth(['restart', 'shop'])
    expect((await latest())?.images).toBeUndefined()
    await cluster.mustBerth(['rollback', 'shop'])
    expect(await latest()).toMatchObject({ state: 'succeeded' })
    expect((await latest())?.images).toBeUndefined()
  })

  it('says which node cannot take it, and leaves everything as it was', async () => {
    const before = (await running()).map((each) => each.id).sort()
    const load = startLoad(`${cluster.gatewayUrl}/`, { host: 'shop.test', connections: 2 })
    await second.killDockerd('SIGKILL')
    await repository.commit({ 'server.js': webSource('3') })
    const deployed = await cluster.berth(['deploy', 'shop'])
    expect(deployed.code).toBe(3)
    expect((await latest())?.failure).toMatchObject({ node: 'h2' })
    expect((await latest())?.message).toMatch(/^h2 could not get the image of v3: .*; nothing was replaced; v1 serves$/)
    expect((await running()).map((each) => each.id).sort()).toEqual(before)
    await second.startDockerd()
    expect((await load.stop()).failures).toEqual([])
  })

  it('obeys what a node may take and give', async () => {
    await cluster.mustBerth(['node', 'images', 'h2', '--takes', '1', '--rate', '64Mi'])
    const { items } = await cluster.client.list('listNodes')
    const limits = items.find((each: NodeView) => each.name === 'h2')
    expect(limits?.imageRules).toEqual({ takes: 1, gives: 2, bytesPerSecond: 64 * 1024 ** 2 })
    await until('Docker of h2 to answer', async () => {
      const nodes = (await cluster.client.list('listNodes')).items
      return nodes.every((each) => each.online && each.problems.length === 0)
    })
    await cluster.mustBerth(['deploy', 'shop', '--force'])
    expect(await latest()).toMatchObject({ state: 'succeeded' })
  })
})
