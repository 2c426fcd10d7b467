import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatPath } from '../spec/spec-issue.ts'
import { type ExternalDocument, readExternal } from './read-external.ts'

const own = { domain: 'berth', addressPools: ['10.77.0.0/16', 'fd77:1::a4d:0/112'] }
const read = (document: ExternalDocument, name = 'mysql.shop') => readExternal(name, document, own)
const addresses = ['192.0.2.7']

it('reads what is written as in a berth.yaml', () => {
  const document = {
    ...{ addresses: ['192.0.2.7', '192.0.2.8'], site: 'eu-1', tags: ['old', 'db'] },
    ports: { http: 8080, stats: { port: 9100, protocol: 'udp' } },
    routes: ['legacy.example.com/api', { host: 'old.example.com', port: 'http', tls: 'redirect' }],
  } as const
  expect(read(document)).toEqual({
    issues: [],
    external: {
      name: 'mysql.shop',
      addresses: ['192.0.2.7', '192.0.2.8'],
      site: 'eu-1',
      tags: ['db', 'old'],
      ports: [
        { name: 'http', port: 8080, protocol: 'tcp' },
        { name: 'stats', port: 9100, protocol: 'udp' },
      ],
      routes: [
        {
          ...{ host: 'legacy.example.com', path: '/api', port: 'http', tls: 'on', stripPath: false },
          ...{ timeoutMs: 60_000, maxBodyBytes: 104_857_600 },
        },
        {
          ...{ host: 'old.example.com', path: '/', port: 'http', tls: 'redirect', stripPath: false },
          ...{ timeoutMs: 60_000, maxBodyBytes: 104_857_600 },
        },
      ],
    },
  })
})

it('writes addresses of IPv6 in their one form', () => {
  expect(read({ addresses: ['2001:DB8:0::7', '192.0.2.7', 'fd77:1::10.78.0.1'] }).external?.addresses).toEqual([
    ...['2001:db8::7', '192.0.2.7', 'fd77:1::a4e:1'],
  ])
})

it.each(['mysql', 'mysql.shop', 'mysql.staging.shop'])('is called %s', (name) =>
  expect(read({ addresses }, name).external).toMatchObject({ name }),
)

describe('refuses', () => {
  it.each<[why: string, document: ExternalDocument, paths: string[]]>([
    ['neither an address nor a target', {}, ['addresses']],
    ['both', { addresses, target: 'db.example' }, ['addresses']],
    [
      'what is no address',
      { addresses: ['db.example', '10.1', 'fd00:::1'] },
      ['addresses[0]', 'addresses[1]', 'addresses[2]'],
    ],
    [
      'an address of the cluster’s pool',
      { addresses: ['10.77.3.4', 'fd77:1::10.77.3.4'] },
      ['addresses[0]', 'addresses[1]'],
    ],
    [
      'addresses that nobody reaches',
      { addresses: ['127.0.0.1', '169.254.77.53', '224.0.0.1', '::1', 'fe80::1', 'ff02::1', '::ffff:192.0.2.7'] },
      [0, 1, 2, 3, 4, 5, 6].map((index) => `addresses[${index}]`),
    ],
    ['an address twice', { addresses: ['192.0.2.7', '192.0.2.7'] }, ['addresses[1]']],
    ['one of IPv6 twice', { addresses: ['2001:db8::7', '2001:DB8:0::7'] }, ['addresses[1]']],
    ['a target that is no host name', { target: 'DB.example.' }, ['target']],
    ['a target that is an address', { target: '192.0.2.7' }, ['target']],
    ['a target that is one of IPv6', { target: '2001:db8::7' }, ['target']],
    ['a target of Berth’s own', { target: 'web.shop.berth' }, ['target']],
    ['tags of a target', { target: 'db.example', tags: ['db'] }, ['tags']],
    ['routes to a target', { target: 'db.example', ports: [80], routes: ['a.example'] }, ['routes']],
    ['routes without a port', { addresses, routes: ['a.example'] }, ['routes']],
    [
      'a route to a port that is not there',
      { addresses, ports: [80], routes: [{ host: 'a.example', port: 81 }] },
      ['routes[0].port'],
    ],
    [
      'options that only instances have',
      {
        addresses,
        ports: [80],
        routes: ['b.a', { host: 'a.b', sites: { writes: 'bj' }, whenEmpty: 'maintenance' as const }],
      },
      ['routes[1].sites', 'routes[1].whenEmpty'],
    ],
    [
      'a mistake in an option',
      { addresses, ports: [80], routes: [{ host: 'a.b', limit: 'much', retries: { on: [404] } }] },
      ['routes[0].retries.on[0]', 'routes[0].limit'],
    ],
    ['a port of the node', { addresses, ports: [{ port: 80, hostPort: 80 }] }, ['ports']],
    ['a tag that is none', { addresses, tags: ['from'] }, ['tags[0]']],
    ['a site that is none', { addresses, site: 'a b' }, ['site']],
  ])('%s', (_, document, paths) => {
    const { external, issues } = read(document)
    expect(external).toBeUndefined()
    expect(issues.map(({ path }) => formatPath(path))).toEqual(paths)
  })

  it.each(['', 'Mysql', 'my_sql', 'a.b.c.d', 'web-1', 'mysql..shop', '-a', 'mysql.shop.'])('the name %j', (name) => {
    expect(read({ addresses }, name).issues.map(({ path }) => path)).toEqual([['name']])
  })
})

it('never throws, and says either what is wrong or what was read', () => {
  const text = fc.oneof(fc.string(), fc.constantFrom('192.0.2.7', 'db.example', 'http', 'db'))
  const document = fc.record(
    {
      addresses: fc.array(text, { maxLength: 3 }),
      target: text,
      ports: fc.array(fc.oneof(fc.integer(), text), { maxLength: 3 }),
      tags: fc.array(text, { maxLength: 3 }),
      site: text,
      routes: fc.array(text, { maxLength: 3 }),
    },
    { requiredKeys: [] },
  )
  fc.assert(
    fc.property(text, document, (name, written) => {
      const { external, issues } = readExternal(name, written as ExternalDocument, own)
      expect(external === undefined).toBe(issues.length > 0)
    }),
  )
})
