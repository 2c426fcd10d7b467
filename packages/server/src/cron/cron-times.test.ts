import { parseCron } from '@berth/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cronTimes } from './cron-times.ts'

/** The next runs after a time, in UTC. */
function nextRuns(cron: string, zone: string, from: string, count: number): string[] {
  const times = cronTimes({ cron, zone })
  const found: string[] = []
  for (let at = times.nextAfter(Date.parse(from)); at !== undefined && found.length < count; at = times.nextAfter(at))
    found.push(new Date(at).toISOString().slice(0, 16))
  return found
}

describe('due', () => {
  it.each([
    [
      'by the clocks of the zone',
      '0 3 * * *',
      'Asia/Shanghai',
      '2026-01-01T00:00Z',
      ['2026-01-01T19:00', '2026-01-02T19:00'],
    ],
    [
      'right after the hour that is left out',
      '30 2 * * *',
      'Europe/Berlin',
      '2026-03-28T12:00Z',
      ['2026-03-29T01:00', '2026-03-30T00:30'],
    ],
    [
      'once in the hour that comes twice',
      '30 2 * * *',
      'Europe/Berlin',
      '2026-10-24T12:00Z',
      ['2026-10-25T00:30', '2026-10-26T01:30'],
    ],
    [
      'every hour of such a night',
      '0 * * * *',
      'Europe/Berlin',
      '2026-10-24T23:30Z',
      ['2026-10-25T00:00', '2026-10-25T01:00', '2026-10-25T02:00'],
    ],
    [
      'on either kind of day when both are given',
      '0 0 15 * mon',
      'UTC',
      '2026-09-08T00:00Z',
      ['2026-09-14T00:00', '2026-09-15T00:00', '2026-09-21T00:00'],
    ],
    ['on Sunday as 0 and as 7', '0 0 * * 7', 'UTC', '2026-09-08T00:00Z', ['2026-09-13T00:00']],
    ['in leap years only', '0 0 29 2 *', 'UTC', '2026-01-01T00:00Z', ['2028-02-29T00:00']],
    ['by names', '*/30 8 * jan mon-fri', 'UTC', '2026-01-02T08:00Z', ['2026-01-02T08:30', '2026-01-05T08:00']],
  ])('%s', (_, cron, zone, from, expected) => {
    expect(nextRuns(cron, zone, from, expected.length)).toEqual(expected)
  })
})

const field = (min: number, max: number) =>
  fc.oneof(
    fc.constant('*'),
    fc.integer({ min, max }).map(String),
    fc.integer({ min: 1, max: 70 }).map((step) => `*/${step}`),
    fc.tuple(fc.integer({ min, max }), fc.integer({ min: 1, max: 9 })).map(([from, step]) => `${from}-${max}/${step}`),
    fc.tuple(fc.integer({ min, max }), fc.integer({ min, max })).map(([a, b]) => `${Math.min(a, b)}-${Math.max(a, b)}`),
    fc.array(fc.integer({ min, max }), { minLength: 1, maxLength: 3 }).map((list) => list.join(',')),
  )
const expression = fc
  .tuple(field(0, 59), field(0, 23), field(1, 31), field(1, 12), field(0, 7))
  .map((fields) => fields.join(' '))
const zone = fc.constantFrom('UTC', 'Europe/Berlin', 'America/New_York', 'Asia/Kolkata', 'Australia/Lord_Howe')
const time = fc.integer({ min: Date.parse('2024-01-01'), max: Date.parse('2030-01-01') })

it('what may be written is understood, and looking back finds what looking ahead found', () => {
  fc.assert(
    fc.property(expression, zone, time, (text, zoneName, at) => {
      const cron = parseCron(text)
      fc.pre(cron.ok)
      if (!cron.ok) return
      const times = cronTimes({ cron: cron.value, zone: zoneName })
      const next = times.nextAfter(at)
      expect(next).toBeDefined()
      if (next === undefined) return
      expect(next).toBeGreaterThan(at)
      expect(times.lastUntil(next)).toBe(next)
      expect(times.lastUntil(next - 1) ?? 0).toBeLessThanOrEqual(at)
    }),
    { numRuns: 300 },
  )
})
