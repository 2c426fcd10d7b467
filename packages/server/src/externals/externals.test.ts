import { profileDocument, readProfile } from '@berth/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { FeedLine } from '../agents/node-feed.ts'
import { Apps } from '../apps/apps.ts'
import { TestCluster, testSpec, webRoute } from '../controllers/cluster.testing.ts'
import { explainPacket } from '../policy/explain-packet.ts'
import { Profiles } from '../policy/profiles.ts'
import { profileView } from '../views/profile-view.ts'
import { Externals } from './externals.ts'

const call = { actor: 'test' }
const own = { domain: 'berth', addressPools: () => ['10.77.0.0/16'] }
const mysql = { addresses: ['192.0.2.7'], ports: { mysql: 3306 } }

let cluster: TestCluster
let externals: Externals
let lines: FeedLine[]
beforeEach(async () => {
  cluster = await TestCluster.start()
  externals = new Externals(cluster.records, own)
  lines = []
  cluster.feed.subscribe('node-a', (line) => lines.push(line))
  cluster.commits.set('c1', testSpec({ web: { profiles: ['web'] } }))
})
afterEach(() => cluster[Symbol.asyncDispose]())

const set = (name: string, document: object = mysql, version?: number) =>
  externals.put(name, document, { version }, call)
const ofType = <T extends FeedLine['type']>(type: T) =>
  lines.filter((line) => line.type === type) as Extract<FeedLine, { type: T }>[]

describe('names', () => {
  it('come to nodes that are there and to those that come, and go again', async () => {
    await set('mysql')
    const known = [{ name: 'mysql', addresses: ['192.0.2.7'], ports: [{ name: 'mysql', port: 3306, protocol: 'tcp' }] }]
    await cluster.until('the word', () => ofType('names').at(-1)?.names.externals !== undefined)
    expect(ofType('names').at(-1)?.names.externals).toEqual(known)
    expect(cluster.feed.snapshot('node-b').names.externals).toEqual(known)
    await externals.remove('mysql', {}, call)
    await cluster.until('the end', () => ofType('names').at(-1)?.names.externals === undefined)
  })

  it('are told again only when they are others', async () => {
    const first = await set('mysql')
    expect(await set('mysql')).toEqual(first)
    expect(await set('mysql', { target: 'db.example', ports: [3306] })).toMatchObject({
      version: 2,
      target: 'db.example',
    })
  })

  it('go with their app', async () => {
    await new Apps(cluster.records).create({ name: 'shop', vcs: 'git' }, call)
    await set('mysql.shop')
    await set('ldap')
    await cluster.operations.removeApp('shop', call)
    await cluster.until('the end', () => !cluster.state.apps.has('shop'))
    expect([...cluster.state.externals.ids()]).toEqual(['ldap'])
  })
})

describe('rules', () => {
  it('know their addresses by their tags', async () => {
    const profiles = new Profiles(cluster.records)
    const web = await profiles.put('web', { inbound: [], outbound: ['tcp:3306 to old-db'] }, {}, call)
    expect(profileView(cluster.state, web).warnings).toHaveLength(1)
    await cluster.deploy('c1')
    await set('mysql', { ...mysql, tags: ['old-db'] })
    expect(profileView(cluster.state, web).warnings).toEqual([])
    await cluster.until('the word', () => ofType('members').length > 0)
    expect(ofType('members').at(-1)?.members).toEqual({ 'old-db': { put: ['192.0.2.7'], gone: [] } })
    const { profile } = readProfile({ name: 'web', inbound: [], outbound: ['tcp:3306 to old-db'] })
    expect(cluster.feed.snapshot('node-a').policy).toMatchObject({
      profiles: [profile === undefined ? undefined : profileDocument(profile)],
      members: { 'old-db': ['192.0.2.7'] },
    })
    expect(explainPacket(cluster.state, { from: 'shop/web', to: 'mysql' })).toMatchObject({ allowed: true, port: 3306 })
    expect(explainPacket(cluster.state, { from: 'shop/web', to: '192.0.2.7', port: 22 })).toMatchObject({
      allowed: false,
    })
    await set('mysql', { ...mysql, addresses: ['192.0.2.8'], tags: ['old-db'] })
    await cluster.until('the change', () => ofType('members').at(-1)?.members['old-db']?.gone.length === 1)
    expect(ofType('members').at(-1)?.members).toEqual({ 'old-db': { put: ['192.0.2.8'], gone: ['192.0.2.7'] } })
  })
})

