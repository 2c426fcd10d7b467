import { sampleMember, sampleRoute, sampleTable } from '@berth/core/network/route-table.testing'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeDump, decodeTable, encodeDump, encodeTable } from './table-text.ts'

const certificate = { hosts: ['a.b'], certificatePem: '-----BEGIN\nCERTIFICATE-----\n', keyPem: 'k\n' }
const table = sampleTable(7, [sampleRoute([1, 2], { stripPath: true }), sampleRoute([], { host: '*' })], [certificate])

test('a table survives its text and its dump', () => {
  const text = encodeTable(table, ['kept'])
  expect(decodeTable(text)).toEqual({ table, kept: ['kept'] })
  expect(decodeDump(encodeDump(text))).toBe(text)
  expect(text.split('\n')).toHaveLength(5)
})

test('whatever its strings hold, each object is one line', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string(), (id, instance) => {
      const given = sampleTable(1, [sampleRoute([sampleMember(1, { instance })], { id })])
      const text = encodeTable(given, [])
      expect(text.split('\n')).toHaveLength(3)
      expect(decodeTable(text)?.table).toEqual(given)
    }),
  )
})

describe('what is no table is not taken for one', () => {
  const text = encodeTable(table, [])
  test.each([
    ['empty', ''],
    ['cut within a line', text.slice(0, -3)],
    ['cut after a line', text.split('\n').toSpliced(1, 1).join('\n')],
    ['another format', text.replace('"format":1', '"format":2')],
    ['no JSON', 'hello\n'],
  ])('%s', (_, wrong) => {
    expect(decodeTable(wrong)).toBeUndefined()
  })

  test('a dump with any byte changed', () => {
    const dump = encodeDump(text)
    fc.assert(
      fc.property(fc.nat(dump.length - 1), fc.integer({ min: 33, max: 126 }), (place, code) => {
        const changed = dump.slice(0, place) + String.fromCharCode(code) + dump.slice(place + 1)
        expect(decodeDump(changed)).toBe(changed === dump ? text : undefined)
      }),
    )
  })
})
