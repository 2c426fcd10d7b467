import fc from 'fast-check'
import { expect, it } from 'vitest'
import { admitRequest } from './rate-limit.ts'

const arbitrary = fc.record({
  requests: fc.integer({ min: 1, max: 1_000 }),
  periodMs: fc.constantFrom(1_000, 60_000),
  burst: fc.nat(50),
})
const gaps = fc.array(fc.nat(500), { maxLength: 200 })

function admissions(limit: { requests: number; periodMs: number; burst: number }, given: readonly number[]): number[] {
  let due: number | undefined
  let now = 0
  const admitted: number[] = []
  for (const gap of given) {
    now += gap
    const answer = admitRequest(limit, due, now)
    due = answer.dueMs
    if (answer.admitted) admitted.push(now)
  }
  return admitted
}

it('lets the burst and one come at once, and then as many as the rate says', () => {
  const limit = { requests: 10, periodMs: 1_000, burst: 4 }
  expect(admissions(limit, new Array(20).fill(0))).toHaveLength(5)
  expect(admissions(limit, [...new Array(20).fill(0), 100, 0, 250, 0, 0])).toHaveLength(8)
})

it('never lets more come within any time than the rate and the burst allow', () => {
  fc.assert(
    fc.property(arbitrary, gaps, (limit, given) => {
      const admitted = admissions(limit, given)
      for (let first = 0; first < admitted.length; first++)
        for (let last = first; last < admitted.length; last++) {
          const allowed = limit.burst + 1 + ((admitted[last]! - admitted[first]!) * limit.requests) / limit.periodMs
          expect(last - first + 1).toBeLessThanOrEqual(allowed + 1e-2)
        }
    }),
    { numRuns: 50 },
  )
})

it('refuses nobody who keeps to the rate', () => {
  fc.assert(
    fc.property(arbitrary, fc.integer({ min: 1, max: 100 }), (limit, count) => {
      const gap = limit.periodMs / limit.requests
      expect(admissions(limit, new Array(count).fill(gap))).toHaveLength(count)
    }),
  )
})
