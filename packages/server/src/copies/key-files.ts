import { createCipheriv, createDecipheriv, randomBytes, scryptSync } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { BerthError } from '@berth/core'
import { makePrivateDirectory, writePrivateFile } from '../files/private-files.ts'

/** What the records are worth nothing without: path in the server's folder → content. */
export type KeyFiles = Readonly<Record<string, string>>

export const minPassphraseLength = 12
const form = 'k1'
const cost = { N: 32_768, r: 8, p: 1, maxmem: 64 * 1_048_576 }

/** `secret.key`, which opens sealed values, and the cluster's authority, which nodes trust. */
export async function readKeyFiles(directory: string): Promise<KeyFiles> {
  const authority = await readdir(join(directory, 'authority')).catch(() => [])
  const names = ['secret.key', ...authority.filter((name) => name.endsWith('.pem')).map((name) => `authority/${name}`)]
  return Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await readFile(join(directory, name), 'utf8')])),
  )
}

/** AES-256-GCM under a key made of the passphrase by scrypt. Form: `k1.` + base64url(salt, iv, tag, ciphertext). */
export function sealKeyFiles(files: KeyFiles, passphrase: string): string {
  checkPassphrase(passphrase)
  const [salt, iv] = [randomBytes(16), randomBytes(12)]
  const cipher = createCipheriv('aes-256-gcm', scryptSync(passphrase, salt, 32, cost), iv)
  const sealed = Buffer.concat([cipher.update(JSON.stringify(files), 'utf8'), cipher.final()])
  return `${form}.${Buffer.concat([salt, iv, cipher.getAuthTag(), sealed]).toString('base64url')}`
}

/** Throws `backup.wrong-passphrase`. */
export function openKeyFiles(sealed: string, passphrase: string): KeyFiles {
  const [prefix, body = ''] = sealed.split('.')
  const bytes = Buffer.from(body, 'base64url')
  try {
    if (prefix !== form) throw new Error(`unknown form ${prefix}`)
    const key = scryptSync(passphrase, bytes.subarray(0, 16), 32, cost)
    const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(16, 28), { authTagLength: 16 })
    decipher.setAuthTag(bytes.subarray(28, 44))
    return JSON.parse(decipher.update(bytes.subarray(44), undefined, 'utf8') + decipher.final('utf8')) as KeyFiles
  } catch (cause) {
    throw new BerthError(
      'backup.wrong-passphrase',
      'open the keys in the backup: the passphrase is not the one that they were sealed with',
      { cause },
    )
  }
}

export function checkPassphrase(passphrase: string): void {
  if (passphrase.length < minPassphraseLength)
    throw new BerthError(
      'backup.weak-passphrase',
      `seal the keys: the passphrase has ${passphrase.length} characters, it needs ${minPassphraseLength} or more`,
    )
}

/** Refuses before anything is written: keys that are there and differ may be what other data are sealed with. */
export async function checkKeyFiles(directory: string, files: KeyFiles): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    if (!/^(secret\.key|authority\/[a-z-]+\.pem)$/.test(name))
      throw new BerthError('backup.damaged', `restore keys: the backup names ${JSON.stringify(name)}, which is no key`)
    const present = await readFile(join(directory, name), 'utf8').catch(() => undefined)
    if (present !== undefined && present !== content)
      throw new BerthError(
        'backup.keys-differ',
        `restore keys: ${join(directory, name)} is there and is another one; move it away, or restore without --passphrase-file`,
        { details: { file: name } },
      )
  }
}

export async function writeKeyFiles(directory: string, files: KeyFiles): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    const path = join(directory, name)
    await makePrivateDirectory(dirname(path))
    await writePrivateFile(path, content)
  }
}
