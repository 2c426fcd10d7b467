import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { giveServiceNames, type Nameable, serviceName } from './service-name.ts'

const word = fc.stringMatching(/^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$/)
const nameable = (createdAt: number, words: readonly string[]): Nameable => ({ id: words.join('/'), words, createdAt })

describe('names of services', () => {
  it('are the words, or cut with a hash', () => {
    expect(serviceName(['shop', 'production'])).toBe('shop-production')
    const long = serviceName(['a'.repeat(40), 'b'.repeat(40)])
    expect(long).toHaveLength(63)
    expect(long).not.toBe(serviceName(['a'.repeat(40), `${'b'.repeat(39)}c`]))
  })

  it('go to the older of two, and the other has its own', () => {
    const names = giveServiceNames([nameable(2, ['a-b', 'c']), nameable(1, ['a', 'b-c'])])
    expect(names.get('a/b-c')).toBe('a-b-c')
    expect(names.get('a-b/c')).toMatch(/^a-b-c-[0-9a-f]{8}$/)
  })

  it('are labels of DNS, each given once, whatever the order', () => {
    const list = fc.uniqueArray(fc.tuple(fc.nat(3), fc.array(word, { minLength: 1, maxLength: 3 })), {
      selector: ([, words]) => words.join('/'),
      maxLength: 30,
    })
    fc.assert(
      fc.property(list, (all) => {
        const nameables = all.map(([at, words]) => nameable(at, words))
        const names = giveServiceNames(nameables)
        expect(new Set(names.values()).size).toBe(all.length)
        for (const name of names.values()) expect(name).toMatch(/^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/)
        expect([...giveServiceNames([...nameables].reverse())]).toEqual([...names])
      }),
    )
  })
})
