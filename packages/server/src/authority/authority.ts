import { X509Certificate } from 'node:crypto'
import { join } from 'node:path'
import { BerthError } from '@berth/core'
import { makePrivateDirectory } from '../files/private-files.ts'
import type { AuthorityRoot } from './authority-file.ts'
import { type AuthorityRoots, rootsInFile } from './authority-roots.ts'
import { coversHosts, fingerprintOf, isSignedBy, needsRenewal } from './certificate-checks.ts'
import type { KeyPairPem, Validity } from './certificate-factory.ts'
import { readPairFile, writePairFile } from './pair-file.ts'

/** Every server certificate has this name besides those asked for: agents check it, whatever address they dial. */
export const serverName = 'berth-server'

const dayMs = 86_400_000
/** Clocks of machines that join may be behind. */
const maxBackdateMs = 3_600_000

/** How long each kind of certificate is good. All of them are renewed in the last third of that. */
export interface CertificateLifetimes {
  readonly authorityMs: number
  readonly serverMs: number
  readonly nodeMs: number
}

export const defaultLifetimes: CertificateLifetimes = {
  authorityMs: 3_650 * dayMs,
  serverMs: 397 * dayMs,
  nodeMs: 1_825 * dayMs,
}

/** The cluster's own certificate authority: what agents and servers know each other by. */
export interface Authority {
  /** The certificate that signs. */
  readonly certificatePem: string
  readonly expiresAt: number
  /** The certificate before it, while that is good: what was signed by it counts until it ends. */
  readonly previous: { readonly certificatePem: string; readonly expiresAt: number } | undefined
  /** What agents and servers trust: the certificate and the one before it. */
  readonly trustPem: string
  /** SHA-256 in lower-case hex of the root that every server's chain ends in, as it stands in join tokens. */
  readonly fingerprint: string
  /** The server's certificate with its chain; kept on disk, made anew when hosts are missing, it runs out, or the authority is another. */
  serverCertificate(hosts: readonly string[]): Promise<KeyPairPem>
  /** For a program on a node that serves others; with its chain. */
  serviceCertificate(host: string): Promise<KeyPairPem>
  /** False when {@link serviceCertificate} should be asked for another one. */
  isServiceCertificateGood(certificatePem: string, host: string): boolean
  /** Throws `join.invalid-request`. */
  signNode(requestPem: string, node: string): Promise<string>
  /** False for what was signed before the last rotation. */
  hasSigned(certificate: X509Certificate): boolean
  /** Takes a new key in the last third of the authority's life; true when it did. */
  rotateIfDue(): Promise<boolean>
  /** Reads it again: another server may have given it a new key. */
  refresh(): Promise<void>
}

export interface AuthorityOptions {
  readonly now?: () => number
  readonly lifetimes?: CertificateLifetimes
  /** Where the authority itself is. Default: a file in the directory. */
  readonly roots?: AuthorityRoots
}

/** Opens the authority in `directory`, or founds it. Throws `authority.corrupt` and `authority.expired`. */
export async function openAuthority(directory: string, options: AuthorityOptions = {}): Promise<Authority> {
  const { now = Date.now, lifetimes = defaultLifetimes, roots = rootsInFile(directory) } = options
  await makePrivateDirectory(directory)
  const known = await roots.read()
  if (known !== undefined) {
    const root = requireUnexpired(roots.place, known, now())
    return new DirectoryAuthority(directory, roots, root, now, lifetimes)
  }
  const factory = await import('./certificate-factory.ts')
  const founded = await factory.createAuthority(validity(lifetimes.authorityMs, now()))
  await roots.write(founded)
  return new DirectoryAuthority(directory, roots, founded, now, lifetimes)
}

function requireUnexpired(place: string, root: AuthorityRoot, now: number): AuthorityRoot {
  if (endOf(root.certificatePem) > now) return root
  throw new BerthError(
    'authority.expired',
    `the authority in ${place} expired on ${new Date(endOf(root.certificatePem)).toISOString()}; move it away to found a new one, then join every node again`,
  )
}

/**
 * A rotation has an overlap and needs nobody's help: the old key signs the new one's certificate (“new with old”, RFC 4210 §4.4), servers show that
 * one and the old root with their own, and so are trusted by those who know only the old root and by those who know only the new. The
 * old key is not kept.
 */
class DirectoryAuthority implements Authority {
  readonly #directory: string
  readonly #roots: AuthorityRoots
  readonly #now: () => number
  readonly #lifetimes: CertificateLifetimes
  #root: AuthorityRoot

