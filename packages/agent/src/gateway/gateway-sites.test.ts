import type { Route } from '@berth/core'
import { sampleMember, sampleRoute, sampleTable, sampleTarget } from '@berth/core/network/route-table.testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually, openGateway, openUpstream, type TestGateway, type Upstream } from './gateway.testing.ts'

let open: TestGateway
let version = 0
beforeAll(async () => {
  open = await openGateway({ workers: 1 })
})
afterAll(() => open[Symbol.asyncDispose]())

const apply = (route: Route) => open.gateway.apply(sampleTable(++version, [route]))
const to = (...members: Upstream[]) => [sampleTarget(members.map(({ port }) => sampleMember(port)))]
const ask = async (count: number, method = 'GET') => {
  const answers = await Promise.all(Array.from({ length: count }, () => open.fetch('/', { method })))
  return [...new Set(answers.map(({ status }) => status))]
}
const counts = (...members: Upstream[]) => members.map(({ seen }) => seen.length)

describe('a gateway of a site', () => {
  test('sends nobody elsewhere as long as those near answer, and everybody when none of them does', async () => {
    await using near = await openUpstream()
    await using far = await openUpstream()
    await apply(sampleRoute([near.port], { id: 'fallback', far: { targets: to(far), share: 0 } }))
    expect(await ask(20)).toEqual([200])
    expect(counts(near, far)).toEqual([20, 0])
    await near.close()
    expect(await ask(20)).toEqual([200])
    expect(far.seen).toHaveLength(20)
  })

  test('shares out what those near cannot take', async () => {
    await using near = await openUpstream()
    await using far = await openUpstream()
    await apply(sampleRoute([near.port], { id: 'share', far: { targets: to(far), share: 250 } }))
    expect(await ask(40)).toEqual([200])
    expect(counts(near, far)).toEqual([30, 10])
  })

  test('shares out clients that stay with their member, who then stay where they are', async () => {
    await using near = await openUpstream()
    await using far = await openUpstream()
    const options = { stickyCookie: 'stay' }
    await apply(sampleRoute([near.port], { id: 'sticky', options, far: { targets: to(far), share: 250 } }))
    const cookies: string[] = []
    for (let turn = 0; turn < 8; turn++) {
      const [cookie = ''] = [(await open.fetch('/')).headers['set-cookie'] ?? []].flat()
      cookies.push(cookie.split(';')[0] ?? '')
    }
    expect(counts(near, far)).toEqual([6, 2])
    for (const cookie of cookies) await open.fetch('/', { headers: { cookie } })
    expect(counts(near, far)).toEqual([12, 4])
  })

  test('spills over what would go to an instance that serves enough', async () => {
    const waiting: (() => void)[] = []
    await using near = await openUpstream((_, response) => void waiting.push(() => response.end('near')))
    await using far = await openUpstream()
    await apply(sampleRoute([near.port], { id: 'busy', far: { targets: to(far), share: 0, inflight: 2 } }))
    const first = [open.fetch('/'), open.fetch('/')]
    await eventually(() => waiting.length === 2)
    // One after the other: far away it is never busier than near.
    for (let turn = 0; turn < 6; turn++) expect(await ask(1)).toEqual([200])
    expect(counts(near, far)).toEqual([2, 6])
    for (const answer of waiting.splice(0)) answer()
    expect((await Promise.all(first)).map(({ body }) => body)).toEqual(['near', 'near'])
  })

  test.each([{}, { stripPath: true, path: '/api' }, { options: { stickyCookie: 'stay' } }])(
    'sends what may change something home, and nothing else: %j',
    async (given: Partial<Route>) => {
      await using near = await openUpstream()
      await using home = await openUpstream()
      const id = `home ${JSON.stringify(given)}`
      await apply(sampleRoute([near.port], { id, ...given, writes: { targets: to(home) } }))
      const send = (method: string) => open.fetch(`${given.path ?? ''}/x`, { method })
      for (const method of ['GET', 'HEAD', 'OPTIONS']) expect((await send(method)).status).toBe(200)
      for (const method of ['POST', 'PUT', 'DELETE', 'PATCH']) expect((await send(method)).status).toBe(200)
      expect(near.seen.map(({ method }) => method)).toEqual(['GET', 'HEAD', 'OPTIONS'])
      expect(home.seen.map(({ method }) => method)).toEqual(['POST', 'PUT', 'DELETE', 'PATCH'])
    },
  )

  test('answers 503 when nobody is at home, and never lets a write go elsewhere', async () => {
    await using near = await openUpstream()
    await using home = await openUpstream()
    await apply(sampleRoute([near.port], { id: 'nobody', writes: { targets: [sampleTarget([])] } }))
    expect(await ask(3, 'POST')).toEqual([503])
    expect(await ask(3)).toEqual([200])
    await apply(sampleRoute([near.port], { id: 'nobody', writes: { targets: to(home) } }))
    await home.close()
    expect(await ask(3, 'POST')).toEqual([502])
    expect(near.seen.every(({ method }) => method === 'GET')).toBe(true)
  })
})