describe('routes', () => {
  it('lead to its addresses', async () => {
    await set('legacy', { addresses: ['192.0.2.7', '192.0.2.8'], ports: [8080], routes: ['old.example.com/api'] })
    await cluster.until('the route', () => cluster.traffic.routes().length === 1)
    expect(cluster.traffic.routes()).toMatchObject([
      {
        ...{ host: 'old.example.com', path: '/api', app: '', external: 'legacy' },
        members: [
          { address: '192.0.2.7', port: 8080, state: 'active' },
          { address: '192.0.2.8', port: 8080, state: 'active' },
        ],
      },
    ])
    await externals.remove('legacy', {}, call)
    await cluster.until('the end', () => cluster.traffic.routes().length === 0)
  })

  it('belong to one', async () => {
    const document = { ...mysql, routes: [`${webRoute.host}${webRoute.path}`] }
    await set('legacy', document)
    await expect(set('other', document)).rejects.toThrow(/belongs to external service legacy/)
    cluster.commits.set('c2', testSpec({ web: {} }, { routes: [webRoute] }))
    await expect(cluster.deploy('c2')).rejects.toThrow(/belongs to external service legacy/)
  })
})

describe('refuses', () => {
  it('mistakes, all at once', async () => {
    await expect(set('my_sql', { addresses: ['10.77.1.2'] })).rejects.toMatchObject({
      code: 'external.invalid',
      details: { problems: [{ path: 'name' }, { path: 'addresses[0]' }] },
    })
  })

  it('names that others have', async () => {
    await expect(set('mysql.shop')).rejects.toThrow(/there is no app shop; make it first/)
    await new Apps(cluster.records).create({ name: 'shop', vcs: 'git' }, call)
    await expect(set('shop')).rejects.toThrow(/there is an app shop/)
    await expect(set('mysql.shob')).rejects.toThrow(/did you mean mysql.shop/)
    await set('mysql')
    await expect(new Apps(cluster.records).create({ name: 'mysql', vcs: 'git' }, call)).rejects.toMatchObject({
      code: 'app.name-taken',
    })
    await set('web.shop')
    cluster.commits.set('c2', testSpec({ web: {} }))
    await expect(cluster.deploy('c2')).rejects.toThrow(/berth external rm web.shop/)
    await externals.remove('web.shop', {}, call)
    await cluster.deploy('c2')
    await expect(set('web.shop')).rejects.toThrow(/shop has an entrypoint web/)
    await expect(set('production.shop')).rejects.toThrow(/shop has a pool production/)
  })

  it('a deploy to a new pool that one is called as', async () => {
    await new Apps(cluster.records).create({ name: 'shop', vcs: 'git' }, call)
    await set('production.shop')
    cluster.commits.set('c2', testSpec({ web: {} }))
    await expect(cluster.deploy('c2')).rejects.toThrow(/as this new pool: berth external rm production.shop/)
    await externals.remove('production.shop', {}, call)
    await cluster.deploy('c2')
  })

  it('another version than the one that was meant, and what is not there', async () => {
    await set('mysql', mysql, 0)
    await expect(set('mysql', mysql, 0)).rejects.toMatchObject({ code: 'external.changed' })
    await expect(externals.remove('mysql', { version: 2 }, call)).rejects.toMatchObject({ code: 'external.changed' })
    await expect(externals.remove('mysqll', {}, call)).rejects.toThrow(/did you mean mysql\?/)
  })
})
