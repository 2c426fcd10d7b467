import type { DomainView } from '@berth/api/name-resources'
import { readDomain } from '@berth/core/network/read-domain'
import { describe, expect, it } from 'vitest'
import { domainDocument, domainForm } from './domain-form.ts'

const rest = { warnings: [], version: 1, updatedAt: 0, updatedBy: 'token:dev' }
const domains: readonly DomainView[] = [
  { ...rest, name: 'db.corp.example', target: 'db.production.shop', addresses: [], resolvers: [] },
  { ...rest, name: '*.legacy.corp.example', addresses: ['192.0.2.7', '192.0.2.8'], resolvers: [] },
  {
    ...{ ...rest, name: 'corp.internal', addresses: [] },
    resolvers: [{ address: '10.0.0.53' }, { address: '10.1.0.53', site: 'fra' }],
  },
]

describe('a domain in a form', () => {
  it.each(domains)('is the same after it was opened and saved: $name', (domain) => {
    const read = readDomain(domain.name, domainDocument(domainForm(domain)), 'berth')
    const { name, target, addresses, resolvers } = domain
    expect(read).toEqual({
      issues: [],
      domain: {
        name,
        ...(target === undefined ? {} : { target }),
        ...(addresses.length > 0 ? { addresses } : {}),
        ...(resolvers.length > 0 ? { resolvers } : {}),
      },
    })
  })

  it('leaves mistakes to the server', () => {
    const document = domainDocument({ name: 'x.example', meaning: 'resolvers', is: ' a=b=10.0.0.1,\n10.0.0.300 ' })
    expect(document).toEqual({ resolvers: [{ site: 'a=b', address: '10.0.0.1' }, { address: '10.0.0.300' }] })
    expect(readDomain('x.example', document, 'berth').issues).toHaveLength(2)
    expect(domainDocument({ name: '', meaning: 'addresses', is: ' ' })).toEqual({ addresses: [] })
  })
})
