import { connect } from 'node:net'
import { text as textOf } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { testSpec } from '../controllers/cluster.testing.ts'
import { DiscoveryUnderTest } from './discovery.testing.ts'

let discovery: DiscoveryUnderTest

const spec = testSpec({
  web: {
    replicas: 2,
    labels: { 'consul-tags': 'canary, urlprefix-/shop' },
    ports: [
      { name: 'http', port: 8080, protocol: 'tcp' },
      { name: 'metrics', port: 9100, protocol: 'tcp' },
    ],
  },
  worker: { ports: [] },
})

beforeEach(async () => {
  discovery = await DiscoveryUnderTest.start()
  const { cluster } = discovery
  await cluster.records.commit('system:test', (tx) => {
    const node = cluster.state.nodes.get('node-a')
    if (node !== undefined) tx.put('nodes', { ...node, labels: { ...node.labels, site: 'bj' } })
  })
  cluster.commits.set('c1', spec)
  await cluster.deploy('c1')
  await cluster.until('two that are ready', () => readyWebs().length === 2)
})
afterEach(async () => {
  await discovery[Symbol.asyncDispose]()
})

const readyWebs = () =>
  discovery.cluster.state.instances
    .all()
    .filter(({ id, entrypoint }) => entrypoint === 'web' && discovery.cluster.state.statuses.get(id)?.ready === true)

const setReady = (id: string, ready: boolean) =>
  discovery.cluster.records.commit('system:test', (tx) => {
    const status = discovery.cluster.state.statuses.get(id)
    if (status !== undefined) tx.put('statuses', { ...status, ready })
  })

const settled = (promise: Promise<unknown>): Promise<boolean> =>
  Promise.race([promise.then(() => true), delay(150, false)])

describe('services', () => {
  it('are pools, with their instances, ports, tags and health', async () => {
    const { json } = await discovery.ask('/v1/catalog/services')
    expect(json).toEqual({
      'shop-production': ['berth', 'canary', 'production', 'urlprefix-/shop', 'web'],
      'shop-production-worker': ['berth', 'production', 'worker'],
    })
    const health = await discovery.ask('/v1/health/service/shop-production?passing')
    const [first] = readyWebs()
    expect(health.json).toHaveLength(2)
    expect(health.json[0]).toMatchObject({
      Node: { Node: 'node-a', Address: '127.0.0.1', Datacenter: 'bj', Meta: { site: 'bj' } },
      Service: {
        ...{ ID: first?.id, Service: 'shop-production', Address: first?.address, Port: 8080 },
        Tags: ['web', 'production', 'berth', 'canary', 'urlprefix-/shop'],
        Meta: { app: 'shop', pool: 'production', entrypoint: 'web', release: 'v1', port_metrics: '9100' },
      },
      Checks: [
        { CheckID: 'serfHealth', Status: 'passing' },
        { CheckID: `service:${first?.id}`, Status: 'passing', ServiceName: 'shop-production' },
      ],
    })
    const catalog = await discovery.ask('/v1/catalog/service/shop-production?tag=canary')
    expect(catalog.json[0]).toMatchObject({ ServiceID: first?.id, ServicePort: 8080, Datacenter: 'bj', Node: 'node-a' })
    expect(catalog.json[0].ServiceMeta).toEqual(health.json[0].Service.Meta)
  })

  it('are known by node, by check and by state', async () => {
    const [first] = readyWebs()
    await setReady(first?.id ?? '', false)
    expect((await discovery.ask('/v1/health/service/shop-production?passing')).json).toHaveLength(1)
    expect((await discovery.ask('/v1/health/service/shop-production')).json).toHaveLength(2)
    const critical = (await discovery.ask('/v1/health/state/critical')).json
    expect(critical).toMatchObject([{ CheckID: `service:${first?.id}`, Output: 'not ready' }])
    expect((await discovery.ask('/v1/health/state/any')).json).toHaveLength(4)
    expect((await discovery.ask('/v1/health/checks/shop-production')).json).toHaveLength(2)
    expect((await discovery.ask('/v1/health/node/node-a')).json).toHaveLength(4)
    const node = (await discovery.ask('/v1/catalog/node/node-a')).json
    expect(node.Node).toMatchObject({ Node: 'node-a' })
    expect(Object.keys(node.Services)).toHaveLength(3)
    expect((await discovery.ask('/v1/catalog/node-services/node-a')).json.Services).toHaveLength(3)
    expect((await discovery.ask('/v1/catalog/node/nobody')).json).toBeNull()
    expect((await discovery.ask('/v1/catalog/nodes')).json).toMatchObject([{ Node: 'node-a', Datacenter: 'bj' }])
  })

  it('are not passing on a node that is not heard', async () => {
    await discovery.cluster.setOnline('node-a', false)
    expect((await discovery.ask('/v1/health/service/shop-production?passing')).json).toEqual([])
  })

  it('are chosen by tag, site, node and filter', async () => {
    const choices: [string, number][] = [
      ['dc=bj', 2],
      ['dc=berth', 2],
      ['tag=web&tag=canary', 2],
      ['tag=other', 0],
      ['node-meta=site:bj', 2],
      ['node-meta=site:sh', 0],
      [`filter=${encodeURIComponent('Service.Meta.release == "v1" and "canary" in Service.Tags')}`, 2],
      [`filter=${encodeURIComponent('not Checks.Status == "passing"')}`, 0],
      ['near=_agent&stale&cached', 2],
    ]
    for (const [query, count] of choices) {
      const { json } = await discovery.ask(`/v1/health/service/shop-production?${query}`)
      expect(json, query).toHaveLength(count)
    }
  })

  it('of sites are told by datacenter', async () => {
    expect((await discovery.ask('/v1/catalog/datacenters')).json).toEqual(['berth', 'bj'])
    const wrong = await discovery.ask('/v1/catalog/services?dc=mars')
    expect(wrong).toMatchObject({ status: 500 })
    expect(wrong.text).toContain('No path to datacenter')
  })
})

