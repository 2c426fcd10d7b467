import { createPrivateKey, X509Certificate } from 'node:crypto'
import { BerthError, type Certificate, isSecretName, messageOf, secretNameRule, servingCertificates } from '@berth/core'
import type { Logger } from 'pino'
import type { CallContext } from '../controllers/operations.ts'
import type { CertificateRecord, Records, State } from '../records/index.ts'
import { seal, unseal } from '../secrets/seal.ts'
import type { SecretKey } from '../secrets/secret-key.ts'

export interface CertificatesOptions {
  readonly records: Records
  readonly key: SecretKey
  readonly log: Logger
  readonly now?: () => number
}

export interface GivenCertificate {
  /** Leaf first, then the intermediates. */
  readonly certificatePem: string
  readonly keyPem: string
}

const maxPemLength = 100_000

/** Certificates that users give the gateway. Keys are sealed at rest and leave only towards gateways. */
export class Certificates {
  readonly #records: Records
  readonly #state: State
  readonly #key: Buffer
  readonly #log: Logger
  readonly #now: () => number
  /** Opened ones, so that a new route table does not open every key again. */
  readonly #opened = new Map<string, { readonly version: number; readonly certificate: Certificate }>()

  /** What was chosen last: the very objects, so that a table among whose certificates nothing has changed is seen to be so at once. */
  #shown: {
    readonly records: readonly CertificateRecord[]
    readonly until: number
    readonly certificates: readonly Certificate[]
  } = { records: [], until: Number.NEGATIVE_INFINITY, certificates: [] }

  constructor(options: CertificatesOptions) {
    this.#records = options.records
    this.#state = options.records.state
    this.#key = options.key.derive('certificates')
    this.#log = options.log
    this.#now = options.now ?? Date.now
  }

  /** Throws `certificate.invalid` saying what does not fit. */
  async set(
    name: string,
    given: GivenCertificate,
    context: CallContext,
    { acme = false }: { readonly acme?: boolean } = {},
  ): Promise<CertificateRecord> {
    const { hosts, notBefore, notAfter } = this.#check(name, given)
    const { value } = await this.#records.commit(
      context.actor,
      (tx) => {
        const version = (this.#state.certificates.get(name)?.version ?? 0) + 1
        const record: CertificateRecord = {
          ...{ name, hosts, certificatePem: given.certificatePem, version, notBefore, notAfter },
          ...(acme ? { acme: true as const } : {}),
          sealedKey: seal(this.#key, boundTo(name, version), given.keyPem),
          updatedAt: this.#now(),
          updatedBy: context.actor,
        }
        tx.put('certificates', record, { ifUnchanged: true })
        const until = new Date(notAfter).toISOString().slice(0, 10)
        tx.event({
          type: 'certificate.set',
          subject: {},
          message: `certificate ${name} for ${hosts.join(', ')} until ${until}`,
        })
        return record
      },
      context,
    )
    return value
  }

  async remove(name: string, context: CallContext): Promise<void> {
    await this.#records.commit(
      context.actor,
      (tx) => {
        if (!this.#state.certificates.has(name)) {
          throw new BerthError('certificate.not-found', `there is no certificate ${name}; see: berth cert ls`)
        }
        tx.delete('certificates', name, { ifUnchanged: true })
        tx.event({ type: 'certificate.removed', subject: {}, message: `certificate ${name} removed` })
      },
      context,
    )
  }

  /**
   * With keys, for route tables: of each name one, as {@link servingCertificates} chooses at this moment. One whose key does not open is left
   * out and logged.
   */
  all(): readonly Certificate[] {
    const records = [...this.#state.certificates.values()]
    const now = this.#now()
    const isKnown = records.length === this.#shown.records.length && now < this.#shown.until
    if (!isKnown || records.some((record, index) => record !== this.#shown.records[index]))
      this.#shown = { records, until: nextTurn(records, now), certificates: this.#choose(records, now) }
    return this.#shown.certificates
  }

  #choose(records: readonly CertificateRecord[], now: number): Certificate[] {
    for (const name of this.#opened.keys()) if (!this.#state.certificates.has(name)) this.#opened.delete(name)
    const serving = servingCertificates(
      records.filter((record) => this.#open(record) !== undefined),
      now,
    )
    return records.flatMap((record) => {
      const hosts = [...new Set(record.hosts)].filter((host) => serving.get(host) === record)
      const certificate = hosts.length === 0 ? undefined : this.#open(record)
      return certificate === undefined ? [] : [{ ...certificate, hosts }]
    })
  }

  #open(record: CertificateRecord): Certificate | undefined {
    const known = this.#opened.get(record.name)
    if (known?.version === record.version) return known.certificate
    try {
      const keyPem = unseal(this.#key, boundTo(record.name, record.version), record.sealedKey)
      const certificate = { hosts: record.hosts, certificatePem: record.certificatePem, keyPem }
      this.#opened.set(record.name, { version: record.version, certificate })
      return certificate
    } catch (error) {
      this.#log.error({ err: error, certificate: record.name }, messageOf(error))
      return undefined
    }
  }

  #check(name: string, { certificatePem, keyPem }: GivenCertificate) {
    if (!isSecretName(name)) {
      throw new BerthError('name.invalid', `${JSON.stringify(name)} cannot name a certificate: use ${secretNameRule}`)
    }
    if (certificatePem.length > maxPemLength || keyPem.length > maxPemLength) throw invalid(name, 'it is too long')
    const leaf = parsePart(name, 'the certificate is no PEM', () => new X509Certificate(certificatePem))
    const key = parsePart(name, 'the key is no unencrypted private key in PEM', () => createPrivateKey(keyPem))
    if (!leaf.checkPrivateKey(key)) throw invalid(name, 'the key does not belong to the first certificate')
    const hosts = hostsOf(leaf)
    if (hosts.length === 0) throw invalid(name, 'it names no host (subject alternative name)')
    const notAfter = leaf.validToDate.getTime()
    if (notAfter <= this.#now()) throw invalid(name, `it expired on ${leaf.validToDate.toISOString()}`)
    return { hosts, notBefore: leaf.validFromDate.getTime(), notAfter }
  }
}

/** When one of them becomes valid, or ends. */
const nextTurn = (records: readonly CertificateRecord[], now: number): number =>
  records
    .flatMap(({ notBefore, notAfter }) => [notBefore, notAfter])
    .reduce((next, time) => (time > now ? Math.min(next, time) : next), Number.POSITIVE_INFINITY)

const boundTo = (name: string, version: number): readonly string[] => ['certificate', name, String(version)]

const hostsOf = (leaf: X509Certificate): string[] =>
  [...(leaf.subjectAltName ?? '').matchAll(/DNS:([A-Za-z0-9.*-]+)/g)].map((match) => (match[1] ?? '').toLowerCase())

function parsePart<T>(name: string, why: string, parse: () => T): T {
  try {
    return parse()
  } catch (cause) {
    throw invalid(name, why, cause)
  }
}

const invalid = (name: string, why: string, cause?: unknown): BerthError =>
  new BerthError('certificate.invalid', `set certificate ${name}: ${why}`, { cause })
