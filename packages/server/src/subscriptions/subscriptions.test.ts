import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { freePort } from '@berth/api/testing/free-ports.testing'
import type { EventType } from '@berth/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openTemporaryRecords, type RecordsUnderTest } from '../records/open-records.testing.ts'
import { silent } from '../store/sqlite/open-temporary.testing.ts'
import { signatureOf } from './senders.ts'
import { Subscriptions } from './subscriptions.ts'
import { Teller } from './teller.ts'

const admin = { actor: 'token:ann' }
let under: RecordsUnderTest
let subscriptions: Subscriptions
let teller: Teller | undefined
let receiver: Server
let url: string
let answer = 200
const got: { headers: IncomingHttpHeaders; body: string }[] = []

beforeEach(async () => {
  under = await openTemporaryRecords()
  subscriptions = new Subscriptions(under.records, { derive: () => Buffer.alloc(32, 7) })
  answer = 200
  got.length = 0
  receiver = createServer(async (request, response) => {
    got.push({ headers: request.headers, body: await text(request) })
    response.writeHead(answer).end()
  }).listen(0, '127.0.0.1')
  await once(receiver, 'listening')
  url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`
})
afterEach(async () => {
  await stop()
  receiver.closeAllConnections()
  receiver.close()
  await under[Symbol.asyncDispose]()
})

const start = (): void => {
  teller = new Teller({ records: under.records, subscriptions, log: silent, retryMs: () => 20 })
}
const stop = async (): Promise<void> => {
  await teller?.[Symbol.asyncDispose]()
  teller = undefined
}
const event = (type: EventType, app?: string) =>
  under.records.commit('system:test', (tx) =>
    tx.event({ type, subject: app === undefined ? {} : { app }, message: `${type} of ${app}` }),
  )
const told = () =>
  got.flatMap(({ body }) => JSON.parse(body).events as { type: string; revision: number; subject: { app?: string } }[])

describe('webhooks', () => {
  it('are told what they subscribed to, in order, signed', async () => {
    start()
    await subscriptions.put('ci', { url, events: ['rollout.*'], app: 'shop', secret: 'long enough' }, admin)
    await event('rollout.started', 'shop')
    await event('rollout.started', 'blog')
    await event('instance.ready', 'shop')
    const { revision } = await event('rollout.succeeded', 'shop')
    await expect.poll(() => told().map(({ type }) => type)).toEqual(['rollout.started', 'rollout.succeeded'])
    const { headers, body } = got.at(-1) ?? { headers: {}, body: '' }
    const [, at, signature] = /^t=(\d+),sha256=([0-9a-f]{64})$/.exec(String(headers['berth-signature'])) ?? []
    expect(signature).toBe(signatureOf('long enough', Number(at), body))
    expect(headers['berth-revision']).toBe(String(revision))
    await expect.poll(() => subscriptions.positionOf('ci')?.revision).toBe(revision)
    expect(JSON.stringify(under.state.subscriptions.all())).not.toContain('long enough')
  })

  it('that refuse are told again until they take it, and nothing is left out', async () => {
    start()
    answer = 503
    await subscriptions.put('ci', { url }, admin)
    await event('rollout.started', 'shop')
    await expect.poll(() => subscriptions.positionOf('ci')?.failures ?? 0).toBeGreaterThan(2)
    expect(subscriptions.positionOf('ci')).toMatchObject({ problem: 'it answered with 503' })
    const later = new Subscriptions(under.records, { derive: () => Buffer.alloc(32) }, () => Date.now() + 120_000)
    expect(subscriptions.problems()).toEqual([])
    expect(later.problems().join()).toContain('subscription ci has not been reached')
    await event('rollout.succeeded', 'shop')
    got.length = 0
    answer = 200
    await expect
      .poll(() => told().map(({ type }) => type))
      .toEqual([...['subscription.created', 'rollout.started', 'rollout.succeeded']])
    await expect.poll(() => subscriptions.positionOf('ci')).not.toHaveProperty('failures')
  })

  it('go on where they were, by whoever tells them next, and from an earlier revision when asked', async () => {
    start()
    const { revision } = await event('app.created', 'old')
    await subscriptions.put('ci', { url, events: ['app.*'] }, admin)
    await event('app.created', 'one')
    await expect.poll(() => told().map(({ subject }) => subject.app)).toEqual(['one'])
    await expect.poll(() => subscriptions.positionOf('ci')?.deliveredAt).toBeGreaterThan(0)
    await stop()
    await event('app.created', 'two')
    start()
    await expect.poll(() => told().map(({ subject }) => subject.app)).toEqual(['one', 'two'])
    await expect.poll(() => subscriptions.positionOf('ci')?.revision).toBe(told().at(-1)?.revision)
    got.length = 0
    await subscriptions.put('ci', { url, events: ['app.*'], from: revision - 1 }, admin)
    await event('app.created', 'three')
    await expect.poll(() => told().map(({ subject }) => subject.app)).toEqual(['old', 'one', 'two', 'three'])
    await subscriptions.remove('ci', admin)
    await event('app.created', 'four')
    expect(under.state.subscriptionPositions.size).toBe(0)
  })

  it('are tried with a delivery of no events, which says why it was not taken', async () => {
    await subscriptions.put('ci', { url, secret: 'long enough' }, admin)
    const before = subscriptions.positionOf('ci')
    await subscriptions.try('ci', AbortSignal.timeout(5_000))
    const [{ headers, body } = { headers: {}, body: '' }] = got
    const revision = before?.revision
    expect(JSON.parse(body)).toEqual({ subscription: 'ci', after: revision, revision, events: [] })
    const at = /^t=(\d+),/.exec(String(headers['berth-signature']))?.[1]
    expect(headers['berth-signature']).toBe(`t=${at},sha256=${signatureOf('long enough', Number(at), body)}`)
    answer = 404
    const refused = { code: 'subscription.undeliverable', message: expect.stringContaining('it answered with 404') }
    await expect(subscriptions.try('ci', AbortSignal.timeout(5_000))).rejects.toMatchObject(refused)
    await subscriptions.put('gone', { url: 'http://127.0.0.1:9/' }, admin)
    const unreachable = { code: 'subscription.undeliverable', message: expect.stringMatching(/gone .*127\.0\.0\.1:9/) }
    await expect(subscriptions.try('gone', AbortSignal.timeout(5_000))).rejects.toMatchObject(unreachable)
    await expect(subscriptions.try('none', AbortSignal.timeout(5_000))).rejects.toMatchObject({
      code: 'subscription.not-found',
    })
    expect(subscriptions.positionOf('ci')).toEqual(before)
  })

  it('are refused where they make no sense, in words; a secret stays with its URL', async () => {
    await expect(subscriptions.put('ci', { url: 'ftp://a', secret: 'x' }, admin)).rejects.toMatchObject({
      code: 'subscription.invalid',
      message: expect.stringMatching(/neither http.*; the secret has 8/),
    })
    await expect(subscriptions.remove('none', admin)).rejects.toMatchObject({ code: 'subscription.not-found' })
    await subscriptions.put('ci', { url, secret: 'long enough' }, admin)
    expect(subscriptions.secretOf(await subscriptions.put('ci', { url, events: ['app.*'] }, admin))).toBe('long enough')
    expect(subscriptions.secretOf(await subscriptions.put('ci', { url: `${url}2` }, admin))).toBeUndefined()
  })
})

describe('Redis', () => {
  let redis: ChildProcess
  let port: number
  let listener: Socket
  let heard = ''

  const startRedis = async (): Promise<void> => {
    const args = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--requirepass', 'long enough']
    redis = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'inherit'], cwd: '/tmp' })
    await expect.poll(() => answers()).toBe(true)
    listener = connect(port, '127.0.0.1')
    listener.setEncoding('utf8').on('data', (chunk: string) => {
      heard += chunk
    })
    listener.write('AUTH "long enough"\r\nSUBSCRIBE berth\r\n')
    await expect.poll(() => heard).toContain('subscribe')
  }
  const answers = async (): Promise<boolean> => {
    const socket = connect(port, '127.0.0.1')
    const found = await once(socket, 'connect').then(
      () => true,
      () => false,
    )
    socket.destroy()
    return found
  }
  const stopRedis = async (): Promise<void> => {
    listener.destroy()
    redis.kill()
    if (redis.exitCode === null) await once(redis, 'exit')
  }
  const messages = () =>
    [...heard.matchAll(/^\{.*\}$/gm)].map(
      ([line]) => JSON.parse(line) as { type: string; revision: number; after: number },
    )

  beforeEach(async () => {
    heard = ''
    port = await freePort()
    await startRedis()
  })
  afterEach(stopRedis)

  it('is told each event by PUBLISH, and what came while it was down', async () => {
    start()
    await subscriptions.put(
      'cache',
      { url: `redis://127.0.0.1:${port}/berth`, events: ['app.*'], secret: 'long enough' },
      admin,
    )
    await subscriptions.try('cache', AbortSignal.timeout(5_000))
    await event('app.created', 'one')
    await event('app.created', 'zwei 北京')
    await expect.poll(() => messages().length).toBe(2)
    const [first, second] = messages()
    expect(second).toMatchObject({ after: first?.revision, subject: { app: 'zwei 北京' } })
    await stopRedis()
    await event('app.created', 'three')
    await expect.poll(() => subscriptions.positionOf('cache')?.failures ?? 0).toBeGreaterThan(0)
    heard = ''
    await startRedis()
    // What Redis takes while nobody listens yet is in the stream of events of the API.
    await event('app.removed', 'three')
    await expect.poll(() => messages().at(-1)?.type).toBe('app.removed')
    await subscriptions.put(
      'cache',
      { url: `redis://127.0.0.1:${port}/berth`, events: ['app.*'], secret: 'not the right one' },
      admin,
    )
    await event('app.created', 'four')
    await expect.poll(() => subscriptions.positionOf('cache')?.problem ?? '').toContain('Redis says: WRONGPASS')
    await expect(subscriptions.try('cache', AbortSignal.timeout(5_000))).rejects.toThrow('Redis says: WRONGPASS')
  })
})
