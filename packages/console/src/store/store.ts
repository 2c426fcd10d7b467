import type { Answer, CallInput, Client } from '@berth/api/client'
import { delay } from './backoff.ts'
import { Collection, type CollectionClock, type Snapshot } from './collection.ts'
import { keyOf, type ListName } from './list-keys.ts'

export type Connection = 'connected' | 'reconnecting'

const browserClock: CollectionClock = { delay, random: Math.random }
/** A page that is left and its successor often need the same listing: its connection is kept for this long. */
const lingerMs = 150

/**
 * All listings that are on the screen, each with one connection however many components read it. Browsers allow six connections to a
 * server over HTTP/1.1, shared by all tabs: so a listing that nobody reads gives its connection back, and a hidden tab gives back all.
 */
export class Store {
  readonly client: Client
  readonly #clock: CollectionClock
  readonly #collections = new Map<string, Collection<unknown>>()
  readonly #listeners = new Set<() => void>()
  #suspended = false
  #connection: Connection = 'connected'

  constructor(client: Client, clock: CollectionClock = browserClock) {
    this.client = client
    this.#clock = clock
  }

  subscribe<N extends ListName>(name: N, input: CallInput<N>, listener: () => void): () => void {
    const collection = this.#collection(name, input)
    const unsubscribe = collection.subscribe(listener)
    const unwatch = collection.subscribe(this.#updateConnection)
    if (!this.#suspended) collection.start()
    return () => {
      unsubscribe()
      unwatch()
      if (!collection.listened) setTimeout(() => collection.listened || this.#rest(collection), lingerMs)
    }
  }

  snapshot<N extends ListName>(name: N, input: CallInput<N>): Snapshot<Answer<N>> {
    return this.#collection(name, input).snapshot as Snapshot<Answer<N>>
  }

  /** For hidden tabs: gives all connections back until {@link resume}. */
  suspend(): void {
    this.#suspended = true
    for (const collection of this.#collections.values()) collection.stop()
  }

  resume(): void {
    this.#suspended = false
    for (const collection of this.#collections.values()) if (collection.listened) collection.start()
  }

  get connection(): Connection {
    return this.#connection
  }

  onConnection = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #rest(collection: Collection<unknown>): void {
    collection.stop()
    this.#updateConnection()
  }

  #updateConnection = (): void => {
    const lost = [...this.#collections.values()].some((c) => c.listened && c.snapshot.state === 'reconnecting')
    const connection = lost ? 'reconnecting' : 'connected'
    if (connection === this.#connection) return
    this.#connection = connection
    for (const listener of this.#listeners) listener()
  }

  #collection<N extends ListName>(name: N, input: CallInput<N>): Collection<unknown> {
    const key = collectionKey(name, input)
    const known = this.#collections.get(key)
    if (known !== undefined) return known
    const { client } = this
    const created = new Collection<unknown>(
      {
        list: (signal) => client.list(name, input, { signal }),
        watch: (revision, signal) => client.watch(name, { ...input, revision }, { signal }),
        keyOf: (item) => keyOf(name, item as Answer<N>),
      },
      this.#clock,
    )
    this.#collections.set(key, created)
    return created
  }
}

export const collectionKey = (name: ListName, input: object): string => `${name} ${JSON.stringify(input)}`
