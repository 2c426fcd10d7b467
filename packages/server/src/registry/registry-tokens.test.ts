import { createHash, hkdfSync, randomBytes, verify, X509Certificate } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { SecretKey } from '../secrets/secret-key.ts'
import { RegistryTokens } from './registry-tokens.ts'

const keyOf = (secret: Buffer): SecretKey => ({
  derive: (purpose) => Buffer.from(hkdfSync('sha256', secret, 'berth', purpose, 32)),
})
const place = { repository: 'berth/app-shop', tag: 'a'.repeat(64) }
const parts = (token: string) => token.split('.').map((part) => Buffer.from(part, 'base64url'))

describe('tokens for the registry', () => {
  const tokens = new RegistryTokens(keyOf(randomBytes(32)))

  it.each([
    ['push', ['push', 'pull']],
    ['pull', ['pull']],
  ] as const)('let their bearer %s one repository, for an hour', async (action, actions) => {
    const now = 1_800_000_000_000
    const token = tokens.tokenFor(place, action, now)
    const [head, body, signature] = parts(token)
    const certificate = new X509Certificate(await tokens.certificatePem())
    const signed = Buffer.from(token.slice(0, token.lastIndexOf('.')))
    const key = { key: certificate.publicKey, dsaEncoding: 'ieee-p1363' } as const
    expect(verify('sha256', signed, key, signature ?? Buffer.alloc(0))).toBe(true)
    expect(JSON.parse(String(head))).toEqual({ typ: 'JWT', alg: 'ES256', kid: tokens.keyId })
    expect(JSON.parse(String(body))).toMatchObject({
      ...{ aud: 'berth-registry', exp: now / 1000 + 3600 },
      access: [{ type: 'repository', name: 'berth/app-shop', actions }],
    })
  })

  it('are signed by a key that all servers of one secret key have, and others have not', async () => {
    const secret = randomBytes(32)
    const [one, other] = [new RegistryTokens(keyOf(secret)), new RegistryTokens(keyOf(secret))]
    expect(one.keyId).toBe(other.keyId)
    expect(one.keyId).toMatch(/^([A-Z2-7]{4}:){11}[A-Z2-7]{4}$/)
    expect(tokens.keyId).not.toBe(one.keyId)
    const spki = (pem: string) => new X509Certificate(pem).publicKey.export({ format: 'der', type: 'spki' })
    const digest = (pem: string) => createHash('sha256').update(spki(pem)).digest('hex')
    expect(digest(await one.certificatePem())).toBe(digest(await other.certificatePem()))
  })

  it('say nothing of the key itself', async () => {
    const secret = randomBytes(32)
    const all = new RegistryTokens(keyOf(secret))
    const told = `${await all.certificatePem()} ${all.tokenFor(place, 'push', Date.now())}`
    expect(told).not.toContain('PRIVATE')
    expect(told).not.toContain(keyOf(secret).derive('registry tokens').toString('base64url'))
  })
})
