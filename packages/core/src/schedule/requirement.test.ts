import { describe, expect, it } from 'vitest'
import { compareVersions } from './compare-versions.ts'
import { contradiction } from './contradiction.ts'
import { meets, parseRequirement, type Requirement } from './requirement.ts'

function read(text: string): Requirement {
  const requirement = parseRequirement(text)
  if (!requirement.ok) throw new Error(requirement.message)
  return requirement.value
}

describe('a requirement', () => {
  it.each<[string, string, readonly (string | undefined)[], readonly (string | undefined)[]]>([
    ['gpu', 'gpu', ['yes', ''], [undefined]],
    ['!gpu', '!gpu', [undefined], ['yes', '']],
    ['disk=ssd', 'disk = ssd', ['ssd'], ['hdd', undefined]],
    ['disk == ssd', 'disk = ssd', ['ssd'], ['hdd']],
    ['disk != hdd', 'disk != hdd', ['ssd', undefined], ['hdd']],
    ['disk in(ssd,nvme)', 'disk in (ssd, nvme)', ['ssd', 'nvme'], ['hdd', undefined]],
    ['disk  not  in ( hdd )', 'disk not in (hdd)', ['ssd', undefined], ['hdd']],
    ['kernel >= 5.15', 'kernel >= 5.15', ['5.15', '5.15.3', '6.1', '5.100'], ['5.9', '4.19.0', undefined]],
    ['kernel>5.15', 'kernel > 5.15', ['5.15.1', '6'], ['5.15', '5.15.0', undefined]],
    ['kernel <= 5.15', 'kernel <= 5.15', ['5.15', '5.15.0', '5.9'], ['5.15.1', undefined]],
    ['kernel < 5.15', 'kernel < 5.15', ['5.14.99', '5.15-rc1'], ['5.15', undefined]],
    ['rack = "row 7, left"', 'rack = "row 7, left"', ['row 7, left'], ['row 7']],
    ['example.com/zone-1 = a', 'example.com/zone-1 = a', ['a'], ['b']],
    ['inside = x', 'inside = x', ['x'], ['y']],
    ['notin != x', 'notin != x', ['y'], ['x']],
  ])('%s', (text, canonical, met, unmet) => {
    const requirement = read(text)
    expect(requirement.text).toBe(canonical)
    expect(read(requirement.text)).toEqual(requirement)
    expect(met.map((value) => meets(requirement, value))).toEqual(met.map(() => true))
    expect(unmet.map((value) => meets(requirement, value))).toEqual(unmet.map(() => false))
  })

  it.each<[string, string]>([
    ['', 'requirement "", place 1: expected the name of a label, found the end'],
    ['= ssd', 'requirement "= ssd", place 1: expected the name of a label, found "= ssd"'],
    [
      'disk ~ ssd',
      'requirement "disk ~ ssd", place 6: expected =, !=, in (…), not in (…), >=, >, <= or <, found "~ ssd"',
    ],
    ['disk =', 'requirement "disk =", place 7: expected a value, found the end'],
    ['disk in ssd', 'requirement "disk in ssd", place 9: expected "(", found "ssd"'],
    ['disk in (ssd nvme)', 'requirement "disk in (ssd nvme)", place 14: expected "," or ")", found "nvme)"'],
    ['disk in ()', 'requirement "disk in ()", place 10: expected a value, found ")"'],
    ['disk = ssd hdd', 'requirement "disk = ssd hdd", place 12: expected nothing more, found "hdd"'],
    ['!disk = ssd', 'requirement "!disk = ssd", place 7: expected nothing more, found "= ssd"'],
    ['disk = "ssd', 'requirement "disk = "ssd", place 8: expected a value, found "\\"ssd"'],
    [`disk = ${'x'.repeat(1000)}`, 'a requirement has at most 1000 characters, this one 1007'],
  ])('%s is refused with the place and what was expected', (text, message) => {
    expect(parseRequirement(text)).toMatchObject({ ok: false, message })
  })
})

it.each<[string, '<' | '=' | '>', string]>([
  ['1.2', '=', '1.2.0'],
  ['v1.2', '=', '1.2'],
  ['1.10', '>', '1.9'],
  ['1.0-rc1', '<', '1.0'],
  ['1.0-rc2', '>', '1.0-rc1'],
  ['1.0-alpha', '<', '1.0-beta'],
  ['5.15.0-91-generic', '>', '5.15.0-91'],
  ['5.15.0-91-generic', '<', '5.15.0-92'],
  ['0010', '=', '10'],
  ['99999999999999999999999', '>', '9999999999999999999999'],
  ['', '=', '0'],
])('version %s %s %s', (a, order, b) => {
  const sign = { '<': -1, '=': 0, '>': 1 }[order]
  expect([Math.sign(compareVersions(a, b)), Math.sign(compareVersions(b, a)) + 0]).toEqual([sign, 0 - sign])
})

it.each<[readonly string[], string | undefined]>([
  [['site = bj', 'site = cloud'], '`site = bj` and `site = cloud` can never both hold'],
  [['site = bj', 'disk = ssd'], undefined],
  [['site = bj', 'site in (bj, cloud)'], undefined],
  [['site in (a, b)', 'site in (b, c)'], undefined],
  [['site in (a, b)', 'site in (c)'], '`site in (a, b)` and `site in (c)` can never both hold'],
  [['site = bj', 'site != bj'], '`site = bj` and `site != bj` can never both hold'],
  [['!gpu', 'gpu'], '`!gpu` and `gpu` can never both hold'],
  [['!gpu', 'gpu = a100'], '`!gpu` and `gpu = a100` can never both hold'],
  [['!gpu', 'gpu != a100'], undefined],
  [['kernel >= 5.15', 'kernel < 5.10'], '`kernel >= 5.15` and `kernel < 5.10` can never both hold'],
  [['kernel >= 5.15', 'kernel <= 5.15'], undefined],
  [['kernel > 5.15', 'kernel <= 5.15'], '`kernel > 5.15` and `kernel <= 5.15` can never both hold'],
  [['kernel < 6', 'kernel > 6.1'], '`kernel < 6` and `kernel > 6.1` can never both hold'],
  [['kernel = 5.4', 'kernel >= 5.15'], '`kernel = 5.4` and `kernel >= 5.15` can never both hold'],
  [
    ['disk in (ssd, hdd)', 'disk != ssd', 'disk != hdd'],
    '`disk in (ssd, hdd)`, `disk != ssd` and `disk != hdd` can never all hold',
  ],
])('%j contradict each other: %s', (texts, message) => {
  expect(contradiction(texts.map(read))).toBe(message)
})
