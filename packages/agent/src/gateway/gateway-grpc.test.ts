import { once } from 'node:events'
import { connect } from 'node:http2'
import { freePort } from '@berth/api/testing/free-ports.testing'
import { type Certificate, fromRequestCounts, type Route } from '@berth/core'
import { sampleMember, sampleRoute, sampleTable } from '@berth/core/network/route-table.testing'
import { status } from '@grpc/grpc-js'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { sampleCertificate } from './certificate.testing.ts'
import { eventually, fetchFrom, openGateway, openUpstream, type TestGateway } from './gateway.testing.ts'
import { type GrpcClient, openGrpcClient, openGrpcMember } from './grpc.testing.ts'

const host = 'shop.example.com'
let open: TestGateway
let client: GrpcClient
let certificate: Certificate
let httpsPort: number
let version = 0

beforeAll(async () => {
  httpsPort = await freePort()
  certificate = await sampleCertificate('shop', [host])
  open = await openGateway({ httpsPort })
  client = openGrpcClient(httpsPort, certificate, host)
})
afterAll(async () => {
  client[Symbol.dispose]()
  await open[Symbol.asyncDispose]()
})

const apply = (...routes: Route[]) => open.gateway.apply(sampleTable(++version, routes, [certificate]))
const grpcRoute = (members: Parameters<typeof sampleRoute>[0], given: Partial<Route> = {}) =>
  sampleRoute(members, { tls: 'on', ...given, options: { protocol: 'grpc', ...given.options } })
const inflightOf = async (port: number) => (await open.gateway.status()).inflight[`127.0.0.1:${port}`] ?? 0
const rowsOf = async (route: string) => {
  const { requests } = await open.gateway.status({ counters: true })
  return requests.filter((row) => row.route === route)
}
const codeOf = (call: Promise<unknown>): Promise<string | undefined> =>
  call.then(
    () => 'OK',
    (error: { code: status }) => status[error.code],
  )

describe('gRPC passes', () => {
  test('a call, with its metadata, its status and its trailers', async () => {
    await using member = await openGrpcMember('a')
    await apply(grpcRoute([member.port]))
    expect(await client.say('hello')).toBe('a: hello')
    const [first] = member.seen
    expect([first?.metadata.get('x-forwarded-proto'), first?.metadata.get('x-real-ip')]).toEqual([
      ['https'],
      ['127.0.0.1'],
    ])
    await expect(client.say(`fail ${status.NOT_FOUND}`)).rejects.toMatchObject({
      code: status.NOT_FOUND,
      details: 'as asked',
    })
    const { messages, end } = await client.count(500)
    expect([messages.length, messages.at(-1), end.code]).toEqual([500, '500', status.OK])
    expect(end.metadata.get('counted-by')).toEqual(['a'])
  })

  test('a stream both ways, message by message, also while calls come and go beside it', async () => {
    await using member = await openGrpcMember('a')
    await apply(grpcRoute([member.port]))
    const talk = client.talk()
    for (let turn = 0; turn < 50; turn++) {
      expect(await talk.ask(`message ${turn}`)).toBe(`a: message ${turn}`)
      if (turn % 10 === 0) expect(await client.say('beside')).toBe('a: beside')
    }
    talk.end()
    expect((await talk.ended).code).toBe(status.OK)
  })

  test('calls go to all members in turn', async () => {
    await using a = await openGrpcMember('a')
    await using b = await openGrpcMember('b')
    await apply(grpcRoute([a.port, b.port]))
    const replies = await Promise.all(Array.from({ length: 40 }, () => client.say('x')))
    expect([a.seen.length, b.seen.length]).toEqual([20, 20])
    expect(new Set(replies)).toEqual(new Set(['a: x', 'b: x']))
  })

  test('beside HTTP/1.1, HTTP/2 and others at the same port', async () => {
    await using member = await openGrpcMember('a')
    await using web = await openUpstream()
    await apply(
      grpcRoute([member.port], { id: 'grpc', path: '/berth.test.Echo' }),
      sampleRoute([web.port], { id: 'web' }),
    )
    expect(await client.say('x')).toBe('a: x')
    const reply = await fetchFrom(httpsPort, '/x', { tls: { servername: host } })
    expect([reply.status, reply.body]).toEqual([200, String(web.port)])
    const grpcWeb = { 'content-type': 'application/grpc-web+proto' }
    const other = await fetchFrom(httpsPort, '/x', {
      method: 'POST',
      body: 'y',
      headers: grpcWeb,
      tls: { servername: host },
    })
    expect([other.status, other.body]).toEqual([200, String(web.port)])
    const session = connect(`https://127.0.0.1:${httpsPort}`, { rejectUnauthorized: false, servername: host })
    const stream = session.request({ ':authority': host, ':path': '/x' })
    const [headers] = await once(stream, 'response')
    expect(headers[':status']).toBe(200)
    stream.close()
    session.close()
  })
})

