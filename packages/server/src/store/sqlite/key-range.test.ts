import fc from 'fast-check'
import { expect, it } from 'vitest'
import { compareKeys, endOfKeys, endOfPrefix } from './key-range.ts'

const text = fc.string({ unit: 'binary' })

it.each([
  ['/a', '/b'],
  ['a\u007f', 'a\u0080'],
  ['\ud7ff', '\ue000'],
  ['a\u{10ffff}', 'b'],
  ['😀', '😁'],
])('the prefix %j ends at %j', (prefix, end) => {
  expect(endOfPrefix(prefix)).toBe(end)
})

it.each(['', '\u{10ffff}', '\u{10ffff}\u{10ffff}'])('the prefix %j ends after all keys', (prefix) => {
  expect(endOfPrefix(prefix)).toBe(endOfKeys)
})

it('a key is in the range of a prefix exactly if it begins with it', () => {
  fc.assert(
    fc.property(text, text, fc.boolean(), (prefix, other, below) => {
      const key = below ? prefix + other : other
      const end = endOfPrefix(prefix)
      const inRange = compareKeys(prefix, key) <= 0 && (typeof end !== 'string' || compareKeys(key, end) < 0)
      expect(inRange).toBe(key.startsWith(prefix))
    }),
  )
})
