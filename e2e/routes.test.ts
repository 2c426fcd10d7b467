import { afterAll, beforeAll, expect, it } from 'vitest'
import type { LabHost } from '../packages/lab/src/index.ts'
import { webApp } from './support/apps.ts'
import { Cluster } from './support/cluster.ts'
import { startLoad, until } from './support/load.ts'

let cluster: Cluster
let second: LabHost

beforeAll(async () => {
  cluster = await Cluster.start({ hosts: 2 })
  second = cluster.lab.host('h2')
  await cluster.join(second)
  const repository = await cluster.repository('shop', webApp({ replicas: 4 }))
  await cluster.mustBerth(['deploy', 'shop', '--repository', repository.path])
})
afterAll(() => cluster[Symbol.asyncDispose]())

const onHost = async (host: LabHost, ...argv: string[]): Promise<string> => (await host.exec(argv)).stdout.trim()
const statics = (host: LabHost): Promise<string> => onHost(host, 'ip', 'route', 'show', 'proto', '77')
const learned = (host: LabHost): Promise<string> => onHost(host, 'ip', 'route', 'show', 'table', '77')
const birdOf = (host: LabHost): Promise<string> => onHost(host, 'cat', '/run/berth/secrets/bird/pid')
const hosts = (): LabHost[] => [cluster.first, second]
const routesOf = async (node: string) => (await cluster.client.call('getNode', { params: { name: node } })).routes

/** Requests go to instances on both hosts all the while. */
async function underLoad(work: () => Promise<void>): Promise<void> {
  const load = startLoad(`${cluster.gatewayUrl}/`, { host: 'shop.test', connections: 4 })
  await work()
  const { failures } = await load.stop()
  expect(failures).toEqual([])
}

it('are static until they are to be learned, which interrupts no request', async () => {
  for (const host of hosts()) expect(await statics(host)).not.toBe('')
  await underLoad(async () => {
    await cluster.mustBerth(['net', 'set', '--routes', 'bgp', '--yes'])
    for (const node of ['h1', 'h2']) await until(`the session of ${node}`, async () => (await routesOf(node))?.up === 1)
    for (const host of hosts()) {
      await until('a learned route', async () => (await learned(host)) !== '')
      await until('no static route', async () => (await statics(host)) === '')
    }
  })
})

it('can be looked at, with whom they were learned from', async () => {
  const routes = (await cluster.mustBerth(['net', 'routes', '-o', 'json'])).json<object[]>()
  expect(routes).toMatchObject([
    { node: 'h1', to: 'h2', kind: 'bgp', from: 'h2' },
    { node: 'h2', to: 'h1', kind: 'bgp', from: 'h1' },
  ])
  const sessions = (await cluster.mustBerth(['net', 'routes', 'h2', '--sessions'])).stdout
  expect(sessions).toMatch(/h2\s+h1\s+\S+\s+64512\s+up/)
  expect((await cluster.mustBerth(['node', 'show', 'h2'])).stdout).toMatch(/routes\s+bgp, 1 of 1 sessions up/)
})

it('outlive BIRD, which is killed and starts again, under requests', async () => {
  await underLoad(async () => {
    const before = await birdOf(second)
    await onHost(second, 'kill', '-9', before)
    await until('another BIRD', async () => !['', before].includes(await birdOf(second)))
    await until('its session', async () => (await routesOf('h2'))?.up === 1)
  })
})

it('are static again, when that is said, without an interruption', async () => {
  await underLoad(async () => {
    await cluster.mustBerth(['net', 'set', '--routes', 'static', '--yes'])
    for (const host of hosts()) {
      await until('a static route', async () => (await statics(host)) !== '')
      await until('no BIRD', async () => (await birdOf(host)) === '')
      await until('no learned route', async () => (await learned(host)) === '')
    }
  })
})
