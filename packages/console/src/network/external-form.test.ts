import type { ExternalView } from '@berth/api/name-resources'
import { readExternal } from '@berth/core/network/read-external'
import { expect, it } from 'vitest'
import { externalDocument, externalForm } from './external-form.ts'

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
    },
  ],
  ...{ version: 1, updatedAt: 0, updatedBy: 'token:dev' },
}

it('is the same after it was opened and saved, with its routes', () => {
  const document = externalDocument(externalForm(external), external)
  const read = readExternal(external.name, document, { domain: 'berth', addressPools: ['10.77.0.0/16'] })
  const { hostname: _, version: __, updatedAt: ___, updatedBy: ____, ...known } = external
  expect(read).toMatchObject({ external: known })
})

it('takes addresses or one name, and ports with and without a name', () => {
  const form = { name: 'search', is: 'search-12.eu.cloud.example', ports: 'https=443, 53/udp', tags: '', site: 'eu' }
  expect(externalDocument(form)).toEqual({
    ...{ target: 'search-12.eu.cloud.example', site: 'eu' },
    ports: [{ name: 'https', port: 443, protocol: 'tcp' }, '53/udp'],
  })
  expect(() => externalDocument({ ...form, is: '192.0.2.7 a.example' })).toThrow(
    'write IPv4 addresses, or one host name',
  )
  expect(() => externalDocument({ ...form, ports: 'mysql=x' })).toThrow('mysql=x: write NAME=PORT')
})
