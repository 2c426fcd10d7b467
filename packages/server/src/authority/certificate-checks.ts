import { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'

/** SHA-256 of the (first) certificate, in lower-case hex without colons. */
export const fingerprintOf = (certificatePem: string): string =>
  normalFingerprint(new X509Certificate(certificatePem).fingerprint256)

/** `AB:CD:…` → `abcd…` */
export const normalFingerprint = (fingerprint: string): string => fingerprint.replaceAll(':', '').toLowerCase()

/** True in the last third of a certificate's life. */
export function needsRenewal(certificate: X509Certificate, now: number): boolean {
  const from = certificate.validFromDate.getTime()
  const until = certificate.validToDate.getTime()
  return now >= until - (until - from) / 3
}

export const coversHosts = (certificate: X509Certificate, hosts: readonly string[]): boolean =>
  hosts.every((host) =>
    isIP(host) === 0
      ? certificate.checkHost(host, { subject: 'never' }) !== undefined
      : certificate.checkIP(host) !== undefined,
  )