describe('the gateway’s own answers are those of gRPC', () => {
  const limit = { requests: 1, periodMs: 60_000, burst: 0, concurrent: 0, per: 'route' } as const

  test.each<[string, (port: number) => Route, string, RegExp]>([
    ['no route', (port) => grpcRoute([port], { host: 'other.example.com' }), 'UNIMPLEMENTED', /no service/],
    ['no gRPC', (port) => sampleRoute([port], { tls: 'on' }), 'UNIMPLEMENTED', /does not speak gRPC/],
    ['no TLS', (port) => grpcRoute([port], { tls: 'off' }), 'UNIMPLEMENTED', /no service/],
    ['nobody', () => grpcRoute([], { allowEmpty: true, id: 'nobody' }), 'UNAVAILABLE', /no running instance/],
    ['maintenance', (port) => grpcRoute([port], { maintenance: { page: '' } }), 'UNAVAILABLE', /worked on/],
  ])('%s', async (_, route, code, message) => {
    await using member = await openGrpcMember('a')
    await apply(route(member.port))
    const error = await client.say('x').catch((reason: { code: status; details: string }) => reason)
    expect(error).toMatchObject({ code: status[code as keyof typeof status], details: expect.stringMatching(message) })
    expect(member.seen).toEqual([])
  })

  test('too many', async () => {
    await using member = await openGrpcMember('a')
    await apply(grpcRoute([member.port], { id: 'limited', options: { limit } }))
    expect(await client.say('x')).toBe('a: x')
    expect(await codeOf(client.say('x'))).toBe('RESOURCE_EXHAUSTED')
    const { workers } = await open.gateway.counts()
    const rows = workers.flatMap((worker) => worker.rows.filter((row) => row.route === 'limited'))
    const refused = rows.filter(({ instance }) => instance === '').map(({ counts }) => fromRequestCounts(counts))
    expect(refused.map(({ classes, lost }) => [classes, lost])).toEqual([[[0, 0, 0, 1, 0], 0]])
  })

  test('others at a route of gRPC are told so', async () => {
    await using member = await openGrpcMember('a')
    await apply(grpcRoute([member.port]))
    const reply = await fetchFrom(httpsPort, '/', { method: 'POST', body: '{}', tls: { servername: host } })
    expect([reply.status, reply.body]).toEqual([
      415,
      'berth: 415 unsupported media type: Only gRPC is served at this address.\n',
    ])
    expect((await open.fetch('/')).status).toBe(415)
  })
})

