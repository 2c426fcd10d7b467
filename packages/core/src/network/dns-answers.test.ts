import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { NameEntry, NameTable } from '../model/assignment.ts'
import { answerName } from './dns-answers.ts'
import type { NameAnswer, NameQuestionType } from './name-answer.ts'
import { indexNames, poolOfAsker } from './name-index.ts'

const http = { name: 'http', port: 8080, protocol: 'tcp' } as const
const metrics = { name: 'metrics', port: 9100, protocol: 'udp' } as const

function entry(instance: string, address: string, ports: NameEntry['ports'] = [http]): NameEntry {
  const [app = '', pool = '', label = ''] = instance.split('.')
  return { app, pool, entrypoint: label.replace(/-\d+$/, ''), instance, address, ports }
}

const entries = [
  entry('shop.production.web-1', '10.77.1.2'),
  entry('shop.production.web-2', '10.77.2.2'),
  entry('shop.production.worker-3', '10.77.1.3', []),
  entry('shop.staging.web-1', '10.77.1.4', [http, metrics]),
  entry('cache.blue.redis-7', '10.77.1.5'),
  entry('split.blue.web-1', '10.77.1.6'),
  entry('split.green.web-1', '10.77.1.7'),
  entry('dash.production.web-1-9', '10.77.1.8'),
]
const table: NameTable = {
  version: 1,
  entries,
  apps: [
    { app: 'shop', entrypoints: ['web', 'worker', 'mailer'], pools: ['production', 'staging', 'empty'] },
    { app: 'down', entrypoints: ['web'], pools: ['production'] },
    { app: 'dash', entrypoints: ['web', 'web-1'], pools: ['production'] },
  ],
}
const network = { pool: '10.77.0.0/16', domain: 'berth', defaultPool: 'production' }
const index = indexNames(table, network, [
  { address: '10.77.1.99', pool: 'staging' },
  { address: '10.77.1.5', pool: 'staging' },
])

const ask = (name: string, pool?: string, type: NameQuestionType = 'A'): NameAnswer =>
  answerName(index, { name, type }, pool)

describe('addresses', () => {
  it.each<[name: string, pool: string | undefined, addresses: string[]]>([
    ['web.shop.berth', undefined, ['10.77.1.2', '10.77.2.2']],
    ['web.shop.berth', 'production', ['10.77.1.2', '10.77.2.2']],
    ['web.shop.berth', 'staging', ['10.77.1.4']],
    ['web.shop.berth', 'unheard-of', ['10.77.1.2', '10.77.2.2']],
    ['shop.berth', undefined, ['10.77.1.2', '10.77.2.2']],
    ['shop.berth', 'staging', ['10.77.1.4']],
    ['worker.shop.berth', 'production', ['10.77.1.3']],
    ['web.staging.shop.berth', 'production', ['10.77.1.4']],
    ['staging.shop.berth', 'production', ['10.77.1.4']],
    ['blue.split.berth', undefined, ['10.77.1.6']],
    ['web-2.production.shop.berth', 'staging', ['10.77.2.2']],
    ['redis.cache.berth', 'production', ['10.77.1.5']],
    ['cache.berth', undefined, ['10.77.1.5']],
    ['web.split.berth', 'green', ['10.77.1.7']],
    ['web-1.production.dash.berth', undefined, ['10.77.1.8']],
    ['web-1-9.production.dash.berth', undefined, ['10.77.1.8']],
  ])('%s asked from %s', (name, pool, addresses) => {
    expect(ask(name, pool)).toEqual({ kind: 'addresses', addresses })
  })
})

describe('those in their node’s network', () => {
  const hosted = [entry('edge.staging.proxy-1', '192.168.0.7'), entry('edge.staging.agent-1', '192.168.0.7')]
  const named = indexNames({ ...table, entries: [...entries, ...hosted] }, network)

  it('have names, and their node’s address has none of theirs', () => {
    const question = { name: 'proxy.edge.berth', type: 'A' } as const
    expect(answerName(named, question, 'staging')).toEqual({ kind: 'addresses', addresses: ['192.168.0.7'] })
    expect(answerName(named, { name: '7.0.168.192.in-addr.arpa', type: 'PTR' }, 'staging').kind).toBe('elsewhere')
    expect(poolOfAsker(named, '192.168.0.7')).toBeUndefined()
  })
})

