import { freePort } from '@berth/api/testing/free-ports.testing'
import { fromRequestCounts, type Route } from '@berth/core'
import { sampleMember, sampleRoute, sampleTable } from '@berth/core/network/route-table.testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  acceptEcho,
  eventually,
  openGateway,
  openUpstream,
  openWebsocket,
  readText,
  spawnUpstream,
  type TestGateway,
} from './gateway.testing.ts'

let open: TestGateway
let version = 0
/** One worker, so that what it has learnt of members holds for every request. */
beforeAll(async () => {
  open = await openGateway({ workers: 1 })
})
afterAll(() => open[Symbol.asyncDispose]())

const apply = (...routes: Route[]) => open.gateway.apply(sampleTable(++version, routes))
const bodies = async (count: number) => {
  const list: string[] = []
  for (let index = 0; index < count; index++) list.push((await open.fetch('/')).body)
  return list
}
const counters = async (instance: string) => {
  const { requests } = await open.gateway.status({ counters: true })
  return requests.find((row) => row.instance === instance)
}

describe('a member that fails', () => {
  test('is passed over within the request, and rests after two failures', async () => {
    await using alive = await openUpstream()
    const dead = await freePort()
    await apply(sampleRoute([dead, alive.port]))
    expect(new Set(await bodies(20))).toEqual(new Set([String(alive.port)]))
    expect(await counters(`web-${dead}`)).toMatchObject({ count: 0, failures: 2 })
    expect(await readText(`${open.options.stateDir}/logs/error.log`)).toContain(
      `no answer from web-${dead} of shop/production/web`,
    )
  })

  test('is tried again after its rest, and one failure more makes it rest again', async () => {
    await using alive = await openUpstream()
    const dead = await freePort()
    await apply(sampleRoute([dead, alive.port]))
    await bodies(6)
    await eventually(async () => {
      await bodies(2)
      return (await counters(`web-${dead}`))?.failures === 3
    })
    await bodies(6)
    expect(await counters(`web-${dead}`)).toMatchObject({ failures: 3 })
    await using back = await openUpstream(undefined, { port: dead })
    await eventually(async () => (await bodies(2)).includes(String(back.port)))
  })

  test('is tried all the same when every member rests', async () => {
    const ports = [await freePort(), await freePort()]
    await apply(sampleRoute(ports))
    for (let turn = 0; turn < 3; turn++) {
      const reply = await open.fetch('/')
      expect(reply).toMatchObject({
        status: 502,
        body: 'berth: 502 bad gateway: The service at this address did not answer.\n',
      })
    }
    await using back = await openUpstream(undefined, { port: ports[0]! })
    expect(await bodies(3)).toEqual([back, back, back].map((member) => String(member.port)))
  })

  test('has three tries made for a GET, then the client hears of it', async () => {
    const drop = () => openUpstream((request) => request.socket.destroy())
    await using a = await drop()
    await using b = await drop()
    await using c = await drop()
    await using d = await drop()
    await apply(sampleRoute([a.port, b.port, c.port, d.port]))
    expect((await open.fetch('/')).status).toBe(502)
    const rows = await Promise.all([a, b, c, d].map(({ port }) => counters(`web-${port}`)))
    expect(rows.map((each) => [each?.count, each?.lost, each?.failures]).sort()).toEqual([
      ...[
        [0, 0, 0],
        [0, 0, 1],
        [0, 0, 1],
        [1, 1, 1],
      ],
    ])
    expect([a, b, c, d].map((member) => member.seen.length).sort()).toEqual([0, 1, 1, 1])
  })

  test.each([
    ['GET', 200, 2],
    ['PUT', 200, 2],
    ['POST', 502, 1],
    ['PATCH', 502, 1],
  ])('that dies under a %s: %i after %i tries', async (method, status, tries) => {
    let broken = 0
    const breakFirst = () =>
      openUpstream((request, response) => {
        request.resume()
        request.on('end', () => (broken++ === 0 ? request.socket.destroy() : response.end('ok')))
      })
    await using a = await breakFirst()
    await using b = await breakFirst()
    await apply(sampleRoute([a.port, b.port]))
    expect((await open.fetch('/', { method, body: 'x' })).status).toBe(status)
    expect(a.seen.length + b.seen.length).toBe(tries)
  })

  test('that refuses a connection has not got the POST, so another may', async () => {
    await using alive = await openUpstream()
    await apply(sampleRoute([await freePort(), alive.port]))
    for (let turn = 0; turn < 4; turn++) {
      expect(await open.fetch('/', { method: 'POST', body: 'x' })).toMatchObject({
        status: 200,
        body: String(alive.port),
      })
    }
  })

  test('an answer of 500, 502 or 503 is the application’s own and passed on', async () => {
    await using member = await openUpstream((_, response) => {
      response.statusCode = 502
      response.end('mine')
    })
    await apply(sampleRoute([member.port]))
    expect(await open.fetch('/')).toMatchObject({ status: 502, body: 'mine' })
    expect(await counters(`web-${member.port}`)).toMatchObject({ count: 1, failures: 0, lost: 0 })
  })

  test('one that does not answer in time', async () => {
    await using member = await openUpstream(() => {})
    await apply(sampleRoute([member.port], { timeoutMs: 100 }))
    expect(await open.fetch('/', { method: 'POST' })).toMatchObject({
      status: 504,
      body: 'berth: 504 gateway timeout: The service at this address did not answer in time.\n',
    })
    expect(await counters(`web-${member.port}`)).toMatchObject({ failures: 1, lost: 1, byClass: { '5xx': 1 } })
  })
})