describe('members that fail', () => {
  test('a call that was not sent yet goes to another one; when all are dead it is unavailable, and counted as lost', async () => {
    await using alive = await openGrpcMember('alive')
    const [dead, other] = [await freePort(), await freePort()]
    await apply(grpcRoute([dead, alive.port]))
    const replies = await Promise.all(Array.from({ length: 10 }, () => client.say('x')))
    expect(new Set(replies)).toEqual(new Set(['alive: x']))
    await apply(grpcRoute([dead, other], { id: 'dead' }))
    const error = await client.say('x').catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: status.UNAVAILABLE, details: expect.stringContaining('did not answer') })
    const rows = await rowsOf('dead')
    expect(rows.reduce((sum, { lost }) => sum + lost, 0)).toBe(1)
    expect(rows.reduce((sum, { byClass }) => sum + byClass['5xx'], 0)).toBe(1)
    expect(rows.reduce((sum, { count }) => sum + count, 0)).toBe(1)
  })

  test('a call that was sent is not sent again', async () => {
    const a = await openGrpcMember('a')
    await using b = await openGrpcMember('b')
    await apply(grpcRoute([a.port]))
    const call = codeOf(client.say('wait'))
    await eventually(() => a.seen.length === 1)
    await apply(grpcRoute([a.port, b.port]))
    a.kill()
    expect(await call).toBe('UNAVAILABLE')
    expect(b.seen).toEqual([])
  })

  test('a stream is cut with its member, and the next one goes elsewhere', async () => {
    const a = await openGrpcMember('a')
    await using b = await openGrpcMember('b')
    await apply(grpcRoute([a.port]))
    const talk = client.talk()
    expect(await talk.ask('x')).toBe('a: x')
    await apply(grpcRoute([a.port, b.port]))
    a.kill()
    expect((await talk.ended).code).not.toBe(status.OK)
    for (let turn = 0; turn < 4; turn++) expect(await client.say('x')).toBe('b: x')
  })

  test('one that does not answer in time', async () => {
    await using member = await openGrpcMember('a')
    await apply(grpcRoute([member.port], { timeoutMs: 300, options: { retries: 0 } }))
    expect(await codeOf(client.say('wait'))).toBe('DEADLINE_EXCEEDED')
  })
})

describe('streams in flight', () => {
  test('are counted until they end; a member that drains gets no new ones and keeps those that it has', async () => {
    await using a = await openGrpcMember('a')
    await using b = await openGrpcMember('b')
    await apply(grpcRoute([a.port]))
    const talk = client.talk()
    await talk.ask('x')
    expect(await inflightOf(a.port)).toBe(1)
    await apply(grpcRoute([sampleMember(a.port, { state: 'draining' }), b.port]))
    expect(await client.say('new')).toBe('b: new')
    await apply(grpcRoute([b.port]))
    expect(await talk.ask('still')).toBe('a: still')
    expect(await inflightOf(a.port)).toBe(1)
    talk.end()
    expect((await talk.ended).code).toBe(status.OK)
    await eventually(async () => (await inflightOf(a.port)) === 0)
  })

  test('one that its client gives up, or whose deadline passes, is none any more', async () => {
    await using member = await openGrpcMember('a')
    await apply(grpcRoute([member.port], { id: 'given-up' }))
    const talk = client.talk()
    await talk.ask('x')
    talk.cancel()
    expect((await talk.ended).code).toBe(status.CANCELLED)
    expect(await codeOf(client.say('wait', { deadlineMs: 200 }))).toBe('DEADLINE_EXCEEDED')
    await eventually(async () => (await inflightOf(member.port)) === 0)
    const [row] = await rowsOf('given-up')
    expect(row).toMatchObject({ failures: 0, lost: 0, byClass: { '2xx': 0, '4xx': 2, '5xx': 0 } })
  })
})

test('requests are counted by their status', async () => {
  await using member = await openGrpcMember('a')
  await apply(grpcRoute([member.port], { id: 'counted' }))
  await client.say('x')
  await client.count(3)
  for (const code of [status.INTERNAL, status.UNAVAILABLE, status.NOT_FOUND, status.PERMISSION_DENIED, status.ABORTED])
    await client.say(`fail ${code}`).catch(() => {})
  await eventually(async () => (await rowsOf('counted'))[0]?.count === 7)
  const [row] = await rowsOf('counted')
  expect(row).toMatchObject({ byClass: { '1xx': 0, '2xx': 2, '3xx': 0, '4xx': 3, '5xx': 2 }, lost: 0, failures: 0 })
})
