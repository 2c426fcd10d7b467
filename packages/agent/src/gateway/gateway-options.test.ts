import { freePort } from '@berth/api/testing/free-ports.testing'
import { fromRequestCounts, type Route, type RouteLimit } from '@berth/core'
import { sampleMember, sampleRoute, sampleTable } from '@berth/core/network/route-table.testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { echoBody, eventually, openGateway, openUpstream, readText, type TestGateway } from './gateway.testing.ts'

let open: TestGateway
let version = 0
/** Two workers, so that what they have to know of each other is tried. */
beforeAll(async () => {
  open = await openGateway({ workers: 2 })
})
afterAll(() => open[Symbol.asyncDispose]())

const apply = (...routes: Route[]) => open.gateway.apply(sampleTable(++version, routes))
const statuses = async (count: number, path = '/') => {
  const replies = await Promise.all(Array.from({ length: count }, () => open.fetch(path)))
  return replies.map(({ status }) => status).sort()
}
const limit = (given: Partial<RouteLimit>): RouteLimit => ({
  ...{ requests: 0, periodMs: 60_000, burst: 0, concurrent: 0, per: 'client' },
  ...given,
})

describe('limits', () => {
  test.each(['client', 'route'] as const)('so many requests in a time, over all workers: per %s', async (per) => {
    await using member = await openUpstream()
    await apply(
      sampleRoute([member.port], { id: `rate-${per}`, options: { limit: limit({ requests: 2, burst: 4, per }) } }),
    )
    const given: number[] = []
    for (let turn = 0; turn < 8; turn++) given.push((await open.fetch('/')).status)
    expect(given).toEqual([200, 200, 200, 200, 200, 429, 429, 429])
    const refused = await open.fetch('/')
    expect(refused.headers['retry-after']).toBe('1')
    expect(refused.body).toBe(
      'berth: 429 too many requests: There were more requests than this service accepts. Try again in a moment.\n',
    )
    expect(member.seen).toHaveLength(5)
    const { workers } = await open.gateway.counts()
    const nobody = workers.flatMap(({ rows }) =>
      rows.filter((row) => row.route === `rate-${per}` && row.instance === ''),
    )
    const counts = nobody.map((row) => fromRequestCounts(row.counts))
    expect(counts.reduce((sum, { classes }) => sum + classes[3]!, 0)).toBe(4)
    expect(counts.every(({ lost }) => lost === 0)).toBe(true)
  })

  test('so many requests at a time, over all workers; one that has ended makes room, also when its client gave up', async () => {
    const waiting: (() => void)[] = []
    await using member = await openUpstream((_, response) => void waiting.push(() => response.end('late')))
    await apply(sampleRoute([member.port], { id: 'room', options: { limit: limit({ concurrent: 3 }) } }))
    const abort = new AbortController()
    const given = open.fetch('/', { signal: abort.signal }).catch(() => undefined)
    const slow = [1, 2].map(() => open.fetch('/'))
    await eventually(() => member.seen.length === 3)
    expect(await statuses(4)).toEqual([429, 429, 429, 429])
    abort.abort()
    await given
    await eventually(async () => (await open.gateway.status()).inflight[`127.0.0.1:${member.port}`] === 2)
    const third = open.fetch('/')
    await eventually(() => member.seen.length === 4)
    expect(await statuses(2)).toEqual([429, 429])
    for (const answer of waiting.splice(0)) answer()
    expect((await Promise.all([...slow, third])).map(({ status }) => status)).toEqual([200, 200, 200])
    const again = [1, 2, 3].map(() => open.fetch('/'))
    await eventually(() => member.seen.length === 7)
    for (const answer of waiting.splice(0)) answer()
    expect((await Promise.all(again)).map(({ status }) => status)).toEqual([200, 200, 200])
  })

  test('nothing of other routes is counted', async () => {
    await using member = await openUpstream()
    const options = { limit: limit({ requests: 1, burst: 0 }) }
    await apply(sampleRoute([member.port], { id: 'a', path: '/a', options }), sampleRoute([member.port], { id: 'b' }))
    expect(await statuses(5, '/a')).toEqual([200, 429, 429, 429, 429])
    expect(await statuses(5, '/b')).toEqual([200, 200, 200, 200, 200])
  })
})

