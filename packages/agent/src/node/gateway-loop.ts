import { BerthError, backoffMs, messageOf, type RequestRow, type RouteTable } from '@berth/core'
import type { Logger } from 'pino'
import type { Gateway } from '../gateway/gateway.ts'
import { Wakeup } from '../instance/wakeup.ts'
import { ActiveMembers } from './active-members.ts'
import { RequestReader } from './request-reader.ts'

/** While members drain, the server waits for every one of these looks. */
const drainLookMs = 100
const idleLookMs = 1_000
/** The first failure after a good time is tried again at once, every further one after a longer pause. */
const restartBackoff = { firstMs: 100, maxMs: 2_000 }
/** nginx that ran so long has not ended because of how it was started. */
const stableMs = 10_000

export interface GatewayReport {
  readonly version: number
  /** Requests that members out of traffic still serve, by `memberKey`. */
  readonly inflight: Readonly<Record<string, number>>
}

export interface GatewayLoopOptions {
  readonly gateway: Gateway
  readonly log: Logger
  readonly onReport: (report: GatewayReport) => void
  /** What became of requests, of those for which it has changed; also when nothing has. */
  readonly onRequests: (rows: readonly RequestRow[]) => void
  /** A table is in force that was to be applied even if it was older. */
  readonly onForced: () => void
  readonly onProblem: (problem: string | undefined) => void
}

interface Wanted {
  readonly table: RouteTable
  readonly force: boolean
}

/**
 * Drives the node's gateway: always the newest table, and reports of what is in force and what still drains. The gateway itself goes on
 * without it. Of tables that arrive faster than they are applied only the last is.
 */
export class GatewayLoop implements AsyncDisposable {
  readonly #options: GatewayLoopOptions
  readonly #closing = new AbortController()
  readonly #wakeup = new Wakeup()
  readonly #loop: Promise<void>
  #wanted: Wanted | undefined
  #applied: Wanted | undefined
  #isStarted = false
  #startedAt = 0
  #restartedAt: number | undefined
  #reloads: number | undefined
  /** Starts and other calls that failed since nginx last ran for a good time. */
  #failures = 0
  #notBefore = 0
  /** Why the table that is wanted is not in force and never will be. */
  #refusal: string | undefined
  readonly #unwatch: () => void
  #report: GatewayReport | undefined
  #reportText = ''
  readonly #requests = new RequestReader()
  readonly #active = new ActiveMembers()

  constructor(options: GatewayLoopOptions) {
    this.#options = options
    this.#unwatch = options.gateway.onEnd(() => this.#wakeup.wake())
    this.#loop = this.#run(this.#closing.signal)
  }

  get isRunning(): boolean {
    return this.#isStarted
  }

  /** When nginx came back last after it had ended unasked. */
  get restartedAt(): number | undefined {
    return this.#restartedAt
  }

  /** How often nginx has read a changed configuration since it was started; undefined before that is known. */
  get reloads(): number | undefined {
    return this.#reloads
  }

  /** The last report, for a server that has just come. */
  get report(): GatewayReport | undefined {
    return this.#report
  }

  /** What became of requests since this agent counts, for a server that has just come. */
  get requests(): readonly RequestRow[] {
    return this.#requests.rows
  }

  apply(table: RouteTable, force = false): void {
    this.#wanted = { table, force: force || (this.#wanted !== this.#applied && this.#wanted?.force === true) }
    this.#wakeup.wake()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#unwatch()
    this.#closing.abort()
    this.#wakeup.wake()
    await this.#loop
    await this.#options.gateway[Symbol.asyncDispose]()
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const pauseMs = await this.#tryTurn(signal)
      await this.#wakeup.sleep(Date.now() + pauseMs, signal)
    }
  }

  /** Returns the time until the next one. What wakes the loop meanwhile does not shorten a pause after a failure. */
  async #tryTurn(signal: AbortSignal): Promise<number> {
    const tooEarlyMs = this.#notBefore - Date.now()
    if (tooEarlyMs > 0 && tooEarlyMs <= restartBackoff.maxMs) return tooEarlyMs
    try {
      const pauseMs = await this.#turn(signal)
      this.#options.onProblem(this.#refusal)
      if (Date.now() - this.#startedAt >= stableMs) this.#failures = 0
      return pauseMs
    } catch (error) {
      return signal.aborted ? 0 : this.#failed(error)
    }
  }

  #failed(error: unknown): number {
    const sentence = `the gateway: ${messageOf(error)}`
    this.#options.log.warn({ reason: messageOf(error) }, 'the gateway failed')
    this.#options.onProblem(sentence)
    if (isRefusal(error)) {
      // A table that is wrong stays wrong; what is in force goes on.
      this.#wanted = this.#applied
      this.#refusal = sentence
      return 0
    }
    if (error instanceof BerthError && error.code === 'gateway.not-running') this.#isStarted = false
    const pauseMs = backoffMs(this.#failures, restartBackoff)
    this.#failures += 1
    this.#notBefore = Date.now() + pauseMs
    return pauseMs
  }

  /** Returns the time until the next look. */
  async #turn(signal: AbortSignal): Promise<number> {
    const { gateway } = this.#options
    if (!this.#isStarted) {
      await gateway.start({ signal })
      // What it was started from may be older: the table that was in force could not be kept, on a full disk for one.
      this.#applied = undefined
      this.#isStarted = true
      if (this.#startedAt > 0) this.#restartedAt = Date.now()
      this.#startedAt = Date.now()
    }
    const wanted = this.#wanted
    if (wanted !== undefined && wanted !== this.#applied) {
      await gateway.apply(wanted.table, { signal, force: wanted.force })
      this.#applied = wanted
      this.#refusal = undefined
      if (wanted.force) this.#forced()
    }
    const isDraining = await this.#look(signal)
    await this.#count(signal)
    return isDraining ? drainLookMs : idleLookMs
  }

  /** Reports what has changed. True while something drains. */
  async #look(signal: AbortSignal): Promise<boolean> {
    const status = await this.#options.gateway.status({ signal })
    if (!status.running) {
      throw new BerthError('gateway.not-running', 'nginx does not run any more; starting it again')
    }
    this.#reloads = status.reloads
    this.#active.follow(this.#applied?.table)
    const leaving = Object.entries(status.inflight).filter(([member]) => !this.#active.has(member))
    this.#send({ version: status.version, inflight: Object.fromEntries(leaving) })
    return leaving.some(([, requests]) => requests > 0)
  }

  async #count(signal: AbortSignal): Promise<void> {
    const { gateway, onRequests } = this.#options
    const rows = await this.#requests.read(gateway, { table: this.#applied?.table, signal })
    if (rows !== undefined) onRequests(rows)
  }

  /** What was reported before was of a store that was given up, though its numbers may be the same. */
  #forced(): void {
    this.#reportText = ''
    this.#options.onForced()
  }

  #send(report: GatewayReport): void {
    const text = JSON.stringify(report)
    if (text === this.#reportText) return
    this.#report = report
    this.#reportText = text
    this.#options.onReport(report)
  }
}

const isRefusal = (error: unknown): boolean =>
  error instanceof BerthError && (error.code === 'gateway.invalid-table' || error.code === 'gateway.stale-table')
