import { X509Certificate } from 'node:crypto'
import type { CertificateDelivery, CertificateRequest } from '@berth/api'
import { BerthError, backoffMs, type EventType, messageOf, type Node } from '@berth/core'
import type { Logger } from 'pino'
import type { Authority } from '../authority/authority.ts'
import { fingerprintOf, normalFingerprint, renewalTime } from '../authority/certificate-checks.ts'
import { KeyLoop } from '../controllers/key-loop.ts'
import type { Records, State } from '../records/index.ts'

export interface NodeCertificatesOptions {
  readonly records: Records
  readonly authority: Pick<Authority, 'signNode' | 'hasSigned' | 'trustPem'>
  readonly agents: CertificateAgents
  readonly log: Logger
  readonly now?: () => number
  readonly retry?: { readonly firstMs: number; readonly maxMs: number }
}

/** What is asked of an agent; rejects with `node.offline` when it is not there. */
export interface CertificateAgents {
  isConnected(node: string): boolean
  requestCertificate(node: string, options: { readonly signal: AbortSignal }): Promise<CertificateRequest>
  deliverCertificate(
    node: string,
    delivery: CertificateDelivery,
    options: { readonly signal: AbortSignal },
  ): Promise<void>
}

const actor = 'system:certificates'
const answerMs = 30_000
const defaultRetry = { firstMs: 10_000, maxMs: 3_600_000 }
/** A node that is away is spoken of when its certificate has this long to go. */
const awayWarningMs = 60 * 86_400_000

/**
 * Renews nodes' certificates over the links that the present ones authenticate, in the last third of their life and after a rotation of
 * the authority. A new one is good from the moment it is signed; the old one is shut out when the node has said that it has the new one
 * on disk, or has dialled in with it. So a crash of either side at any point leaves the node with a certificate that is good.
 */
export class NodeCertificates implements AsyncDisposable {
  readonly #options: NodeCertificatesOptions
  readonly #state: State
  readonly #now: () => number
  /** What each node has on disk, for all that is known since this server's start. */
  readonly #known = new Map<string, X509Certificate>()
  readonly #failures = new Map<string, number>()
  readonly #loop: KeyLoop
  readonly #unsubscribe: () => void