describe('a client stays with its instance', () => {
  const cookieOf = (reply: Awaited<ReturnType<TestGateway['fetch']>>) =>
    String(reply.headers['set-cookie'] ?? '').split(';')[0] ?? ''

  test('by a cookie that it gets with its first answer and not again', async () => {
    await using a = await openUpstream()
    await using b = await openUpstream()
    await using c = await openUpstream()
    const options = { stickyCookie: 'stay' }
    await apply(sampleRoute([a.port, b.port, c.port], { options }))
    const clients = await Promise.all([1, 2, 3, 4, 5, 6].map(() => open.fetch('/')))
    expect(new Set(clients.map(({ body }) => body)).size).toBeGreaterThan(1)
    expect(String(clients[0]!.headers['set-cookie'])).toMatch(/^stay=[0-9a-f]{16}; Path=\/; HttpOnly; SameSite=Lax$/)
    for (const client of clients)
      for (let turn = 0; turn < 4; turn++) {
        const reply = await open.fetch('/', { headers: { cookie: `x=1; ${cookieOf(client)}` } })
        expect([reply.body, reply.headers['set-cookie']]).toEqual([client.body, undefined])
      }
    // One that leaves gets nothing more, and its clients a new cookie; the others stay where they are.
    await apply(sampleRoute([sampleMember(a.port, { state: 'draining' }), b.port, c.port], { options }))
    for (const client of clients) {
      const reply = await open.fetch('/', { headers: { cookie: cookieOf(client) } })
      const isMoved = client.body === String(a.port)
      expect([reply.body === client.body, cookieOf(reply) !== '']).toEqual([!isMoved, isMoved])
    }
    expect(cookieOf(await open.fetch('/', { headers: { cookie: 'stay=forged' } }))).toMatch(/^stay=/)
  })

  test('while that one does not answer another one does, and then it is back', async () => {
    await using alive = await openUpstream()
    const dead = await freePort()
    await apply(sampleRoute([alive.port, dead], { options: { stickyCookie: 'stay' } }))
    await using back = await openUpstream(undefined, { port: dead })
    let cookie = ''
    await eventually(async () => {
      const reply = await open.fetch('/')
      cookie = cookieOf(reply)
      return reply.body === String(dead)
    })
    await back.close()
    const body = async () => (await open.fetch('/', { headers: { cookie } })).body
    expect(await body()).toBe(String(alive.port))
    await using again = await openUpstream(undefined, { port: dead })
    await eventually(async () => (await body()) === String(again.port))
  })

  test('also where the path is taken off', async () => {
    await using a = await openUpstream((request, response) => response.end(request.url))
    await apply(sampleRoute([a.port], { path: '/api', stripPath: true, options: { stickyCookie: 'stay' } }))
    const first = await open.fetch('/api/v1?x=1')
    expect([first.body, cookieOf(first)]).toEqual(['/v1?x=1', expect.stringMatching(/^stay=/)])
    expect((await open.fetch('/api/v2', { headers: { cookie: cookieOf(first) } })).body).toBe('/v2')
  })
})

