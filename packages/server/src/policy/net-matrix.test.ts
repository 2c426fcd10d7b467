import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TestCluster, testSpec } from '../controllers/cluster.testing.ts'
import { Externals } from '../externals/externals.ts'
import { type MatrixQuery, netMatrix } from './net-matrix.ts'
import { Profiles } from './profiles.ts'
import { validateProfile } from './validate-profile.ts'

let cluster: TestCluster
const call = { actor: 'test' }
beforeAll(async () => {
  cluster = await TestCluster.start()
  const profiles = new Profiles(cluster.records)
  await profiles.put('web', { inbound: [], outbound: ['tcp:443 to 192.0.2.0/24', 'to db', 'to old-db'] }, {}, call)
  await profiles.put('db', { inbound: ['tcp:5432 from web'], outbound: [] }, {}, call)
  cluster.commits.set('c1', testSpec({ web: { profiles: ['web'] }, db: { profiles: ['db'] }, free: {} }))
  await cluster.deploy('c1')
  const own = { domain: 'berth', addressPools: () => ['10.77.0.0/16'] }
  await new Externals(cluster.records, own).put('mysql', { addresses: ['198.51.100.7'], tags: ['old-db'] }, {}, call)
})
afterAll(() => cluster[Symbol.asyncDispose]())

const rows = (query: MatrixQuery = {}) => {
  const { from, to, cells } = netMatrix(cluster.state, query)
  return from.parties.map(({ name }, row) => [
    name,
    ...to.parties.map((_, column) => {
      const { verdict = '', allows = [], isMixed = false } = cells[row]?.[column] ?? {}
      return `${verdict}${isMixed ? '*' : ''} ${allows.join(' ')}`.trim()
    }),
  ])
}

describe('netMatrix', () => {
  it('says of each two entrypoints, external services and what is outside who may talk to whom', () => {
    expect(netMatrix(cluster.state, {}).to.parties.map(({ name }) => name)).toEqual([
      ...['shop/production/db', 'shop/production/free', 'shop/production/web', 'mysql', ''],
    ])
    expect(rows()).toEqual([
      ['shop/production/db', 'none', 'none', 'none', 'none', 'none'],
      ['shop/production/free', 'none', 'all', 'none', 'all', 'all'],
      ['shop/production/web', 'some tcp:5432', 'none', 'none', 'all', 'some* tcp:443'],
      ['mysql', 'none', 'all', 'none', 'unasked', 'unasked'],
      ['', 'none', 'all', 'none', 'unasked', 'unasked'],
    ])
  })

  it('tells a part of it: what has a name, so many, from there on', () => {
    expect(rows({ from: 'WEB', to: 'outside' })).toEqual([['shop/production/web', 'some* tcp:443']])
    const part = netMatrix(cluster.state, { fromOffset: 1, toOffset: 2, limit: 2 })
    expect(part.from).toMatchObject({
      total: 5,
      offset: 1,
      parties: [{ name: 'shop/production/free' }, { name: 'shop/production/web' }],
    })
    expect(part.to.parties.map(({ name }) => name)).toEqual(['shop/production/web', 'mysql'])
    expect(part.from.parties[1]).toMatchObject({ profiles: [['web']], kind: 'instances' })
    expect(rows({ from: 'nobody' })).toEqual([])
  })

  it('joins the entrypoints of a pool', () => {
    expect(rows({ by: 'pool' })[0]).toEqual(['shop/production', 'some* any', 'some* any', 'some* any'])
  })
})

describe('netMatrix of IPv6', () => {
  it('is by twins and addresses of IPv6; networks and ICMP in rules are of the other version', async () => {
    expect(netMatrix(cluster.state, {}).hasIpv6).toBe(false)
    // Nobody has one yet, so nothing is said of them.
    expect(rows({ family: 6 })).toEqual([['', 'unasked']])
    const pool = { name: 'default', range: '10.77.0.0/16', blockPrefix: 24, sites: [], groups: [], natOutgoing: true }
    await cluster.records.commit('system:test', (tx) =>
      tx.put('addressPools', { ...pool, disabled: false, ipv6: 'fd77:1::/64', updatedAt: 1, updatedBy: 'test' }),
    )
    const own = { domain: 'berth', addressPools: () => ['10.77.0.0/16'] }
    const externals = new Externals(cluster.records, own)
    await externals.put('search', { addresses: ['2001:db8::7'], tags: ['old-db'] }, {}, call)
    expect(netMatrix(cluster.state, {}).hasIpv6).toBe(true)
    expect(rows({ family: 6 })).toEqual([
      ['shop/production/db', 'none', 'none', 'none', 'none', 'none'],
      ['shop/production/free', 'none', 'all', 'none', 'all', 'all'],
      ['shop/production/web', 'some tcp:5432', 'none', 'none', 'all', 'none'],
      ['search', 'none', 'all', 'none', 'unasked', 'unasked'],
      ['', 'none', 'all', 'none', 'unasked', 'unasked'],
    ])
  })
})

describe('validateProfile', () => {
  it('reads YAML and JSON, and tells every mistake with its line', () => {
    const document = { id: 'db', tags: ['db'], inbound_rules: [], outbound_rules: [{ action: 'allow' }] }
    expect(validateProfile('name: db\ninbound: []\n')).toEqual({
      ...{ name: 'db', inbound: [], outbound: ['allow'], document, problems: [] },
    })
    expect(validateProfile(JSON.stringify(document)).document).toEqual(document)
    expect(validateProfile('name: db\ninbound:\n  - tcp:x\n  - from\n').problems.map(({ line }) => line)).toEqual([
      3, 4,
    ])
  })
})