describe('names without addresses', () => {
  it.each<[why: string, name: string, pool: string | undefined]>([
    ['the domain itself', 'berth', undefined],
    ['a pool of which nothing is ready', 'empty.shop.berth', undefined],
    ['an app of which nothing is ready', 'down.berth', undefined],
    ['an entrypoint of which nothing is ready', 'mailer.shop.berth', undefined],
    ["the asker's own pool when nothing of it is ready, never another pool's addresses", 'web.shop.berth', 'empty'],
    ["the app's first entrypoint in a pool where only others could be", 'shop.berth', 'empty'],
    ['an explicit pool when nothing of it is ready', 'web.empty.shop.berth', undefined],
    ['the way to a service', '_tcp.web.shop.berth', undefined],
    ['a service asked for its address', '_http._tcp.web.shop.berth', undefined],
  ])('%s is empty', (_, name, pool) => expect(ask(name, pool)).toEqual({ kind: 'empty' }))

  it.each<[why: string, name: string, pool: string | undefined]>([
    ['an unknown app', 'nobody.berth', undefined],
    ['an unknown entrypoint', 'nobody.shop.berth', undefined],
    ['an unknown pool', 'web.nowhere.shop.berth', undefined],
    ['an instance that is not ready', 'web-9.production.shop.berth', undefined],
    ['too many labels', 'a.web.production.shop.berth', undefined],
    ['an app with several pools, none of them the default or the asker’s', 'web.split.berth', 'red'],
    ['an empty label', '.berth', undefined],
    ['only service labels', '_http._tcp.berth', undefined],
    ['a third service label', '_a._b._c.shop.berth', undefined],
  ])('%s is unknown', (_, name, pool) => expect(ask(name, pool)).toEqual({ kind: 'unknown' }))

  it.each(['A', 'SRV', 'PTR', 'other'] as const)('the type %s finds only what there is of it', (type) => {
    const answer = ask('web.shop.berth', undefined, type)
    expect(answer.kind).toBe(type === 'A' ? 'addresses' : 'empty')
  })

  it.each(['example.com', 'berth.example.com', 'notberth', 'com', '', 'localhost'])('%j is not ours', (name) => {
    expect(ask(name)).toEqual({ kind: 'elsewhere' })
  })
})

describe('services', () => {
  it('gives name, address and port of every instance that has the port', () => {
    expect(ask('_http._tcp.web.shop.berth', undefined, 'SRV')).toEqual({
      kind: 'services',
      services: [
        { name: 'web-1.production.shop.berth', addresses: ['10.77.1.2'], port: 8080 },
        { name: 'web-2.production.shop.berth', addresses: ['10.77.2.2'], port: 8080 },
      ],
    })
    expect(ask('_metrics._udp.staging.shop.berth', undefined, 'SRV')).toMatchObject({ services: [{ port: 9100 }] })
    expect(ask('_metrics._udp.web.staging.shop.berth', undefined, 'SRV')).toMatchObject({ services: [{ port: 9100 }] })
    expect(ask('_http._tcp.shop.berth', 'staging', 'SRV')).toMatchObject({ services: [{ addresses: ['10.77.1.4'] }] })
  })

  it.each([
    ['_smtp._tcp.web.shop.berth', 'unknown'],
    ['_http._udp.web.shop.berth', 'unknown'],
    ['_http._tcp.worker.shop.berth', 'unknown'],
    ['_http._tcp.mailer.shop.berth', 'empty'],
    ['_http._tcp.nobody.berth', 'unknown'],
  ])('%s is %s', (name, kind) => expect(ask(name, undefined, 'SRV')).toEqual({ kind }))
})