describe('leaving', () => {
  test.each(['draining', 'removed'])(
    'a member that is %s finishes what it serves and gets nothing new',
    async (how) => {
      const { promise: finish, resolve: doFinish } = Promise.withResolvers<void>()
      await using leaving = await openUpstream((_, response) => void finish.then(() => response.end('slow')))
      await using staying = await openUpstream()
      await apply(sampleRoute([leaving.port]))
      const slow = open.fetch('/slow', { method: 'POST' })
      const key = `127.0.0.1:${leaving.port}`
      await eventually(async () => (await open.gateway.status()).inflight[key] === 1)

      const left = how === 'draining' ? [sampleMember(leaving.port, { state: 'draining' })] : []
      await apply(sampleRoute([...left, staying.port]))
      expect(new Set(await bodies(10))).toEqual(new Set([String(staying.port)]))
      const status = await open.gateway.status()
      expect(status).toMatchObject({ version, inflight: { [key]: 1 } })

      doFinish()
      expect((await slow).body).toBe('slow')
      await eventually(async () => ((await open.gateway.status()).inflight[key] ?? 0) === 0)
    },
  )

  test('requests that their clients gave up are not in flight', async () => {
    await using member = await openUpstream(() => {})
    await apply(sampleRoute([member.port]))
    const abort = new AbortController()
    const slow = open.fetch('/', { signal: abort.signal }).catch(() => 'aborted')
    const inflight = async () => (await open.gateway.status()).inflight[`127.0.0.1:${member.port}`]
    await eventually(async () => (await inflight()) === 1)
    abort.abort()
    expect(await slow).toBe('aborted')
    await eventually(async () => ((await inflight()) ?? 0) === 0)
  })

  test('a websocket outlives its member’s time in the table, and is counted while it is open', async () => {
    await using member = await openUpstream(undefined, { upgrade: acceptEcho })
    await using other = await openUpstream()
    await apply(sampleRoute([member.port]))
    await using socket = await openWebsocket(open.options.httpPort)
    expect(await socket.echo('before')).toBe('before')

    await apply(sampleRoute([other.port]))
    expect(await bodies(2)).toEqual([String(other.port), String(other.port)])
    expect(await socket.echo('after')).toBe('after')
    const key = `127.0.0.1:${member.port}`
    expect((await open.gateway.status()).inflight[key]).toBe(1)
    await socket[Symbol.asyncDispose]()
    await eventually(async () => ((await open.gateway.status()).inflight[key] ?? 0) === 0)
    expect(await counters(`web-${member.port}`)).toMatchObject({ byClass: { '1xx': 1 }, latencySumMs: 0 })
  })

  test('a member killed under load loses nothing that can be asked again, and of the rest only what it was serving', async () => {
    const [victim, survivor] = [await spawnUpstream(5), await spawnUpstream(5)]
    try {
      await apply(sampleRoute([victim.port, survivor.port]))
      const total = 400
      let started = 0
      const load = ['GET', 'POST'].map(async (method) => {
        const lanes = Array.from({ length: 8 }, async () => {
          const statuses: number[] = []
          while (started < total) {
            if (started++ === total / 4) victim.child.kill('SIGKILL')
            statuses.push((await open.fetch('/', { method })).status)
          }
          return statuses
        })
        return (await Promise.all(lanes)).flat()
      })
      const [gets, posts] = await Promise.all(load)
      expect(gets!.length + posts!.length).toBe(total)
      expect(gets!.filter((status) => status !== 200)).toEqual([])
      expect(posts!.filter((status) => status !== 200).length).toBeLessThanOrEqual(8)
    } finally {
      victim.child.kill('SIGKILL')
      survivor.child.kill('SIGKILL')
    }
  })
})

