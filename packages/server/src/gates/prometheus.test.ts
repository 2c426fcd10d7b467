import { createServer, type RequestListener } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { queryPrometheus } from './prometheus.ts'
import { freePort, startPrometheus } from './prometheus-process.testing.ts'

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
