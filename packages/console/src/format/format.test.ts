import { describe, expect, it } from 'vitest'
import { formatBytes, formatCores, formatDuration, formatPercent } from './quantities.ts'
import { formatAgo } from './times.ts'

describe('quantities', () => {
  it.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1 KiB'],
    [1536, '1.5 KiB'],
    [512 * 1024 ** 2, '512 MiB'],
    [8 * 1024 ** 3, '8 GiB'],
    [-5, '0 B'],
    [3 * 1024 ** 5, '3072 TiB'],
  ])('%d bytes are %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text))

  it.each([
    [1300, '1.3'],
    [4000, '4'],
    [290, '0.29'],
    [15, '0.015'],
    [0, '0'],
  ])('%d thousandths are %s cores', (milli, text) => expect(formatCores(milli)).toBe(text))

  it.each([
    [0, '0 s'],
    [1_260, '1.2 s'],
    [59_999, '59 s'],
    [60_000, '1 min'],
    [200_000, '3 min 20 s'],
    [3_600_000, '1 h'],
    [7_500_000, '2 h 5 min'],
    [90_000_000, '1 d 1 h'],
    [-1, '0 s'],
  ])('%d ms are %s', (ms, text) => expect(formatDuration(ms)).toBe(text))

  it('knows parts of nothing', () => {
    expect([formatPercent(1, 0), formatPercent(1, 3), formatPercent(3, 3)]).toEqual(['0 %', '33 %', '100 %'])
  })
})

describe('ages', () => {
  it.each([
    [0, 'en', 'now'],
    [-5_000, 'en', 'now'],
    [5_000, 'en', '5 sec. ago'],
    [180_000, 'en', '3 min. ago'],
    [180_000, 'zh', '3分钟前'],
    [7_200_000, 'en', '2 hr. ago'],
  ] as const)('%d ms in %s', (age, language, text) => expect(formatAgo(1e12 - age, 1e12, language)).toBe(text))
})
