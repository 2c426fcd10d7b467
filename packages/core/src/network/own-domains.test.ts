import { describe, expect, it } from 'vitest'
import type { NameTable } from '../model/assignment.ts'
import type { OwnDomain } from '../model/own-domain.ts'
import { parseAddress6 } from './address6.ts'
import { answerName } from './dns-answers.ts'
import type { NameQuestionType } from './name-answer.ts'
import { indexNames } from './name-index.ts'
import { forwardZones } from './own-domains.ts'

const entry = (pool: string, address: string) => ({
  ...{ app: 'shop', pool, entrypoint: 'db', instance: `shop.${pool}.db-0`, address },
  ports: [{ name: 'sql', port: 5432, protocol: 'tcp' as const }],
})
const domains: readonly OwnDomain[] = [
  { name: 'db.corp.example', target: 'db.production.shop' },
  { name: 'corp.example', addresses: ['192.0.2.7'] },
  { name: '*.shop.corp.example', target: 'db.shop' },
  { name: '*.deep.shop.corp.example', target: 'old' },
  { name: 'gone.corp.example', target: 'gone' },
  { name: 'corp.internal', resolvers: [{ address: '10.0.0.53' }] },
]
const table: NameTable = {
  version: 1,
  entries: [entry('production', '10.77.1.2'), entry('staging', '10.77.1.3')],
  externals: [{ name: 'old', addresses: [], target: 'old.example', ports: [] }],
  domains,
}
const network = { pool: '10.77.0.0/16', domain: 'berth', defaultPool: 'production' }
const reverseName = (address: string): string =>
  address.includes(':')
    ? `${[...parseAddress6(address).toString(16).padStart(32, '0')].reverse().join('.')}.ip6.arpa`
    : `${address.split('.').reverse().join('.')}.in-addr.arpa`
const ask = (name: string, type: NameQuestionType = 'A', pool?: string) =>
  answerName(indexNames(table, network), { name, type }, pool)

describe('a name of an own domain', () => {
  it('is what its target is', () => {
    expect(ask('db.corp.example')).toEqual({ kind: 'addresses', addresses: ['10.77.1.2'] })
    expect(ask('_sql._tcp.db.corp.example', 'SRV')).toMatchObject({
      kind: 'services',
      services: [{ name: 'db-0.production.shop.berth', port: 5432 }],
    })
    expect(ask('corp.example')).toEqual({ kind: 'addresses', addresses: ['192.0.2.7'] })
  })

  it('is looked up in the pool of the asker', () => {
    expect(ask('a.shop.corp.example', 'A', 'staging')).toEqual({ kind: 'addresses', addresses: ['10.77.1.3'] })
    expect(ask('a.b.shop.corp.example')).toEqual({ kind: 'addresses', addresses: ['10.77.1.2'] })
  })

  it('has no other types, and says so in its own name', () => {
    expect(ask('db.corp.example', 'other')).toEqual({ kind: 'empty', zone: 'db.corp.example' })
    expect(ask('corp.example', 'SRV')).toEqual({ kind: 'empty', zone: 'corp.example' })
    expect(ask('gone.corp.example')).toEqual({ kind: 'unknown', zone: 'gone.corp.example' })
  })

  it('follows an external service, and the nearest wildcard', () =>
    expect(ask('x.deep.shop.corp.example')).toEqual({ kind: 'alias', target: 'old.example' }))

  it('is that of its address, where nothing of Berth’s has it', () => {
    const names = [
      { name: 'wiki.corp.example', addresses: ['192.0.2.9', '10.77.1.2'], addresses6: ['2001:db8::9'] },
      { name: '*.wide.example', addresses: ['192.0.2.10'] },
    ]
    const index = indexNames({ ...table, domains: names }, network)
    const reverse = (address: string, type: NameQuestionType = 'PTR') =>
      answerName(index, { name: reverseName(address), type }, undefined)
    expect(reverse('192.0.2.9')).toEqual({ kind: 'pointer', name: 'wiki.corp.example' })
    expect(reverse('2001:db8::9')).toEqual({ kind: 'pointer', name: 'wiki.corp.example' })
    expect(reverse('192.0.2.9', 'A')).toEqual({ kind: 'empty' })
    expect(reverse('10.77.1.2')).toEqual({ kind: 'pointer', name: 'db-0.production.shop.berth' })
    expect(reverse('192.0.2.10')).toEqual({ kind: 'elsewhere' })
  })

  it.each(['other.corp.example', 'shop.corp.example', 'example', 'x.corp.internal', 'corp.internal'])(
    'leaves %s to others',
    (name) => expect(ask(name)).toEqual({ kind: 'elsewhere' }),
  )
})

describe('forwardZones', () => {
  const resolvers = [{ address: '10.0.0.53' }, { address: '10.1.0.53', site: 'eu' }]
  const asked = (site: string | undefined, of = resolvers) =>
    forwardZones([...domains, { name: 'x.internal', resolvers: of }], site).at(-1)

  it.each([
    [undefined, ['10.0.0.53']],
    ['us', ['10.0.0.53']],
    ['eu', ['10.1.0.53']],
  ])('asks at the site %s %j', (site, addresses) =>
    expect(asked(site)).toEqual({ name: 'x.internal', resolvers: addresses }),
  )

  it('asks nobody where none is for the site', () =>
    expect(asked('us', resolvers.slice(1))).toEqual({ name: 'x.internal', resolvers: [] }))
})
