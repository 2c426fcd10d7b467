import {
  createECDH,
  createHash,
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  randomUUID,
  sign,
} from 'node:crypto'
import type { RegistryPlace } from '@berth/core'
import type { SecretKey } from '../secrets/secret-key.ts'

/** As in the registry's configuration on its node. */
const audience = 'berth-registry'
const issuer = 'berth'
/** A large image on a slow line; each of its layers is asked for with it. */
const goodForMs = 3_600_000
/** Clocks of machines differ. */
const backdateMs = 300_000

/**
 * Tokens that let their bearer push or pull one image of the cluster's registry, for an hour (the token authentication of the distribution
 * project: https://distribution.github.io/distribution/spec/auth/jwt/). The key that signs them is derived from the servers' secret key:
 * it is never stored, every server has it, and no node does.
 */
export class RegistryTokens {
  readonly #key: KeyObject
  /** The registry knows the key by it. */
  readonly keyId: string

  constructor(key: SecretKey) {
    this.#key = signingKey(key.derive('registry tokens'))
    this.keyId = keyIdOf(this.#key)
  }

  /** What the registry is told of the key: its public part. */
  async certificatePem(): Promise<string> {
    const { createKeyCertificate } = await import('../authority/certificate-factory.ts')
    return await createKeyCertificate(this.#key.export({ format: 'pem', type: 'pkcs8' }).toString(), 'Berth registry')
  }

  tokenFor({ repository }: RegistryPlace, action: 'push' | 'pull', now: number): string {
    const actions = action === 'push' ? ['push', 'pull'] : ['pull']
    const head = { typ: 'JWT', alg: 'ES256', kid: this.keyId }
    const body = {
      ...{ iss: issuer, sub: 'berth', aud: audience, jti: randomUUID() },
      ...{ iat: seconds(now), nbf: seconds(now - backdateMs), exp: seconds(now + goodForMs) },
      access: [{ type: 'repository', name: repository, actions }],
    }
    const text = [head, body].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
    const signature = sign('sha256', Buffer.from(text), { key: this.#key, dsaEncoding: 'ieee-p1363' })
    return `${text}.${signature.toString('base64url')}`
  }
}

const seconds = (ms: number): number => Math.floor(ms / 1000)

/** ECDSA P-256 with these 32 bytes as the private number. */
function signingKey(bytes: Buffer): KeyObject {
  const curve = createECDH('prime256v1')
  curve.setPrivateKey(bytes)
  const point = curve.getPublicKey()
  const text = (part: Buffer): string => part.toString('base64url')
  const key = { kty: 'EC', crv: 'P-256', d: text(bytes), x: text(point.subarray(1, 33)), y: text(point.subarray(33)) }
  return createPrivateKey({ format: 'jwk', key })
}

/** The first 240 bits of the public key's SHA-256 in base32, in groups of four: `ABCD:EFGH:…`. */
function keyIdOf(key: KeyObject): string {
  const spki = createPublicKey(key).export({ format: 'der', type: 'spki' })
  const text = base32(createHash('sha256').update(spki).digest().subarray(0, 30))
  return (text.match(/.{4}/g) ?? []).join(':')
}

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

const base32 = (bytes: Uint8Array): string => {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('')
  return (bits.match(/.{5}/g) ?? []).map((five) => alphabet[Number.parseInt(five, 2)]).join('')
}
