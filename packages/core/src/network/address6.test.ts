import { isIPv6 } from 'node:net'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  blocksOverlap6,
  canonicalAddress,
  containsAddress6,
  familyOf,
  formatAddress6,
  formatBlock6,
  parseAddress6,
  parseBlock6,
  tryParseAddress6,
} from './address6.ts'

const value = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }),
  fc
    .array(fc.constantFrom(0, 0, 0, 1, 0xffff), { minLength: 8, maxLength: 8 })
    .map((groups) => groups.reduce((sum, each) => (sum << 16n) | BigInt(each), 0n)),
)

describe('an IPv6 address', () => {
  it.each([
    ['::', 0n, '::'],
    ['::1', 1n, '::1'],
    ['FD77:0:0:0:0:0:0A4D:0305', (0xfd77n << 112n) | 0x0a4d0305n, 'fd77::a4d:305'],
    ['fd77::10.77.3.5', (0xfd77n << 112n) | 0x0a4d0305n, 'fd77::a4d:305'],
    ['1:0:0:2:0:0:0:3', 0x0001_0000_0000_0002_0000_0000_0000_0003n, '1:0:0:2::3'],
    ['1:0:0:2:3:0:0:4', 0x0001_0000_0000_0002_0003_0000_0000_0004n, '1::2:3:0:0:4'],
    ['1:2:3:4:5:6:7::', 0x0001_0002_0003_0004_0005_0006_0007_0000n, '1:2:3:4:5:6:7:0'],
    ['::ffff:c000:209', 0xffff_c000_0209n, '::ffff:192.0.2.9'],
  ])('%s', (text, number, canonical) => {
    expect(tryParseAddress6(text)).toBe(number)
    expect(formatAddress6(number)).toBe(canonical)
  })

  it.each([
    '',
    ':',
    ':::',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1::2::3',
    'g::',
    '::12345',
    '1:2:3:4:5:6:7:8::',
    '10.77.3.5',
  ])('is not %s', (text) => {
    expect(tryParseAddress6(text)).toBeUndefined()
    expect(() => parseAddress6(text)).toThrow('is no IPv6 address')
  })

  it.each(['::10.77.3', '::1.2.3.4:5', '1:2:3:4:5:6:7:1.2.3.4', 'fe80::1%eth0', ' ::1', '::01.2.3.4'])(
    'nor %s',
    (text) => {
      expect(tryParseAddress6(text)).toBeUndefined()
    },
  )

  it('is read as it was written, and Node takes it for one', () => {
    fc.assert(
      fc.property(value, (number) => {
        const text = formatAddress6(number)
        expect(isIPv6(text)).toBe(true)
        expect(tryParseAddress6(text)).toBe(number)
        expect(tryParseAddress6(text.toUpperCase())).toBe(number)
        expect(canonicalAddress(text.toUpperCase())).toBe(text)
      }),
    )
  })

  it('is one exactly where Node says so', () => {
    const text = fc.array(fc.constantFrom('0', '1', 'a', 'ffff', ':', ':', '::', '.', '10.0.0.1', 'x'), {
      maxLength: 12,
    })
    fc.assert(
      fc.property(text, (parts) => {
        const all = parts.join('')
        expect(tryParseAddress6(all) !== undefined).toBe(isIPv6(all))
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('a block of IPv6 addresses', () => {
  it('holds what begins as it does', () => {
    const block = parseBlock6('fd77:1::/64')
    expect(formatBlock6(block)).toBe('fd77:1::/64')
    expect(containsAddress6(block, parseAddress6('fd77:1::ffff:1'))).toBe(true)
    expect(containsAddress6(block, parseAddress6('fd77:1:0:1::'))).toBe(false)
    expect(blocksOverlap6(block, parseBlock6('fd77::/16'))).toBe(true)
    expect(blocksOverlap6(block, parseBlock6('fd77:2::/64'))).toBe(false)
    expect(containsAddress6(parseBlock6('::/0'), 2n ** 128n - 1n)).toBe(true)
  })

  it.each([
    ['fd77::1/64', 'the block around it is fd77::/64'],
    ['fd77::', 'write address/prefix'],
    ['fd77::/129', 'write address/prefix'],
    ['fd77::/064', 'write address/prefix'],
    ['10.0.0.0/8', 'write address/prefix'],
    ['fd77::/64/1', 'write address/prefix'],
  ])('is not %s', (text, message) => expect(() => parseBlock6(text)).toThrow(message))
})

it('knows the versions apart', () => {
  expect(['10.0.0.1', '::1', 'db', '10.0.0'].map(familyOf)).toEqual([4, 6, undefined, undefined])
  expect(['10.0.0.1', 'FD00::0', 'db'].map(canonicalAddress)).toEqual(['10.0.0.1', 'fd00::', undefined])
})
