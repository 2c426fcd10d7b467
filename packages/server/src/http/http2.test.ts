import { once } from 'node:events'
import { type ClientHttp2Session, connect } from 'node:http2'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { serverName } from '../authority/authority.ts'
import { eventually } from '../eventually.testing.ts'
import { ServerUnderTest } from '../server-under-test.testing.ts'

let server: ServerUnderTest
let token: string
let session: ClientHttp2Session
beforeAll(async () => {
  server = await ServerUnderTest.start()
  token = await server.token('ann', 'deployer')
  await server.join('a')
  session = connect(`https://127.0.0.1:${server.edge.apiPort}`, { ca: server.authorityPem, servername: serverName })
  await once(session, 'connect')
})
afterAll(async () => {
  session.destroy()
  await server[Symbol.asyncDispose]()
})

function open(path: string, options: { method?: string; body?: string; origin?: string } = {}) {
  const stream = session.request({
    ':path': path,
    ':method': options.method ?? 'GET',
    authorization: `Bearer ${token}`,
    ...(options.body === undefined ? {} : { 'content-type': 'application/json' }),
    ...(options.origin === undefined ? {} : { origin: options.origin }),
  })
  stream.end(options.body)
  const answer = { status: 0, text: '', ended: false }
  stream.on('response', (headers) => {
    answer.status = headers[':status'] ?? 0
  })
  stream.setEncoding('utf8').on('data', (chunk: string) => {
    answer.text += chunk
  })
  stream.on('error', () => undefined)
  stream.on('close', () => {
    answer.ended = true
  })
  return { stream, answer }
}

it('carries many watches and calls over one connection', async () => {
  const watches = Array.from({ length: 30 }, () => open('/v1/apps?watch=true'))
  await eventually(() => expect(watches.every(({ answer }) => answer.text.includes('"mark"'))).toBe(true))
  const created = open('/v1/apps', { method: 'POST', body: '{"name":"shop"}' })
  await eventually(() => expect(created.answer).toMatchObject({ status: 200, ended: true }))
  await eventually(() => expect(watches.every(({ answer }) => answer.text.includes('"name":"shop"'))).toBe(true))
  for (const { stream } of watches) stream.close()
})

it('answers errors, refusals and the console’s absence as over HTTP/1.1', async () => {
  const missing = open('/v1/apps/nope')
  const forbidden = open('/v1/tokens')
  const wrong = open('/v1/apps', { method: 'POST', body: '{' })
  const nothing = open('/somewhere')
  await eventually(() =>
    expect([missing, forbidden, wrong, nothing].map(({ answer }) => [answer.status, answer.ended])).toEqual([
      [404, true],
      [403, true],
      [400, true],
      [404, true],
    ]),
  )
})

it('lets the console log in, whose host is the :authority, and no other page', async () => {
  const login = (origin: string) =>
    open('/v1/login', { method: 'POST', body: JSON.stringify({ token }), origin }).answer
  const own = login(`https://${serverName}:${server.edge.apiPort}`)
  const foreign = login('https://evil.example')
  await eventually(() => expect([own.status, foreign.status]).toEqual([200, 403]))
})

it('ends streams in order when the server stops', async () => {
  const watch = open('/v1/apps?watch=true')
  await eventually(() => expect(watch.answer.text).toContain('"mark"'))
  await server.stop()
  await eventually(() => expect(watch.answer.ended).toBe(true))
  expect(watch.stream.rstCode).toBe(0)
  await server.run()
})
