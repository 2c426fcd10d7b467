import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { matchRoute, type Route } from '@berth/core'
import { sampleMember, sampleRoute, sampleTable, sampleTarget } from '@berth/core/network/route-table.testing'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { rotateLogs } from '../instance/persist-logs.ts'
import {
  echoBody,
  eventually,
  openGateway,
  openUpstream,
  readText,
  type TestGateway,
  type Upstream,
} from './gateway.testing.ts'
import { gatewayPaths } from './nginx-options.ts'

let open: TestGateway
let members: Upstream[]
let version = 0
const apply = (...routes: Route[]) => open.gateway.apply(sampleTable(++version, routes))
const port = (index: number) => members[index]!.port

beforeAll(async () => {
  open = await openGateway()
  members = await Promise.all(Array.from({ length: 6 }, () => openUpstream()))
})
afterAll(async () => {
  await open[Symbol.asyncDispose]()
  for (const member of members) await member[Symbol.asyncDispose]()
})

describe('which member answers', () => {
  test('the gateway matches as core defines it, for any routes and requests', async () => {
    const label = fc.constantFrom('a', 'b', 'c')
    const name = fc.array(label, { minLength: 1, maxLength: 3 }).map((labels) => labels.join('.'))
    const host = fc.oneof(
      name,
      name.map((text) => `*.${text}`),
      fc.constant('*'),
    )
    const path = fc.array(fc.constantFrom('x', 'y', 'xy'), { maxLength: 3 }).map((parts) => `/${parts.join('/')}`)
    const places = fc.uniqueArray(fc.record({ host, path }), {
      selector: (place) => place.host + place.path,
      maxLength: 6,
    })
    const requests = fc.array(fc.record({ host: name, path }), { minLength: 1, maxLength: 6 })
    await fc.assert(
      fc.asyncProperty(places, requests, async (list, asked) => {
        const routes = list.map((place, index) => sampleRoute([port(index)], place))
        await apply(...routes)
        for (const each of asked) {
          const expected = matchRoute(routes, each.host, each.path)
          const reply = await open.fetch(each.path, { host: each.host })
          expect(reply.status).toBe(expected === undefined ? 404 : 200)
          if (expected !== undefined) expect(reply.body).toBe(String(expected.targets[0]?.members[0]?.port))
        }
      }),
      { numRuns: 40 },
    )
  })

  test('the host is taken without port, dot and case; the path decoded and without detours', async () => {
    await apply(sampleRoute([port(0)], { path: '/über/a b' }), sampleRoute([port(1)]))
    for (const path of ['/%C3%BCber/a%20b', '/x/../%c3%bcber/a%20b/z', '//%C3%BCber/./a%20b']) {
      expect((await open.fetch(path)).body).toBe(String(port(0)))
    }
    for (const host of ['SHOP.example.com', 'shop.example.com.', 'shop.example.com:8080']) {
      expect((await open.fetch('/', { host })).body).toBe(String(port(1)))
    }
  })

  test('weights are kept exactly', async () => {
    const weighted = [5, 1, 1].map((weight, index) => sampleMember(port(index), { weight }))
    const other = sampleTarget([sampleMember(port(3))], { weight: 1, pool: 'shop/canary/web' })
    await using single = await openGateway({ workers: 1 })
    const route = { ...sampleRoute([]), targets: [sampleTarget(weighted, { weight: 1 }), other] }
    await single.gateway.apply(sampleTable(1, [route]))
    const counts = new Map<string, number>()
    for (let turn = 0; turn < 28; turn++) {
      const { body } = await single.fetch('/')
      counts.set(body, (counts.get(body) ?? 0) + 1)
    }
    expect([0, 1, 2, 3].map((index) => counts.get(String(port(index))))).toEqual([10, 2, 2, 14])
  })

  test('texts that would mean something to nginx, Lua or a shell are only data', async () => {
    const nasty = [
      '"]] os.execute("touch pwned") --',
      '"; } server { listen 1; } #',
      '$(touch pwned) `id`',
      `%s%n$\{x}\\`,
      "'\\''",
    ]
    const routes = nasty.map((text, index) =>
      sampleRoute([sampleMember(port(0), { instance: text })], {
        id: text,
        host: `n${index}.example.com`,
        path: `/${text.replace(/[%?#]/g, '').replace(/\/$/, '')}`,
      }),
    )
    await apply(...routes)
    for (const [index, route] of routes.entries()) {
      const reply = await open.fetch(encodeURI(route.path).replaceAll('?', '%3F'), { host: `n${index}.example.com` })
      expect([route.path, reply.status]).toEqual([route.path, 200])
    }
    const conf = await readText(`${open.options.stateDir}/private/nginx.conf`)
    for (const text of nasty) expect(conf).not.toContain(text)
    expect(await readdir(open.options.stateDir)).not.toContain('pwned')
    const { requests } = await open.gateway.status({ counters: true })
    expect(requests.map((row) => row.instance)).toEqual(expect.arrayContaining(nasty))
  })

  test.each(['a..b', 'a b', '-x', `${'a.'.repeat(4000)}b`, '[::1]', '"', '*', '*.example.com', 'a,b', '\\'])(
    'a client may call itself for %j without harm',
    async (host) => {
      await apply(sampleRoute([port(0)], { host: 'shop.example.com' }))
      const reply = await open.fetch('/', { host: host.slice(0, 7000) })
      expect([400, 404]).toContain(reply.status)
      expect((await open.fetch('/')).status).toBe(200)
    },
  )
})

