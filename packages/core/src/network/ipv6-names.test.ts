import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { NameEntry, NameTable } from '../model/assignment.ts'
import { formatAddress6, parseAddress6 } from './address6.ts'
import { answerName } from './dns-answers.ts'
import type { NameAnswer, NameQuestionType } from './name-answer.ts'
import { indexNames } from './name-index.ts'
import { addressOfReverse } from './reverse-name.ts'

const http = { name: 'http', port: 8080, protocol: 'tcp' } as const
const entry = (instance: string, address: string, site?: string): NameEntry => ({
  ...{ app: 'shop', pool: 'production', entrypoint: 'web', instance, address, ports: [http] },
  ...(site === undefined ? {} : { site }),
})
const table: NameTable = {
  version: 1,
  entries: [
    entry('shop.production.web-1', '10.77.1.2', 'eu'),
    entry('shop.production.web-2', '10.77.1.3', 'us'),
    // Of a pool without IPv6.
    entry('shop.production.web-3', '10.78.1.3', 'us'),
    // Made before its pool got IPv6.
    { ...entry('shop.production.web-4', '10.77.1.4', 'us'), only4: true },
  ],
  externals: [
    { name: 'ldap', addresses: ['192.0.2.1'], addresses6: ['2001:db8::1', '2001:db8::2'], ports: [http] },
    { name: 'six', addresses: [], addresses6: ['2001:db8::6'], ports: [] },
  ],
  domains: [
    { name: 'corp.example', addresses: ['192.0.2.9'], addresses6: ['2001:db8::9'] },
    { name: 'web.example', target: 'web.shop' },
  ],
}
const network = {
  ...{ pool: '10.77.0.0/16', pools: ['10.77.0.0/16', '10.78.0.0/16'], domain: 'berth', defaultPool: 'production' },
  twins: [{ range: '10.77.0.0/16', ipv6: 'fd77:1::/64' }],
}
const index = indexNames(table, network)
const ask = (name: string, type: NameQuestionType = 'AAAA'): NameAnswer => answerName(index, { name, type }, undefined)
const reverse = (address: string): string => {
  const digits = parseAddress6(address).toString(16).padStart(32, '0')
  return `${[...digits].reverse().join('.')}.ip6.arpa`
}

describe('names of who has addresses of IPv6', () => {
  it.each<[string, string[]]>([
    ['web.shop.berth', ['fd77:1::a4d:102', 'fd77:1::a4d:103']],
    ['web-2.production.shop.berth', ['fd77:1::a4d:103']],
    ['ldap.berth', ['2001:db8::1', '2001:db8::2']],
    ['six.berth', ['2001:db8::6']],
    ['corp.example', ['2001:db8::9']],
    ['web.example', ['fd77:1::a4d:102', 'fd77:1::a4d:103']],
  ])('%s', (name, addresses) => expect(ask(name)).toEqual({ kind: 'addresses', addresses }))

  it.each<[string, NameQuestionType, string]>([
    ['web-3.production.shop.berth', 'AAAA', 'empty'],
    ['web-4.production.shop.berth', 'AAAA', 'empty'],
    ['six.berth', 'A', 'empty'],
    ['_http._tcp.web.shop.berth', 'AAAA', 'empty'],
    ['nobody.shop.berth', 'AAAA', 'unknown'],
  ])('%s by %s is %s', (name, type, kind) => expect(ask(name, type)).toEqual({ kind }))

  it('are told as ever to who asks for IPv4', () => {
    expect(ask('web.shop.berth', 'A')).toEqual({
      kind: 'addresses',
      addresses: ['10.77.1.2', '10.77.1.3', '10.78.1.3', '10.77.1.4'],
    })
    const plain = indexNames(table, { ...network, twins: [] })
    expect(answerName(plain, { name: 'web.shop.berth', type: 'AAAA' }, undefined)).toEqual({ kind: 'empty' })
  })

  it('put the asker’s site first', () => {
    const us = indexNames(table, { ...network, site: 'us' })
    expect(answerName(us, { name: 'web.shop.berth', type: 'AAAA' }, undefined)).toEqual({
      ...{ kind: 'addresses', addresses: ['fd77:1::a4d:103', 'fd77:1::a4d:102'], near: 1 },
    })
  })

  it('are behind ports', () => {
    expect(ask('_http._tcp.web.shop.berth', 'SRV')).toMatchObject({
      services: [
        { addresses: ['10.77.1.2', 'fd77:1::a4d:102'] },
        { addresses: ['10.77.1.3', 'fd77:1::a4d:103'] },
        { addresses: ['10.78.1.3'] },
        { addresses: ['10.77.1.4'] },
      ],
    })
    expect(ask('_http._tcp.ldap.berth', 'SRV')).toMatchObject({
      services: [{ addresses: ['192.0.2.1', '2001:db8::1', '2001:db8::2'] }],
    })
  })
})

describe('reverse names of IPv6', () => {
  it.each<[string, NameAnswer]>([
    ['fd77:1::10.77.1.3', { kind: 'pointer', name: 'web-2.production.shop.berth' }],
    ['2001:db8::2', { kind: 'pointer', name: 'ldap.berth' }],
    ['fd77:1::10.77.1.9', { kind: 'unknown' }],
    ['fd77:1::10.78.1.3', { kind: 'elsewhere' }],
    ['fd77:2::10.77.1.3', { kind: 'elsewhere' }],
  ])('%s', (address, answer) => expect(ask(reverse(address), 'PTR')).toEqual(answer))

  it('are read as they are made', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }), (value) => {
        const text = formatAddress6(value)
        expect(addressOfReverse(reverse(text))).toBe(text)
      }),
    )
    for (const name of ['ip6.arpa', `a.${reverse('::1')}`, reverse('::1').slice(2), `x${reverse('::1').slice(1)}`])
      expect(addressOfReverse(name)).toBeUndefined()
  })
})
