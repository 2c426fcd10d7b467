import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { noRequests } from './request-counts.ts'
import { RequestMeter } from './request-meter.ts'
import { RequestSeries, seriesKeepsMs } from './request-series.ts'

const ok = (count: number) => noRequests().with(1, count)
const minuteMs = 60_000
const start = 1_700_000_000_000 - (1_700_000_000_000 % minuteMs)

describe('RequestSeries', () => {
  it('knows a window to five seconds at first, to a minute later', () => {
    const series = new RequestSeries()
    for (let second = 0; second < 60; second += 5) series.add(start + second * 1_000, ok(1))
    expect(series.sum(start + 10_000, start + 20_000)[1]).toBe(2)
    series.add(start + 20 * minuteMs, ok(1))
    expect(series.sum(start + 10_000, start + 20_000)[1]).toBe(12)
    expect(series.sum(start + minuteMs, start + 30 * minuteMs)[1]).toBe(1)
  })

  it('divides a window into steps, and a minute evenly among those that it is in', () => {
    const series = new RequestSeries()
    for (let second = 0; second < 60; second += 5) series.add(start + second * 1_000, ok(second < 30 ? 1 : 3))
    const told = (fromMs: number, toMs: number, stepMs: number) =>
      series.steps(fromMs, toMs, stepMs).map((counts) => counts[1])
    expect(told(start + 20_000, start + 44_000, 10_000)).toEqual([2, 6])
    expect(told(start - 10_000, start + 10_000, 10_000)).toEqual([0, 2])
    expect(told(start + 10_000, start, 5_000)).toEqual([])
    series.add(start + 20 * minuteMs, ok(1))
    expect(told(start, start + 30_000, 15_000)).toEqual([6, 6])
  })

  it('has in its steps what it has in the window, when that is whole slots', () => {
    const gaps = fc.array(fc.tuple(fc.nat(20_000), fc.nat(9)), { maxLength: 100 })
    fc.assert(
      fc.property(gaps, fc.integer({ min: 1, max: 12 }), (given, fives) => {
        const series = new RequestSeries()
        let now = start
        for (const [gapMs, count] of given) {
          now += gapMs
          series.add(now, ok(count))
        }
        const stepMs = fives * 5_000
        const toMs = start + Math.ceil((now - start + 1) / (12 * minuteMs)) * 12 * minuteMs
        const to = start + Math.ceil((toMs - start) / stepMs) * stepMs
        const inSteps = series.steps(start, to, stepMs).reduce((sum, counts) => sum + (counts[1] ?? 0), 0)
        expect(inSteps).toBeCloseTo(series.sum(start, to)[1] ?? 0, 6)
      }),
      { numRuns: 60 },
    )
  })

  it('forgets after six hours', () => {
    const series = new RequestSeries()
    series.add(start, ok(1))
    expect(series.isEmptySince(start + seriesKeepsMs)).toBe(true)
    expect(series.isEmptySince(start)).toBe(false)
    series.add(start + seriesKeepsMs + minuteMs, ok(1))
    expect(series.sum(0, Number.POSITIVE_INFINITY)[1]).toBe(1)
  })

  it('loses nothing of the last six hours and stays small, whenever requests come', () => {
    const gap = fc.oneof(fc.nat(4_000), fc.nat(30_000), fc.nat(400_000))
    fc.assert(
      fc.property(fc.array(fc.tuple(gap, fc.nat(9)), { maxLength: 400 }), (given) => {
        const series = new RequestSeries()
        const added: [number, number][] = []
        let now = start
        for (const [gapMs, count] of given) {
          now += gapMs
          added.push([now, count])
          series.add(now, ok(count))
          expect(series.slots).toBeLessThanOrEqual(500)
        }
        const from = now - seriesKeepsMs + 2 * minuteMs
        const recent = added.reduce((sum, [at, count]) => sum + (at >= from ? count : 0), 0)
        const told = series.sum(from, now + 1)[1]!
        expect(told).toBeGreaterThanOrEqual(recent)
        const wider = added.reduce((sum, [at, count]) => sum + (at >= from - minuteMs ? count : 0), 0)
        expect(told).toBeLessThanOrEqual(wider)
      }),
      { numRuns: 60 },
    )
  })
})

describe('RequestMeter', () => {
  it('tells what came over the last 10 to 20 seconds', () => {
    const meter = new RequestMeter(start)
    for (let second = 0; second <= 60; second++) meter.add(start + second * 1_000, ok(7))
    const { counts, overMs } = meter.read(start + 60_500)
    expect(overMs).toBe(10_500)
    expect(counts[1]! / (overMs / 1_000)).toBeCloseTo(7, 0)
    expect(meter.isQuiet(start + 70_000)).toBe(false)
  })

  it('does not make much of the first moment', () => {
    const meter = new RequestMeter(start)
    meter.add(start, ok(3))
    expect(meter.read(start + 10)).toEqual({ counts: ok(3), overMs: 1_000 })
  })

  it('comes to nothing when nothing comes', () => {
    const meter = new RequestMeter(start)
    meter.add(start, ok(3))
    expect(meter.read(start + 15_000).counts[1]).toBe(3)
    expect(meter.read(start + 30_000).counts[1]).toBe(0)
    expect(meter.isQuiet(start + 30_000)).toBe(true)
  })
})