describe('what a member gets', () => {
  const echo = () =>
    openUpstream((request, response) => {
      request.resume()
      response.end(JSON.stringify({ url: request.url, headers: request.headers }))
    })

  test.each([
    ['/api', '/'],
    ['/api/', '/'],
    ['/api?x=1', '/?x=1'],
    ['/api/v1/a%2Fb?x=/api', '/v1/a%2Fb?x=/api'],
    ['/%61pi/v1?q=%20', '/v1?q=%20'],
    ['/x/../api/ü%20b'.replace('ü', '%C3%BC'), '/%C3%BC%20b'],
    ['/api%2Fv1', '/v1'],
    ['/api/%0d%0aX:%20y', '/%0d%0aX:%20y'],
  ])('%s with its prefix taken off is %s', async (path, expected) => {
    await using member = await echo()
    await apply(sampleRoute([member.port], { path: '/api', stripPath: true }))
    const reply = await open.fetch(path)
    expect(JSON.parse(reply.body).url).toBe(expected)
  })

  test('a stripped route keeps the connection of its client, takes bodies and is counted once', async () => {
    await using member = await openUpstream(echoBody)
    const route = sampleRoute([member.port], { id: 'stripped', path: '/api', stripPath: true })
    await apply(route)
    const reply = await open.fetch('/api/v1', {
      method: 'POST',
      body: 'x'.repeat(100_000),
      headers: { connection: 'keep-alive' },
    })
    expect(reply.headers.connection).toBe('keep-alive')
    expect(reply.body).toHaveLength(100_000)
    const { requests } = await open.gateway.status({ counters: true })
    expect(requests.find((row) => row.route === 'stripped')?.count).toBe(1)
  })

  test('the path as the client wrote it, and who the client is', async () => {
    await using member = await echo()
    await apply(sampleRoute([member.port]))
    const reply = await open.fetch('/a%2Fb/../c//d?q=%zz', {
      headers: { 'x-forwarded-for': '6.6.6.6', 'x-real-ip': '6.6.6.6' },
    })
    const { url, headers } = JSON.parse(reply.body)
    expect(url).toBe('/a%2Fb/../c//d?q=%zz')
    expect(headers).toMatchObject({
      host: 'shop.example.com',
      'x-forwarded-for': '127.0.0.1',
      'x-real-ip': '127.0.0.1',
      'x-forwarded-proto': 'http',
      'x-forwarded-host': 'shop.example.com',
    })
    expect(headers.upgrade).toBeUndefined()
  })

  test('a client by IPv6, under its own address, and a member that has only IPv6', async () => {
    await using everywhere = await openGateway({ everywhere: true })
    const server = createServer((request, response) => response.end(JSON.stringify(request.headers)))
    server.listen(0, '::1')
    await once(server, 'listening')
    await using member = await echo()
    const { port } = server.address() as AddressInfo
    const six = sampleMember(port, { address: '::1' })
    const routes = [sampleRoute([member.port]), sampleRoute([six], { host: 'six.example.com' })]
    await everywhere.gateway.apply(sampleTable(1, routes))
    const asked = async (address: string, host: string) => {
      const { status, body } = await everywhere.fetch('/', { address, host })
      expect(status).toBe(200)
      return body
    }
    expect(JSON.parse(await asked('::1', 'shop.example.com')).headers).toMatchObject({
      ...{ 'x-forwarded-for': '::1', 'x-real-ip': '::1' },
    })
    for (const address of ['::1', '127.0.0.1'])
      expect(JSON.parse(await asked(address, 'six.example.com'))).toMatchObject({ 'x-real-ip': address })
    server.close()
  })

  test('a trusted proxy is believed', async () => {
    await using trusting = await openGateway({ trustedProxies: ['127.0.0.0/8'] })
    await using member = await echo()
    await trusting.gateway.apply(sampleTable(1, [sampleRoute([member.port])]))
    const { body } = await trusting.fetch('/', { headers: { 'x-forwarded-for': '6.6.6.6, 10.0.0.9' } })
    expect(JSON.parse(body).headers).toMatchObject({
      'x-real-ip': '10.0.0.9',
      'x-forwarded-for': expect.stringMatching(/^6\.6\.6\.6, 10\.0\.0\.9/),
    })
  })
})

