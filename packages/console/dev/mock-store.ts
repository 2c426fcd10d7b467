import type { Answer } from '@berth/api/client'
import type { WatchEvent } from '@berth/api/endpoint'
import { keyOf, type ListName } from '../src/store/list-keys.ts'

type Change = { readonly name: ListName; readonly event: WatchEvent<unknown> }
type Listener = (change: Change) => void

/** Resources with a revision and a history of changes, in memory. */
export class MockStore {
  revision = 100
  /** Watches from before this revision are answered `store.compacted`. */
  compactedAt = 0
  readonly #tables = new Map<ListName, Map<string, unknown>>()
  readonly #history: Change[] = []
  readonly #listeners = new Set<Listener>()

  all<N extends ListName>(name: N): Answer<N>[] {
    return [...this.#table(name).values()] as Answer<N>[]
  }

  get<N extends ListName>(name: N, key: string): Answer<N> | undefined {
    return this.#table(name).get(key) as Answer<N> | undefined
  }

  put<N extends ListName>(name: N, item: Answer<N>): Answer<N> {
    this.#table(name).set(tableKey(name, item), item)
    this.#changed(name, { type: 'put', revision: this.#next(), item })
    return item
  }

  remove(name: ListName, key: string): void {
    if (this.#table(name).delete(key)) this.#changed(name, { type: 'delete', revision: this.#next(), id: key })
  }

  compact(): void {
    this.compactedAt = this.#next()
  }

  /** Changes after `revision`, then live ones, until the returned function is called. */
  follow(revision: number, listener: Listener): () => void {
    for (const change of this.#history) if (change.event.revision > revision) listener(change)
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #next(): number {
    this.revision += 1
    return this.revision
  }

  #changed(name: ListName, event: WatchEvent<unknown>): void {
    const change = { name, event }
    this.#history.push(change)
    if (this.#history.length > 5_000) this.#history.shift()
    for (const listener of this.#listeners) listener(change)
  }

  #table(name: ListName): Map<string, unknown> {
    const table = this.#tables.get(name) ?? new Map()
    this.#tables.set(name, table)
    return table
  }
}

/** The mock keeps the releases and secrets of all apps together. */
const tableKey = <N extends ListName>(name: N, item: Answer<N>): string =>
  name === 'listReleases' ? `${(item as { app: string }).app}/${keyOf(name, item)}` : keyOf(name, item)
