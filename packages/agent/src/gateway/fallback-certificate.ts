// The certificate library needs the metadata polyfill before it loads. It is loaded on demand (`await import` of this file): it weighs
// 7 MB of memory and is needed once in a gateway's life.
import 'reflect-metadata'
import * as x509 from '@peculiar/x509'

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const dayMs = 86_400_000
const lifetimeMs = 20 * 365 * dayMs

/**
 * What clients get for names without a certificate: self-signed, so that a browser shows what is missing instead of a broken
 * connection, and `curl -k` works.
 */
export async function createFallbackCertificate(now: number): Promise<{ certificatePem: string; keyPem: string }> {
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=Berth gateway: no certificate for this name',
    keys,
    signingAlgorithm: algorithm,
    notBefore: new Date(now - dayMs),
    notAfter: new Date(now + lifetimeMs),
    extensions: [new x509.BasicConstraintsExtension(false)],
  })
  const keyPem = x509.PemConverter.encode(await crypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY')
  return { certificatePem: certificate.toString('pem'), keyPem }
}
