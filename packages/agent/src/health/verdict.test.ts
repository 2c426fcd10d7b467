import { describe, expect, it } from 'vitest'
import { probeGapMs } from './probe-gap.ts'
import { judge, type Verdict, verdictOf } from './verdict.ts'

describe('judge', () => {
  const spec = { successes: 2, failures: 3 }
  it.each([
    ['no opinion yet', undefined, '+', undefined],
    ['enough successes', undefined, '++', true],
    ['a broken row of successes', undefined, '+-+', undefined],
    ['enough failures', undefined, '---', false],
    ['a single failure of a good one', true, '-', true],
    ['a flapping one keeps its opinion', true, '--+--+--', true],
    ['enough failures of a good one', true, '+---', false],
    ['a bad one gets better', false, '+-++', true],
  ])('%s', (_, before, results, expected) => {
    const verdict = [...results].reduce<Verdict>((each, result) => judge(each, result === '+', spec), verdictOf(before))
    expect(verdict.passing).toBe(expected)
  })
})

describe('probeGapMs', () => {
  it.each([
    ['as the spec says once it has started', 5_000, undefined, 2, 5_000],
    ['often at first', 5_000, 0, 2, 50],
    ['less often later', 5_000, 5_000, 2, 100],
    ['and less', 5_000, 30_000, 2, 250],
    ['and least', 5_000, 300_000, 2, 1_000],
    ['a fifth of the time at most', 5_000, 0, 100, 400],
    ['never less often than the spec says', 20, 0, 2, 20],
    ['however long it took', 1_000, 0, 900, 1_000],
  ])('%s', (_, intervalMs, startingForMs, tookMs, expected) => {
    expect(probeGapMs({ intervalMs }, startingForMs, tookMs)).toBe(expected)
  })
})
