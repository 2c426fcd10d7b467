import { describe, expect, it } from 'vitest'
import { documentOf, domainText } from './domains.ts'

describe('domain add', () => {
  it.each([
    [{ target: 'db.production.shop' }, { target: 'db.production.shop' }],
    [{ address: ['192.0.2.7'] }, { addresses: ['192.0.2.7'] }],
    [
      { resolver: ['10.0.0.53', 'eu=10.1.0.53'] },
      { resolvers: [{ address: '10.0.0.53' }, { site: 'eu', address: '10.1.0.53' }] },
    ],
  ])('sends %j as it was typed', (options, body) => expect(documentOf(options)).toEqual(body))
})

it('shows one', () => {
  const times = { version: 2, updatedAt: 0, updatedBy: 'ann' }
  const resolvers = [{ address: '10.0.0.53' }, { site: 'eu', address: '10.1.0.53' }]
  expect(domainText({ name: 'corp.internal', addresses: [], resolvers, warnings: ['odd'], ...times })).toBe(
    `name     corp.internal
is       asked of 10.0.0.53 eu=10.1.0.53
version  2
warning  odd`,
  )
})