describe('a call that waits', () => {
  it('ends when its own answer is another, and by nothing else', async () => {
    const { index } = await discovery.ask('/v1/health/service/shop-production?passing')
    expect(index).toBeGreaterThan(0)
    const waiting = discovery.ask(`/v1/health/service/shop-production?passing&index=${index}`)
    const worker = discovery.cluster.state.instances.all().find((each) => each.entrypoint === 'worker')
    await setReady(worker?.id ?? '', false)
    await discovery.ask('/v1/kv/other', {
      method: 'PUT',
      body: 'x',
      headers: { 'X-Consul-Token': await discovery.token('ci', 'deployer') },
    })
    expect(await settled(waiting)).toBe(false)
    await setReady(readyWebs()[0]?.id ?? '', false)
    const answer = await waiting
    expect(answer.json).toHaveLength(1)
    expect(answer.index).toBeGreaterThan(index)
  })

  it('ends when its time is up, with what is', async () => {
    const { index, text } = await discovery.ask('/v1/catalog/services')
    const startedAt = performance.now()
    const answer = await discovery.ask(`/v1/catalog/services?index=${index}&wait=200ms`)
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(199)
    expect(answer).toMatchObject({ index, text })
  })

  it('ends at once with a lower index when its own is from a store that is no more', async () => {
    const answer = await discovery.ask('/v1/catalog/services?index=123456789&wait=60s')
    expect(answer.status).toBe(200)
    expect(answer.index).toBeLessThan(123456789)
  })

  it('misses nothing over a restart of the server', async () => {
    const before = await discovery.ask('/v1/kv/upstreams/shop-production?recurse')
    await discovery.close()
    await setReady(readyWebs()[0]?.id ?? '', false)
    await discovery.open({ anonymous: 'read' })
    const after = await discovery.ask(`/v1/kv/upstreams/shop-production?recurse&index=${before.index}&wait=60s`)
    expect(after.json).toHaveLength(1)
  })

  it('ends when the server does, and is forgotten when its caller goes', async () => {
    const { index } = await discovery.ask('/v1/catalog/services')
    const socket = connect(discovery.port, '127.0.0.1')
    socket.write(`GET /v1/catalog/services?index=${index} HTTP/1.1\r\nHost: a\r\n\r\n`)
    await expect.poll(() => discovery.api.waiting).toBe(1)
    socket.destroy()
    await expect.poll(() => discovery.api.waiting).toBe(0)
    const waiting = discovery.ask(`/v1/catalog/services?index=${index}`)
    await expect.poll(() => discovery.api.waiting).toBe(1)
    await discovery.close()
    expect((await waiting).status).toBe(200)
  })
})

