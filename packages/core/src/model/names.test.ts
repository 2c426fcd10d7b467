import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  checkName,
  formatInstanceId,
  isName,
  isSecretName,
  parseInstanceId,
  proposeEntrypointName,
  proposeName,
} from './names.ts'

describe('isName', () => {
  it.each(['a', 'shop', 'a1', 'shop-2', 'a'.repeat(40)])('accepts %s', (text) => expect(isName(text)).toBe(true))
  it.each(['', '1a', '-a', 'a-', 'A', 'a_b', 'a.b', 'a/b', 'a b', 'a\n', 'é', 'a'.repeat(41)])('refuses %j', (text) =>
    expect(isName(text)).toBe(false),
  )
})

it('says what would do', () => {
  expect(() => checkName('app', 'My_Shop')).toThrow('"my-shop" would do')
  expect(() => checkName('app', '###')).toThrow(/lower-case letter/)
  expect(checkName('pool', 'production')).toBe('production')
})

it('proposes only valid names', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const proposal = proposeName(text)
      expect(proposal === undefined || isName(proposal)).toBe(true)
    }),
  )
})

it.each([
  ['Web 2', 'web2'],
  ['a-1-2', 'a12'],
  ['web', 'web'],
  ['3', undefined],
])('proposes for an entrypoint %s: %s', (text, name) => expect(proposeEntrypointName(text)).toBe(name))

describe('isSecretName', () => {
  it.each(['db-password', 'tls.key', 'A_1'])('accepts %s', (text) => expect(isSecretName(text)).toBe(true))
  it.each(['', '..', 'a/b', '.hidden', 'a..b', 'a b'])('refuses %j', (text) => expect(isSecretName(text)).toBe(false))
})

describe('instance ids', () => {
  it('come back from their text', () => {
    const name = fc.stringMatching(/^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$/)
    fc.assert(
      fc.property(name, name, name, fc.nat(999_999_999), (app, pool, entrypoint, ordinal) => {
        const instance = { app, pool, entrypoint, ordinal }
        expect(parseInstanceId(formatInstanceId(instance))).toEqual(instance)
      }),
    )
  })

  it('take what follows the last dash as the ordinal', () =>
    expect(parseInstanceId('shop.production.web-api-12')).toEqual({
      app: 'shop',
      pool: 'production',
      entrypoint: 'web-api',
      ordinal: 12,
    }))

  it.each([
    '',
    'shop',
    'shop.production.web',
    'shop.production.web-01',
    'shop.production.web--1',
    'a.b.c.d-1',
    'A.b.c-1',
  ])('refuse %j', (text) => expect(parseInstanceId(text)).toBeUndefined())
})
