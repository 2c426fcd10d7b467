import { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'

/** SHA-256 of the (first) certificate, in lower-case hex without colons. */
export const fingerprintOf = (certificatePem: string): string =>
  normalFingerprint(new X509Certificate(certificatePem).fingerprint256)

/** `AB:CD:…` → `abcd…` */
export const normalFingerprint = (fingerprint: string): string => fingerprint.replaceAll(':', '').toLowerCase()

/** When the last third of a certificate's life begins. */
export function renewalTime(certificate: X509Certificate): number {
  const from = certificate.validFromDate.getTime()
  const until = certificate.validToDate.getTime()
  return until - (until - from) / 3
}

export const needsRenewal = (certificate: X509Certificate, now: number): boolean => now >= renewalTime(certificate)

export const coversHosts = (certificate: X509Certificate, hosts: readonly string[]): boolean =>
  hosts.every((host) =>
    isIP(host) === 0
      ? certificate.checkHost(host, { subject: 'never' }) !== undefined
      : certificate.checkIP(host) !== undefined,
  )

/** By its key; the names of authorities are all alike. */
export const isSignedBy = (certificate: X509Certificate, authorityPem: string): boolean =>
  certificate.verify(new X509Certificate(authorityPem).publicKey)
