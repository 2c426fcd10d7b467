import { describe, expect, it } from 'vitest'
import { chinese } from './chinese.ts'
import { english } from './english.ts'

type Entry = readonly [key: string, value: unknown]

const entries = (value: unknown, prefix = ''): Entry[] =>
  typeof value === 'object' && value !== null
    ? Object.entries(value).flatMap(([key, inner]) => entries(inner, prefix === '' ? key : `${prefix}.${key}`))
    : [[prefix, value]]

const write = (value: unknown): string =>
  typeof value === 'function' ? value(...Array.from({ length: value.length }, (_, i) => i + 2)) : String(value)

describe('the dictionaries', () => {
  it('have the same keys of the same kind', () => {
    const shape = (dictionary: unknown) =>
      entries(dictionary)
        .map(([key, value]) => `${key}: ${typeof value}`)
        .sort()
    expect(shape(chinese)).toEqual(shape(english))
    expect(entries(english).length).toBeGreaterThan(250)
  })

  it('have no empty sentence', () => {
    for (const [key, value] of [...entries(english), ...entries(chinese)]) expect(write(value).trim(), key).not.toBe('')
  })

  it('lose no value on the way into Chinese', () => {
    const translated = new Map(entries(chinese))
    for (const [key, value] of entries(english)) {
      if (typeof value !== 'function' || key === 'units.core') continue
      const numbers = (text: string) => (text.match(/\d+/g) ?? []).toSorted()
      const args = Array.from({ length: value.length }, (_, i) => i + 22)
      expect(numbers((translated.get(key) as (...a: number[]) => string)(...args)), key).toEqual(
        numbers(value(...args)),
      )
    }
  })
})