describe('tries', () => {
  const drops = () => openUpstream((request) => request.socket.destroy())

  test.each([
    [0, 1],
    [1, 2],
    [4, 5],
  ])('%i retries are %i tries', async (retries, tries) => {
    await using a = await drops()
    await using b = await drops()
    await using c = await drops()
    await using d = await drops()
    await using e = await drops()
    await using f = await drops()
    const all = [a, b, c, d, e, f]
    const id = `retries-${retries}`
    await apply(
      sampleRoute(
        all.map(({ port }) => port),
        { id, options: { retries } },
      ),
    )
    expect(await open.fetch('/')).toMatchObject({
      status: 502,
      body: 'berth: 502 bad gateway: The service at this address did not answer.\n',
    })
    expect(all.reduce((sum, { seen }) => sum + seen.length, 0)).toBe(tries)
    const { requests } = await open.gateway.status({ counters: true })
    const rows = requests.filter((row) => row.route === id)
    expect(rows.reduce((sum, row) => sum + row.lost, 0)).toBe(1)
    expect(rows.reduce((sum, row) => sum + row.byClass['5xx'], 0)).toBe(1)
    expect(rows.reduce((sum, row) => sum + row.failures, 0)).toBe(tries)
  })

  test('a route without retries says that a member was too slow', async () => {
    await using a = await openUpstream(() => {})
    await using b = await openUpstream(() => {})
    await apply(sampleRoute([a.port, b.port], { timeoutMs: 100, options: { retries: 0 } }))
    expect((await open.fetch('/')).status).toBe(504)
    expect(a.seen.length + b.seen.length).toBe(1)
  })

  describe('for answers', () => {
    const answers = (status: number) =>
      openUpstream(async (request, response) => {
        for await (const _ of request);
        response.writeHead(status).end(`${status} of ${response.req.method} ${request.url}`)
      })
    const none = { failures: 0, restMs: 0 }

    test('go to another instance, with the body, unless they may change something or the answer is none of these', async () => {
      await using broken = await answers(503)
      await using fine = await openUpstream(echoBody)
      const options = { retryOn: [502, 503], ejection: none }
      await apply(sampleRoute([broken.port, fine.port], { id: 'again', path: '/a', stripPath: true, options }))
      for (const [method, body] of [
        ['GET', ''],
        ['PUT', 'x'.repeat(200_000)],
      ] as const)
        for (let turn = 0; turn < 6; turn++)
          expect(await open.fetch('/a/b?c', { method, body })).toMatchObject({ status: 200, body })
      expect(broken.seen.length).toBeGreaterThanOrEqual(4)
      const posted = await Promise.all([1, 2, 3, 4].map(() => open.fetch('/a/b', { method: 'POST', body: 'x' })))
      expect(new Set(posted.map(({ status, body }) => `${status} ${body}`))).toEqual(
        new Set(['503 503 of POST /b', '200 x']),
      )
      await apply(sampleRoute([broken.port, fine.port], { id: 'again', options: { ...options, retryOn: [500, 504] } }))
      const passed = await Promise.all([1, 2, 3, 4].map(() => open.fetch('/')))
      expect(new Set(passed.map(({ status }) => status))).toEqual(new Set([200, 503]))
    })

    test.each([
      [1, 2],
      [4, 4],
    ])('%i retries among four are %i tries, and the last answer is the client’s', async (retries, tries) => {
      const all = await Promise.all([500, 500, 500, 500].map(answers))
      const id = `answers-${retries}`
      const ports = all.map(({ port }) => port)
      await apply(sampleRoute(ports, { id, options: { retries, retryOn: [500], ejection: none } }))
      expect(await open.fetch('/x')).toMatchObject({ status: 500, body: '500 of GET /x' })
      expect(all.map(({ seen }) => seen.length).reduce((sum, each) => sum + each)).toBe(tries)
      const rows = (await open.gateway.status({ counters: true })).requests.filter((row) => row.route === id)
      const sum = (of: (row: (typeof rows)[number]) => number) => rows.reduce((total, row) => total + of(row), 0)
      expect([sum(({ count }) => count), sum(({ lost }) => lost), sum(({ failures }) => failures)]).toEqual([
        1,
        0,
        tries - 1,
      ])
      for (const each of all) await each.close()
    })

    test('one that is alone is asked once; one that does not answer is passed over as well', async () => {
      await using alone = await answers(502)
      const options = { retryOn: [502], ejection: none }
      await apply(sampleRoute([alone.port], { options }))
      expect((await open.fetch('/')).body).toBe('502 of GET /')
      expect(alone.seen).toHaveLength(1)
      const dead = await freePort()
      await apply(sampleRoute([alone.port, dead], { options }))
      for (let turn = 0; turn < 4; turn++) expect((await open.fetch('/')).status).toBe(502)
      await using fine = await openUpstream()
      await apply(sampleRoute([alone.port, dead, fine.port], { options }))
      for (let turn = 0; turn < 6; turn++) expect((await open.fetch('/')).body).toBe(String(fine.port))
    })

    test('an instance that answers so rests like one that does not answer', async () => {
      await using single = await openGateway({ workers: 1 })
      await using broken = await answers(503)
      await using fine = await openUpstream()
      const options = { retryOn: [503], ejection: { failures: 2, restMs: 60_000 } }
      await single.gateway.apply(sampleTable(1, [sampleRoute([broken.port, fine.port], { options })]))
      for (let turn = 0; turn < 10; turn++) expect((await single.fetch('/')).status).toBe(200)
      expect(broken.seen).toHaveLength(2)
      expect(await readText(`${single.options.stateDir}/logs/error.log`)).toContain('failure (503) of')
    })

    test('a client stays with its instance, and is lent to another one', async () => {
      let isBroken = false
      await using fickle = await openUpstream((_, response) => response.writeHead(isBroken ? 503 : 200).end('fickle'))
      await using other = await openUpstream((_, response) => response.end('other'))
      const options = { retryOn: [503], ejection: none, stickyCookie: 'stay' }
      await apply(sampleRoute([fickle.port, other.port], { id: 'lent', options }))
      let cookie = ''
      await eventually(async () => {
        const reply = await open.fetch('/')
        cookie = String(reply.headers['set-cookie']).split(';')[0] ?? ''
        return reply.body === 'fickle'
      })
      isBroken = true
      expect(await open.fetch('/', { headers: { cookie } })).toMatchObject({ status: 200, body: 'other' })
      isBroken = false
      const back = await open.fetch('/', { headers: { cookie } })
      expect([back.body, back.headers['set-cookie']]).toEqual(['fickle', undefined])
    })
  })

  test('an instance rests after as many failures as the route says, and for as long', async () => {
    await using alive = await openUpstream()
    await using broken = await drops()
    const only = { workers: 1 }
    await using single = await openGateway(only)
    const ejection = { failures: 4, restMs: 60_000 }
    await single.gateway.apply(sampleTable(1, [sampleRoute([broken.port, alive.port], { options: { ejection } })]))
    for (let turn = 0; turn < 20; turn++) expect((await single.fetch('/')).status).toBe(200)
    expect(broken.seen).toHaveLength(4)
    const off = { failures: 0, restMs: 0 }
    await single.gateway.apply(
      sampleTable(2, [sampleRoute([broken.port, alive.port], { id: 'off', options: { ejection: off } })]),
    )
    for (let turn = 0; turn < 20; turn++) expect((await single.fetch('/')).status).toBe(200)
    expect(broken.seen.length).toBeGreaterThan(12)
  })
})

