import fc from 'fast-check'
import { expect, it } from 'vitest'
import { addressSet, changeAddresses, changedAddresses, formatAddresses, hasAddress, isSameSet } from './address-set.ts'

const some = fc.array(
  fc.integer({ min: 0, max: 40 }).map((n) => (n % 2 === 0 ? 0x0a4d0100 + n : 0xfffffff0 - n)),
  { maxLength: 30 },
)
const setOf = (numbers: readonly number[]) => changeAddresses(addressSet([]), { added: numbers, removed: [] })

it('reads texts, in order and each once', () => {
  expect(formatAddresses(addressSet(['200.0.0.1', '10.0.0.2', '10.0.0.1', '10.0.0.2']))).toBe(
    '10.0.0.1, 10.0.0.2, 200.0.0.1',
  )
  expect(() => addressSet(['10.0.0'])).toThrow('is no IPv4 address')
})

it('finds what changed, which makes the one of the other', () => {
  fc.assert(
    fc.property(some, some, (a, b) => {
      const [before, after] = [setOf(a), setOf(b)]
      const change = changedAddresses(before, after)
      expect(new Set(change.added)).toEqual(new Set(b.filter((each) => !a.includes(each))))
      expect(new Set(change.removed)).toEqual(new Set(a.filter((each) => !b.includes(each))))
      expect(isSameSet(changeAddresses(before, change), after)).toBe(true)
      expect(isSameSet(before, after)).toBe(change.added.length + change.removed.length === 0)
      for (const each of [...a, ...b]) expect(hasAddress(after, each)).toBe(b.includes(each))
    }),
  )
})
