import { X509Certificate } from 'node:crypto'
import { BerthError } from '@berth/core'
import { readPrivateFile, writePrivateFile } from '../files/private-files.ts'
import { isSignedBy } from './certificate-checks.ts'
import type { KeyPairPem } from './certificate-factory.ts'
import { certificatesIn, keyIn } from './pem-blocks.ts'

export interface AuthorityRoot extends KeyPairPem {
  /** After a rotation: the root before, and the present key's certificate signed by that one. */
  readonly previous?: { readonly certificatePem: string; readonly crossPem: string }
}

/** Everything in one file, so that no crash comes between: key, certificate, and after a rotation “new with old” and the old root. */
export const textOfAuthority = ({ keyPem, certificatePem, previous }: AuthorityRoot): string =>
  keyPem + certificatePem + (previous?.crossPem ?? '') + (previous?.certificatePem ?? '')

export const writeAuthorityFile = async (path: string, root: AuthorityRoot): Promise<void> =>
  await writePrivateFile(path, textOfAuthority(root))

/** Throws `authority.corrupt`. */
export async function readAuthorityFile(path: string): Promise<AuthorityRoot | undefined> {
  const text = await readPrivateFile(path)
  if (text === undefined) return undefined
  try {
    return parseAuthority(text)
  } catch (cause) {
    throw new BerthError(
      'authority.corrupt',
      `read ${path}: it must hold the authority's certificate and its private key; restore it from a backup`,
      { cause, details: { path } },
    )
  }
}

/** Throws when a part is missing or does not belong to the others. */
export function parseAuthority(text: string): AuthorityRoot {
  const [certificatePem = '', crossPem, previousPem] = certificatesIn(text)
  const keyPem = keyIn(text)
  const certificate = new X509Certificate(certificatePem)
  if (keyPem === '') throw new Error('it holds no private key')
  if (crossPem === undefined || previousPem === undefined) return { keyPem, certificatePem }
  const cross = new X509Certificate(crossPem)
  if (!isSignedBy(cross, previousPem) || !cross.publicKey.equals(certificate.publicKey)) {
    throw new Error('its certificates do not belong together')
  }
  return { keyPem, certificatePem, previous: { certificatePem: previousPem, crossPem } }
}