describe('a table without members', () => {
  test('does not empty a route: the last known ones go on', async () => {
    await using member = await openUpstream()
    const route = sampleRoute([member.port])
    await apply(route)
    await apply({ ...route, targets: [] })
    expect((await open.fetch('/')).body).toBe(String(member.port))
    expect((await open.gateway.status()).keptRoutes).toEqual([route.id])
    expect(open.logged).toContainEqual(expect.objectContaining({ routes: [route.id] }))
    await apply({ ...route, targets: [] }, sampleRoute([member.port], { host: 'other.example.com' }))
    expect((await open.fetch('/')).body).toBe(String(member.port))
    await apply(route)
    expect((await open.gateway.status()).keptRoutes).toEqual([])
  })

  test('is obeyed where the route may be empty', async () => {
    await using member = await openUpstream()
    const route = sampleRoute([member.port])
    await apply(route)
    await apply({ ...route, targets: [], allowEmpty: true })
    expect(await open.fetch('/')).toMatchObject({ status: 503, headers: { 'retry-after': '1' } })
    expect((await open.gateway.status()).keptRoutes).toEqual([])
  })
})

describe('what is told of requests', () => {
  const rows = async (changed: boolean) => {
    const { isComplete, workers } = await open.gateway.counts(changed ? { changed: 'since' } : {})
    expect(isComplete).toBe(true)
    return workers.flatMap((worker) => worker.rows)
  }

  test('comes in parts, every row once, and all of it again when it is asked for anew', async () => {
    await using member = await openUpstream()
    const ids = Array.from({ length: 250 }, (_, index) => `many-${index}`)
    await apply(...ids.map((id, index) => sampleRoute([member.port], { id, path: `/${index}` })))
    for (let rest = true; rest; ) rest = (await open.gateway.counts({ changed: 'since' })).hasMore
    for (let index = 0; index < ids.length; index++) await open.fetch(`/${index}`)
    const told = async (first: 'since' | 'anew') => {
      const parts = [await open.gateway.counts({ changed: first })]
      while (parts.at(-1)!.hasMore) parts.push(await open.gateway.counts({ changed: 'since' }))
      const rows = parts.flatMap(({ workers }) => workers.flatMap((worker) => worker.rows))
      return {
        parts: parts.length,
        routes: rows.map(({ route }) => route).filter((route) => route.startsWith('many-')),
      }
    }
    for (const first of ['since', 'anew'] as const) {
      const { parts, routes } = await told(first)
      expect(parts).toBeGreaterThan(1)
      expect(routes.toSorted()).toEqual(ids.toSorted())
    }
    expect((await told('since')).routes).toEqual([])
  })

  test('is of members whose counters have changed, when only that is asked for', async () => {
    await using first = await openUpstream()
    await using second = await openUpstream()
    const routes = [first, second].map(({ port }, index) => sampleRoute([port], { id: `r${index}`, path: `/${index}` }))
    await apply(...routes)
    await rows(true)
    await open.fetch('/0')
    await open.fetch('/0')
    const changed = await rows(true)
    expect(changed.map(({ route, instance, counts }) => [route, instance, counts[1]])).toEqual([
      ['r0', `web-${first.port}`, 2],
    ])
    expect(await rows(true)).toEqual([])
    expect((await rows(false)).length).toBeGreaterThanOrEqual(2)
  })

  test('counts a request that met a route without a member as lost, and in nobody’s flight', async () => {
    await apply(sampleRoute([], { id: 'bare', allowEmpty: true }))
    await rows(true)
    expect((await open.fetch('/')).status).toBe(503)
    expect((await open.fetch('/')).status).toBe(503)
    const [row] = await rows(true)
    const counts = row && fromRequestCounts(row.counts)
    expect([row?.route, row?.instance, counts?.lost, counts?.classes]).toEqual(['bare', '', 2, [0, 0, 0, 0, 2]])
    expect(Object.keys((await open.gateway.status()).inflight)).not.toContain(':0')
    expect(await counters('')).toBeUndefined()
  })
})
