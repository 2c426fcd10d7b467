import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { BerthError } from '@berth/core'

const form = 'a1'
const ivBytes = 12
const tagBytes = 16

/**
 * Seals text with AES-256-GCM. `bound` is authenticated with it: a sealed value copied to another place in the store does not open
 * there. Form: `a1.` + base64url(iv, tag, ciphertext).
 */
export function seal(key: Buffer, bound: readonly string[], text: string): string {
  const iv = randomBytes(ivBytes)
  const cipher = createCipheriv('aes-256-gcm', key, iv)
  cipher.setAAD(associatedData(bound))
  const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
  return `${form}.${Buffer.concat([iv, cipher.getAuthTag(), sealed]).toString('base64url')}`
}

/** Throws `secrets.cannot-open`, which names `bound` and no content. */
export function unseal(key: Buffer, bound: readonly string[], sealed: string): string {
  try {
    const [prefix, body = ''] = sealed.split('.')
    if (prefix !== form) throw new Error(`unknown form ${JSON.stringify(prefix)}`)
    const bytes = Buffer.from(body, 'base64url')
    const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, ivBytes), { authTagLength: tagBytes })
    decipher.setAAD(associatedData(bound))
    decipher.setAuthTag(bytes.subarray(ivBytes, ivBytes + tagBytes))
    return decipher.update(bytes.subarray(ivBytes + tagBytes), undefined, 'utf8') + decipher.final('utf8')
  } catch (cause) {
    throw new BerthError(
      'secrets.cannot-open',
      `open the sealed value of ${bound.join(' ')}: the key file is not the one that it was sealed with, or the store was changed; restore the key file, or set the value again`,
      { cause, details: { bound } },
    )
  }
}

/** JSON keeps the parts apart: `a`, `b/c` and `a/b`, `c` differ. */
const associatedData = (bound: readonly string[]): Buffer => Buffer.from(JSON.stringify(bound))
