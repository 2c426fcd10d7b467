/** Programs made for Consul: the npm package `consul`, unchanged, and what Prometheus asks. */
import { createRequire } from 'node:module'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { testSpec } from '../controllers/cluster.testing.ts'
import { DiscoveryUnderTest } from './discovery.testing.ts'

let discovery: DiscoveryUnderTest
// biome-ignore lint/suspicious/noExplicitAny: what it answers is looked at field by field.
let consul: any

// It is CommonJS, and says of some of its functions that they need what they do not.
const Consul = createRequire(import.meta.url)('consul')

beforeAll(async () => {
  discovery = await DiscoveryUnderTest.start()
  const { cluster } = discovery
  cluster.commits.set('c1', testSpec({ web: { replicas: 2 } }))
  await cluster.deploy('c1')
  await cluster.until(
    'two that are ready',
    () => cluster.state.statuses.all().filter((each) => each.ready).length === 2,
  )
  const token = await discovery.token('ci', 'deployer')
  consul = new Consul({ host: '127.0.0.1', port: discovery.port, defaults: { token } })
})
afterAll(async () => {
  consul.destroy()
  await discovery[Symbol.asyncDispose]()
})

describe('the npm package consul', () => {
  it('reads catalog, health and status', async () => {
    expect(await consul.catalog.datacenters({})).toEqual(['berth'])
    expect(await consul.catalog.nodes({})).toMatchObject([{ Node: 'node-a' }])
    expect(await consul.catalog.service.list()).toHaveProperty('shop-production')
    expect(await consul.catalog.service.nodes('shop-production')).toHaveLength(2)
    expect(await consul.catalog.node.services('node-a')).toMatchObject({ Node: { Node: 'node-a' } })
    expect(await consul.health.service({ service: 'shop-production', passing: true })).toHaveLength(2)
    expect(await consul.health.checks('shop-production')).toHaveLength(2)
    expect(await consul.health.state('passing')).toHaveLength(3)
    expect(await consul.health.node('node-a')).toHaveLength(3)
    expect(await consul.agent.self()).toMatchObject({ Config: { Datacenter: 'berth' } })
    expect(Array.isArray(await consul.status.peers({}))).toBe(true)
  })

  it('writes, reads and deletes keys', async () => {
    expect(await consul.kv.set('app/a', 'one')).toBe(true)
    expect(await consul.kv.get('app/a')).toMatchObject({ Key: 'app/a', Value: 'one' })
    expect(await consul.kv.set({ key: 'app/a', value: 'two', cas: 0 })).toBeFalsy()
    expect(await consul.kv.keys('app/')).toEqual(['app/a'])
    expect(await consul.kv.get({ key: 'upstreams/shop-production', recurse: true })).toHaveLength(2)
    expect(await consul.kv.del({ key: 'app/', recurse: true })).toBe(true)
    expect(await consul.kv.get('app/a')).toBeUndefined()
    await expect(consul.session.create()).rejects.toThrow()
  })

  it('watches a service', async () => {
    const { cluster } = discovery
    const seen: number[] = []
    const options = { service: 'shop-production', passing: true }
    const watch = consul.watch({ method: consul.health.service, options: options })
    watch.on('change', (entries: unknown[]) => seen.push(entries.length))
    await expect.poll(() => seen.at(-1)).toBe(2)
    await setReady(false)
    await expect.poll(() => seen.at(-1)).toBe(1)
    await setReady(true)
    await expect.poll(() => seen.at(-1)).toBe(2)
    watch.end()
    expect(seen).toEqual([2, 1, 2])
    expect(cluster.state.statuses.size).toBe(2)
  })
})

async function setReady(ready: boolean): Promise<void> {
  const { cluster } = discovery
  const [first] = cluster.state.statuses.all()
  if (first === undefined) throw new Error('no status')
  await cluster.records.commit('system:test', (tx) => tx.put('statuses', { ...first, ready }))
}

describe('Prometheus, whose package in Debian is built without it', () => {
  /** As `consul_sd_configs` asks: by HashiCorp's Go client. */
  const ask = async (path: string) => {
    const token = await tokenOf()
    return await discovery.ask(path, { headers: { 'X-Consul-Token': token, 'User-Agent': 'Prometheus/2.42.0' } })
  }
  let token: string | undefined
  const tokenOf = async () => {
    token ??= await discovery.token('prometheus', 'viewer')
    return token
  }

  it('finds services, then the instances of each, and waits for changes of both', async () => {
    const self = await ask('/v1/agent/self')
    const { Datacenter: datacenter } = self.json.Config
    const services = await ask(`/v1/catalog/services?dc=${datacenter}&stale=&wait=120000ms`)
    expect(Object.keys(services.json)).toEqual(['shop-production'])
    expect(services.headers['x-consul-knownleader']).toMatch(/^(true|false)$/)
    const path = `/v1/health/service/shop-production?dc=${datacenter}&stale=&tag=web&wait=120000ms`
    const instances = await ask(path)
    expect(instances.json.map((each: { Checks: unknown[] }) => each.Checks.length)).toEqual([2, 2])
    const waiting = ask(`${path}&index=${instances.index}`)
    const other = ask(`/v1/catalog/services?dc=${datacenter}&stale=&index=${services.index}&wait=1s`)
    await expect.poll(() => discovery.api.waiting).toBe(2)
    await setReady(false)
    const changed = (await waiting).json.map(({ Checks }: { Checks: { Status: string }[] }) => Checks[1]?.Status)
    expect(changed.sort()).toEqual(['critical', 'passing'])
    expect((await other).json).toEqual(services.json)
    await setReady(true)
  })
})
