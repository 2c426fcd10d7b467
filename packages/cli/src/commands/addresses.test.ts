import type { AddressCheck, OneAddress } from '@berth/api'
import { describe, expect, it } from 'vitest'
import { addressListing, addressText, checkNotes, findingListing } from './addresses.ts'

const now = 3_600_000
const place = { node: 'a', block: '10.77.1.0/24', pool: 'default' }

it('lists whose addresses are', () => {
  const { row, wideRow } = addressListing(now)
  const instance = { ...place, address: '10.77.1.2', kind: 'instance' as const, instance: 'shop.production.web-1' }
  expect(row({ ...instance, state: 'running' })).toEqual([
    ...['10.77.1.2', 'a', '10.77.1.0/24', 'default', 'shop.production.web-1', 'running'],
  ])
  expect(wideRow?.({ ...instance, since: 0 })).toEqual(['-', '1h0m'])
  expect(wideRow?.({ ...instance, address6: 'fd77:1::a4d:102' })).toEqual(['fd77:1::a4d:102', '-'])
  expect(row({ address: '10.9.0.1', node: 'a', kind: 'by-hand', container: 'mine' })).toEqual([
    ...['10.9.0.1', 'a', '-', '-', 'mine (by hand)', '-'],
  ])
  expect(row({ ...place, address: '10.77.1.239', last: '10.77.1.254', kind: 'kept' }).slice(0, 1)).toEqual([
    '10.77.1.239–10.77.1.254',
  ])
})

it('tells whose one was', () => {
  const free: OneAddress = { address: '10.77.1.9', kind: 'free', message: 'free, in …', ...place, names: [] }
  expect(addressText(free, now)).toContain('last     of nobody, as far as this server remembers')
  const before = { ...free, last: { instance: 'shop.production.web-1', node: 'a', until: 0 } }
  expect(addressText(before, now)).toContain('last     shop.production.web-1 on a, until 1h0m ago')
  expect(addressText({ ...free, address6: 'fd77:1::a4d:109' }, now)).toContain('IPv6     fd77:1::a4d:109')
  const used = { ...free, kind: 'instance' as const, since: 0, names: ['web-1.production.shop.berth'] }
  expect(addressText(used, now).split('\n')).toEqual([
    ...['address  10.77.1.9', 'whose    free, in …', 'node     a', 'block    10.77.1.0/24', 'pool     default'],
    ...['since    1h0m ago (1970-01-01T00:00:00.000Z)', 'names    web-1.production.shop.berth'],
  ])
})

describe('a check', () => {
  const leak = { kind: 'left', message: 'Docker’s endpoint x', node: 'a', leak: true, released: false }
  const check: AddressCheck = {
    ...{ findings: [leak], compared: { nodes: 1, instances: 2, containers: 3 } },
    silent: [{ node: 'b', message: 'node b is offline' }],
  }
  it('says what was compared, what is left over, and who was silent', () => {
    expect(checkNotes(check, false)).toEqual([
      'compared 2 instances with 3 containers on 1 node',
      '1 left over: nodes take such things away by themselves within two minutes, or now: --release',
      'b: node b is offline',
    ])
    expect(checkNotes({ ...check, findings: [] }, true)).toHaveLength(2)
  })
  it('marks leaks, and what was taken away', () => {
    expect(findingListing.row(leak).at(-1)).toBe('leak')
    expect(findingListing.row({ ...leak, released: true }).at(-1)).toBe('taken away')
    expect(findingListing.row({ ...leak, leak: false }).at(-1)).toBe('')
  })
})
