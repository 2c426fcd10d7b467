import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findRouteTableProblems } from '@berth/core'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Authority, openAuthority } from '../authority/authority.ts'
import type { KeyPairPem } from '../authority/certificate-factory.ts'
import { openTemporaryRecords, type RecordsUnderTest } from '../records/open-records.testing.ts'
import { Certificates } from './certificates.ts'

const context = { actor: 'token:ann' }
const key = { derive: (purpose: string) => Buffer.from(purpose.padEnd(32, '.').slice(0, 32)) }
let now = Date.now()
let directory: string
let under: RecordsUnderTest
let authority: Authority
let pair: KeyPairPem
let certificates: Certificates

beforeEach(async () => {
  now = Date.now()
  directory = await mkdtemp(join(tmpdir(), 'berth-certificates-'))
  under = await openTemporaryRecords()
  authority = await openAuthority(directory)
  pair = await authority.serverCertificate(['Shop.example.com', '*.example.com'])
  certificates = new Certificates({ records: under.records, key, log: pino({ level: 'silent' }), now: () => now })
})
afterEach(async () => {
  await under[Symbol.asyncDispose]()
  await rm(directory, { recursive: true, force: true })
})

describe('certificates', () => {
  it('are known by their hosts, and given to gateways with their keys', async () => {
    const record = await certificates.set('shop', pair, context)
    expect(record.hosts).toEqual(['berth-server', 'shop.example.com', '*.example.com'])
    expect(record.notAfter).toBeGreaterThan(now)
    expect(certificates.all()).toEqual([{ hosts: record.hosts, ...pair }])
    expect(under.state.events.all()).toMatchObject([{ type: 'certificate.set', actor: 'token:ann' }])
    await certificates.remove('shop', context)
    expect(certificates.all()).toEqual([])
    await expect(certificates.remove('shop', context)).rejects.toMatchObject({ code: 'certificate.not-found' })
  })

  it('that were obtained go after those that somebody gives, and are known by it', async () => {
    const obtained = await authority.serverCertificate(['shop.example.com'])
    const record = await certificates.set('acme-shop.example.com', obtained, context, { acme: true })
    expect([record.acme, certificates.all().length]).toEqual([true, 1])
    await certificates.set('shop', pair, context)
    const all = certificates.all()
    expect(findRouteTableProblems({ version: 1, routes: [], certificates: all })).toEqual([])
    expect(all.find(({ hosts }) => hosts.includes('shop.example.com'))?.keyPem).toBe(pair.keyPem)
  })

  it('may be several for a name, of which one is shown; without it the other one is', async () => {
    await certificates.set('a', pair, context)
    await rm(join(directory, 'server.pem'))
    const other = await authority.serverCertificate(['*.example.com', 'www.example.org'])
    const { notAfter } = await certificates.set('b', other, context)
    // Made in the same second, perhaps: let it be the one that ends last.
    const { value: record } = await under.records.commit('system', (tx) => {
      const longer = { ...under.state.certificates.get('b')!, notAfter: notAfter + 5_000 }
      tx.put('certificates', longer)
      return longer
    })
    expect(record.hosts).toContain('*.example.com')
    const shown = () => {
      const table = { version: 1, routes: [], certificates: certificates.all() }
      expect(findRouteTableProblems(table)).toEqual([])
      return table.certificates.map(({ hosts, keyPem }) => [keyPem === pair.keyPem ? 'a' : 'b', [...hosts].sort()])
    }
    expect(shown()).toEqual([
      ['a', ['shop.example.com']],
      ['b', ['*.example.com', 'berth-server', 'www.example.org']],
    ])
    expect(certificates.all()).toBe(certificates.all())
    now = notAfter + 5_001
    expect(shown().length).toBe(2)
    await certificates.remove('b', context)
    expect(shown()).toEqual([['a', ['*.example.com', 'berth-server', 'shop.example.com']]])
  })

  it('keep no key in clear', async () => {
    await certificates.set('shop', pair, context)
    const { items } = await under.store.list('/')
    const body = pair.keyPem.split('\n')[1] ?? ''
    expect(body.length).toBeGreaterThan(20)
    expect(JSON.stringify(items)).not.toContain(body)
  })

  it('are replaced by newer ones', async () => {
    await certificates.set('shop', pair, context)
    await rm(join(directory, 'server.pem'))
    const newer = await authority.serverCertificate(['shop.example.com'])
    await certificates.set('shop', newer, context)
    expect(certificates.all().map((each) => each.keyPem)).toEqual([newer.keyPem])
  })

  it.each([
    ['a name for a shell', () => ({ name: 'a;b', ...pair }), 'name.invalid', ''],
    ['rubbish', () => ({ name: 'x', ...pair, certificatePem: 'x' }), 'certificate.invalid', 'no PEM'],
    ['no key', () => ({ name: 'x', ...pair, keyPem: 'x' }), 'certificate.invalid', 'private key'],
    ['far too much', () => ({ name: 'x', ...pair, keyPem: 'x'.repeat(200_000) }), 'certificate.invalid', 'too long'],
    [
      'a certificate without hosts',
      () => ({ name: 'x', certificatePem: authority.certificatePem, keyPem: pair.keyPem }),
      'certificate.invalid',
      'does not belong',
    ],
  ])('refuse %s', async (_what, make, code, says) => {
    const { name, ...given } = make()
    await expect(certificates.set(name, given, context)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(says),
    })
    expect(under.state.certificates.size).toBe(0)
  })

  it('refuse the key of another one, and what has expired', async () => {
    await rm(join(directory, 'server.pem'))
    const other = await authority.serverCertificate(['other.example.com'])
    const mixed = { certificatePem: pair.certificatePem, keyPem: other.keyPem }
    await expect(certificates.set('x', mixed, context)).rejects.toMatchObject({
      message: expect.stringContaining('does not belong'),
    })
    now += 400 * 86_400_000
    await expect(certificates.set('x', pair, context)).rejects.toMatchObject({
      message: expect.stringContaining('expired'),
    })
  })

  it('leave out one whose key does not open', async () => {
    await certificates.set('shop', pair, context)
    const other = { derive: () => Buffer.alloc(32, 1) }
    const blind = new Certificates({ records: under.records, key: other, log: pino({ level: 'silent' }) })
    expect(blind.all()).toEqual([])
  })
})