  constructor(options: NodeCertificatesOptions) {
    this.#options = options
    this.#state = options.records.state
    this.#now = options.now ?? Date.now
    this.#loop = new KeyLoop({
      name: 'certificate of node',
      process: (node, signal) => this.#look(node, signal),
      log: options.log,
      now: this.#now,
    })
    this.#unsubscribe = this.#state.changes.subscribe((change) => {
      if (change.kind === 'nodes' && change.after === undefined) this.#forget(change.id)
    })
    this.lookAtAll()
  }

  /** A node has dialled in with this certificate, which is one of the two that it may have. */
  connected(node: string, certificate: X509Certificate): void {
    this.#known.set(node, certificate)
    this.#failures.delete(node)
    this.#loop.mark(node)
  }

  /** After a rotation of the authority. */
  lookAtAll(): void {
    for (const node of this.#state.nodes.ids()) this.#loop.mark(node)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#unsubscribe()
    await this.#loop[Symbol.asyncDispose]()
  }

  #forget(node: string): void {
    this.#known.delete(node)
    this.#failures.delete(node)
  }

  /** Returns when to look again. */
  async #look(name: string, signal: AbortSignal): Promise<number | undefined> {
    if (!this.#state.nodes.has(name)) return undefined
    const certificate = this.#known.get(name)
    if (certificate !== undefined) await this.#settle(name, certificate, signal)
    if (certificate === undefined || !this.#options.agents.isConnected(name)) return await this.#lookAway(name, signal)
    const dueAt = this.#options.authority.hasSigned(certificate) ? renewalTime(certificate) : 0
    if (dueAt > this.#now()) {
      await this.#note(name, undefined, signal)
      return dueAt
    }
    try {
      await this.#renew(name, signal)
      this.#failures.delete(name)
    } catch (error) {
      if (signal.aborted) return undefined
      // The node is back within seconds, or is away, which is spoken of when it matters.
      if (error instanceof BerthError && error.code === 'node.offline') return await this.#lookAway(name, signal)
      return await this.#failed(name, certificate, error, signal)
    }
    const renewed = this.#known.get(name)
    return renewed === undefined ? undefined : renewalTime(renewed)
  }

  /** Of a node that is not there only what the record says is known. */
  async #lookAway(name: string, signal: AbortSignal): Promise<number | undefined> {
    const node = this.#state.nodes.get(name)
    if (node?.certificateExpiresAt === undefined) return undefined
    const end = node.certificateExpiresAt
    const warnAt = end - awayWarningMs
    if (warnAt > this.#now()) return warnAt
    const when = new Date(end).toISOString()
    const problem =
      end > this.#now()
        ? `its certificate ends on ${when} and cannot be renewed while its agent is not connected`
        : `its certificate ended on ${when}: its agent cannot connect any more; remove the node, then join it anew`
    await this.#note(name, problem, signal)
    return end > this.#now() ? end : undefined
  }

  async #renew(name: string, signal: AbortSignal): Promise<void> {
    const { agents, authority, log } = this.#options
    const limited = (): { signal: AbortSignal } => ({
      signal: AbortSignal.any([signal, AbortSignal.timeout(answerMs)]),
    })
    const { requestPem, certificatePem: present } = await agents.requestCertificate(name, limited())
    // One that was delivered before, whose arrival nobody has told: the node has it.
    const known = new X509Certificate(present)
    this.#known.set(name, known)
    if (await this.#settle(name, known, signal)) return
    const certificatePem = await authority.signNode(requestPem, name)
    await this.#announce(name, fingerprintOf(certificatePem), signal)
    await agents.deliverCertificate(name, { certificatePem, authorityPem: authority.trustPem }, limited())
    const renewed = new X509Certificate(certificatePem)
    this.#known.set(name, renewed)
    await this.#settle(name, renewed, signal)
    log.info({ node: name, expires: renewed.validToDate }, `node ${name} has a new certificate`)
  }

  /** From now on both are good. */
  async #announce(name: string, nextCertificateFingerprint: string, signal: AbortSignal): Promise<void> {
    await this.#change(name, signal, (node) => ({ ...node, nextCertificateFingerprint }))
  }

  /** Writes down what the node is known to have; true when that is one that was on its way. */
  async #settle(name: string, certificate: X509Certificate, signal: AbortSignal): Promise<boolean> {
    const fingerprint = normalFingerprint(certificate.fingerprint256)
    const certificateExpiresAt = certificate.validToDate.getTime()
    const isNew = this.#state.nodes.get(name)?.nextCertificateFingerprint === fingerprint
    await this.#change(name, signal, (node, event) => {
      if (node.nextCertificateFingerprint === fingerprint) {
        const { nextCertificateFingerprint: _, certificateProblem: __, ...rest } = node
        event(
          'node.certificate-renewed',
          `${name} has a new certificate until ${certificate.validToDate.toISOString()}`,
        )
        return { ...rest, certificateFingerprint: fingerprint, certificateExpiresAt }
      }
      if (node.certificateFingerprint !== fingerprint || node.certificateExpiresAt === certificateExpiresAt) return node
      return { ...node, certificateExpiresAt }
    })
    return isNew
  }

  async #failed(name: string, certificate: X509Certificate, error: unknown, signal: AbortSignal): Promise<number> {
    const { log, retry = defaultRetry } = this.#options
    const failures = (this.#failures.get(name) ?? 0) + 1
    this.#failures.set(name, failures)
    const end = certificate.validToDate.toISOString()
    const isLate = error instanceof Error && error.name === 'TimeoutError'
    const reason = isLate ? `its agent did not answer within ${answerMs / 1000} s` : messageOf(error)
    const problem = `its certificate ends on ${end} and could not be renewed: ${reason}`
    log.error({ err: error, node: name, failures }, `node ${name}: ${problem}`)
    await this.#note(name, problem, signal)
    return this.#now() + backoffMs(failures, retry)
  }

  /** Told once, until it is another problem or none. */
  async #note(name: string, problem: string | undefined, signal: AbortSignal): Promise<void> {
    await this.#change(name, signal, (node, event) => {
      if (node.certificateProblem === problem) return node
      const { certificateProblem: _, ...rest } = node
      if (problem === undefined) return rest
      event('node.certificate-problem', `${name}: ${problem}`)
      return { ...rest, certificateProblem: problem }
    })
  }

  async #change(
    name: string,
    signal: AbortSignal,
    change: (node: Node, event: (type: EventType, message: string) => void) => Node,
  ): Promise<void> {
    await this.#options.records.commit(
      actor,
      (tx) => {
        const before = this.#state.nodes.get(name)
        if (before === undefined) return
        const after = change(before, (type, message) => tx.event({ type, subject: { node: name }, message }))
        if (after !== before) tx.put('nodes', after, { ifUnchanged: true })
      },
      { signal },
    )
  }
}
