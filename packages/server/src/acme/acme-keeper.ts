import { hash } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { BerthError, messageOf } from '@berth/core'
import type { Logger } from 'pino'
import type { Certificates } from '../certificates/certificates.ts'
import type { AcmeAccount, Records } from '../records/index.ts'
import type { Acme } from './acme.ts'
import { issueCertificate } from './issue-certificate.ts'

const actor = 'system:acme'
const inForceWithinMs = 30_000
const pollMs = 100
const staleMs = 10 * 60_000
/** A transaction takes only so many. */
const atOnce = 40

export interface AcmeKeeperOptions {
  readonly records: Records
  readonly acme: Acme
  readonly certificates: Certificates
  /** Every gateway that serves routes by what the store held at this revision. */
  readonly isInForce: (revision: number) => boolean
  readonly log: Logger
  readonly lookMs?: number
  readonly now?: () => number
}

/** Obtains and renews certificates, one after the other, while this server leads `upkeep`. */
export class AcmeKeeper implements AsyncDisposable {
  readonly #options: AcmeKeeperOptions
  readonly #timer: NodeJS.Timeout
  readonly #closing = new AbortController()
  #work: Promise<void> | undefined

  constructor(options: AcmeKeeperOptions) {
    this.#options = options
    this.#timer = setInterval(() => {
      this.#work ??= this.#look()
        .catch((error: unknown) => {
          if (!this.#closing.signal.aborted) options.log.warn({ err: error }, 'look after certificates')
        })
        .finally(() => {
          this.#work = undefined
        })
    }, options.lookMs ?? 5_000)
    this.#timer.unref()
  }

  /** What an authority is asked meanwhile is not waited for: its answer is of no use any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer)
    this.#closing.abort()
  }

  async #look(): Promise<void> {
    const { acme, log } = this.#options
    const { account } = acme
    if (account === undefined) return
    await this.#sweep()
    const host = acme.hosts().find(({ state }) => state === 'due')?.host
    if (host === undefined) return
    try {
      await this.#obtain(account, host)
      log.info({ host }, 'obtained a certificate')
    } catch (error) {
      if (this.#closing.signal.aborted) return
      log.warn({ host, reason: messageOf(error) }, 'could not obtain a certificate')
      await this.#noteFailure(host, messageOf(error)).catch((cause: unknown) => log.warn({ err: cause, host }))
    }
  }

  /** What a server that went away has left behind, and what is known of hosts that are no more. */
  async #sweep(): Promise<void> {
    const { acme, records, now = Date.now } = this.#options
    const { acmeChallenges, acmeFailures } = records.state
    if (acmeChallenges.size + acmeFailures.size === 0) return
    const hosts = new Set(acme.hosts().map(({ host }) => host))
    const stale = [...acmeChallenges.values()].filter(({ at }) => at < now() - staleMs)
    const known = new Set(acme.failures())
    const gone = [...acmeFailures.values()].filter((each) => !known.has(each) || !hosts.has(each.host))
    await records.commit(actor, (tx) => {
      for (const { host } of stale.slice(0, atOnce)) tx.delete('acmeChallenges', host)
      for (const { host } of gone.slice(0, atOnce)) tx.delete('acmeFailures', host)
    })
  }

  async #obtain(account: AcmeAccount, host: string): Promise<void> {
    const { acme, certificates, records } = this.#options
    const { directoryUrl, email, caPem } = account
    try {
      const issued = await issueCertificate({
        ...{ directoryUrl, email, caPem, host, accountKeyPem: acme.accountKeyPem(account) },
        present: (token, answer) => this.#present(host, token, answer),
      })
      this.#closing.signal.throwIfAborted()
      await certificates.set(certificateName(host), issued, { actor }, { acme: true })
      await records.commit(actor, (tx) => tx.delete('acmeFailures', host))
    } finally {
      if (!this.#closing.signal.aborted) await records.commit(actor, (tx) => tx.delete('acmeChallenges', host))
    }
  }

  /** The authority is not asked to look before all gateways answer. */
  async #present(host: string, token: string, answer: string): Promise<void> {
    const { records, isInForce, now = Date.now } = this.#options
    const { signal } = this.#closing
    const { revision } = await records.commit(actor, (tx) =>
      tx.put('acmeChallenges', { host, token, answer, at: now() }),
    )
    const deadline = performance.now() + inForceWithinMs
    while (!isInForce(revision)) {
      if (performance.now() > deadline)
        throw new BerthError('acme.no-gateway', 'no gateway has taken in the answer that the authority looks for')
      await delay(pollMs, undefined, { signal })
    }
  }

  async #noteFailure(host: string, message: string): Promise<void> {
    const { acme, records, now = Date.now } = this.#options
    await records.commit(actor, (tx) => {
      const before = acme.failures().find((each) => each.host === host)?.failures ?? 0
      const account = acme.account?.version ?? 0
      tx.put('acmeFailures', { host, failures: before + 1, account, at: now(), message: message.slice(0, 2_000) })
      tx.event({ type: 'acme.failed', subject: {}, message })
    })
  }
}

/** Names of certificates are short; hosts need not be. */
export const certificateName = (host: string): string =>
  host.length <= 58 ? `acme-${host}` : `acme-${hash('sha256', host).slice(0, 32)}`
