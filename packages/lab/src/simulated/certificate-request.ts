// The certificate library needs the metadata polyfill before it loads.
import 'reflect-metadata'
import { webcrypto } from 'node:crypto'
import * as x509 from '@peculiar/x509'

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const

x509.cryptoProvider.set(webcrypto)

/** A new key, and a request for a certificate of this name, as `berth node join` makes them. */
export async function createCertificateRequest(
  node: string,
): Promise<{ readonly keyPem: string; readonly requestPem: string }> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const name = [{ CN: [node] }]
  const request = await x509.Pkcs10CertificateRequestGenerator.create({ name, keys, signingAlgorithm: algorithm })
  const key = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)
  return { keyPem: x509.PemConverter.encode(key, 'PRIVATE KEY'), requestPem: request.toString('pem') }
}
