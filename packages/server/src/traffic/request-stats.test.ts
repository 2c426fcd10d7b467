import { noRequests, type RequestRow } from '@berth/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openTemporaryRecords, type RecordsUnderTest } from '../records/open-records.testing.ts'
import { instance } from '../records/sample-records.testing.ts'
import { RequestStats } from './request-stats.ts'

const production = { app: 'shop', pool: 'production' }
const old = 'shop.production.web-1'
const fresh = 'shop.production.web-2'

let under: RecordsUnderTest
let stats: RequestStats
let now: number
let offline: Set<string>

beforeEach(async () => {
  under = await openTemporaryRecords()
  now = 1_700_000_000_000
  offline = new Set()
  await under.records.commit('system:test', (tx) => {
    for (const [name, gateway] of [
      ['a', 'true'],
      ['b', 'true'],
      ['c', 'false'],
    ] as const) {
      const rest = { address: '127.0.0.1', schedulable: true, certificateFingerprint: '', joinedAt: 0 }
      tx.put('nodes', { name, labels: { gateway }, block: `10.77.${name.charCodeAt(0)}.0/24`, ...rest })
    }
    const rest = { createdAt: 0, createdBy: 'x', generation: 2 }
    tx.put('pools', { app: 'shop', name: 'production', environment: 'production', replicas: {}, ...rest } as never)
    tx.put('instances', instance(old))
    tx.put('instances', { ...instance(fresh), generation: 2, release: 'v2' })
  })
  stats = new RequestStats({ state: under.state, isOnline: (node) => !offline.has(node), now: () => now })
})
afterEach(async () => await under[Symbol.asyncDispose]())

const row = (name: string, ok: number, failed = 0, lost = 0): RequestRow => ({
  ...{ route: 'shop/production/web *', pool: 'shop/production/web', instance: name },
  counts: noRequests().with(1, ok).with(4, failed).with(5, lost),
})
const requests = (fromMs = 0, toMs = now + 1) => {
  const { all, generations } = stats.window(production, fromMs, toMs)
  return [all.requests, Object.fromEntries(generations.map((each) => [each.release, each.requests]))]
}

describe('RequestStats', () => {
  it('counts by generation over all gateways, from what they had when they were first heard', () => {
    stats.take('a', [row(old, 1_000)], true)
    stats.take('a', [])
    stats.take('b', [row(old, 50)], true)
    stats.take('b', [])
    expect(requests()).toEqual([0, {}])
    stats.take('a', [row(old, 1_010), row(fresh, 5, 2, 1)])
    stats.take('b', [row(old, 51)])
    expect(requests()).toEqual([18, { v1: 11, v2: 7 }])
    const { generations } = stats.window(production, 0, now + 1)
    expect(generations[1]).toMatchObject({ generation: 2, requests: 7, errors5xx: 2, lost: 1 })
    expect(stats.totals()).toMatchObject([{ app: 'shop', pool: 'production', entrypoint: 'web' }])
  })

  it('tells it in steps, by generation, and leaves out what is not over yet', () => {
    stats.take('a', [row(old, 0)])
    stats.take('a', [row(old, 10)])
    const from = now - (now % 5_000)
    now = from + 5_000
    stats.take('a', [row(old, 14), row(fresh, 5, 2, 1)])
    now = from + 10_000
    stats.take('a', [row(old, 99)])
    expect(stats.steps(production, from, from + 12_000, 5_000)).toMatchObject([
      { atMs: from, generations: [{ release: 'v1', requests: 10 }] },
      {
        atMs: from + 5_000,
        generations: [
          { generation: 1, release: 'v1', requests: 4 },
          { generation: 2, release: 'v2', requests: 7, errors5xx: 2, lost: 1 },
        ],
      },
    ])
    expect(stats.steps({ ...production, entrypoint: 'other' }, from, from + 5_000, 5_000)[0]?.generations).toEqual([])
  })

  it('counts what came while a link was broken, and does not count anything twice', () => {
    stats.take('a', [], true)
    stats.take('a', [])
    stats.take('a', [row(old, 10)])
    stats.take('a', [row(old, 14), row(fresh, 3)], true)
    stats.take('a', [])
    stats.take('a', [row(old, 14)])
    expect(requests()).toEqual([17, { v1: 14, v2: 3 }])
  })

  it('goes on from there when a gateway has begun anew', () => {
    stats.take('a', [])
    stats.take('a', [row(old, 100)])
    stats.take('a', [row(old, 2)], true)
    stats.take('a', [row(old, 5)])
    expect(requests()).toEqual([103, { v1: 103 }])
  })

  it('knows whose requests they were after the instance is gone, and those that met none', async () => {
    stats.take('a', [])
    stats.take('a', [row(old, 1)])
    await under.records.commit('system:test', (tx) => tx.delete('instances', old))
    stats.take('a', [row(old, 4), row('', 0, 6, 6)])
    expect(requests()).toEqual([10, { v1: 4 }])
    expect(stats.window(production, 0, now + 1).all).toMatchObject({ errors5xx: 6, lost: 6 })
  })

  it('tells windows apart', () => {
    stats.take('a', [])
    stats.take('a', [row(old, 3)])
    now += 60_000
    stats.take('a', [row(old, 10)])
    expect(requests(now - 30_000)).toEqual([7, { v1: 7 }])
    expect(requests(0, now - 30_000)).toEqual([3, { v1: 3 }])
    expect(stats.window({ ...production, entrypoint: 'worker' }, 0, now + 1).all.requests).toBe(0)
    expect(stats.window({ app: 'shop', pool: 'other' }, 0, now + 1).all.requests).toBe(0)
  })

  it('says until when it knows: by the gateway that is online and was heard longest ago', () => {
    expect(stats.knownToMs).toBeUndefined()
    stats.take('a', [])
    expect(stats.knownToMs).toBeUndefined()
    stats.take('b', [])
    const heardAt = now
    now += 5_000
    stats.take('a', [])
    expect(stats.knownToMs).toBe(heardAt)
    offline.add('b')
    expect(stats.knownToMs).toBe(now)
    offline.add('a')
    expect(stats.window(production, 0, now).knownToMs).toBeUndefined()
  })

  it.each([
    ['a node that is no gateway', 'c', row(old, 1)],
    ['an instance that there is not', 'a', row('shop.production.web-9', 1)],
    ['an instance of another pool', 'a', { ...row(old, 1), pool: 'shop/staging/web' }],
    ['an external service that there is not', 'a', { ...row('external/x/1.1.1.1', 1), pool: 'external/x' }],
  ])('takes nothing of %s', (_, node, given) => {
    stats.take(node, [])
    stats.take(node, [given])
    expect(requests()).toEqual([0, {}])
    expect(stats.routeNow(given.route)).toBeUndefined()
  })

  it('tells how much goes to a route and an instance now, and forgets those that are quiet', () => {
    stats.take('a', [])
    for (let second = 1; second <= 20; second++) {
      now += 1_000
      stats.take('a', [row(old, second * 10)])
    }
    const rate = stats.routeNow('shop/production/web *')
    expect((rate?.counts[1] ?? 0) / ((rate?.overMs ?? 0) / 1_000)).toBeCloseTo(10, -1)
    expect(stats.instanceNow(old)?.counts).toEqual(rate?.counts)
    now += 61_000
    stats.take('a', [])
    expect(stats.instanceNow(old)).toBeUndefined()
    expect(requests()).toEqual([200, { v1: 200 }])
  })
})
