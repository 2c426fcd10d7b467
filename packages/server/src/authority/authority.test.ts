import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, createServer } from 'node:tls'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Authority, openAuthority, serverName } from './authority.ts'
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
    const authority = await openAuthority(directory, { now: () => now })
    const pair = await authority.serverCertificate(['a'])
    now += 200 * dayMs
    expect(await authority.serverCertificate(['a'])).toEqual(pair)
    now += 100 * dayMs
    const renewed = await authority.serverCertificate(['a'])
    expect(new X509Certificate(renewed.certificatePem).validToDate.getTime()).toBeGreaterThan(now + 300 * dayMs)
  })

  it('lets nothing outlive the authority and refuses to go on with an expired one', async () => {
    let now = Date.now()
    const authority = await openAuthority(directory, { now: () => now })
    const end = new X509Certificate(authority.certificatePem).validToDate
    now = end.getTime() - 10 * dayMs
    const pair = await authority.serverCertificate(['a'])
    expect(new X509Certificate(pair.certificatePem).validToDate).toEqual(end)
    now = end.getTime() + 1000
    await expect(openAuthority(directory, { now: () => now })).rejects.toMatchObject({ code: 'authority.expired' })
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

describe('a rotation of the authority', () => {
  const lifetimes = { authorityMs: 300 * dayMs, serverMs: 30 * dayMs, nodeMs: 290 * dayMs }
  let now: number
  let authority: Authority
  beforeEach(async () => {
    // TLS goes by the real clock, which is where the tests arrive when they let these days pass.
    now = Date.now() - 201 * dayMs
    authority = await openAuthority(directory, { now: () => now, lifetimes })
  })

  /** Connects as a node that trusts `ca` to a server that asks for a certificate; the reason when either side refuses. */
  async function handshake(ca: string, node?: { certificatePem: string; keyPem: string }): Promise<string> {
    const pair = await authority.serverCertificate([])
    const server = createServer({
      ...{ cert: pair.certificatePem, key: pair.keyPem, ca: authority.trustPem, minVersion: 'TLSv1.3' },
      ...{ requestCert: node !== undefined, rejectUnauthorized: true },
    })
    server.on('tlsClientError', () => undefined)
    server.on('secureConnection', (socket) => socket.end('hello'))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    const client = node === undefined ? {} : { cert: node.certificatePem, key: node.keyPem }
    const socket = connect({ host: '127.0.0.1', port, servername: serverName, ca, ...client })
    try {
      const [data] = (await once(socket, 'data')) as [Buffer]
      return data.toString()
    } catch (error) {
      return (error as Error).message
    } finally {
      socket.destroy()
      server.close()
    }
  }

  it('comes in the last third of its life, once, and is found again after a restart', async () => {
    now += 199 * dayMs
    expect(await authority.rotateIfDue()).toBe(false)
    now += 2 * dayMs
    const before = authority.certificatePem
    expect(await authority.rotateIfDue()).toBe(true)
    expect(await authority.rotateIfDue()).toBe(false)
    expect(authority.previous?.certificatePem).toBe(before)
    expect(authority.expiresAt).toBeGreaterThan(now + 299 * dayMs)
    const again = await openAuthority(directory, { now: () => now, lifetimes })
    expect(again.trustPem).toBe(authority.trustPem)
    expect(again.fingerprint).toBe(authority.fingerprint)
    expect((await readFile(join(directory, 'authority.pem'), 'utf8')).match(/PRIVATE KEY-----\n/g)).toHaveLength(2)
  })

  it('is trusted at once by those who know the old root only, and by those who know the new one only', async () => {
    const old = authority.certificatePem
    now += 201 * dayMs
    await authority.rotateIfDue()
    expect(await handshake(old)).toBe('hello')
    expect(await handshake(authority.certificatePem)).toBe('hello')
  })

  it('lets nodes with certificates of either key in, and tells them apart', async () => {
    const request = await createRequest('node-a')
    const sign = async () => ({
      keyPem: request.keyPem,
      certificatePem: await authority.signNode(request.requestPem, 'node-a'),
    })
    const old = await sign()
    const oldRoot = authority.certificatePem
    now += 201 * dayMs
    await authority.rotateIfDue()
    const renewed = await sign()
    expect(authority.hasSigned(new X509Certificate(old.certificatePem))).toBe(false)
    expect(authority.hasSigned(new X509Certificate(renewed.certificatePem))).toBe(true)
    expect(await handshake(oldRoot, old)).toBe('hello')
    expect(await handshake(authority.trustPem, renewed)).toBe('hello')
  })

  it('makes the new root the only one when the old one ends', async () => {
    const token = authority.fingerprint
    now += 201 * dayMs
    await authority.rotateIfDue()
    expect(authority.fingerprint).toBe(token)
    now += 101 * dayMs
    expect(authority.previous).toBeUndefined()
    expect(authority.trustPem).toBe(authority.certificatePem)
    expect(authority.fingerprint).not.toBe(token)
    expect((await authority.serverCertificate([])).certificatePem.endsWith(authority.certificatePem)).toBe(true)
    const again = await openAuthority(directory, { now: () => now, lifetimes })
    expect(again.fingerprint).toBe(authority.fingerprint)
  })

  it('refuses a file whose certificates do not belong together', async () => {
    now += 201 * dayMs
    await authority.rotateIfDue()
    const path = join(directory, 'authority.pem')
    const blocks = (await readFile(path, 'utf8')).split(/(?=-----BEGIN)/)
    await writeFile(path, [blocks[0], blocks[1], blocks[3], blocks[2]].join(''))
    await expect(openAuthority(directory, { now: () => now })).rejects.toMatchObject({ code: 'authority.corrupt' })
  })
})
