import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { messageOf } from '@berth/core'
import type { Logger } from 'pino'
import type { Store } from '../store/store.ts'
import { isStoreError } from '../store/store-error.ts'
import type { MonotonicClock } from './clock.ts'
import { LeaseDeadline } from './lease-deadline.ts'

export interface LeaseTimes {
  /** etcd counts whole seconds, and grants no less than two. */
  readonly ttlMs: number
  readonly keepAliveMs: number
  readonly marginMs: number
}

export const defaultLeaseTimes: LeaseTimes = { ttlMs: 2_000, keepAliveMs: 400, marginMs: 300 }

/** One lease, from its grant to its end. Everything that this server holds by it ends with it. */
export interface Session {
  readonly id: string
  /** undefined: this server is alone on its store, and nothing ends. */
  readonly lease: string | undefined
  readonly ended: AbortSignal
  /** When the store answered last: the time at which it was asked. undefined as `lease` is. */
  readonly heardAt: number | undefined
  isPast(): boolean
}

/** That of a server with nobody beside it. */
export const soleSession = (ended: AbortSignal): Session => ({
  id: randomUUID(),
  lease: undefined,
  heardAt: undefined,
  ended,
  isPast: () => false,
})

export interface LeasedSessionOptions {
  readonly store: Store
  readonly clock: MonotonicClock
  readonly times: LeaseTimes
  readonly log: Logger
}

/** A lease that is kept alive until it cannot be any more, or is given back. */
export class LeasedSession implements Session, AsyncDisposable {
  readonly id = randomUUID()
  readonly lease: string
  readonly #options: LeasedSessionOptions
  readonly #deadline: LeaseDeadline
  readonly #ended = new AbortController()
  readonly #keeping: NodeJS.Timeout
  #ending: NodeJS.Timeout | undefined
  #hasComplained = false
  #heardAt: number

  private constructor(lease: string, sentAt: number, deadline: LeaseDeadline, options: LeasedSessionOptions) {
    this.lease = lease
    this.#heardAt = sentAt
    this.#options = options
    this.#deadline = deadline
    this.#keeping = setInterval(() => void this.#keepAlive(), options.times.keepAliveMs)
    this.#arm()
  }

  static async open(options: LeasedSessionOptions, signal: AbortSignal): Promise<LeasedSession> {
    const { store, clock, times } = options
    const deadline = new LeaseDeadline(times.marginMs)
    const sentAt = clock.now()
    const { id, ttlMs } = await store.grantLease(times.ttlMs, { signal })
    deadline.renewed(sentAt, ttlMs)
    return new LeasedSession(id, sentAt, deadline, options)
  }

  get ended(): AbortSignal {
    return this.#ended.signal
  }

  get heardAt(): number {
    return this.#heardAt
  }

  isPast(): boolean {
    if (!this.#ended.signal.aborted && this.#deadline.isPast(this.#options.clock.now()))
      this.#end('was not kept alive in time')
    return this.#ended.signal.aborted
  }

  /** Gives the lease back, and with it whatever is held by it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#end('was given back')
    const signal = AbortSignal.timeout(this.#options.times.ttlMs)
    // What cannot be given back ends by itself.
    await this.#options.store.revokeLease(this.lease, { signal }).catch(() => undefined)
  }

  /** One that is slow does not hold up the next. */
  async #keepAlive(): Promise<void> {
    const { store, clock, times, log } = this.#options
    if (this.isPast()) return
    const sentAt = clock.now()
    try {
      const { ttlMs } = await store.keepLeaseAlive(this.lease, { signal: AbortSignal.timeout(times.ttlMs) })
      this.#hasComplained = false
      this.#heardAt = Math.max(this.#heardAt, sentAt)
      this.#deadline.renewed(sentAt, ttlMs)
      this.#arm()
    } catch (error) {
      if (this.#ended.signal.aborted) return
      if (isStoreError(error, 'store.lease-not-found')) this.#end('is not known to the store any more')
      else if (!this.#hasComplained) {
        this.#hasComplained = true
        log.warn({ err: error }, `keep this server's lease alive: ${messageOf(error)}`)
      }
    }
  }

  /** The timer is for an idle process; one that is not idle asks. */
  #arm(): void {
    clearTimeout(this.#ending)
    if (this.isPast()) return
    this.#ending = setTimeout(() => this.#arm(), Math.max(1, this.#deadline.at - this.#options.clock.now()))
  }

  #end(why: string): void {
    if (this.#ended.signal.aborted) return
    clearInterval(this.#keeping)
    clearTimeout(this.#ending)
    this.#ended.abort(new Error(`the lease of this server ${why}`))
  }
}

/** Waits, at most so long, for the signal. */
export const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  delay(ms, undefined, { signal }).then(
    () => undefined,
    () => undefined,
  )