describe('modes', () => {
  it('are told in headers, as Consul writes them', async () => {
    await discovery.cluster.records.commit('system:test', (tx) =>
      tx.put('leaders', { role: 'cluster', server: 'a', since: 1 } as never),
    )
    const { rawHeaders, index } = await discovery.ask('/v1/catalog/services?stale')
    expect(rawHeaders).toEqual(
      expect.arrayContaining(['X-Consul-Index', 'X-Consul-KnownLeader', 'X-Consul-LastContact']),
    )
    expect(index).toBeGreaterThanOrEqual(1)
    const consistent = await discovery.ask('/v1/catalog/services?consistent')
    expect(consistent.headers['x-consul-effective-consistency']).toBe('consistent')
    expect(consistent.headers['x-consul-knownleader']).toBe('true')
  })
})

describe('what is refused', () => {
  it('what there is not, or makes no sense, in words', async () => {
    const calls: [string, string, number, string][] = [
      ['GET', '/v1/catalog/services?index=x', 400, 'Invalid index'],
      ['GET', '/v1/catalog/services?wait=soon', 400, 'Invalid wait'],
      ['GET', '/v1/catalog/nowhere', 404, 'nothing at'],
      ['GET', '/', 404, 'nothing at'],
      ['GET', '/v1/health/service/a?filter=a%20==', 400, 'Failed to create filter'],
      ['PUT', '/v1/session/create', 400, 'no sessions'],
      ['PUT', '/v1/catalog/register', 400, '/v1/agent/service/register'],
      ['PUT', '/v1/txn', 400, 'no transactions'],
      ['GET', '/v1/kv/', 400, 'Missing key name'],
      ['GET', '/v1/kv/%ff', 400, 'does not decode'],
      ['PUT', '/v1/kv/a', 403, 'Permission denied'],
      ['POST', '/v1/health/service/a', 405, 'only GET'],
    ]
    for (const [method, path, status, words] of calls) {
      const answer = await discovery.ask(path, { method })
      expect(answer, path).toMatchObject({ status })
      expect(answer.text).toContain(words)
    }
  })

  it('callers without a token, and those with a wrong one', async () => {
    await discovery.open()
    const missing = await discovery.ask('/v1/catalog/services')
    expect(missing).toMatchObject({ status: 403 })
    expect(missing.text).toContain('Permission denied')
    const wrong = await discovery.ask('/v1/catalog/services', { headers: { 'X-Consul-Token': 'berth_ci_nonsense' } })
    expect(wrong).toMatchObject({ status: 403 })
    expect(wrong.text).toContain('ACL not found')
    const token = await discovery.token('reader', 'viewer')
    const right = { headers: { Authorization: `Bearer ${token}` } }
    expect(await discovery.ask('/v1/catalog/services', right)).toMatchObject({ status: 200 })
    expect(await discovery.ask(`/v1/catalog/services?token=${token}`)).toMatchObject({ status: 200 })
    expect(await discovery.ask('/v1/kv/a', { ...right, method: 'PUT', body: '1' })).toMatchObject({ status: 403 })
  })
})

describe('nginx-upsync', () => {
  it('finds a service’s members as keys, and hears of changes as it asks', async () => {
    const asked = async (index: number): Promise<string> => {
      const socket = connect(discovery.port, '127.0.0.1')
      socket.write(
        `GET /v1/kv/upstreams/shop-production?recurse&index=${index} HTTP/1.0\r\nHost: consul\r\nAccept: */*\r\n\r\n`,
      )
      return await textOf(socket)
    }
    const first = await asked(0)
    expect(first).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
    const index = Number(/\r\nX-Consul-Index: (\d+)\r\n/.exec(first)?.[1])
    const members = JSON.parse(first.slice(first.indexOf('\r\n\r\n') + 4))
    const addresses = readyWebs().map(({ address }) => `upstreams/shop-production/${address}:8080`)
    expect(members.map((each: { Key: string }) => each.Key)).toEqual(addresses.sort())
    expect(JSON.parse(Buffer.from(members[0].Value, 'base64').toString())).toEqual({
      ...{ weight: 1, max_fails: 2, fail_timeout: 10, backup: 0, down: 0 },
    })
    const waiting = asked(index)
    await setReady(readyWebs()[0]?.id ?? '', false)
    const second = await waiting
    expect(JSON.parse(second.slice(second.indexOf('\r\n\r\n') + 4))).toHaveLength(1)
  })
})
