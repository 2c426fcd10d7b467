import { X509Certificate } from 'node:crypto'
import { BerthError } from '@berth/core'
import { readPrivateFile, writePrivateFile } from '../files/private-files.ts'
import type { KeyPairPem } from './certificate-factory.ts'
import { certificatesIn, keyIn } from './pem-blocks.ts'

/** A key with its certificates in one file, so that no crash leaves one without the other. Throws `authority.corrupt`. */
export async function readPairFile(path: string): Promise<KeyPairPem | undefined> {
  const text = await readPrivateFile(path)
  if (text === undefined) return undefined
  const certificatePem = certificatesIn(text).join('')
  const keyPem = keyIn(text)
  try {
    new X509Certificate(certificatePem)
    if (keyPem === '') throw new Error('it holds no private key')
  } catch (cause) {
    throw new BerthError(
      'authority.corrupt',
      `read ${path}: it must hold a certificate and its private key; restore it from a backup`,
      { cause, details: { path } },
    )
  }
  return { certificatePem, keyPem }
}

export const writePairFile = async (path: string, pair: KeyPairPem): Promise<void> =>
  await writePrivateFile(path, pair.keyPem + pair.certificatePem)
