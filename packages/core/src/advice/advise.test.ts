import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Sizes } from '../model/sizes.ts'
import { type AdviceInput, advise } from './advise.ts'
import { bucketOf, LogHistogram, upperEnd } from './log-histogram.ts'
import { type ObservedSeries, sumUsage, type Usage } from './usage.ts'

const hourMs = 3_600_000
const mebibyte = 2 ** 20

const usage = fc
  .record({
    cpu: fc.array(fc.integer({ min: 0, max: 20_000 }), { minLength: 4, maxLength: 4 }),
    memoryMaxBytes: fc.integer({ min: 0, max: 2 ** 38 }),
    throttledMilli: fc.integer({ min: 0, max: 1000 }),
    restarts: fc.nat(5),
    outOfMemory: fc.nat(3),
    hours: fc.integer({ min: 1, max: 200 }),
  })
  .map(({ cpu, hours, ...rest }): Usage => {
    const [p50 = 0, p95 = 0, p99 = 0, max = 0] = [...cpu].sort((a, b) => a - b)
    const span = { samples: hours * 1800, firstAt: 0, lastAt: hours * hourMs }
    return { ...rest, ...span, cpuP50Milli: p50, cpuP95Milli: p95, cpuP99Milli: p99, cpuMaxMilli: max }
  })

const context = fc.record({
  asked: fc.record(
    {
      cpuMilli: fc.oneof(
        fc.integer({ min: 1, max: 160 }).map((n) => n * 100),
        fc.integer({ min: 1, max: 120 }),
      ),
      memoryBytes: fc.integer({ min: 6, max: 2 ** 18 }).map((n) => n * mebibyte),
    },
    { requiredKeys: [] },
  ),
  replicas: fc.integer({ min: 0, max: 50 }),
  pieceMilli: fc.constantFrom(1, 10, 100),
})

const inputOf = (from: { asked: Sizes; replicas: number; pieceMilli: number }, used: Usage): AdviceInput => ({
  ...from,
  ...{ usage: used, sampleMs: 2000, leastMs: hourMs },
})

function given(input: AdviceInput) {
  const advice = advise(input)
  if (advice.kind === 'wait') throw new Error('it waits')
  return advice
}

describe('the advice', () => {
  it('is never below what was used and its headroom, nor below a piece of a core, and a whole number of pieces', () => {
    fc.assert(
      fc.property(context, usage, (from, used) => {
        const { cpuMilli, memoryBytes } = given(inputOf(from, used))
        expect(memoryBytes).toBeGreaterThanOrEqual(used.memoryMaxBytes * 1.2)
        expect(memoryBytes).toBeGreaterThanOrEqual(Math.min(32 * mebibyte, from.asked.memoryBytes ?? 32 * mebibyte))
        expect(cpuMilli).toBeGreaterThanOrEqual(Math.max(used.cpuP99Milli, used.cpuP95Milli * 1.3, from.pieceMilli))
        if (cpuMilli === from.asked.cpuMilli) return
        expect(cpuMilli % from.pieceMilli).toBe(0)
        expect(cpuMilli).toBeGreaterThanOrEqual(Math.min(50, from.asked.cpuMilli ?? 50))
      }),
      { numRuns: 2000 },
    )
  })

  it('of more use is never less', () => {
    const more = fc.record({ cpu: fc.nat(5000), memory: fc.nat(2 ** 34), throttled: fc.nat(1000), oom: fc.nat(2) })
    fc.assert(
      fc.property(context, usage, more, (from, used, by) => {
        const larger = {
          ...used,
          ...{ cpuP95Milli: used.cpuP95Milli + by.cpu, cpuP99Milli: used.cpuP99Milli + by.cpu },
          ...{ memoryMaxBytes: used.memoryMaxBytes + by.memory, throttledMilli: used.throttledMilli + by.throttled },
          outOfMemory: used.outOfMemory + by.oom,
        }
        const [less, after] = [given(inputOf(from, used)), given(inputOf(from, larger))]
        expect(after.cpuMilli).toBeGreaterThanOrEqual(less.cpuMilli)
        expect(after.memoryBytes).toBeGreaterThanOrEqual(less.memoryBytes)
        const count = (advice: typeof less): number => advice.replicasInstead ?? from.replicas
        expect(count(after)).toBeGreaterThanOrEqual(count(less))
      }),
      { numRuns: 2000 },
    )
  })

  it('followed once, says to keep it', () => {
    fc.assert(
      fc.property(context, usage, (from, used) => {
        const calm = { ...used, throttledMilli: 0, outOfMemory: 0 }
        const { cpuMilli, memoryBytes } = given(inputOf(from, calm))
        const again = given(inputOf({ ...from, asked: { cpuMilli, memoryBytes } }, calm))
        expect(again).toMatchObject({ kind: 'keep', cpuMilli, memoryBytes })
      }),
      { numRuns: 1000 },
    )
  })

  it('instead of other sizes has as many as need it all, and never one where there were more', () => {
    fc.assert(
      fc.property(context, usage, (from, used) => {
        const { replicasInstead } = given(inputOf(from, used))
        if (replicasInstead === undefined || from.asked.cpuMilli === undefined) return
        expect(replicasInstead).not.toBe(from.replicas)
        expect(replicasInstead * from.asked.cpuMilli).toBeGreaterThanOrEqual(from.replicas * used.cpuP95Milli * 1.3)
        if (from.replicas > 1) expect(replicasInstead).toBeGreaterThan(1)
      }),
    )
  })

  it('after too short an observation is to wait, and how long', () => {
    const from = { asked: { cpuMilli: 1000 }, replicas: 2, pieceMilli: 100 }
    const seen = { samples: 600, firstAt: 0, lastAt: hourMs / 3, cpuP50Milli: 1, cpuP95Milli: 1, cpuP99Milli: 1 }
    const used = { ...seen, cpuMaxMilli: 1, memoryMaxBytes: 1, throttledMilli: 0, restarts: 0, outOfMemory: 0 }
    expect(advise(inputOf(from, used))).toMatchObject({ kind: 'wait', moreMs: (hourMs * 2) / 3 })
    const { usage: _, ...nothing } = inputOf(from, used)
    expect(advise(nothing)).toMatchObject({ kind: 'wait', moreMs: hourMs })
    // A day has gone by, but it ran for two minutes of it.
    expect(advise(inputOf(from, { ...used, samples: 60, lastAt: 24 * hourMs }))).toMatchObject({
      ...{ kind: 'wait', moreMs: hourMs / 2 - 120_000 },
    })
    expect(advise({ ...inputOf(from, used), leastMs: 600_000 })).toMatchObject({ kind: 'change', confidence: 'low' })
  })

  it.each([
    ['asks for far too much', { cpuP95Milli: 200 }, { cpuMilli: 300, replicasInstead: 2 }],
    ['is right', { cpuP95Milli: 700 }, { cpuMilli: 1000 }],
    ['is held back', { cpuP95Milli: 990, throttledMilli: 300 }, { cpuMilli: 1300, replicasInstead: 7 }],
    ['was out of memory', { cpuP95Milli: 700, outOfMemory: 1 }, { memoryBytes: 384 * mebibyte }],
  ])('to one that %s', (_, over, expected) => {
    const from = { asked: { cpuMilli: 1000, memoryBytes: 256 * mebibyte }, replicas: 5, pieceMilli: 100 }
    const used = {
      samples: 50_000,
      firstAt: 0,
      lastAt: 30 * hourMs,
      cpuP50Milli: 100,
      cpuP95Milli: 100,
      cpuP99Milli: 200,
    }
    const rest = { cpuMaxMilli: 1000, memoryMaxBytes: 200 * mebibyte, throttledMilli: 0, restarts: 0, outOfMemory: 0 }
    expect(given(inputOf(from, { ...used, ...rest, ...over }))).toMatchObject({ confidence: 'medium', ...expected })
  })
})

