import { hkdfSync, randomBytes } from 'node:crypto'
import { BerthError } from '@berth/core'
import { readPrivateFile, writePrivateFile } from '../files/private-files.ts'

const keyBytes = 32

/** The key file's own key is never used as it is: each purpose has one derived from it. */
export interface SecretKey {
  derive(purpose: string): Buffer
}

export interface SecretKeyFile extends SecretKey {
  /** The file's content, for a server that joins. */
  readonly text: string
}

/**
 * Reads the key file, or makes it at the first start. Throws `secrets.key-missing` when sealed values exist and the file does not
 * (a new key could never open them), `secrets.key-corrupt` when it is no key.
 */
export async function openSecretKey(
  path: string,
  options: { readonly sealedValuesExist: boolean },
): Promise<SecretKeyFile> {
  const text = await readPrivateFile(path)
  if (text !== undefined) return asKey(parseKey(path, text))
  if (options.sealedValuesExist) {
    throw new BerthError(
      'secrets.key-missing',
      `read ${path}: the key is missing, but the store holds secrets sealed with it; restore the file from your backup`,
      { details: { path } },
    )
  }
  const key = randomBytes(keyBytes)
  await writePrivateFile(path, `${key.toString('base64')}\n`)
  return asKey(key)
}

function parseKey(path: string, text: string): Buffer {
  const key = Buffer.from(text.trim(), 'base64')
  if (key.length === keyBytes) return key
  throw new BerthError(
    'secrets.key-corrupt',
    `read ${path}: it must hold ${keyBytes} bytes in base64, it holds ${key.length}; restore it from your backup`,
    { details: { path } },
  )
}

const asKey = (key: Buffer): SecretKeyFile => ({
  text: key.toString('base64'),
  derive: (purpose) => Buffer.from(hkdfSync('sha256', key, 'berth', purpose, keyBytes)),
})