describe('a new instance', () => {
  test('begins with less than its share where the route starts slowly, and gets all of it at last', async () => {
    await using single = await openGateway({ workers: 1 })
    await using old = await openUpstream()
    await using fresh = await openUpstream()
    const route = (ports: number[]) => sampleRoute(ports, { options: { slowStartMs: 1_500 } })
    const shareOf = async (count: number) => {
      const before = fresh.seen.length
      for (let turn = 0; turn < count; turn++) await single.fetch('/')
      return (fresh.seen.length - before) / count
    }
    await single.gateway.apply(sampleTable(1, [route([old.port])]))
    await single.fetch('/')
    const at = performance.now()
    await single.gateway.apply(sampleTable(2, [route([old.port, fresh.port])]))
    const first = await shareOf(20)
    expect([first < 0.4, performance.now() - at < 1_200]).toEqual([true, true])
    await eventually(async () => performance.now() - at > 1_500)
    expect(await shareOf(40)).toBeCloseTo(0.5, 1)
  })

  test('alone is not held back, nor are those that were there before nginx', async () => {
    await using only = await openUpstream()
    await apply(sampleRoute([only.port], { id: 'alone', options: { slowStartMs: 60_000 } }))
    expect(await statuses(5)).toEqual([200, 200, 200, 200, 200])
    await using other = await openUpstream()
    await apply(sampleRoute([other.port], { id: 'alone', options: { slowStartMs: 60_000 } }))
    expect(await statuses(5)).toEqual([200, 200, 200, 200, 200])
  })
})

describe('maintenance', () => {
  test('shows its page, lets nothing through, and ends', async () => {
    await using member = await openUpstream()
    const page = '<!doctype html><h1>Back at nine</h1>'
    await apply(sampleRoute([member.port], { maintenance: { page } }))
    const reply = await open.fetch('/', { method: 'POST', body: 'x' })
    expect(reply).toMatchObject({ status: 503, body: page })
    expect(reply.headers).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'retry-after': '60',
      'cache-control': 'no-store',
    })
    expect(member.seen).toEqual([])
    await apply(sampleRoute([member.port], { maintenance: { page: '' } }))
    expect((await open.fetch('/')).body).toContain('being worked on')
    await apply(sampleRoute([member.port]))
    expect((await open.fetch('/')).status).toBe(200)
  })

  test('or a page of its own, as long as a route that may be empty is', async () => {
    await apply(sampleRoute([], { allowEmpty: true, emptyPage: 'nobody here' }))
    expect(await open.fetch('/')).toMatchObject({ status: 503, body: 'nobody here' })
    await using member = await openUpstream()
    await apply(sampleRoute([member.port], { allowEmpty: true, emptyPage: 'nobody here' }))
    expect((await open.fetch('/')).status).toBe(200)
  })
})

test('what an authority of certificates looks for is answered by HTTP, also where all else leads to HTTPS', async () => {
  await using member = await openUpstream()
  const path = '/.well-known/acme-challenge/tok_en-1'
  const challenge = sampleRoute([], { id: 'acme', path, allowEmpty: true, answer: 'tok_en-1.thumb', tls: 'on' })
  await apply(sampleRoute([member.port], { tls: 'redirect' }), challenge)
  expect(await open.fetch(path)).toMatchObject({ status: 200, body: 'tok_en-1.thumb' })
  expect((await open.fetch('/.well-known/acme-challenge/other')).status).toBe(308)
  expect(member.seen).toEqual([])
  await apply(sampleRoute([member.port]))
  expect((await open.fetch(path)).body).toBe(String(member.port))
})
