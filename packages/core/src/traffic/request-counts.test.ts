import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  fromRequestCounts,
  isRequestCounts,
  latencyBoundsMs,
  noRequests,
  quantileMs,
  requestsSince,
  summarizeRequests,
  toRequestCounts,
} from './request-counts.ts'

const buckets = (...counts: number[]) => latencyBoundsMs.map((_, place) => counts[place] ?? 0).concat(0)
const anyBuckets = fc.array(fc.nat(1_000), { minLength: 14, maxLength: 14 })

describe('request counts', () => {
  it('are numbers in an order that both ends know', () => {
    const parts = {
      ...{ classes: [1, 2, 3, 4, 5], lost: 6, failures: 7, latencySumMs: 8, buckets: buckets(9, 0, 10) },
    }
    const counts = toRequestCounts(parts)
    expect(fromRequestCounts(counts)).toEqual(parts)
    expect(isRequestCounts(counts)).toBe(true)
    expect(isRequestCounts(noRequests())).toBe(true)
  })

  it.each([
    ['too few', [1]],
    ['negative', noRequests().with(3, -1)],
    ['no number', noRequests().with(3, Number.NaN)],
    ['no list', 'x'],
  ])('are not %s', (_, value) => {
    expect(isRequestCounts(value)).toBe(false)
  })

  it('are told apart from counters that have begun anew', () => {
    expect(requestsSince(noRequests().with(1, 5), noRequests().with(1, 3))).toEqual(noRequests().with(1, 2))
    expect(requestsSince(noRequests().with(2, 9), noRequests().with(1, 3))).toBeUndefined()
  })
})

describe('a summary', () => {
  it('counts what clients got, and what nobody answered among it', () => {
    const counts = toRequestCounts({
      ...{ classes: [1, 90, 2, 4, 3], lost: 2, failures: 5, latencySumMs: 990, buckets: buckets(0, 99) },
    })
    expect(summarizeRequests(counts)).toEqual({
      ...{ requests: 100, errors4xx: 4, errors5xx: 3, lost: 2, failedTries: 5 },
      ...{ meanMs: 10, p50Ms: 1.5, p95Ms: 1.95, p99Ms: expect.closeTo(1.99, 9) },
    })
  })

  it('has no times where nothing was timed', () => {
    expect(summarizeRequests(noRequests())).toEqual({
      ...{ requests: 0, errors4xx: 0, errors5xx: 0, lost: 0, failedTries: 0 },
    })
  })
})

describe('a quantile', () => {
  it.each([
    ['within the first bucket', buckets(10), 0.5, 0.5],
    ['even within a bucket', buckets(0, 0, 0, 10), 0.5, 7.5],
    ['at the end of one', buckets(5, 5), 0.5, 1],
    ['past empty ones', buckets(1, 0, 0, 0, 1), 1, 25],
    ['of what is slower than all bounds', [...buckets().slice(0, -1), 3], 0.5, 10_000],
  ])('%s', (_, given, share, expected) => {
    expect(quantileMs(given, share)).toBeCloseTo(expected, 9)
  })

  it('lies in the bucket of the answer that has this rank, and grows with the share', () => {
    fc.assert(
      fc.property(anyBuckets, fc.double({ min: 0.01, max: 1, noNaN: true }), (given, share) => {
        const total = given.reduce((sum, count) => sum + count, 0)
        fc.pre(total > 0)
        const value = quantileMs(given, share)
        const sorted = given.flatMap((count, place) => new Array<number>(count).fill(place))
        const place = sorted[Math.max(0, Math.ceil(share * total - 1e-9) - 1)]!
        const bound = latencyBoundsMs[Math.min(place, latencyBoundsMs.length - 1)]!
        expect(value).toBeLessThanOrEqual(bound + 1e-6)
        expect(value).toBeGreaterThanOrEqual((latencyBoundsMs[place - 1] ?? 0) - 1e-6)
        expect(quantileMs(given, Math.min(1, share + 0.1))).toBeGreaterThanOrEqual(value - 1e-6)
      }),
      { numRuns: 300 },
    )
  })
})
