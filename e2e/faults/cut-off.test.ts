import { afterAll, beforeAll, expect, it } from 'vitest'
import type { InstanceView } from '../../packages/api/src/index.ts'
import type { LabHost } from '../../packages/lab/src/index.ts'
import { webApp } from '../support/apps.ts'
import { Cluster } from '../support/cluster.ts'
import { startLoad, until } from '../support/load.ts'

/** Real machines with one between them that does not hear the server any more. */
let cluster: Cluster
let second: LabHost

beforeAll(async () => {
  cluster = await Cluster.start({ hosts: 2 })
  second = cluster.lab.host('h2')
  await cluster.join(second)
  const entrypointExtra = '    placement: {reschedule: {after: 2s}}'
  const repository = await cluster.repository('shop', webApp({ replicas: 4, entrypointExtra }))
  await cluster.mustBerth(['deploy', 'shop', '--repository', repository.path])
})
afterAll(() => cluster[Symbol.asyncDispose]())

const instances = async (): Promise<readonly InstanceView[]> =>
  (await cluster.client.list('listInstances', { query: { app: 'shop' } })).items
const isOnline = async (): Promise<boolean> => (await cluster.client.call('getNode', { params: { name: 'h2' } })).online
const events = async (type: string) =>
  (await cluster.client.list('listEvents', { query: {} })).items.filter((each) => each.type === type)
/** Names with process ids: the very same containers. */
const onSecond = async (): Promise<string[]> =>
  (await cluster.containers(second)).map(({ name, pid }) => `${name} ${pid}`).sort()
const ready = async (node: string): Promise<number> =>
  (await instances()).filter((each) => each.node === node && each.ready).length

it('an agent that hears no server, on a machine that serves: nothing is moved, nothing is stopped, no request fails', async () => {
  const before = await onSecond()
  expect(before).toHaveLength(2)
  const load = startLoad(`${cluster.gatewayUrl}/`, { host: 'shop.test', connections: 4 })
  await second.setLinkFaults({ cuts: [{ address: cluster.first.address, port: 7601 }] })
  await until('the agent to be found silent', async () => !(await isOnline()))
  await until('the neighbours to say that the machine lives', async () => (await events('node.agent-away')).length > 0)
  // Twice the time after which others look at it again: the patience of the app is long over.
  const told = Date.now()
  await until('nothing to have happened', () => Date.now() - told > 6_000)
  expect(await onSecond()).toEqual(before)
  expect(await ready('h1')).toBe(2)
  await second.setLinkFaults({})
  await until('the agent to be back', isOnline)
  await until('both to be ready', async () => (await ready('h2')) === 2)
  expect(await onSecond()).toEqual(before)
  expect((await load.stop()).failures).toEqual([])
})

it('a machine that nobody reaches, and that goes on: replaced elsewhere, and once it is back nothing runs twice', async () => {
  const before = await onSecond()
  await second.setLinkFaults({ cuts: [{}] })
  await until('its instances to serve elsewhere', async () => (await ready('h1')) === 4)
  expect(await onSecond()).toEqual(before)
  const load = startLoad(`${cluster.gatewayUrl}/`, { host: 'shop.test', connections: 4 })
  await second.setLinkFaults({})
  await until('the agent to be back', isOnline)
  await until('what was replaced to be gone', async () => (await onSecond()).length === 0)
  // Their end is told a moment after they are gone.
  const all = await until('four to be left', async () => {
    const found = await instances()
    return found.length === 4 && found
  })
  expect(all.map((each) => each.node)).toEqual(['h1', 'h1', 'h1', 'h1'])
  expect((await cluster.containers(cluster.first)).map(({ name }) => name).sort()).toEqual(
    all.map((each) => each.id).sort(),
  )
  expect((await load.stop()).failures).toEqual([])
})
