import { describe, expect, it } from 'vitest'
import { decodeRecord, encodeRecord } from './record-codec.ts'
import { keyOf, parseKey, recordKinds } from './record-kinds.ts'
import type { RecordKind } from './record-types.ts'
import { app, instance } from './sample-records.testing.ts'

describe('keys', () => {
  it.each<[RecordKind, string, string]>([
    ['apps', 'shop', '/apps/shop'],
    ['releases', 'shop/v7', '/releases/shop/0000000007'],
    ['pools', 'shop/production', '/pools/shop/production'],
    ['instances', 'shop.production.web-4', '/instances/shop.production.web-4'],
    ['statuses', 'shop.production.web-4', '/status/shop.production.web-4'],
    ['nodeStatuses', 'a', '/node-status/a'],
    ['secrets', 'shop/_/KEY', '/secrets/shop/_/KEY'],
    ['joinTokens', 'abc', '/join-tokens/abc'],
  ])('%s %s is at %s', (kind, id, key) => {
    expect(keyOf(kind, id)).toBe(key)
    expect(parseKey(key)).toEqual({ kind, id })
  })

  it('knows every kind by a prefix of its own', () => {
    const prefixes = Object.values(recordKinds).map((kind) => kind.prefix)
    expect(new Set(prefixes).size).toBe(prefixes.length)
    expect(parseKey('/leader')).toBeUndefined()
  })
})

describe('the codec', () => {
  it('gives back what it was given, without the version', () => {
    expect(decodeRecord('apps', '/apps/a', encodeRecord('apps', app('a')))).toEqual(app('a'))
  })

  it.each([
    ['{"v":2,"name":"a"}', 'record.newer'],
    ['{"name":"a"}', 'record.corrupt'],
    ['[]', 'record.corrupt'],
    ['{', 'record.corrupt'],
  ])('refuses %s with %s', (value, code) => {
    expect(() => decodeRecord('apps', '/apps/a', value)).toThrow(expect.objectContaining({ code }))
  })

  it('keeps an instance within its 300 bytes', () => {
    const full = {
      ...instance('shop.production.web-12', 'node-a'),
      address: '10.77.3.12',
      cpuMilli: 1000,
      rollout: 'r-1',
    }
    expect(encodeRecord('instances', full).length).toBeLessThan(320)
  })
})
