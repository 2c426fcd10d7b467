import { describe, expect, it } from 'vitest'
import type { GateSpec } from '../model/index.ts'
import type { GateSample } from './gate-sample.ts'
import { judgeGate, newGate } from './judge-gate.ts'

const since = 1_000_000
const over = { overMs: 60_000, onNoData: 'hold' } as const
const errors: GateSpec = { type: 'errors', most: 10, requests: 20, ...over }
const latency: GateSpec = { type: 'latency', quantile: 'p99', mostMs: 300, requests: 20, ...over }
const lost: GateSpec = { type: 'lost', most: 0, requests: 1, ...over }
const query: GateSpec = { type: 'query', query: 'up', below: 1, ...over }
const strict: GateSpec = { ...errors, onNoData: 'rollback' }

const nothing = { requests: 0, errors4xx: 0, errors5xx: 0, lost: 0, failedTries: 0 }
const requests = (toMs: number | undefined, fresh: Partial<typeof nothing> & { p99Ms?: number }): GateSample => ({
  ...{ type: 'requests', fromMs: Math.max(since, (toMs ?? since) - 60_000), fresh: { ...nothing, ...fresh } },
  ...(toMs === undefined ? {} : { toMs }),
})
const down: GateSample = { type: 'none', message: 'it is down', at: since }

interface Case {
  readonly what: string
  readonly spec: GateSpec
  readonly afterMs: number
  readonly sample?: GateSample
  readonly verdict: string
  readonly message?: string
}

const cases: readonly Case[] = [
  ...([
    { what: 'nothing known yet', spec: errors, afterMs: 1000, verdict: 'waiting' },
    { what: 'nothing known in time', spec: errors, afterMs: 81_000, verdict: 'no-data' },
    { what: 'nothing known in time, where that is a no', spec: strict, afterMs: 81_000, verdict: 'failed' },
    {
      what: 'a source that is down',
      spec: query,
      afterMs: 81_000,
      sample: down,
      verdict: 'no-data',
      message: 'up below 1 over 1m: no data, it is down',
    },
    {
      what: 'too early',
      spec: errors,
      afterMs: 59_000,
      sample: requests(since + 58_000, { requests: 500 }),
      verdict: 'waiting',
    },
    {
      what: 'few errors',
      spec: errors,
      afterMs: 62_000,
      sample: requests(since + 60_000, { requests: 500, errors5xx: 5 }),
      verdict: 'passed',
      message: 'errors at most 1% over 1m: 1% of 500 requests',
    },
    {
      what: 'many errors at once',
      spec: errors,
      afterMs: 4000,
      sample: requests(since + 2000, { requests: 20, errors5xx: 1 }),
      verdict: 'failed',
      message: 'errors at most 1% over 1m: 5% of 20 requests',
    },
    {
      what: 'errors of very few',
      spec: errors,
      afterMs: 4000,
      sample: requests(since + 2000, { requests: 3, errors5xx: 3 }),
      verdict: 'waiting',
    },
    {
      what: 'too few requests',
      spec: errors,
      afterMs: 62_000,
      sample: requests(since + 61_000, { requests: 19 }),
      verdict: 'no-data',
      message: 'errors at most 1% over 1m: no data, fewer than 20 requests',
    },
    {
      what: 'too few requests, where that is a no',
      spec: strict,
      afterMs: 62_000,
      sample: requests(since + 61_000, { requests: 19 }),
      verdict: 'failed',
    },
    {
      what: 'a gateway that keeps silent',
      spec: errors,
      afterMs: 81_000,
      sample: requests(undefined, { requests: 500 }),
      verdict: 'no-data',
    },
    {
      what: 'fast answers',
      spec: latency,
      afterMs: 62_000,
      sample: requests(since + 61_000, { requests: 50, p99Ms: 300 }),
      verdict: 'passed',
    },
    {
      what: 'slow answers',
      spec: latency,
      afterMs: 5000,
      sample: requests(since + 4000, { requests: 50, p99Ms: 301.4 }),
      verdict: 'failed',
      message: 'p99 at most 300ms over 1m: 301 ms of 50 requests',
    },
    {
      what: 'none lost',
      spec: lost,
      afterMs: 62_000,
      sample: requests(since + 61_000, { requests: 1 }),
      verdict: 'passed',
    },
    {
      what: 'one lost of few',
      spec: lost,
      afterMs: 2000,
      sample: requests(undefined, { requests: 1, lost: 1 }),
      verdict: 'failed',
    },
    {
      what: 'a good number for long enough',
      spec: query,
      afterMs: 61_000,
      sample: { type: 'value', value: 0.5, at: since + 60_000 },
      verdict: 'passed',
    },
    {
      what: 'a good number too early',
      spec: query,
      afterMs: 61_000,
      sample: { type: 'value', value: 0.5, at: since + 59_000 },
      verdict: 'waiting',
    },
    {
      what: 'a bad number',
      spec: query,
      afterMs: 2000,
      sample: { type: 'value', value: 1, at: since + 1000 },
      verdict: 'failed',
      message: 'up below 1 over 1m: 1',
    },
    {
      what: 'a bad number of before',
      spec: query,
      afterMs: 2000,
      sample: { type: 'value', value: 1, at: since - 1 },
      verdict: 'waiting',
    },
    {
      what: 'an old number',
      spec: query,
      afterMs: 200_000,
      sample: { type: 'value', value: 0.5, at: since + 100_000 },
      verdict: 'no-data',
    },
  ] satisfies readonly Case[]),
]

const judge = ({ spec, afterMs, sample }: Case, complete = true, before = newGate(spec)) =>
  judgeGate(spec, before, { complete, readyAt: since, servingSince: since, sample }, since + afterMs)

describe('a gate that measures', () => {
  it.each(cases)('$what: $verdict', (each) => {
    const { gate, nextAt } = judge(each)
    expect(gate.verdict).toBe(each.verdict)
    if (each.message !== undefined) expect(gate.message).toBe(each.message)
    if (nextAt !== undefined) expect(nextAt).toBeGreaterThan(since + each.afterMs)
  })

  it.each(cases)('$what: says nothing before the instances serve, and does not pass while one is missing', (each) => {
    const unready = { complete: false, readyAt: undefined, servingSince: 0, sample: each.sample }
    expect(judgeGate(each.spec, newGate(each.spec), unready, since).gate.verdict).toBe('waiting')
    expect(judge(each, false).gate.verdict).toBe(each.verdict === 'passed' ? 'waiting' : each.verdict)
  })

  it('that has passed stays so without data, and fails by what speaks against it', () => {
    const passed = { ...newGate(errors), verdict: 'passed' } as const
    const of = (sample: GateSample) => judge({ ...cases[0]!, spec: errors, afterMs: 90_000, sample }, true, passed)
    expect(of(down).gate).toEqual(passed)
    expect(of(requests(since + 88_000, { requests: 2 })).gate).toEqual(passed)
    expect(of(requests(since + 88_000, { requests: 100, errors5xx: 2 })).gate.verdict).toBe('failed')
  })

  it('goes on when data comes after all', () => {
    const held = { ...newGate(errors), verdict: 'no-data' } as const
    const sample = requests(since + 88_000, { requests: 100 })
    expect(judge({ ...cases[0]!, spec: errors, afterMs: 90_000, sample }, true, held).gate.verdict).toBe('passed')
  })
})
