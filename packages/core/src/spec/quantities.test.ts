import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  formatBandwidth,
  formatBytes,
  formatCpu,
  formatDuration,
  parseBandwidth,
  parseBytes,
  parseCpu,
  parseDuration,
} from './quantities.ts'
import type { Parsed } from './spec-issue.ts'

const say = <T>(result: Parsed<T>): string =>
  result.ok ? `${result.value}` : `${result.message}${result.suggestion === undefined ? '' : ` → ${result.suggestion}`}`

describe('parseCpu', () => {
  it.each([
    ['1', 1000],
    ['0.29', 290],
    ['1.3', 1300],
    ['0.001', 1],
    ['1.230', 1230],
    ['1.0000000', 1000],
    ['007', 7000],
    ['10000', 10_000_000],
  ])('%s', (text, milli) => expect(parseCpu(text)).toEqual({ ok: true, value: milli }))

  it.each([
    ['0', 'at least 0.001'],
    ['0.000', 'at least 0.001'],
    ['0.0001', 'finer than the smallest step, 0.001 → write 0.001'],
    ['1.2345', '→ write 1.234'],
    ['-1', 'cannot be negative'],
    ['-0.5', 'cannot be negative'],
    ['500m', 'written in cores → write 0.5'],
    ['1,5', '→ write 1.5'],
    ['.5', '→ write 0.5'],
    ['.nan', 'not an amount'],
    ['NaN', 'not an amount'],
    ['.inf', 'not an amount'],
    ['1e3', 'not an amount'],
    ['0x10', 'not an amount'],
    ['', 'not an amount'],
    [' 1', 'not an amount'],
    ['10001', 'more than any machine has'],
    ['9'.repeat(1000), 'not an amount'],
  ])('refuses %s', (text, message) => expect(say(parseCpu(text))).toContain(message))

  it('comes back from its text, to the thousandth', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10_000_000 }), (milli) => {
        expect(parseCpu(formatCpu(milli))).toEqual({ ok: true, value: milli })
        // A YAML writer may print it as a number.
        expect(String(Number(formatCpu(milli)))).toBe(formatCpu(milli))
      }),
    )
  })
})

describe('parseBandwidth', () => {
  it.each([
    ['200Mbit', 200_000_000],
    ['1.5Gbit', 1_500_000_000],
    ['100kbit', 100_000],
    ['1000Gbit', 1_000_000_000_000],
  ])('%s', (text, bits) => expect(parseBandwidth(text)).toEqual({ ok: true, value: bits }))

  it.each([
    ['200', 'needs a unit → write 200Mbit'],
    ['0', 'needs a unit'],
    ['0Mbit', 'at least 100kbit'],
    ['99kbit', 'at least 100kbit'],
    ['1001Gbit', 'at most 1000Gbit'],
    ['100M', 'no unit "M" of bandwidth (kbit, Mbit, Gbit) → write 100Mbit'],
    ['100mbit', '→ write 100Mbit'],
    ['1Gbps', '→ write 1Gbit'],
    ['1Gbit/s', '→ write 1Gbit'],
    ['25MB', 'in bits per second'],
    ['25MiB', 'in bits per second'],
    ['0.0001kbit', 'not a whole number'],
    ['-5Mbit', 'cannot be negative'],
    ['fast', 'no bandwidth'],
    ['', 'no bandwidth'],
    ['9'.repeat(1000), 'no bandwidth'],
  ])('refuses %s', (text, message) => expect(say(parseBandwidth(text))).toContain(message))

  it('comes back from its text', () => {
    fc.assert(
      fc.property(fc.integer({ min: 100, max: 1_000_000_000 }), (kilobits) => {
        expect(parseBandwidth(formatBandwidth(kilobits * 1000))).toEqual({ ok: true, value: kilobits * 1000 })
      }),
    )
  })
})

describe('parseBytes', () => {
  it.each([
    ['512Mi', 512 * 2 ** 20],
    ['512MiB', 512 * 2 ** 20],
    ['1.5Gi', 1.5 * 2 ** 30],
    ['2Ti', 2 ** 41],
    ['100M', 100_000_000],
    ['100MB', 100_000_000],
    ['64k', 64_000],
    ['4096B', 4096],
    ['0B', 0],
  ])('%s', (text, bytes) => expect(parseBytes(text)).toEqual({ ok: true, value: bytes }))

  it.each([
    ['512', 'needs a unit → write 512Mi'],
    ['512m', '→ write 512Mi'],
    ['2g', '→ write 2Gi'],
    ['2 GB', '→ write 2Gi'],
    ['1.5gb', '→ write 1.5Gi'],
    ['1X', 'no unit "X"'],
    ['0.1B', 'whole number of bytes'],
    ['-1Mi', 'negative'],
    ['Mi', 'not a size'],
    ['99999999999Ti', 'more than any machine has'],
  ])('refuses %s', (text, message) => expect(say(parseBytes(text))).toContain(message))

  it('comes back from its text', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (bytes) => {
        expect(parseBytes(formatBytes(bytes))).toEqual({ ok: true, value: bytes })
      }),
    )
  })
})

describe('parseDuration', () => {
  it.each([
    ['30s', 30_000],
    ['1h30m', 5_400_000],
    ['250ms', 250],
    ['1.5s', 1500],
    ['0', 0],
    ['0s', 0],
    ['2d', 172_800_000],
    ['1m30s500ms', 90_500],
  ])('%s', (text, ms) => expect(parseDuration(text)).toEqual({ ok: true, value: ms }))

  it.each([
    ['30', 'needs a unit → write 30s'],
    ['5min', '→ write 5m'],
    ['5 Minutes', '→ write 5m'],
    ['30S', '→ write 30s'],
    ['2w', 'no unit "w"'],
    ['1s1h', 'from large to small'],
    ['1s2s', 'from large to small'],
    ['0.1ms', 'finer than the smallest step'],
    ['-1s', 'negative'],
    ['soon', 'not a duration'],
    ['', 'not a duration'],
    ['1h foo', 'not a duration'],
    ['4000d', 'ten years'],
  ])('refuses %s', (text, message) => expect(say(parseDuration(text))).toContain(message))

  it('comes back from its text', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 10 * 365 * 86_400_000 }), (ms) => {
        expect(parseDuration(formatDuration(ms))).toEqual({ ok: true, value: ms })
      }),
    )
  })
})

it('never throws, whatever the text', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      for (const parse of [parseCpu, parseBytes, parseDuration]) expect(typeof parse(text).ok).toBe('boolean')
    }),
  )
})
