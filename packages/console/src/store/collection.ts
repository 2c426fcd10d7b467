import type { Listing } from '@berth/api/client'
import type { WatchEvent } from '@berth/api/endpoint'
import { BerthError } from '@berth/core/model/berth-error'
import { backoffMs } from './backoff.ts'

/** `failed` is an answer that trying again will not change, such as a missing right. */
export type CollectionState = 'loading' | 'live' | 'reconnecting' | 'failed'

export interface Snapshot<T> {
  readonly items: readonly T[]
  readonly state: CollectionState
  readonly error: unknown
}

export interface CollectionSource<T> {
  list(signal: AbortSignal): Promise<Listing<T>>
  watch(revision: number, signal: AbortSignal): AsyncIterable<WatchEvent<T>>
  /** The id that `delete` events carry. */
  keyOf(item: T): string
}

/** The server sends a mark every 15 s at least: a watch that is silent for longer than this has lost its connection. */
const silenceMs = 40_000

export interface CollectionClock {
  readonly delay: (ms: number, signal: AbortSignal) => Promise<void>
  readonly random: () => number
}

/**
 * One listing, kept current: listed once, then changed by the events of its watch. A broken watch goes on from the last revision
 * seen; only `store.compacted` makes it list again. What was last known stays visible meanwhile.
 */
export class Collection<T> {
  readonly #source: CollectionSource<T>
  readonly #clock: CollectionClock
  readonly #listeners = new Set<() => void>()
  readonly #items = new Map<string, T>()
  #revision: number | undefined
  #snapshot: Snapshot<T> = { items: [], state: 'loading', error: undefined }
  #running: AbortController | undefined

  constructor(source: CollectionSource<T>, clock: CollectionClock) {
    this.#source = source
    this.#clock = clock
  }

  get snapshot(): Snapshot<T> {
    return this.#snapshot
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  get listened(): boolean {
    return this.#listeners.size > 0
  }

  start(): void {
    if (this.#running !== undefined) return
    const running = new AbortController()
    this.#running = running
    void this.#run(running.signal)
  }

  /** Gives the connection back; the items and the revision stay, so that starting again goes on from there. */
  stop(): void {
    this.#running?.abort()
    this.#running = undefined
  }

  async #run(signal: AbortSignal): Promise<void> {
    let failures = 0
    while (!signal.aborted) {
      try {
        await this.#follow(signal, () => {
          failures = 0
        })
        failures += 1
        this.#publish('reconnecting', undefined)
      } catch (error) {
        if (signal.aborted) return
        if (isCompacted(error)) this.#revision = undefined
        else if (isFinal(error)) return this.#publish('failed', error)
        else this.#publish('reconnecting', error)
        failures += 1
      }
      if (signal.aborted) return
      await this.#clock.delay(backoffMs(failures, this.#clock.random()), signal).catch(() => undefined)
    }
  }

  async #follow(signal: AbortSignal, working: () => void): Promise<void> {
    if (this.#revision === undefined) await this.#list(signal)
    const silence = new SilenceLimit(silenceMs)
    try {
      const events = this.#source.watch(this.#revision ?? 0, AbortSignal.any([signal, silence.signal]))
      for await (const event of events) {
        if (signal.aborted) return
        silence.heard()
        working()
        this.#apply(event)
      }
    } finally {
      silence.stop()
    }
  }

  async #list(signal: AbortSignal): Promise<void> {
    const listing = await this.#source.list(signal)
    signal.throwIfAborted()
    this.#items.clear()
    for (const item of listing.items) this.#items.set(this.#source.keyOf(item), item)
    this.#revision = listing.revision
    this.#publish('live', undefined)
  }

  /** Only a mark says that everything up to its revision has come: going on from another event could lose the rest of its batch. */
  #apply(event: WatchEvent<T>): void {
    if (event.type === 'mark') this.#revision = event.revision
    if (event.type === 'put') this.#items.set(this.#source.keyOf(event.item), event.item)
    const changed = event.type === 'put' || (event.type === 'delete' && this.#items.delete(event.id))
    if (changed || this.#snapshot.state !== 'live') this.#publish('live', undefined)
  }

  #publish(state: CollectionState, error: unknown): void {
    this.#snapshot = { items: [...this.#items.values()], state, error }
    for (const listener of this.#listeners) listener()
  }
}

const isCompacted = (error: unknown): boolean => error instanceof BerthError && error.code === 'store.compacted'

/** Answers of the server are final unless it says that they are not; broken connections never are. */
function isFinal(error: unknown): boolean {
  if (!(error instanceof BerthError) || error.retryable) return false
  return error.code.startsWith('auth.') || error.code.endsWith('.not-found') || error.code === 'api.invalid-request'
}

class SilenceLimit {
  readonly #abort = new AbortController()
  readonly #ms: number
  #timer: ReturnType<typeof setTimeout>

  constructor(ms: number) {
    this.#ms = ms
    this.#timer = this.#start()
  }

  get signal(): AbortSignal {
    return this.#abort.signal
  }

  heard(): void {
    clearTimeout(this.#timer)
    this.#timer = this.#start()
  }

  stop(): void {
    clearTimeout(this.#timer)
  }

  #start(): ReturnType<typeof setTimeout> {
    return setTimeout(() => this.#abort.abort(new Error('the connection is silent')), this.#ms)
  }
}
