import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { BerthError, type EventType, messageOf } from '@berth/core'
import type { Logger } from 'pino'
import type { Records } from '../records/index.ts'
import type { Authority } from './authority.ts'
import type { KeyPairPem } from './certificate-factory.ts'

export interface KeeperOptions {
  readonly authority: Authority
  /** Names and addresses of this server. */
  readonly names: readonly string[]
  /** Files of the operator's own certificate for the API. */
  readonly operator?: { readonly certificateFile: string; readonly keyFile: string }
  readonly records: Records
  /** The authority is the cluster's: one of its servers gives it a new key. */
  readonly mayRotate: () => boolean
  readonly log: Logger
  readonly now?: () => number
  readonly checkMs?: number
}

export interface KeeperListener {
  /** The server's certificate, or what is trusted, is another. */
  onServerCertificate(pair: KeyPairPem): void
  /** The operator's files have changed. */
  onOperatorCertificate(pair: KeyPairPem): void
  /** The authority has a new key: nodes get certificates of it. */
  onRotated(): void
}

const defaultCheckMs = 3_600_000
const operatorWarningMs = 14 * 86_400_000
/** Contexts of people who know only the root before the last rotation have this long to learn the new one. */
const retiringWarningMs = 120 * 86_400_000
const actor = 'system:certificates'

/**
 * Looks after the certificates of the server itself: its authority, its own, and the operator's. Each is renewed or read again in time,
 * and each that is not is a problem, told in the server's status and, when it comes up, as an event.
 */
export class CertificateKeeper implements AsyncDisposable {
  readonly #options: KeeperOptions
  readonly #now: () => number
  readonly #problems = new Map<string, string>()
  readonly #closing = new AbortController()
  #listener: KeeperListener | undefined
  #server: KeyPairPem
  #operator: KeyPairPem | undefined
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> = Promise.resolve()

  private constructor(options: KeeperOptions, server: KeyPairPem, operator: KeyPairPem | undefined) {
    this.#options = options
    this.#now = options.now ?? Date.now
    this.#server = server
    this.#operator = operator
  }

  /** Throws what the authority throws, and `server.certificate-unreadable`. */
  static async open(options: KeeperOptions): Promise<CertificateKeeper> {
    const { authority, names, operator } = options
    const server = await authority.serverCertificate(names)
    return new CertificateKeeper(options, server, operator === undefined ? undefined : await readOperator(operator))
  }

  get server(): KeyPairPem {
    return this.#server
  }

  get operator(): KeyPairPem | undefined {
    return this.#operator
  }

  /** One sentence each. */
  problems(): string[] {
    return [...this.#problems.values()]
  }

  /** From now on, starting with a look at once. */
  async watch(listener: KeeperListener): Promise<void> {
    this.#listener = listener
    await this.#check()
    this.#timer = setInterval(() => {
      this.#running = this.#running.then(() => this.#check())
    }, this.#options.checkMs ?? defaultCheckMs)
    this.#timer.unref()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer)
    this.#closing.abort()
    await this.#running
  }

  async #check(): Promise<void> {
    await this.#attempt('authority', 'renew the cluster’s authority', () => this.#rotate())
    await this.#attempt('server', 'renew the server’s certificate', () => this.#renewServer())
    await this.#attempt('operator', 'read the API’s certificate again', () => this.#readOperatorAgain())
    await this.#note('retiring', this.#retiring())
    await this.#note('operator-end', this.#operatorEnd())
  }

  async #rotate(): Promise<void> {
    const { authority, mayRotate } = this.#options
    await authority.refresh()
    if (!mayRotate() || !(await authority.rotateIfDue())) return
    const until = isoDate(authority.previous?.expiresAt ?? this.#now())
    await this.#tell(
      'authority.rotated',
      `the cluster's authority has a new key; the one before is trusted until ${until}`,
    )
    this.#listener?.onRotated()
  }

  async #renewServer(): Promise<void> {
    const { authority, names } = this.#options
    const next = await authority.serverCertificate(names)
    if (next.certificatePem === this.#server.certificatePem) return
    this.#server = next
    this.#listener?.onServerCertificate(next)
    await this.#tell('server.certificate-renewed', `the server has a new certificate until ${isoDate(endOf(next))}`)
  }

  async #readOperatorAgain(): Promise<void> {
    const { operator: files } = this.#options
    if (files === undefined) return
    const next = await readOperator(files)
    if (next.certificatePem === this.#operator?.certificatePem) return
    this.#listener?.onOperatorCertificate(next)
    this.#operator = next
    await this.#tell(
      'server.certificate-renewed',
      `the API's certificate was read again; it ends on ${isoDate(endOf(next))}`,
    )
  }

  #retiring(): string | undefined {
    const { previous } = this.#options.authority
    if (previous === undefined || previous.expiresAt - this.#now() > retiringWarningMs) return undefined
    return `the authority's former certificate ends on ${isoDate(previous.expiresAt)}: use \`berth status\` in every context once before, so that it learns the new one`
  }

  #operatorEnd(): string | undefined {
    if (this.#operator === undefined) return undefined
    const end = endOf(this.#operator)
    if (end - this.#now() > operatorWarningMs) return undefined
    const file = this.#options.operator?.certificateFile ?? ''
    return `the API's certificate in ${file} ${end > this.#now() ? 'ends' : 'ended'} on ${isoDate(end)}: put a new one there; it is read within an hour`
  }

  async #attempt(key: string, what: string, work: () => Promise<void>): Promise<void> {
    try {
      await work()
      await this.#note(key, undefined)
    } catch (error) {
      if (this.#closing.signal.aborted) return
      this.#options.log.error({ err: error }, `${what}: ${messageOf(error)}`)
      await this.#note(key, `${what}: ${messageOf(error)}`)
    }
  }

  async #note(key: string, problem: string | undefined): Promise<void> {
    if (this.#problems.get(key) === problem) return
    if (problem === undefined) this.#problems.delete(key)
    else {
      this.#problems.set(key, problem)
      await this.#tell('server.certificate-problem', problem)
    }
  }

  /** The log has it as well, where a store that is full takes no events. */
  async #tell(type: EventType, message: string): Promise<void> {
    const { records, log } = this.#options
    log.info(message)
    const { signal } = this.#closing
    try {
      await records.commit(actor, (tx) => tx.event({ type, subject: {}, message }), { signal })
    } catch (error) {
      if (!signal.aborted) log.error({ err: error }, `write the event ${type}: ${messageOf(error)}`)
    }
  }
}

/** Of the leaf, which comes first. */
const endOf = (pair: KeyPairPem): number => new X509Certificate(pair.certificatePem).validToDate.getTime()

const isoDate = (at: number): string => new Date(at).toISOString()

async function readOperator(files: {
  readonly certificateFile: string
  readonly keyFile: string
}): Promise<KeyPairPem> {
  try {
    const [certificatePem, keyPem] = await Promise.all([
      readFile(files.certificateFile, 'utf8'),
      readFile(files.keyFile, 'utf8'),
    ])
    new X509Certificate(certificatePem)
    return { certificatePem, keyPem }
  } catch (cause) {
    throw new BerthError('server.certificate-unreadable', `read the API's certificate: ${messageOf(cause)}`, { cause })
  }
}