describe('a histogram', () => {
  it('knows every share to 9 %, and never less than it was', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 2 ** 24 }), { minLength: 1, maxLength: 200 }),
        fc.double({ min: 0.01, max: 1, noNaN: true }),
        (values, share) => {
          const histogram = new LogHistogram()
          for (const value of values) histogram.add(value)
          const exact = [...values].sort((a, b) => a - b)[Math.max(0, Math.ceil(share * values.length - 1e-9) - 1)]!
          const said = histogram.quantile(share)
          expect(said).toBeGreaterThanOrEqual(exact * (1 - 1e-9))
          expect(said).toBeLessThanOrEqual(exact * 1.091)
          expect(LogHistogram.of(histogram.counts()).quantile(share)).toBe(said)
        },
      ),
    )
  })

  it('has a bounded number of buckets, and takes nothing that is no number', () => {
    for (const value of [0, -5, Number.NaN]) expect(bucketOf(value)).toBe(0)
    expect(upperEnd(bucketOf(1e30))).toBe(2 ** 24)
    const histogram = LogHistogram.of({ '-1': 3, x: 2, '9999': 1, '8': Number.NaN })
    expect(histogram.total).toBe(0)
    expect(histogram.quantile(0.5)).toBe(0)
  })
})

describe('usage', () => {
  const day = { day: 0, samples: 10, firstAt: 1000, lastAt: 2000, cpu: LogHistogram.of({ '64': 10 }).counts() }
  const rest = { cpuMaxMilli: 250, memoryMaxBytes: 100, throttledMilli: 5000, restarts: 1, outOfMemory: 1 }
  const series: ObservedSeries = {
    ...{ entrypoint: 'shop/production/web', type: 'service', cpuLimitMilli: 1000, memoryLimitBytes: 1 },
    ...{ speedMilli: 1000, isCurrent: true, days: [{ ...day, ...rest }] },
  }

  it('of several nodes is added up in cores of the reference machine', () => {
    const slow = { ...series, speedMilli: 500 }
    expect(sumUsage([series, slow], 0)).toMatchObject({
      ...{ samples: 20, cpuP95Milli: 250, cpuP50Milli: 128, cpuMaxMilli: 250 },
      ...{ throttledMilli: 500, restarts: 2, outOfMemory: 2 },
    })
  })

  it('of a grant of before says nothing about limits', () => {
    expect(sumUsage([{ ...series, isCurrent: false }], 0)).toMatchObject({
      samples: 10,
      throttledMilli: 0,
      outOfMemory: 0,
    })
  })

  it('from before the window is left out', () => {
    expect(sumUsage([series], 2001)).toBeUndefined()
  })
})
