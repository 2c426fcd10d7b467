import { describe, expect, it } from 'vitest'
import { durationOf, emptyFreeze, freezeDocument, isComplete } from './freeze-form.ts'

const once = { ...emptyFreeze('Asia/Shanghai'), name: 'sale', reason: 'the sale' }

describe('a freeze', () => {
  it('once lasts from one time to another, by the clock of who typed it', () => {
    const form = { ...once, from: '2026-12-24T18:00', until: '2026-12-27T06:00', app: 'shop' }
    expect(freezeDocument(form)).toEqual({
      ...{ name: 'sale', reason: 'the sale', app: 'shop' },
      ...{ from: new Date(2026, 11, 24, 18).getTime(), until: new Date(2026, 11, 27, 6).getTime() },
    })
  })

  it('again and again begins by a clock, and lasts', () => {
    const form = { ...once, kind: 'again' as const, pool: 'production' }
    expect(freezeDocument(form)).toEqual({
      ...{ name: 'sale', reason: 'the sale', pool: 'production' },
      ...{ cron: '0 18 * * fri', zone: 'Asia/Shanghai', forMs: 62 * 3_600_000 },
    })
  })

  it.each([
    [once, false],
    [{ ...once, from: '2026-12-24T18:00', until: '2026-12-27T06:00' }, true],
    [{ ...once, kind: 'again' as const }, true],
    [{ ...once, kind: 'again' as const, reason: ' ' }, false],
  ])('%j can be added: %s', (form, expected) => expect(isComplete(form)).toBe(expected))

  it('of no length is refused with what is wrong', () => {
    expect(() => durationOf('a weekend')).toThrow('a weekend')
  })
})
