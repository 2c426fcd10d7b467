import { createServer, type RequestListener } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openTemporaryRecords, type RecordsUnderTest } from '../records/open-records.testing.ts'
import { MetricSources } from './metric-sources.ts'
import { queryPrometheus } from './prometheus.ts'
import { allowed, freePort, startPrometheus } from './prometheus-process.testing.ts'

const { signal } = new AbortController()

describe('a real Prometheus', () => {
  let prometheus: Awaited<ReturnType<typeof startPrometheus>>
  const ask = (query: string) => queryPrometheus(prometheus.url, query, signal)
  beforeAll(async () => {
    prometheus = await startPrometheus()
  })
  afterAll(() => prometheus[Symbol.asyncDispose]())

  it('gives numbers', async () => {
    expect(await ask('1 + 1')).toEqual({ type: 'value', values: [2] })
    await expect.poll(() => ask('up{job="self"}'), { timeout: 20_000 }).toEqual({ type: 'value', values: [1] })
    expect(await ask('vector(1) or label_replace(vector(3), "a", "b", "", "")')).toEqual({
      type: 'value',
      values: [1, 3],
    })
  })

  it.each([
    ['nothing', 'no_such_metric', 'the query gives nothing'],
    ['no number', 'vector(0) / 0', 'the query gives no number'],
    ['a text', '"x"', 'the query gives a string: a number, or a list of them, is needed'],
    ['numbers over time', 'up[1m]', 'the query gives a matrix: a number, or a list of them, is needed'],
    ['a mistake', 'sum(', /^Prometheus refuses it: .*parse error/],
  ])('that gives %s says so', async (_, query, message) => {
    expect(await ask(query)).toEqual({
      type: 'none',
      message: typeof message === 'string' ? message : expect.stringMatching(message),
    })
  })
})

describe('a real Prometheus that asks who is there', () => {
  let prometheus: Awaited<ReturnType<typeof startPrometheus>>
  let under: RecordsUnderTest
  let sources: MetricSources
  const admin = { actor: 'token:ann' }
  beforeAll(async () => {
    prometheus = await startPrometheus({ tls: true })
    under = await openTemporaryRecords()
    sources = new MetricSources(under.records, { derive: () => Buffer.alloc(32, 7) })
  })
  afterAll(async () => {
    await prometheus[Symbol.asyncDispose]()
    await under[Symbol.asyncDispose]()
  })

  it('answers whoever has its certificate and a password, which stands nowhere', async () => {
    const { url, ca } = prometheus
    const set = await sources.set({ url, ca, ...allowed }, admin)
    expect(await sources.ask('1 + 1', signal)).toEqual({ type: 'value', values: [2] })
    const events = JSON.stringify(under.state.events.all())
    expect(JSON.stringify(set) + events).not.toContain(allowed.secret)
    expect(JSON.stringify(set)).not.toContain(Buffer.from(`${allowed.user}:${allowed.secret}`).toString('base64'))
    // What is not said again stays, as long as it goes to the same place in the same name.
    await sources.set({ url }, admin)
    expect(await sources.ask('1', signal)).toMatchObject({ type: 'value' })
    expect(await sources.set({ url, user: 'eve' }, admin)).not.toHaveProperty('sealed')
    expect(await sources.set({ url: 'https://elsewhere.example/' }, admin)).toEqual(
      expect.not.objectContaining({ ca: expect.anything(), sealed: expect.anything() }),
    )
  })

  it.each([
    ['without a password', {}, /^Prometheus lets nobody in without a secret that it knows \(401\)$/],
    ['with another one', { user: 'berth', secret: 'a guess' }, /lets nobody in/],
    ['with a token', { secret: allowed.secret }, /lets nobody in/],
    ['whose certificate nobody has signed', { ...allowed, ca: undefined }, /does not answer: self.signed certificate/],
  ])('has no data for who asks %s', async (_, access, message) => {
    const { url, ca } = prometheus
    expect(await queryPrometheus(url, '1', signal, { ca, ...access })).toEqual({
      ...{ type: 'none', message: expect.stringMatching(message) },
    })
  })

  it.each([
    ['a password in the URL', { url: 'http://a:b@c/' }],
    ['a user with a colon', { url: 'http://a/', user: 'a:b' }],
    ['a secret of two lines', { url: 'http://a/', secret: 'a\nb' }],
    ['a certificate that is none', { url: 'https://a/', ca: 'x' }],
    ['a certificate without TLS', { url: 'http://a/', ca: 'x' }],
  ])('is refused: %s', async (_, wish) => {
    await expect(sources.set(wish, admin)).rejects.toMatchObject({ code: 'prometheus.invalid' })
  })

  it('is sent a token where there is no user', async () => {
    let told: string | undefined
    const server = createServer((request, response) => {
      told = request.headers.authorization
      response.end('{}')
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as { port: number }
    await sources.set({ url: `http://127.0.0.1:${port}`, secret: 'a token' }, admin)
    await sources.ask('1', signal)
    server.close()
    expect(told).toBe('Bearer a token')
  })
})

describe('something else', () => {
  const answers: readonly [string, RequestListener, RegExp][] = [
    [
      'that is no Prometheus',
      (_, response) => response.end('<html>'),
      /^Prometheus answered 200, which is no answer to a query$/,
    ],
    [
      'that is broken',
      (_, response) => response.writeHead(502).end('{}'),
      /^Prometheus answered 502, which is no answer/,
    ],
    [
      'that leads elsewhere',
      (_, response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(),
      /does not answer/,
    ],
    [
      'that never stops',
      (_, response) => void setInterval(() => response.write('x'.repeat(1 << 18)), 1).unref(),
      /the answer is larger/,
    ],
  ]
  it.each(answers)('%s is no data', async (_, listener, message) => {
    const server = createServer(listener)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    try {
      const { port } = server.address() as { port: number }
      expect(await queryPrometheus(`http://127.0.0.1:${port}`, '1', signal)).toMatchObject({
        ...{ type: 'none', message: expect.stringMatching(message) },
      })
    } finally {
      server.closeAllConnections()
      server.close()
    }
  })

  it('that nobody is is no data', async () => {
    expect(await queryPrometheus(`http://127.0.0.1:${await freePort()}`, '1', signal)).toMatchObject({
      message: expect.stringContaining('Prometheus does not answer: connect ECONNREFUSED'),
    })
  })
})
