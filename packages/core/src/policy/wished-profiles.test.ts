import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isProfileName } from './profile.ts'
import { isOfWish, readWishedProfiles, wishInForce } from './wished-profiles.ts'

const name = fc.constantFrom('web', 'db', 'db-users', 'a.b', 'Ops_x', 'default', 'x1')
const names = fc.uniqueArray(name, { minLength: 1, maxLength: 5 })
const messageOf = (options: Record<string, unknown>): string => {
  const read = readWishedProfiles(options)
  return read.ok ? `read: ${read.value.join()}` : read.message
}

describe('profiles that a container names by options of Docker', () => {
  it('are read as they are written, in their order, whatever else is among the options', () => {
    const separator = fc.constantFrom('+', ',', ', ', ' + ')
    fc.assert(
      fc.property(names, separator, fc.dictionary(fc.string(), fc.anything()), (wanted, between, others) => {
        const foreign = Object.fromEntries(Object.entries(others).filter(([key]) => !key.startsWith('berth.')))
        const options = { ...foreign, 'berth.profile': wanted.join(between) }
        expect(readWishedProfiles(options)).toEqual({ ok: true, value: wanted })
        expect(readWishedProfiles(foreign)).toEqual({ ok: true, value: [] })
      }),
    )
  })

  it('are names of profiles, each once, or nothing at all', () => {
    fc.assert(
      fc.property(fc.anything(), (value) => {
        const read = readWishedProfiles({ 'berth.profile': value })
        if (!read.ok) return
        expect(read.value.length).toBeGreaterThan(0)
        expect(read.value.length).toBeLessThanOrEqual(5)
        expect(new Set(read.value).size).toBe(read.value.length)
        for (const each of read.value) expect(isProfileName(each)).toBe(true)
      }),
    )
  })

  it.each<[Record<string, unknown>, RegExp]>([
    [{ 'berth.profil': 'web' }, /^driver-opt berth\.profil is unknown; did you mean berth\.profile$/],
    [{ 'berth.address': '10.77.1.9' }, /is unknown; there is berth\.profile$/],
    [{ 'berth.profile': '' }, /names no profile: write berth\.profile=web, or =web\+db for several/],
    [{ 'berth.profile': ['web'] }, /names no profile/],
    [{ 'berth.profile': 'web+' }, /"" is no name of a profile/],
    [{ 'berth.profile': 'web db' }, /"web db" is no name of a profile: letters, digits/],
    [{ 'berth.profile': 'web;db' }, /"web;db" is no name/],
    [{ 'berth.profile': 'web+db+web' }, /web stands there twice/],
    [{ 'berth.profile': 'a1+a2+a3+a4+a5+a6' }, /at most 5 profiles, these are 6/],
  ])('%j are refused', (options, message) => {
    expect(messageOf(options)).toMatch(message)
  })
})

describe('what holds for a container that names profiles', () => {
  it('is all of them, or while some are not there these alone, and never nothing', () => {
    fc.assert(
      fc.property(names, fc.uniqueArray(name), (named, there) => {
        const inForce = wishInForce(named, (each) => there.includes(each))
        expect(isOfWish(inForce, named)).toBe(true)
        if (named.every((each) => there.includes(each))) expect(inForce).toEqual(named)
        else expect(inForce.some((each) => there.includes(each))).toBe(false)
      }),
    )
  })

  it('is not what others have', () => {
    expect(isOfWish(undefined, ['web'])).toBe(false)
    expect(isOfWish([], ['web'])).toBe(false)
    expect(isOfWish(['default'], ['web'])).toBe(false)
    expect(isOfWish(['web', 'db'], ['web'])).toBe(false)
  })
})
