import type { ExternalView } from '@berth/api/name-resources'
import { readExternal } from '@berth/core/network/read-external'
import { describe, expect, it } from 'vitest'
import { externalDocument, externalForm } from './external-form.ts'

const limits = { stripPath: false, timeout: '60000ms', maxBody: '1Mi' }

const external: ExternalView = {
  ...{ name: 'mysql.shop', hostname: 'mysql.shop.berth', addresses: ['192.0.2.7', '192.0.2.8'], tags: ['old-db'] },
  ports: [
    { name: 'mysql', port: 3306, protocol: 'tcp' },
    { name: 'dns', port: 53, protocol: 'udp' },
  ],
  routes: [
    {
      ...{ host: 'old.example.com', path: '/app', port: 'mysql', tls: 'on', stripPath: false },
      ...{ timeoutMs: 60_000, maxBodyBytes: 1024 ** 2 },
      options: { retries: { on: [503] }, sticky: 'stay' },
    },
  ],
  ...{ version: 1, updatedAt: 0, updatedBy: 'token:dev' },
}

it('is the same after it was opened and saved, with its routes', () => {
  const document = externalDocument(externalForm(external), external)
  const read = readExternal(external.name, document, { domain: 'berth', addressPools: ['10.77.0.0/16'] })
  const { hostname: _, version: __, updatedAt: ___, updatedBy: ____, ...known } = external
  const routes = known.routes.map((route) => ({ ...route, options: { retryOn: [503], stickyCookie: 'stay' } }))
  expect(read).toMatchObject({ external: { ...known, routes } })
})

it('takes addresses or one name, and ports with and without a name', () => {
  const form = {
    name: 'search',
    is: 'search-12.eu.cloud.example',
    ports: 'https=443, 53/udp',
    tags: '',
    site: 'eu',
    routes: '',
  }
  expect(externalDocument(form)).toEqual({
    ...{ target: 'search-12.eu.cloud.example', site: 'eu' },
    ports: [{ name: 'https', port: 443, protocol: 'tcp' }, '53/udp'],
  })
  expect(() => externalDocument({ ...form, is: '192.0.2.7 a.example' })).toThrow('write addresses, or one host name')
  expect(() => externalDocument({ ...form, ports: 'mysql=x' })).toThrow('mysql=x: write NAME=PORT')
})

describe('routes', () => {
  const written = (routes: string) =>
    externalDocument({ name: 'mysql.shop', is: '192.0.2.7', ports: 'web=80', tags: '', site: '', routes }, external)
      .routes

  it('are one a line: a place, a port, how TLS is served', () => {
    expect(written('a.example\n\n  b.example/x/y  web redirect \nc.example off web')).toEqual([
      { host: 'a.example', path: '/', tls: 'on' },
      { host: 'b.example', path: '/x/y', tls: 'redirect', port: 'web' },
      { host: 'c.example', path: '/', tls: 'off', port: 'web' },
    ])
    expect(() => written('a.example web http')).toThrow('a.example web http: write HOST/PATH, the name of a port')
    expect(written(' \n')).toBeUndefined()
  })

  it('keep what a line does not tell', () => {
    expect(written('old.example.com/app web off')).toEqual([
      {
        host: 'old.example.com',
        path: '/app',
        port: 'web',
        tls: 'off',
        ...limits,
        retries: { on: [503] },
        sticky: 'stay',
      },
    ])
  })
})
