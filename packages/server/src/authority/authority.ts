import { X509Certificate } from 'node:crypto'
import { join } from 'node:path'
import { BerthError } from '@berth/core'
import { makePrivateDirectory } from '../files/private-files.ts'
import { coversHosts, fingerprintOf, needsRenewal } from './certificate-checks.ts'
import type { KeyPairPem, Validity } from './certificate-factory.ts'
import { readPairFile, writePairFile } from './pair-file.ts'

/** Every server certificate has this name besides those asked for: agents check it, whatever address they dial. */
export const serverName = 'berth-server'

const dayMs = 86_400_000
/** Clocks of machines that join may be behind. */
const backdateMs = 3_600_000
const authorityDays = 3_650
const nodeDays = 1_825
const serverDays = 397

/** The cluster's own certificate authority: what agents and servers know each other by. */
export interface Authority {
  readonly certificatePem: string
  /** SHA-256 of the certificate in lower-case hex, as it stands in join tokens. */
  readonly fingerprint: string
  /** The server's certificate with the authority's behind it; kept on disk, made anew when hosts are missing or it runs out. */
  serverCertificate(hosts: readonly string[]): Promise<KeyPairPem>
  /** Throws `join.invalid-request`. */
  signNode(requestPem: string, node: string): Promise<string>
}

/** Opens the authority in `directory`, or founds it. Throws `authority.corrupt` and `authority.expired`. */
export async function openAuthority(directory: string, now: () => number = Date.now): Promise<Authority> {
  await makePrivateDirectory(directory)
  const pair = (await load(directory, now)) ?? (await found(directory, now))
  return {
    certificatePem: pair.certificatePem,
    fingerprint: fingerprintOf(pair.certificatePem),
    serverCertificate: async (hosts) => await serverCertificate(directory, pair, hosts, now),
    signNode: async (requestPem, node) => {
      const factory = await import('./certificate-factory.ts')
      return await factory.signNodeRequest(pair, { requestPem, node, validity: within(pair, nodeDays, now) })
    },
  }
}

async function found(directory: string, now: () => number): Promise<KeyPairPem> {
  const factory = await import('./certificate-factory.ts')
  const pair = await factory.createAuthority('Berth cluster authority', validity(authorityDays, now))
  await writePairFile(authorityFile(directory), pair)
  return pair
}

async function serverCertificate(
  directory: string,
  authority: KeyPairPem,
  wanted: readonly string[],
  now: () => number,
): Promise<KeyPairPem> {
  const hosts = [serverName, ...new Set(wanted.filter((host) => host !== serverName))]
  const path = join(directory, 'server.pem')
  const known = await readPairFile(path)
  if (known !== undefined && isUsable(known, authority, hosts, now())) return known
  const factory = await import('./certificate-factory.ts')
  const made = await factory.createServerCertificate(authority, hosts, within(authority, serverDays, now))
  const pair = { ...made, certificatePem: made.certificatePem + authority.certificatePem }
  await writePairFile(path, pair)
  return pair
}

function isUsable(pair: KeyPairPem, authority: KeyPairPem, hosts: readonly string[], now: number): boolean {
  const certificate = new X509Certificate(pair.certificatePem)
  return (
    certificate.verify(new X509Certificate(authority.certificatePem).publicKey) &&
    coversHosts(certificate, hosts) &&
    !needsRenewal(certificate, now)
  )
}

async function load(directory: string, now: () => number): Promise<KeyPairPem | undefined> {
  const pair = await readPairFile(authorityFile(directory))
  if (pair === undefined) return undefined
  const notAfter = new X509Certificate(pair.certificatePem).validToDate
  if (notAfter.getTime() > now()) return pair
  throw new BerthError(
    'authority.expired',
    `the authority in ${directory} expired on ${notAfter.toISOString()}; move its files away to found a new one, then join every node again`,
  )
}

const authorityFile = (directory: string): string => join(directory, 'authority.pem')

const validity = (days: number, now: () => number): Validity => ({
  notBefore: new Date(now() - backdateMs),
  notAfter: new Date(now() + days * dayMs),
})

/** Nothing outlives the authority that signed it. */
function within(authority: KeyPairPem, days: number, now: () => number): Validity {
  const wanted = validity(days, now)
  const end = new X509Certificate(authority.certificatePem).validToDate
  return { notBefore: wanted.notBefore, notAfter: new Date(Math.min(wanted.notAfter.getTime(), end.getTime())) }
}
