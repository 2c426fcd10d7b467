import { execFileSync } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { InstanceView } from '../packages/api/src/index.ts'
import { listManifests } from '../packages/lab/src/index.ts'
import { FakeProvider } from '../packages/server/src/routing/cloud/fake-provider.testing.ts'
import { webApp } from './support/apps.ts'
import { Cluster } from './support/cluster.ts'
import { startLoad, until } from './support/load.ts'

/**
 * Machines behind a router that carries packets between them by a table of its own, as a provider's does: the lab's router, whose routes are
 * what a service over HTTP has been told.
 */
let cluster: Cluster
let provider: FakeProvider

const instances = async (): Promise<readonly InstanceView[]> =>
  (await cluster.client.list('listInstances', { query: { app: 'shop' } })).items.filter((each) => each.ready)
const on = async (node: string): Promise<InstanceView> => {
  const found = (await instances()).find((each) => each.node === node)
  if (found === undefined) throw new Error(`nothing is ready on ${node}`)
  return found
}
/** A real connection from inside the one to the other, which sees its address. */
const reaches = async (from: InstanceView, to: InstanceView, seconds = 15): Promise<boolean> => {
  const argv = ['exec', from.id, 'timeout', `${seconds}`, 'wget', '-q', '-O', '-', `http://${to.address}:8080/ip`]
  return (await cluster.berth(argv)).stdout.includes(from.address ?? 'no address')
}
const routerProtocol = '186'
const router = (...argv: string[]): string => {
  const manifest = listManifests().find(({ index }) => index === cluster.lab.index)
  if (manifest?.switch == null) throw new Error('the lab has a switch')
  return execFileSync('nsenter', [`--net=/proc/${manifest.switch.pid}/ns/net`, 'ip', 'route', ...argv], {
    encoding: 'utf8',
  })
}
const routerTable = (): string[] =>
  router('show', 'proto', routerProtocol)
    .split('\n')
    .flatMap((line) => /^(\S+ via \S+)/.exec(line)?.[1] ?? [])
    .sort()
/** Of the hosts, in order: routes of Berth's own to the blocks of others. */
const staticRoutes = (): Promise<string[]> =>
  Promise.all(cluster.lab.hosts.map(async (host) => (await host.exec(['ip', 'route', 'show', 'proto', '77'])).stdout))
const wantedRoutes = async (): Promise<string[]> =>
  (await cluster.client.list('listNodes')).items.map(({ block, address }) => `${block} via ${address}`).sort()

beforeAll(async () => {
  cluster = await Cluster.start({ hosts: 3 })
  await cluster.join(cluster.lab.host('h2'))
  provider = await FakeProvider.start(cluster.lab.serverAddress)
  provider.onChange = (entries) => {
    router('flush', 'proto', routerProtocol)
    for (const { destination, nextHop } of entries)
      router('replace', destination, 'via', nextHop, 'proto', routerProtocol)
  }
  await cluster.untilOnline(2)
  const repository = await cluster.repository('shop', webApp({ replicas: 4 }))
  await cluster.mustBerth(['deploy', 'shop', '--repository', repository.path])
})
afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]()
  await provider?.[Symbol.asyncDispose]()
})

describe('routes by a provider’s route table', () => {
  it('take the place of static ones without a request that fails', async () => {
    const load = startLoad(`${cluster.gatewayUrl}/`, { host: 'shop.test', connections: 4 })
    await cluster.mustBerth(['net', 'cloud', 'set', 'vpc-1', provider.url])
    await cluster.mustBerth(['net', 'set', '--routes', 'cloud', '--yes'])
    await until('the router to know both', async () => routerTable().join() === (await wantedRoutes()).join())
    await until('no static routes', async () => (await staticRoutes()).slice(0, 2).join('') === '')
    const [here, there] = [await on('h1'), await on('h2')]

    const way = (await cluster.lab.host('h1').exec(['ip', 'route', 'get', there.address ?? ''])).stdout
    expect(way).toContain(`via ${cluster.lab.subnet.replace(/0\/24$/, '254')} `)
    expect(await Promise.all([reaches(here, there), reaches(there, here)])).toEqual([true, true])
    // As its gateway does, which has no route that says which address is to be seen.
    const own = (await cluster.lab.host('h1').exec(['curl', '-s', '-m', '15', `http://${there.address}:8080/ip`]))
      .stdout
    expect(own).toContain((here.address ?? '').replace(/\d+$/, '1'))
    expect((await load.stop()).failures).toEqual([])
    const { stdout } = await cluster.mustBerth(['net', 'routes', '--cloud'])
    expect(stdout.match(/in force/g)).toHaveLength(2)
  })

  it('have an entry for a machine that joins', async () => {
    await cluster.join(cluster.lab.host('h3'))
    await cluster.untilOnline(3)
    await until('the router to know it', async () => routerTable().join() === (await wantedRoutes()).join())
    await cluster.mustBerth(['scale', 'shop/web', '6'])
    const third = await until('one on the third', () => on('h3'))
    for (const node of ['h1', 'h2'])
      await until(
        `${node} to reach it`,
        async () => (await reaches(await on(node), third, 3)) && reaches(third, await on(node), 3),
      )
    expect((await staticRoutes()).join('')).toBe('')
  })

  it('are made again where somebody has removed an entry, and serve while the server is gone', async () => {
    const [{ destination = '' } = {}] = [...provider.entries.values()]
    provider.entries.delete(destination)
    provider.onChange([...provider.entries.values()])
    expect(routerTable()).toHaveLength(2)
    await until('all three again', async () => routerTable().join() === (await wantedRoutes()).join(), 120_000)
    const [here, there] = [await on('h1'), await on('h2')]
    const server = await cluster.pidOf('server')
    process.kill(server, 'SIGSTOP')
    try {
      const url = `http://${there.address}:8080/ip`
      const argv = ['docker', 'exec', here.id, 'timeout', '15', 'wget', '-q', '-O', '-', url]
      expect((await cluster.lab.host('h1').exec(argv)).stdout).toContain(here.address)
    } finally {
      process.kill(server, 'SIGCONT')
    }
  })

  it('are static again when that is said, and the entries stay', async () => {
    const load = startLoad(`${cluster.gatewayUrl}/`, { host: 'shop.test', connections: 4 })
    await cluster.mustBerth(['net', 'set', '--routes', 'static', '--yes'])
    await until('static routes on all', async () =>
      (await staticRoutes()).every((each) => each.trim().split('\n').length === 2),
    )
    expect(await reaches(await on('h1'), await on('h3'))).toBe(true)
    expect((await load.stop()).failures).toEqual([])
    expect(routerTable()).toHaveLength(3)
  })
})
