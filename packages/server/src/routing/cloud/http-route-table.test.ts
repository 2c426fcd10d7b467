import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FakeProvider } from './fake-provider.testing.ts'
import { HttpRouteTable } from './http-route-table.ts'
import { MemoryRouteTable } from './memory-route-table.testing.ts'
import { describeRouteTable } from './route-table-contract.testing.ts'

describe('a route table in memory', () =>
  describeRouteTable(async () => {
    const table = new MemoryRouteTable()
    return {
      ...{ table, entries: table.entries, [Symbol.asyncDispose]: async () => undefined },
      limit: (quota) => {
        table.quota = quota
      },
    }
  }))

describe('a route table over HTTP', () =>
  describeRouteTable(async () => {
    const provider = await FakeProvider.start()
    return {
      ...{ table: new HttpRouteTable({ name: 'vpc', url: provider.url }), entries: provider.entries },
      limit: (quota) => {
        provider.quota = quota
      },
      [Symbol.asyncDispose]: () => provider[Symbol.asyncDispose](),
    }
  }))

describe('a bad day of the service', () => {
  const signal = AbortSignal.timeout(60_000)
  const route = { destination: '10.77.1.0/24', nextHop: '10.0.0.1', owner: 'berth:1' }
  let provider: FakeProvider
  let table: HttpRouteTable
  beforeEach(async () => {
    provider = await FakeProvider.start()
    table = new HttpRouteTable({ name: 'vpc', url: provider.url, token: 'the-token' })
  })
  afterEach(async () => await provider[Symbol.asyncDispose]())

  it('says how long to wait when calls come too fast', async () => {
    provider.tooFast = 1
    const refusal = { code: 'cloud-routes.rate-limited', retryable: true, details: { retryAfterMs: 1000 } }
    await expect(table.list({ signal })).rejects.toMatchObject(refusal)
    expect(await table.list({ signal })).toEqual([])
  })

  it('sends its token, and tells none when it is refused', async () => {
    provider.token = 'another'
    await expect(table.put(route, { signal })).rejects.toMatchObject({ code: 'cloud-routes.forbidden' })
    await expect(table.put(route, { signal })).rejects.not.toThrow('the-token')
    provider.token = 'the-token'
    await table.put(route, { signal })
  })

  it('is one whose answer is lost: said again, all is as it should be', async () => {
    provider.lostAnswers = 1
    await expect(table.put(route, { signal })).rejects.toMatchObject({ code: 'cloud-routes.unreachable' })
    await table.put(route, { signal })
    expect([...provider.entries.values()]).toEqual([route])
  })

  it.each([
    ['no JSON', '<html>'],
    ['no list', '{"routes": 7}'],
    ['half a list', '{"routes": [{"destination": "10.77.1.0/24", "nextHop": "10.0.0.1"}, {"nextHop": 7}]}'],
  ])('is one that answers %s: nothing is decided on it', async (_, text) => {
    provider.broken = text
    await expect(table.list({ signal })).rejects.toMatchObject({ code: 'cloud-routes.refused' })
  })

  it('is one on which it is not there', async () => {
    const gone = new HttpRouteTable({ name: 'vpc', url: 'http://127.0.0.1:1' })
    await expect(gone.list({ signal })).rejects.toMatchObject({ code: 'cloud-routes.unreachable', retryable: true })
  })
})