describe('sites', () => {
  const at = (site: string | undefined, instance: string, address: string): NameEntry => ({
    ...entry(instance, address),
    ...(site === undefined ? {} : { site }),
  })
  const spread = [
    at('eu', 'shop.production.web-1', '10.77.1.1'),
    at(undefined, 'shop.production.web-2', '10.77.1.2'),
    at('us', 'shop.production.web-3', '10.77.1.3'),
    at('us', 'shop.production.web-4', '10.77.1.4'),
  ]
  const askFrom = (site: string | undefined, name: string, type: NameQuestionType = 'A') => {
    const known = indexNames({ version: 1, entries: spread }, site === undefined ? network : { ...network, site })
    return answerName(known, { name, type }, undefined)
  }

  it.each<[site: string | undefined, addresses: string[], near: number | undefined]>([
    ['us', ['10.77.1.3', '10.77.1.4', '10.77.1.1', '10.77.1.2'], 2],
    ['eu', ['10.77.1.1', '10.77.1.2', '10.77.1.3', '10.77.1.4'], 1],
    ['asia', ['10.77.1.1', '10.77.1.2', '10.77.1.3', '10.77.1.4'], undefined],
    [undefined, ['10.77.1.1', '10.77.1.2', '10.77.1.3', '10.77.1.4'], undefined],
  ])('asked from %s those of the same come first, and the others too', (site, addresses, near) => {
    expect(askFrom(site, 'web.shop.berth')).toEqual({
      ...{ kind: 'addresses', addresses },
      ...(near === undefined ? {} : { near }),
    })
  })

  it('are told to who asks for services', () => {
    const answer = askFrom('eu', '_http._tcp.web.shop.berth', 'SRV')
    expect(answer.kind === 'services' && answer.services.map(({ isFar }) => isFar)).toEqual([
      ...[undefined, true, true, true],
    ])
    const anywhere = askFrom('asia', '_http._tcp.web.shop.berth', 'SRV')
    expect(anywhere.kind === 'services' && anywhere.services.some(({ isFar }) => isFar)).toBe(false)
  })
})

describe('reverse names', () => {
  it.each<[string, NameAnswer]>([
    ['2.2.77.10.in-addr.arpa', { kind: 'pointer', name: 'web-2.production.shop.berth' }],
    ['1.1.77.10.in-addr.arpa', { kind: 'unknown' }],
    ['2.2.78.10.in-addr.arpa', { kind: 'elsewhere' }],
    ['77.10.in-addr.arpa', { kind: 'elsewhere' }],
    ['2.2.77.999.in-addr.arpa', { kind: 'elsewhere' }],
  ])('%s', (name, answer) => expect(ask(name, undefined, 'PTR')).toEqual(answer))

  it('has no address of its own', () => expect(ask('2.2.77.10.in-addr.arpa')).toEqual({ kind: 'empty' }))
})

describe('poolOfAsker', () => {
  it.each([
    ['10.77.1.4', 'staging'],
    ['10.77.1.99', 'staging'],
    ['10.77.1.5', 'staging'],
    ['10.77.1.1', undefined],
    ['169.254.77.53', undefined],
  ])('%s: %s', (address, pool) => expect(poolOfAsker(index, address)).toBe(pool))
})

