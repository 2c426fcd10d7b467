import { messageOf } from '@berth/core'
import type { Logger } from 'pino'
import type { Pace } from './pace.ts'

export interface KeyLoopOptions {
  /** For logs: `pools`. */
  readonly name: string
  /** Makes one key right; returns the time (ms since the epoch) at which to look again even if nothing changes. */
  readonly process: (key: string, signal: AbortSignal) => Promise<number | undefined>
  readonly log: Logger
  readonly now?: () => number
  /** Every look at a key waits for its turn. Absent: for the next turn of the event loop. */
  readonly pace?: Pace
}

const firstBackoffMs = 50
const maxBackoffMs = 30_000
const maxTimerMs = 3_600_000

/**
 * Work by key: events only mark a key dirty, marks coalesce, one key is never processed twice at once, different keys go on beside
 * each other. A failed key is tried again with growing, jittered pauses that end with its first success.
 */
export class KeyLoop implements AsyncDisposable {
  readonly #options: KeyLoopOptions
  readonly #now: () => number
  readonly #closing = new AbortController()
  readonly #running = new Map<string, Promise<void>>()
  readonly #dirty = new Set<string>()
  readonly #timers = new Map<string, NodeJS.Timeout>()
  readonly #failures = new Map<string, number>()

  constructor(options: KeyLoopOptions) {
    this.#options = options
    this.#now = options.now ?? Date.now
  }

  mark(key: string): void {
    if (this.#closing.signal.aborted || this.#dirty.has(key)) return
    this.#dirty.add(key)
    if (!this.#running.has(key)) this.#start(key)
  }

  /** Resolves when nothing is dirty or under way; timers do not count. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running.values())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort()
    for (const timer of this.#timers.values()) clearTimeout(timer)
    this.#timers.clear()
    await this.idle()
  }

  #start(key: string): void {
    const work = this.#drain(key).finally(() => {
      this.#running.delete(key)
      if (this.#dirty.has(key) && !this.#closing.signal.aborted) this.#start(key)
    })
    this.#running.set(key, work)
  }

  async #drain(key: string): Promise<void> {
    // One turn later, so that all marks of one revision are seen together.
    await this.#turn()
    while (this.#dirty.delete(key) && !this.#closing.signal.aborted) {
      this.#clearTimer(key)
      await this.#processOnce(key)
      if (this.#dirty.has(key)) await this.#options.pace?.turn()
    }
  }

  #turn(): Promise<void> {
    const { pace } = this.#options
    return pace === undefined ? new Promise((resolve) => setImmediate(resolve)) : pace.turn()
  }

  async #processOnce(key: string): Promise<void> {
    try {
      const next = await this.#options.process(key, this.#closing.signal)
      this.#failures.delete(key)
      if (next !== undefined) this.#setTimer(key, Math.max(1, next - this.#now()))
    } catch (error) {
      if (this.#closing.signal.aborted) return
      const failures = (this.#failures.get(key) ?? 0) + 1
      this.#failures.set(key, failures)
      const pauseMs = Math.min(maxBackoffMs, firstBackoffMs * 2 ** failures) * (0.5 + Math.random() / 2)
      this.#options.log.warn({ err: error, key, failures }, `${this.#options.name} ${key}: ${messageOf(error)}`)
      this.#setTimer(key, pauseMs)
    }
  }

  #setTimer(key: string, delayMs: number): void {
    this.#clearTimer(key)
    if (this.#closing.signal.aborted) return
    const timer = setTimeout(
      () => {
        this.#timers.delete(key)
        this.mark(key)
      },
      Math.min(delayMs, maxTimerMs),
    )
    this.#timers.set(key, timer)
  }

  #clearTimer(key: string): void {
    clearTimeout(this.#timers.get(key))
    this.#timers.delete(key)
  }
}
