import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseGoDuration, parseIndex, waitingTimeMs, waitLimits } from './blocking-query.ts'

describe('how long a call waits', () => {
  it.each([
    ['10s', 10_000],
    ['5m', 300_000],
    ['1m30s', 90_000],
    ['1.5h', 5_400_000],
    ['250ms', 250],
    ['', undefined],
    ['10', undefined],
    ['s', undefined],
    ['10s ', undefined],
    ['10s5', undefined],
  ])('%j is %j', (text, ms) => {
    expect(parseGoDuration(text)).toBe(ms)
  })

  it('is within the limits, and at most a sixteenth longer', () => {
    fc.assert(
      fc.property(
        fc.option(fc.integer({ min: -10, max: 10_000_000 }), { nil: undefined }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (asked, random) => {
          const wait = waitingTimeMs(asked, random)
          const wanted = asked === undefined || asked <= 0 ? waitLimits.defaultMs : Math.min(asked, waitLimits.maxMs)
          expect(wait).toBeGreaterThanOrEqual(wanted)
          expect(wait).toBeLessThanOrEqual(wanted * (1 + 1 / 16))
        },
      ),
    )
  })

  it('depends on an index that is a number', () => {
    expect([undefined, '', '0', '17', '-1', 'x', '1.5'].map(parseIndex)).toEqual([
      0,
      0,
      0,
      17,
      undefined,
      undefined,
      undefined,
    ])
  })
})