describe('bodies', () => {
  const chunked = (bytes: number) => Array.from({ length: Math.ceil(bytes / 1000) }, () => Buffer.alloc(1000, 'x'))

  test.each([
    ['announced, within', 'POST', 'x'.repeat(1000), 200],
    ['announced, above', 'POST', 'x'.repeat(1001), 413],
    ['chunked, within', 'PUT', chunked(1000), 200],
    ['chunked, above', 'PUT', chunked(200_000), 413],
  ])('%s', async (_, method, body, status) => {
    await apply(sampleRoute([port(0)], { maxBodyBytes: 1000 }))
    const before = members[0]!.seen.length
    expect((await open.fetch('/', { method, body })).status).toBe(status)
    expect(members[0]!.seen.length - before).toBe(status === 200 ? 1 : 0)
  })

  test('0 is no limit, and large ones get through', async () => {
    await using member = await openUpstream(echoBody)
    await apply(sampleRoute([member.port], { maxBodyBytes: 0 }))
    const { body } = await open.fetch('/', { method: 'POST', body: chunked(3_000_000) })
    expect(body).toHaveLength(3_000_000)
  })
})

describe('what the gateway answers itself', () => {
  test('nothing published', async () => {
    await apply()
    const plain = await open.fetch('/')
    expect(plain).toMatchObject({
      status: 404,
      headers: { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' },
    })
    expect(plain.body).toBe('berth: 404 not found: No service is published at this address.\n')
    const html = await open.fetch('/<script>', { headers: { accept: 'text/html,*/*' } })
    expect(html).toMatchObject({ status: 404, headers: { 'content-type': 'text/html; charset=utf-8' } })
    expect(html.body).not.toContain('<script>')
  })

  test('an event stream comes as it is made', async () => {
    const { promise: read, resolve: onRead } = Promise.withResolvers<void>()
    await using member = await openUpstream((_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write('data: 1\n\n')
      void read.then(() => response.end('data: 2\n\n'))
    })
    await apply(sampleRoute([member.port], { host: '127.0.0.1' }))
    const reply = await fetch(`http://127.0.0.1:${open.options.httpPort}/`)
    const events: string[] = []
    for await (const chunk of reply.body ?? []) {
      events.push(Buffer.from(chunk).toString())
      onRead()
    }
    expect(events).toEqual(['data: 1\n\n', 'data: 2\n\n'])
  })
})

test('1,000 routes are pushed and changed quickly, and all are served', async () => {
  const routes = Array.from({ length: 1000 }, (_, index) =>
    sampleRoute([port(index % 6)], { host: `app-${index}.example.com` }),
  )
  const begin = performance.now()
  await apply(...routes)
  const pushedMs = performance.now() - begin
  for (const index of [0, 1, 500, 999]) {
    const { body } = await open.fetch('/', { host: `app-${index}.example.com` })
    expect(body).toBe(String(port(index % 6)))
  }
  // Of several the fastest: the machine may be busy with others.
  const changedMs: number[] = []
  while (changedMs.length < 5 && Math.min(...changedMs) >= 1000) {
    const to = port(changedMs.length % 6)
    const change = performance.now()
    await apply(...routes.with(500, sampleRoute([to], { host: 'app-500.example.com' })))
    changedMs.push(performance.now() - change)
    expect((await open.fetch('/', { host: 'app-500.example.com' })).body).toBe(String(to))
  }
  expect(Math.min(...changedMs)).toBeLessThan(1000)
  expect(pushedMs).toBeLessThan(20_000)
})

test('requests are counted by route, pool, instance, class and time', async () => {
  await using member = await openUpstream((request, response) => {
    response.statusCode = Number(request.url?.slice(1))
    response.end()
  })
  await apply(sampleRoute([member.port], { id: 'counted' }))
  for (const status of [200, 201, 302, 404, 500, 503]) await open.fetch(`/${status}`)
  const { requests } = await open.gateway.status({ counters: true })
  const row = requests.find((each) => each.route === 'counted')
  expect(row).toMatchObject({
    pool: 'shop/production/web',
    instance: `web-${member.port}`,
    count: 6,
    byClass: { '1xx': 0, '2xx': 2, '3xx': 1, '4xx': 1, '5xx': 2 },
    failures: 0,
  })
  expect(row?.latencyBuckets.reduce((sum, value) => sum + value, 0)).toBe(6)
  expect(await open.gateway.status()).toMatchObject({ running: true, version, requests: [], workers: 2, reloads: 0 })
})

test('the access log is one JSON object a line, whatever clients send', async () => {
  await using logging = await openGateway({ accessLog: true })
  await logging.gateway.apply(sampleTable(1, [sampleRoute([port(0)], { id: 'logged' })]))
  // As keepalived asks whether the gateway answers, which is not in it.
  const check = connect(logging.options.httpPort, '127.0.0.1')
  check.write('GET / HTTP/1.1\r\nConnection: close\r\n\r\n')
  expect(String(await once(check, 'data'))).toMatch(/^HTTP\/1.1 400/)
  check.destroy()
  await logging.fetch('/a"b%0a\\', { headers: { 'user-agent': '"}\\ü' } })
  const path = `${logging.options.stateDir}/logs/access.log`
  await eventually(async () => (await readText(path)).endsWith('\n'))
  expect(JSON.parse((await readText(path)).trim())).toMatchObject({
    uri: '/a"b%0a\\',
    status: 200,
    route: 'logged',
    instance: `web-${port(0)}`,
    host: 'shop.example.com',
  })
})

test('the access log goes on when it was moved aside', async () => {
  await using member = await openUpstream()
  await using logging = await openGateway({ accessLog: true })
  await logging.gateway.apply(sampleTable(1, [sampleRoute([member.port])]))
  const { logs, accessLog } = gatewayPaths(logging.options.stateDir)
  await logging.fetch('/before')
  await eventually(async () => (await readText(accessLog)).includes('/before'))
  expect(await rotateLogs(logs, { maxBytes: 100, maxFiles: 9 })).toContain('access.log')
  await logging.fetch('/after')
  await eventually(async () => (await readText(accessLog)).includes('/after'))
  expect(await readText(accessLog)).not.toMatch(/before|\0/)
  expect(await readText(`${accessLog}.1`)).toContain('/before')
})
