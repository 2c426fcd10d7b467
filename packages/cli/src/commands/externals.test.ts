import { describe, expect, it } from 'vitest'
import { documentOf, externalText } from './externals.ts'

describe('external set', () => {
  it('sends what was typed', () => {
    const options = { address: ['192.0.2.7'], port: ['mysql=3306', 'dns=53/udp', '8080'], tag: ['old'], site: 'eu' }
    expect(documentOf({ ...options, route: ['a.example', 'b.example/api'], tls: 'redirect' })).toEqual({
      addresses: ['192.0.2.7'],
      ports: [{ name: 'mysql', port: 3306, protocol: 'tcp' }, { name: 'dns', port: 53, protocol: 'udp' }, '8080'],
      tags: ['old'],
      site: 'eu',
      routes: [
        { host: 'a.example', path: '/', tls: 'redirect' },
        { host: 'b.example', path: '/api', tls: 'redirect' },
      ],
    })
    const written = ['limit=100/s', 'sticky=true', 'retries={count: 1, on: [502, 503]}', 'protocol=grpc']
    expect(documentOf({ route: ['a.example'], option: written }).routes).toEqual([
      {
        host: 'a.example',
        path: '/',
        limit: '100/s',
        sticky: true,
        retries: { count: 1, on: [502, 503] },
        protocol: 'grpc',
      },
    ])
    expect(documentOf({ target: 'db.example' })).toEqual({ target: 'db.example' })
  })

  it.each([
    [{ port: ['mysql=x'] }, /--port mysql=x: write NAME=PORT/],
    [{ port: ['=1'] }, /write NAME=PORT/],
    [{ route: ['a.example'], option: ['limit'] }, /--option limit: write KEY=VALUE/],
    [{ route: ['a.example'], option: ['host=b.example'] }, /write KEY=VALUE/],
    [{ route: ['a.example'], option: ['retries={on: [503'] }, /is no YAML/],
    [{ option: ['limit=5'] }, /give a --route/],
    [{ route: ['a.example'], tls: 'yes' }, /--tls yes/],
  ])('refuses %j', (options, message) => expect(() => documentOf(options)).toThrow(message))
})

it('shows one', () => {
  const place = { host: 'a.example', path: '/', port: 'http', tls: 'on' as const, stripPath: false }
  const text = externalText({
    ...{ name: 'old.shop', hostname: 'old.shop.berth', addresses: ['192.0.2.7', '192.0.2.8'], tags: [], version: 2 },
    ports: [{ name: 'http', port: 80, protocol: 'tcp' }],
    routes: [
      { ...place, timeoutMs: 1, maxBodyBytes: 0 },
      { ...place, path: '/x', timeoutMs: 1, maxBodyBytes: 0, options: { sticky: 'c', limit: { concurrent: 5 } } },
    ],
    ...{ updatedAt: 0, updatedBy: 'ann' },
  })
  expect(text).toBe(`name     old.shop.berth
is       192.0.2.7 192.0.2.8
ports    http=80
routes   a.example/ to http (tls on), a.example/x to http (tls on, sticky c, limit {concurrent: 5})
version  2`)
})
