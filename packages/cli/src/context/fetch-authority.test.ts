import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer, type Server } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fetchAuthority, parseFingerprint } from './fetch-authority.ts'

const hex = 'ab'.repeat(32)

describe('fingerprints', () => {
  it.each([
    hex,
    hex.toUpperCase(),
    hex.match(/../g)?.join(':') ?? '',
    `sha256 Fingerprint=${hex.toUpperCase().match(/../g)?.join(':')}`,
  ])('%s is understood', (text) => expect(parseFingerprint(text)).toBe(hex))
  it('anything else is refused, and the message says where to find one', () =>
    expect(() => parseFingerprint('00:11')).toThrow('`berth status` on the server'))
})

describe('an authority known by its fingerprint', () => {
  const signal = new AbortController().signal
  let directory: string
  let server: Server
  let certificate: string

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'berth-fingerprint-'))
    const [key, pem] = [join(directory, 'key.pem'), join(directory, 'certificate.pem')]
    const subject = ['-subj', '/CN=authority', '-days', '1']
    execFileSync(
      'openssl',
      ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', pem, ...subject],
      {
        stdio: 'ignore',
      },
    )
    certificate = readFileSync(pem, 'utf8')
    server = createServer({ key: readFileSync(key), cert: certificate }).listen(0, '127.0.0.1')
    await once(server, 'listening')
  })
  afterAll(() => {
    server.close()
    rmSync(directory, { recursive: true })
  })

  it.each(['127.0.0.1', 'localhost'])('is fetched from %s', async (host) => {
    const url = new URL(`https://${host}:${(server.address() as AddressInfo).port}`)
    const found = await fetchAuthority(url, parseFingerprint(new X509Certificate(certificate).fingerprint256), signal)
    expect(new X509Certificate(found).subject).toBe('CN=authority')
    const shown = parseFingerprint(new X509Certificate(certificate).fingerprint256)
    await expect(fetchAuthority(url, hex, signal)).rejects.toMatchObject({
      code: 'context.wrong-fingerprint',
      message: expect.stringMatching(
        new RegExp(`shows the authority ${shown}, and .* given is ${hex}: .*berth status`),
      ),
    })
  })
})
