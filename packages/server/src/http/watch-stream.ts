import { once } from 'node:events'
import type { Writable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import type { WatchEvent } from '@berth/api'
import type { State } from '../records/index.ts'
import type { Listing } from './listings/listing.ts'

/** Changes of this long are sent together: a burst of a hundred statuses makes one view of their app, not a hundred. */
const gatherMs = 20
/** A mark is sent at least this often, so that both sides notice a dead connection. */
const heartbeatMs = 15_000

export interface WatchOptions {
  readonly state: State
  /** Changes after it are sent. */
  readonly revision: number
  /** Ends the stream. */
  readonly signal: AbortSignal
}

/** What has to be caught up with, read before the answer begins: it throws `store.compacted` while a status can still say so. */
export interface Watch {
  /** Writes server-sent events until the signal aborts or the output closes. */
  run(output: Writable): Promise<void>
}

/**
 * Opens a watch of a listing. Events carry the views as they are when they are written; each batch ends with a mark, and only marks
 * carry an id: a reader that comes back with it as `Last-Event-ID` misses nothing, and may see some views twice.
 */
export async function openWatch<V>(listing: Listing<V>, options: WatchOptions): Promise<Watch> {
  const watcher = new Watcher(listing, options)
  try {
    await watcher.catchUp()
  } catch (error) {
    watcher.stop()
    throw error
  }
  return watcher
}

class Watcher<V> implements Watch {
  readonly #listing: Listing<V>
  readonly #options: WatchOptions
  readonly #stops: (() => void)[] = []
  #dirty = new Set<string>()
  #wake: () => void = () => undefined

  constructor(listing: Listing<V>, options: WatchOptions) {
    this.#listing = listing
    this.#options = options
    const touch = (ids: Iterable<string>): void => {
      for (const id of ids) this.#dirty.add(id)
      if (this.#dirty.size > 0) this.#wake()
    }
    this.#stops.push(options.state.changes.subscribe((change) => touch(listing.touched(change))))
    if (listing.beside !== undefined) this.#stops.push(listing.beside.subscribe(touch))
  }

  async catchUp(): Promise<void> {
    const { state, revision, signal } = this.#options
    const changes = await state.changes.since(revision, { signal })
    for (const change of changes) for (const id of this.#listing.touched(change)) this.#dirty.add(id)
    for (const id of this.#listing.beside?.since(revision) ?? []) this.#dirty.add(id)
  }

  stop(): void {
    for (const stop of this.#stops.splice(0)) stop()
  }

  async run(output: Writable): Promise<void> {
    const { signal } = this.#options
    const closed = (): void => this.#wake()
    output.once('close', closed)
    signal.addEventListener('abort', closed, { once: true })
    try {
      while (!signal.aborted && !output.destroyed) {
        await this.#flush(output)
        if (this.#dirty.size === 0) await this.#somethingOrHeartbeat()
        else await delay(gatherMs, undefined, { signal }).catch(() => undefined)
      }
    } finally {
      this.stop()
      output.off('close', closed)
      signal.removeEventListener('abort', closed)
    }
  }

  async #flush(output: Writable): Promise<void> {
    const ids = this.#dirty
    this.#dirty = new Set()
    const { revision } = this.#options.state
    for (const id of ids) {
      const item = this.#listing.get(id)
      if (item !== undefined) await send(output, { type: 'put', revision, item })
      else if (this.#listing.appendOnly !== true) await send(output, { type: 'delete', revision, id })
      if (output.destroyed) return
    }
    await send(output, { type: 'mark', revision }, revision)
  }

  async #somethingOrHeartbeat(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#wake = resolve
    const timer = setTimeout(resolve, heartbeatMs)
    // What came between the flush and here has no one to wake.
    if (this.#dirty.size > 0 || this.#options.signal.aborted) resolve()
    await promise
    clearTimeout(timer)
    this.#wake = () => undefined
    if (this.#dirty.size > 0) await delay(gatherMs, undefined, { signal: this.#options.signal }).catch(() => undefined)
  }
}

async function send<V>(output: Writable, event: WatchEvent<V>, id?: number): Promise<void> {
  const text = `${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify(event)}\n\n`
  if (output.destroyed || output.write(text)) return
  const waiting = new AbortController()
  const { signal } = waiting
  await Promise.race([once(output, 'drain', { signal }), once(output, 'close', { signal })]).catch(() => undefined)
  waiting.abort()
}
