import { type ConnectionRow, connectionRate } from '@berth/core'
import { describe, expect, it } from 'vitest'
import { ConnectionStats } from './connection-stats.ts'

const row = (instance: string, counts: readonly number[], open = 0): ConnectionRow => ({
  ...{ route: 'db 5432/tcp', pool: 'shop/production/db', instance, counts, open },
})
const rateOf = (stats: ConnectionStats, instance: string | undefined, now: number) => {
  const { counts, overMs, open } = stats.now('db 5432/tcp', instance, now)
  return { ...connectionRate(counts, overMs), open }
}

describe('connections by ports, as a server adds them up', () => {
  it('are what came since a gateway was first heard, by route and instance, over all gateways', () => {
    const stats = new ConnectionStats()
    stats.take('g1', [row('a', [100, 1_000, 9_000, 1_000, 9_000], 3)], 0, true)
    expect(rateOf(stats, undefined, 0)).toMatchObject({ connectionsPerSecond: 0, open: 3 })
    stats.take('g1', [row('a', [110, 1_020, 9_400, 1_030, 9_900], 4)], 1_000, false)
    // One that a known gateway had not told of before begins at 0.
    stats.take('g1', [row('b', [10, 20, 400, 30, 900], 1)], 1_000, false)
    stats.take('g2', [row('a', [5, 0, 0, 0, 0], 2)], 1_000, true)
    expect(rateOf(stats, 'a', 5_000)).toEqual({
      ...{ connectionsPerSecond: 2.5, packetsInPerSecond: 5, bytesInPerSecond: 100 },
      ...{ packetsOutPerSecond: 7.5, bytesOutPerSecond: 225, open: 6 },
    })
    expect(rateOf(stats, undefined, 5_000)).toMatchObject({ connectionsPerSecond: 5, bytesOutPerSecond: 450, open: 7 })
    expect(rateOf(stats, 'c', 5_000)).toMatchObject({ connectionsPerSecond: 0, open: 0 })
  })

  it('do not jump where a gateway begins anew, and forget those that are gone', () => {
    const stats = new ConnectionStats()
    stats.take('g1', [row('a', [100, 0, 0, 0, 0], 1)], 0, true)
    stats.take('g1', [row('a', [3, 0, 0, 0, 0], 1)], 1_000, false)
    expect(rateOf(stats, 'a', 2_000)).toMatchObject({ connectionsPerSecond: 0, open: 1 })
    stats.take('g1', [row('a', [4, 0, 0, 0, 0], 1)], 2_000, false)
    expect(rateOf(stats, 'a', 3_000)).toMatchObject({ connectionsPerSecond: 1 })
    const none = (): boolean => false
    stats.sweep(60_000, none, none)
    expect(rateOf(stats, undefined, 60_000)).toMatchObject({ connectionsPerSecond: 0, open: 0 })
  })
})
