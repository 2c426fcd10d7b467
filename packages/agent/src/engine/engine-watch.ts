import { setTimeout as delay } from 'node:timers/promises'
import { messageOf } from '@berth/core'
import type { Logger } from 'pino'
import type { Engine, EngineEvent, EngineInfo } from './engine.ts'

export interface EngineWatchOptions {
  readonly engine: Engine
  /** Events of containers with this label only. */
  readonly label: string
  readonly log: Logger
  /** Called with every connection, after the subscription to events: what is listed now misses nothing. */
  readonly onUp: (info: EngineInfo, signal: AbortSignal) => Promise<void>
  readonly onEvent: (event: EngineEvent) => void
  /** Called about once a minute, in case an event was lost after all. */
  readonly onResync: (signal: AbortSignal) => Promise<void>
  readonly onProblem: (problem: string | undefined) => void
  readonly heartbeatMs?: number
  readonly resyncMs?: number
}

const firstPauseMs = 100
const maxPauseMs = 2_000

/**
 * Keeps the connection to the engine: subscribes to events, asks for a sign of life now and then, and begins anew when the engine was
 * killed, restarted or hangs. Whoever needs the engine waits for {@link EngineWatch.up}.
 */
export class EngineWatch implements AsyncDisposable {
  readonly #options: EngineWatchOptions
  readonly #closing = new AbortController()
  readonly #loop: Promise<void>
  #gate = Promise.withResolvers<void>()
  #isUp = false
  #lastEventAt: number | undefined

  constructor(options: EngineWatchOptions) {
    this.#options = options
    this.#loop = this.#run(this.#closing.signal)
  }

  get isUp(): boolean {
    return this.#isUp
  }

  /** Resolves when the engine answers. */
  async up(signal: AbortSignal): Promise<void> {
    if (this.#isUp) return
    const { promise: aborted, reject } = Promise.withResolvers<never>()
    const abort = (): void => reject(signal.reason)
    signal.addEventListener('abort', abort, { once: true })
    try {
      signal.throwIfAborted()
      await Promise.race([this.#gate.promise, aborted])
    } finally {
      signal.removeEventListener('abort', abort)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort()
    await this.#loop
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { log, onProblem } = this.#options
    let pauseMs = firstPauseMs
    while (!signal.aborted) {
      const attempt = new AbortController()
      try {
        await this.#attend(AbortSignal.any([signal, attempt.signal]), attempt, () => {
          pauseMs = firstPauseMs
        })
      } catch (error) {
        if (signal.aborted) break
        const problem = `Docker does not answer: ${messageOf(error)}`
        if (this.#isUp || pauseMs === firstPauseMs) log.warn({ reason: messageOf(error) }, 'lost the engine')
        onProblem(problem)
      } finally {
        attempt.abort()
        this.#close()
      }
      await delay(pauseMs, undefined, { signal }).catch(() => undefined)
      pauseMs = Math.min(pauseMs * 2, maxPauseMs)
    }
  }

  /** One connection, from its first call until it breaks. */
  async #attend(signal: AbortSignal, attempt: AbortController, onConnected: () => void): Promise<void> {
    const { engine, label, log, onUp, onEvent, onProblem } = this.#options
    const info = await engine.info({ signal })
    const connected = Promise.withResolvers<void>()
    const connect = async (): Promise<void> => {
      await onUp(info, signal)
      onConnected()
      onProblem(undefined)
      this.#open()
      log.info({ version: info.version, api: info.api }, 'connected to the engine')
    }
    const fail = (error: unknown): void => attempt.abort(error)
    const onOpen = (): void => void connect().then(connected.resolve, fail)
    const alive = this.#heartbeat(signal).catch(fail)
    const since = this.#lastEventAt === undefined ? {} : { sinceMs: this.#lastEventAt }
    try {
      for await (const event of engine.events({ label, signal, onOpen, ...since })) {
        this.#lastEventAt = event.at
        onEvent(event)
      }
      throw new Error('the stream of events has ended')
    } catch (error) {
      throw attempt.signal.aborted ? attempt.signal.reason : error
    } finally {
      attempt.abort()
      await alive
    }
  }

  async #heartbeat(signal: AbortSignal): Promise<void> {
    const { engine, onResync, heartbeatMs = 5_000, resyncMs = 60_000 } = this.#options
    let nextResyncAt = performance.now() + resyncMs
    while (!signal.aborted) {
      await delay(heartbeatMs, undefined, { signal }).catch(() => undefined)
      if (signal.aborted) return
      await engine.ping({ signal })
      if (performance.now() < nextResyncAt || !this.#isUp) continue
      nextResyncAt = performance.now() + resyncMs
      await onResync(signal)
    }
  }

  #open(): void {
    this.#isUp = true
    this.#gate.resolve()
  }

  #close(): void {
    if (!this.#isUp) return
    this.#isUp = false
    this.#gate = Promise.withResolvers<void>()
  }
}