  constructor(
    directory: string,
    roots: AuthorityRoots,
    root: AuthorityRoot,
    now: () => number,
    lifetimes: CertificateLifetimes,
  ) {
    this.#directory = directory
    this.#roots = roots
    this.#root = root
    this.#now = now
    this.#lifetimes = lifetimes
  }

  get certificatePem(): string {
    return this.#root.certificatePem
  }

  get expiresAt(): number {
    return endOf(this.#root.certificatePem)
  }

  get previous(): Authority['previous'] {
    const certificatePem = this.#root.previous?.certificatePem
    if (certificatePem === undefined) return undefined
    const expiresAt = endOf(certificatePem)
    return expiresAt > this.#now() ? { certificatePem, expiresAt } : undefined
  }

  get trustPem(): string {
    return this.certificatePem + (this.previous?.certificatePem ?? '')
  }

  get fingerprint(): string {
    return fingerprintOf(this.previous?.certificatePem ?? this.certificatePem)
  }

  async serverCertificate(wanted: readonly string[]): Promise<KeyPairPem> {
    const hosts = [serverName, ...new Set(wanted.filter((host) => host !== serverName))]
    const path = join(this.#directory, 'server.pem')
    const known = await readPairFile(path)
    if (known !== undefined && this.#isUsable(known, hosts)) return known
    const factory = await import('./certificate-factory.ts')
    const made = await factory.createServerCertificate(this.#root, hosts, this.#within(this.#lifetimes.serverMs))
    const pair = { ...made, certificatePem: made.certificatePem + this.#chain() }
    await writePairFile(path, pair)
    return pair
  }

  async serviceCertificate(host: string): Promise<KeyPairPem> {
    const factory = await import('./certificate-factory.ts')
    const made = await factory.createServerCertificate(this.#root, [host], this.#within(this.#lifetimes.serverMs))
    return { ...made, certificatePem: made.certificatePem + this.#chain() }
  }

  isServiceCertificateGood(certificatePem: string, host: string): boolean {
    const certificate = new X509Certificate(certificatePem)
    return this.hasSigned(certificate) && coversHosts(certificate, [host]) && !needsRenewal(certificate, this.#now())
  }

  async signNode(requestPem: string, node: string): Promise<string> {
    const factory = await import('./certificate-factory.ts')
    return await factory.signNodeRequest(this.#root, {
      requestPem,
      node,
      validity: this.#within(this.#lifetimes.nodeMs),
    })
  }

  hasSigned(certificate: X509Certificate): boolean {
    return isSignedBy(certificate, this.certificatePem)
  }

  async rotateIfDue(): Promise<boolean> {
    const current = this.#root
    if (!needsRenewal(new X509Certificate(current.certificatePem), this.#now())) return false
    const factory = await import('./certificate-factory.ts')
    const next = await factory.createAuthority(validity(this.#lifetimes.authorityMs, this.#now()))
    const crossPem = await factory.signAuthority(current, next.certificatePem)
    const root = { ...next, previous: { certificatePem: current.certificatePem, crossPem } }
    await this.#roots.write(root)
    this.#root = root
    return true
  }

  async refresh(): Promise<void> {
    this.#root = (await this.#roots.read()) ?? this.#root
  }

  /** What follows a server's certificate, up to the root that everybody knows. */
  #chain(): string {
    const { previous } = this.#root
    if (previous === undefined || this.previous === undefined) return this.certificatePem
    return previous.crossPem + previous.certificatePem
  }

  #isUsable(pair: KeyPairPem, hosts: readonly string[]): boolean {
    const certificate = new X509Certificate(pair.certificatePem)
    return (
      this.hasSigned(certificate) &&
      pair.certificatePem.endsWith(this.#chain()) &&
      coversHosts(certificate, hosts) &&
      !needsRenewal(certificate, this.#now())
    )
  }

  /** Nothing outlives the authority that signed it. */
  #within(lifetimeMs: number): Validity {
    const wanted = validity(lifetimeMs, this.#now())
    return { notBefore: wanted.notBefore, notAfter: new Date(Math.min(wanted.notAfter.getTime(), this.expiresAt)) }
  }
}

/** Of the first certificate. */
const endOf = (certificatePem: string): number => new X509Certificate(certificatePem).validToDate.getTime()

const validity = (lifetimeMs: number, now: number): Validity => ({
  notBefore: new Date(now - Math.min(maxBackdateMs, lifetimeMs / 10)),
  notAfter: new Date(now + lifetimeMs),
})
