import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type DomainDocument, domainWarnings, readDomain } from './read-domain.ts'

const problemsOf = (name: string, document: DomainDocument): string[] =>
  readDomain(name, document, 'berth').issues.map(({ path, message }) => `${path.join('.')}: ${message}`)

describe('readDomain', () => {
  it.each<[string, DomainDocument, object]>([
    ['db.corp.example', { target: 'db.production.shop.berth' }, { target: 'db.production.shop' }],
    ['*.shop.corp.example', { target: 'shop' }, { target: 'shop' }],
    ['corp.example', { addresses: ['192.0.2.7'] }, { addresses: ['192.0.2.7'] }],
    [
      'corp.internal',
      { resolvers: [{ address: '10.0.0.53', site: 'eu' }] },
      { resolvers: [{ address: '10.0.0.53', site: 'eu' }] },
    ],
  ])('takes %s as %j', (name, document, read) =>
    expect(readDomain(name, document, 'berth')).toEqual({ domain: { name, ...read }, issues: [] }),
  )

  const target = { target: 'shop' }
  it.each<[string, DomainDocument, RegExp]>([
    ['shop.berth', target, /name: .* is of the cluster’s own domain berth/],
    ['berth', target, /cluster’s own domain/],
    ['*.berth', target, /cluster’s own domain/],
    ['Corp.example', target, /name: .*lower case/],
    ['a..b', target, /name: .*no host name/],
    ['a.*.b', target, /name: .*no host name/],
    ['*', target, /name: .*no host name/],
    ['_http._tcp.corp.example', target, /port or protocol in it/],
    ['192.0.2.7', target, /cannot be a domain/],
    ['corp.example', {}, /nothing says what it means/],
    ['corp.example', { ...target, addresses: ['192.0.2.7'] }, /more than one thing/],
    ['corp.example', { target: 'a.b.c.d' }, /target: .*no name of Berth’s/],
    ['corp.example', { target: 'other.example' }, /^$/],
    ['corp.example', { target: '_http.shop' }, /target: .*no name of Berth’s/],
    ['corp.example', { addresses: ['x'] }, /addresses.0: .*no IPv4 or IPv6 address/],
    ['corp.example', { addresses: ['224.0.0.1', '192.0.2.7', '192.0.2.7'] }, /nobody’s/],
    ['corp.internal', { resolvers: [{ address: '169.254.77.53' }] }, /it would ask itself/],
    ['corp.internal', { resolvers: [{ address: 'dns.example' }] }, /no IPv4 or IPv6 address of a resolver/],
    ['corp.internal', { resolvers: [{ address: 'fe80::53' }] }, /link-local/],
    ['corp.internal', { resolvers: [{ address: 'fd00::53' }, { address: 'FD00:0::53' }] }, /given twice/],
    ['corp.example', { addresses: ['ff02::1'] }, /nobody’s/],
    ['corp.example', { addresses: ['2001:db8::7', '2001:DB8::7'] }, /given twice/],
    ['ip6.arpa', target, /cannot be a domain/],
    ['corp.internal', { resolvers: [{ address: '10.0.0.53' }, { address: '10.0.0.53' }] }, /given twice/],
    ['corp.internal', { resolvers: [{ address: '10.0.0.53', site: 'a b' }] }, /no site/],
    ['*.corp.internal', { resolvers: [{ address: '10.0.0.53' }] }, /asked for all that is below/],
  ])('says of %s with %j what is wrong', (name, document, message) =>
    expect(problemsOf(name, document).join('; ')).toMatch(message),
  )

  it('never throws, and has a domain or issues', () => {
    const text = fc.oneof(fc.string(), fc.domain(), fc.ipV4())
    const resolver = fc.record({ address: text, site: fc.option(fc.string(), { nil: undefined }) })
    const document = fc.record(
      { target: text, addresses: fc.array(text), resolvers: fc.array(resolver) },
      { requiredKeys: [] },
    )
    fc.assert(
      fc.property(text, document, (name, given) => {
        const { domain, issues } = readDomain(name, given, 'berth')
        expect(domain === undefined).toBe(issues.length > 0)
      }),
    )
  })
})

it.each([
  ['com', true],
  ['*.com', true],
  ['corp', false],
  ['corp.example', false],
])('warns of what covers a top-level domain: %s', (name, warned) => {
  const meaning = name.startsWith('*') ? { target: 'shop' } : { resolvers: [{ address: '10.0.0.53' }] }
  expect(domainWarnings({ name, ...meaning })).toHaveLength(warned ? 1 : 0)
})
