import { X509Certificate } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { ServerAddress } from '@berth/api'
import { messageOf } from '@berth/core'
import type { Logger } from 'pino'
import { dial } from './dial.ts'
import type { LinkServices } from './link-services.ts'
import { type PingTimes, serveLink } from './link-session.ts'
import type { NodeCredentials } from './node-credentials.ts'
import type { NodeIdentity } from './node-identity.ts'

const firstPauseMs = 100
const maxPauseMs = 2_000
/** A link that held this long was a good one. */
const stableMs = 10_000

export interface AgentLinkOptions {
  readonly servers: readonly ServerAddress[]
  readonly credentials: Pick<NodeCredentials, 'settled'>
  readonly services: LinkServices
  readonly log: Logger
  readonly ping?: PingTimes
  readonly onUp?: () => void
  /**
   * No link came about, for this reason; of each server once for as long as it is the same. A refusal is a server's own word, said again to
   * the next link: one that is ended for what the server thought of the link before is not refused.
   */
  readonly onNoLink?: (reason: string, isRefusal: boolean) => void
}

/** Keeps one link to one of the servers: dials them in turn, serves, and dials again, with pauses that grow and are never in step. */
export class AgentLink implements AsyncDisposable {
  readonly #options: AgentLinkOptions
  readonly #closing = new AbortController()
  readonly #loop: Promise<void>
  #isUp = false
  #hasSaidExpired = false
  #current: AbortController | undefined
  /** What the server said last when it ended the link at once: said again it is no news. */
  #refusal: { readonly why: string; readonly isSaidAgain: boolean } | undefined
  readonly #unreachable = new Map<string, string>()

  constructor(options: AgentLinkOptions) {
    this.#options = options
    this.#loop = this.#run(this.#closing.signal)
  }

  get isUp(): boolean {
    return this.#isUp
  }

  /** Gives the present link up for a new one, which begins with a snapshot. */
  redial(): void {
    this.#current?.abort()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort()
    await this.#loop
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { servers } = this.#options
    let failures = 0
    for (let turn = 0; !signal.aborted; turn += 1) {
      const address = servers[turn % servers.length]
      if (address === undefined) throw new Error('node.json names no server')
      const startedAt = performance.now()
      try {
        await this.#serve(address, signal)
      } catch (error) {
        this.#sayUnreachable(address, messageOf(error), failures)
      }
      failures = performance.now() - startedAt >= stableMs ? 0 : failures + 1
      const limitMs = Math.min(maxPauseMs, firstPauseMs * 2 ** Math.min(failures, 10))
      await delay(limitMs / 2 + Math.random() * (limitMs / 2), undefined, { signal }).catch(() => undefined)
    }
  }

  /** Why is said once for each server, and again when it is another reason: one that is back may have other keys. */
  #sayUnreachable({ host, port }: ServerAddress, reason: string, failures: number): void {
    const key = `${host}:${port}`
    if (failures > 0 && this.#unreachable.get(key) === reason) return
    this.#unreachable.set(key, reason)
    this.#options.log.warn({ reason }, 'cannot reach the server; trying on')
    this.#options.onNoLink?.(reason, false)
  }

  async #serve(address: ServerAddress, signal: AbortSignal): Promise<void> {
    const { credentials, services, log, ping = { intervalMs: 5_000, timeoutMs: 5_000 } } = this.#options
    const identity = await credentials.settled()
    this.#sayIfExpired(identity)
    const socket = await dial(address, identity, signal)
    const linkedAt = performance.now()
    log[this.#refusal === undefined ? 'info' : 'debug'](address, 'linked to the server')
    this.#isUp = true
    this.#options.onUp?.()
    const current = new AbortController()
    this.#current = current
    let why: string | undefined
    try {
      why = await serveLink(socket, services, { log, ping, signal: AbortSignal.any([signal, current.signal]) })
    } finally {
      this.#isUp = false
      this.#current = undefined
      if (!signal.aborted) this.#sayLost(address, why, performance.now() - linkedAt < stableMs)
    }
  }

  /** A server that does not want this node says so each time that it is dialled, every other second. */
  #sayLost(address: ServerAddress, why: string | undefined, isShort: boolean): void {
    const before = this.#refusal
    const isSaidAgain = why !== undefined && why === before?.why
    this.#refusal = isShort && why !== undefined ? { why, isSaidAgain } : undefined
    const what = why === undefined ? 'lost the link to the server' : `the server ended the link: ${why}`
    this.#options.log[isSaidAgain ? 'debug' : 'warn'](address, what)
    const isNews = !isSaidAgain || before?.isSaidAgain !== true
    if (isShort && why !== undefined && isNews) this.#options.onNoLink?.(why, isSaidAgain)
  }

  /** A server just closes the connection then, which tells nobody why. */
  #sayIfExpired({ name, certificatePem }: NodeIdentity): void {
    const end = new X509Certificate(certificatePem).validToDate
    if (this.#hasSaidExpired || end.getTime() > Date.now()) return
    this.#hasSaidExpired = true
    this.#options.log.error(
      { expired: end },
      `the certificate of this node ended on ${end.toISOString()}, so no server lets it in: remove the node (berth node rm ${name}), then join it anew`,
    )
  }
}
