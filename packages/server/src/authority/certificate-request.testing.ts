import 'reflect-metadata'
import { webcrypto } from 'node:crypto'
import * as x509 from '@peculiar/x509'

x509.cryptoProvider.set(webcrypto)

/** A certificate request as an agent makes it, for tests. */
export async function createRequest(
  node: string,
  options: { readonly curve?: 'P-256' | 'P-384'; readonly breakSignature?: boolean } = {},
): Promise<{ readonly requestPem: string; readonly keyPem: string }> {
  const algorithm = { name: 'ECDSA', namedCurve: options.curve ?? 'P-256', hash: 'SHA-256' }
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: [{ CN: [node] }],
    keys: keys as webcrypto.CryptoKeyPair,
    signingAlgorithm: algorithm,
  })
  const raw = new Uint8Array(request.rawData.slice(0))
  if (options.breakSignature === true) raw[raw.length - 1] = (raw[raw.length - 1] ?? 0) ^ 1
  const key = await webcrypto.subtle.exportKey('pkcs8', (keys as webcrypto.CryptoKeyPair).privateKey)
  return {
    requestPem: x509.PemConverter.encode(raw.buffer, 'CERTIFICATE REQUEST'),
    keyPem: x509.PemConverter.encode(key, 'PRIVATE KEY'),
  }
}
