import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { FeedLine } from '../agents/node-feed.ts'
import { Apps } from '../apps/apps.ts'
import { TestCluster, testSpec } from '../controllers/cluster.testing.ts'
import { domainView } from '../views/domain-view.ts'
import { Domains } from './domains.ts'

const call = { actor: 'test' }
let cluster: TestCluster
let domains: Domains
let lines: FeedLine[]
beforeEach(async () => {
  cluster = await TestCluster.start()
  domains = new Domains(cluster.records, 'berth')
  lines = []
  cluster.feed.subscribe('node-a', (line) => lines.push(line))
})
afterEach(() => cluster[Symbol.asyncDispose]())

const set = (name: string, document: object, version?: number) => domains.put(name, document, { version }, call)
const told = () => lines.flatMap((line) => (line.type === 'names' ? [line.names] : [])).at(-1)

describe('domains', () => {
  it('come to nodes that are there and to those that come, and go again', async () => {
    await new Apps(cluster.records).create({ name: 'shop', vcs: 'git' }, call)
    await set('db.corp.example', { target: 'db.shop.berth' })
    await set('corp.internal', { resolvers: [{ address: '10.0.0.53' }] })
    const known = [
      { name: 'corp.internal', resolvers: [{ address: '10.0.0.53' }] },
      { name: 'db.corp.example', target: 'db.shop' },
    ]
    await cluster.until('the word', () => told()?.domains?.length === 2)
    expect(told()?.domains).toEqual(known)
    expect(cluster.feed.snapshot('node-b').names.domains).toEqual(known)
    for (const { name } of known) await domains.remove(name, {}, call)
    await cluster.until('the end', () => told()?.domains === undefined)
  })

  it('are told again only when they are others', async () => {
    const first = await set('corp.example', { addresses: ['192.0.2.7'] })
    expect(await set('corp.example', { addresses: ['192.0.2.7'] })).toEqual(first)
    expect(await set('corp.example', { addresses: ['192.0.2.8'] })).toMatchObject({ version: 2 })
  })

  it('say when their app is gone', async () => {
    await new Apps(cluster.records).create({ name: 'shop', vcs: 'git' }, call)
    const record = await set('shop.corp.example', { target: 'shop' })
    expect(domainView(cluster.state, record).warnings).toEqual([])
    await cluster.operations.removeApp('shop', call)
    await cluster.until('the end', () => !cluster.state.apps.has('shop'))
    expect(domainView(cluster.state, record).warnings).toEqual(['there is no app or external service shop'])
  })

  it('say when their app has nothing of that name', async () => {
    cluster.commits.set('c1', testSpec({ web: {}, db: {} }))
    await cluster.deploy('c1')
    const warnings = async (target: string) =>
      domainView(cluster.state, await set('a.corp.example', { target })).warnings
    for (const known of ['shop', 'web.shop', 'production.shop', 'db.production.shop', 'web-1.production.shop'])
      expect(await warnings(known)).toEqual([])
    expect(await warnings('wep.shop')).toEqual(['shop has no entrypoint or pool wep; did you mean web?'])
    expect(await warnings('web.staging.shop')).toEqual(['shop has no pool staging; there are: production'])
    expect(await warnings('mq-1.production.shop')).toEqual(['shop has no entrypoint mq-1; there are: web, db'])
  })

  it('refuse mistakes, targets that are not there, and other versions than what was meant', async () => {
    await expect(set('x.berth', { addresses: ['a'] })).rejects.toMatchObject({
      code: 'domain.invalid',
      details: { problems: [{ path: 'name' }, { path: 'addresses[0]' }] },
    })
    await expect(set('db.corp.example', { target: 'db.shop' })).rejects.toThrow(/no app or external service shop/)
    await set('corp.example', { addresses: ['192.0.2.7'] }, 0)
    await expect(set('corp.example', { addresses: ['192.0.2.7'] }, 0)).rejects.toMatchObject({ code: 'domain.changed' })
    await expect(domains.remove('corp.example', { version: 2 }, call)).rejects.toMatchObject({ code: 'domain.changed' })
    await expect(domains.remove('corp.exampel', {}, call)).rejects.toThrow(/did you mean corp.example\?/)
  })
})
