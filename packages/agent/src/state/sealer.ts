import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { BerthError } from '@berth/core'
import { writeFileAtomic } from './atomic-file.ts'

const algorithm = 'aes-256-gcm'
const keyBytes = 32
const nonceBytes = 12
const tagBytes = 16

/**
 * Encrypts what may not lie on a disk in clear, with a key that never leaves this node. `context` is bound into the seal: what was
 * sealed for one instance cannot be passed off as another's.
 */
export interface Sealer {
  seal(text: string, context: string): string
  /** Throws `state.unsealable` for a foreign key, another context or a changed text. */
  open(sealed: string, context: string): string
}

/** Reads the node's key, or makes one (mode 0600). A damaged key is replaced: what it sealed comes again from the server. */
export async function openSealer(keyPath: string): Promise<Sealer> {
  const found = await readFile(keyPath).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (found?.length === keyBytes) return createSealer(found)
  const key = randomBytes(keyBytes)
  await writeFileAtomic(keyPath, key, 0o600)
  return createSealer(key)
}

export function createSealer(key: Uint8Array): Sealer {
  return {
    seal(text, context) {
      const nonce = randomBytes(nonceBytes)
      const cipher = createCipheriv(algorithm, key, nonce).setAAD(Buffer.from(context))
      const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
      return Buffer.concat([nonce, cipher.getAuthTag(), body]).toString('base64')
    },
    open(sealed, context) {
      const bytes = Buffer.from(sealed, 'base64')
      try {
        const tag = bytes.subarray(nonceBytes, nonceBytes + tagBytes)
        const decipher = createDecipheriv(algorithm, key, bytes.subarray(0, nonceBytes), { authTagLength: tagBytes })
        decipher.setAAD(Buffer.from(context)).setAuthTag(tag)
        const body = bytes.subarray(nonceBytes + tagBytes)
        return Buffer.concat([decipher.update(body), decipher.final()]).toString('utf8')
      } catch (cause) {
        throw new BerthError('state.unsealable', `unseal what belongs to ${context}: it was sealed with another key`, {
          cause,
        })
      }
    },
  }
}