describe('external services', () => {
  const mysql = { name: 'mysql', port: 3306, protocol: 'tcp' } as const
  const external = (name: string, address: string) => ({ name, addresses: [address], ports: [mysql] })
  const externals = [
    { name: 'ldap', addresses: ['192.0.2.1', '192.0.2.2'], ports: [] },
    external('mysql.shop', '192.0.2.3'),
    external('mysql.staging.shop', '192.0.2.4'),
    external('web.shop', '192.0.2.5'),
    external('shop', '192.0.2.6'),
    {
      name: 'mail',
      addresses: [],
      target: 'mx.example',
      ports: [{ name: 'smtp', port: 25, protocol: 'tcp' as const }],
    },
    external('mysql.gone', '192.0.2.7'),
    external('mysql.staging.gone', '192.0.2.8'),
  ]
  const known = indexNames({ ...table, externals }, network, [{ address: '10.77.1.99', pool: 'staging' }])
  const look = (name: string, pool?: string, type: NameQuestionType = 'A') => answerName(known, { name, type }, pool)

  it.each<[name: string, pool: string | undefined, addresses: string[]]>([
    ['ldap.berth', 'staging', ['192.0.2.1', '192.0.2.2']],
    ['mysql.shop.berth', undefined, ['192.0.2.3']],
    ['mysql.shop.berth', 'production', ['192.0.2.3']],
    ['mysql.shop.berth', 'staging', ['192.0.2.4']],
    ['mysql.shop.berth', 'unheard-of', ['192.0.2.3']],
    ['mysql.staging.shop.berth', 'production', ['192.0.2.4']],
    ['mysql.empty.shop.berth', undefined, ['192.0.2.3']],
    ['web.shop.berth', 'staging', ['10.77.1.4']],
    ['shop.berth', 'staging', ['10.77.1.4']],
    ['mysql.gone.berth', 'staging', ['192.0.2.8']],
    ['mysql.gone.berth', undefined, ['192.0.2.7']],
  ])('%s asked from %s', (name, pool, addresses) => {
    expect(look(name, pool)).toEqual({ kind: 'addresses', addresses })
  })

  it.each(['mysql.nowhere.shop.berth', 'ldap.shop.berth', 'a.ldap.berth', '_http._tcp.ldap.berth'])(
    '%s is unknown',
    (name) => expect(look(name)).toEqual({ kind: 'unknown' }),
  )

  it('lead to another’s name, whatever is asked of it', () => {
    for (const type of ['A', 'other'] as const)
      expect(look('mail.berth', undefined, type)).toEqual({ kind: 'alias', target: 'mx.example' })
  })

  it('tell their ports, and who has an address', () => {
    expect(look('_mysql._tcp.mysql.shop.berth', undefined, 'SRV')).toEqual({
      kind: 'services',
      services: [{ name: 'mysql.shop.berth', addresses: ['192.0.2.3'], port: 3306 }],
    })
    expect(look('_smtp._tcp.mail.berth', undefined, 'SRV')).toEqual({
      kind: 'services',
      services: [{ name: 'mx.example', addresses: [], port: 25 }],
    })
    expect(look('2.2.0.192.in-addr.arpa', undefined, 'PTR')).toEqual({ kind: 'pointer', name: 'ldap.berth' })
    expect(look('9.2.0.192.in-addr.arpa', undefined, 'PTR')).toEqual({ kind: 'elsewhere' })
    expect(look('_tcp.mail.berth')).toEqual({ kind: 'empty' })
    expect(look('ldap.berth', undefined, 'other')).toEqual({ kind: 'empty' })
  })
})

it('never answers with addresses of another pool than the one asked from, when the app has that pool', () => {
  const name = fc.constantFrom('a', 'b', 'c')
  const anyEntry = fc.record({ app: name, pool: name, entrypoint: name }).map(({ app, pool, entrypoint }) => ({
    app,
    pool,
    entrypoint,
    instance: `${app}.${pool}.${entrypoint}-1`,
    ports: [],
  }))
  fc.assert(
    fc.property(fc.array(anyEntry, { maxLength: 12 }), name, name, name, (some, app, entrypoint, pool) => {
      const addressed = some.map((each, n) => ({ ...each, address: `10.77.0.${n + 2}` }))
      const apps = ['a', 'b', 'c'].map((each) => ({ app: each, entrypoints: ['a', 'b', 'c'], pools: ['a', 'b', 'c'] }))
      const answer = answerName(
        indexNames({ version: 1, entries: addressed, apps }, network),
        { name: `${entrypoint}.${app}.berth`, type: 'A' },
        pool,
      )
      const wanted = addressed.filter((e) => e.app === app && e.entrypoint === entrypoint && e.pool === pool)
      expect(answer).toEqual(
        wanted.length === 0 ? { kind: 'empty' } : { kind: 'addresses', addresses: wanted.map((each) => each.address) },
      )
    }),
  )
})
