import { X509Certificate } from 'node:crypto'
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openAuthority } from './authority.ts'
import { createRequest } from './certificate-request.testing.ts'

const dayMs = 86_400_000
let directory: string

beforeEach(async () => {
  directory = join(await mkdtemp(join(tmpdir(), 'berth-authority-')), 'authority')
})
afterEach(async () => await rm(join(directory, '..'), { recursive: true, force: true }))

describe('the authority', () => {
  it('is founded once and found again, in files that only the owner can read', async () => {
    const first = await openAuthority(directory)
    const again = await openAuthority(directory)
    expect(again.fingerprint).toBe(first.fingerprint)
    expect(first.fingerprint).toMatch(/^[0-9a-f]{64}$/)
    for (const file of await readdir(directory)) {
      expect((await stat(join(directory, file))).mode & 0o777).toBe(0o600)
    }
    expect((await stat(directory)).mode & 0o777).toBe(0o700)
    expect(new X509Certificate(first.certificatePem).ca).toBe(true)
  })

  it('refuses a key that others can read', async () => {
    await openAuthority(directory)
    await chmod(join(directory, 'authority.pem'), 0o644)
    await expect(openAuthority(directory)).rejects.toMatchObject({
      code: 'file.too-open',
      message: expect.stringContaining('chmod 600'),
    })
  })

  it('refuses to found a new authority over half an old one', async () => {
    await openAuthority(directory)
    const path = join(directory, 'authority.pem')
    const text = await readFile(path, 'utf8')
    await writeFile(path, text.slice(text.indexOf('-----BEGIN CERTIFICATE')))
    await expect(openAuthority(directory)).rejects.toMatchObject({ code: 'authority.corrupt' })
  })

  it('gives servers a certificate for names and addresses and keeps it while it is good', async () => {
    const authority = await openAuthority(directory)
    const pair = await authority.serverCertificate(['berth.example.com', '10.0.0.7'])
    const certificate = new X509Certificate(pair.certificatePem)
    expect(certificate.checkHost('berth.example.com')).toBe('berth.example.com')
    expect(certificate.checkHost('berth-server')).toBe('berth-server')
    expect(certificate.checkIP('10.0.0.7')).toBe('10.0.0.7')
    expect(certificate.checkIP('10.0.0.8')).toBeUndefined()
    expect(certificate.verify(new X509Certificate(authority.certificatePem).publicKey)).toBe(true)
    expect(await authority.serverCertificate(['10.0.0.7'])).toEqual(pair)
    expect(await authority.serverCertificate(['10.0.0.8'])).not.toEqual(pair)
  })

  it('renews the server certificate in the last third of its life', async () => {
    let now = Date.now()
    const authority = await openAuthority(directory, () => now)
    const pair = await authority.serverCertificate(['a'])
    now += 200 * dayMs
    expect(await authority.serverCertificate(['a'])).toEqual(pair)
    now += 100 * dayMs
    const renewed = await authority.serverCertificate(['a'])
    expect(new X509Certificate(renewed.certificatePem).validToDate.getTime()).toBeGreaterThan(now + 300 * dayMs)
  })

  it('lets nothing outlive the authority and refuses to go on with an expired one', async () => {
    let now = Date.now()
    const authority = await openAuthority(directory, () => now)
    const end = new X509Certificate(authority.certificatePem).validToDate
    now = end.getTime() - 10 * dayMs
    const pair = await authority.serverCertificate(['a'])
    expect(new X509Certificate(pair.certificatePem).validToDate).toEqual(end)
    now = end.getTime() + 1000
    await expect(openAuthority(directory, () => now)).rejects.toMatchObject({ code: 'authority.expired' })
  })

  it('signs a node that proves its key', async () => {
    const authority = await openAuthority(directory)
    const { requestPem } = await createRequest('node-a')
    const certificate = new X509Certificate(await authority.signNode(requestPem, 'node-a'))
    expect(certificate.subject).toBe('CN=node-a')
    expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2'])
    expect(certificate.ca).toBe(false)
    expect(certificate.verify(new X509Certificate(authority.certificatePem).publicKey)).toBe(true)
  })

  it.each([
    { what: 'another name', make: async () => (await createRequest('node-b')).requestPem, says: 'common name' },
    { what: 'rubbish', make: async () => 'rubbish', says: 'no PKCS#10' },
    {
      what: 'a broken signature',
      make: async () => (await createRequest('node-a', { breakSignature: true })).requestPem,
      says: 'signature',
    },
    {
      what: 'another kind of key',
      make: async () => (await createRequest('node-a', { curve: 'P-384' })).requestPem,
      says: 'P-256',
    },
  ])('refuses a request with $what', async ({ make, says }) => {
    const authority = await openAuthority(directory)
    await expect(authority.signNode(await make(), 'node-a')).rejects.toMatchObject({
      code: 'join.invalid-request',
      message: expect.stringContaining(says),
    })
  })
})
