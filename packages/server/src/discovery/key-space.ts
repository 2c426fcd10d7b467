import { type CatalogEntry, upsyncKey } from '@berth/core'
import type { State, StateChange } from '../records/index.ts'
import { SortedKeys } from './sorted-keys.ts'
import type { Topics } from './topics.ts'

/** A key with its value, a record or derived. */
export interface KnownKey {
  readonly key: string
  /** Base64; empty: no bytes. */
  readonly value: string
  readonly flags: number
  readonly createIndex: number
  readonly modifyIndex: number
}

interface DerivedKey {
  readonly value: string
  readonly createIndex: number
  readonly modifyIndex: number
}

const keyTopic = (key: string): string => `key ${key}`
const prefixTopic = (prefix: string): string => `keys ${prefix}`

/** Asked for lately; the index of another one is made of its keys when it is asked for. */
const maxPrefixes = 20_000

/**
 * All keys: records, and what is derived of services for nginx-upsync. Each key knows at which revision it was last written; a prefix
 * that somebody asks for also when a key below it went.
 */
export class KeySpace implements Disposable {
  readonly #state: State
  readonly #topics: Topics
  readonly #derived = new Map<string, DerivedKey>()
  readonly #sorted: SortedKeys
  readonly #prefixes = new Set<string>()
  #valueBytes = 0
  readonly #unsubscribe: () => void

  constructor(state: State, topics: Topics) {
    this.#state = state
    this.#topics = topics
    this.#sorted = new SortedKeys(state.keyValues.ids())
    for (const { value } of state.keyValues.values()) this.#valueBytes += bytesOf(value)
    this.#unsubscribe = state.changes.subscribe((change) => this.#note(change))
  }

  [Symbol.dispose](): void {
    this.#unsubscribe()
  }

  /** Of all records. */
  get valueBytes(): number {
    return this.#valueBytes
  }

  get(key: string): KnownKey | undefined {
    const derived = this.#derived.get(key)
    if (derived !== undefined) {
      const { value, createIndex, modifyIndex } = derived
      return { key, value: Buffer.from(value).toString('base64'), flags: 0, createIndex, modifyIndex }
    }
    const record = this.#state.keyValues.get(key)
    if (record === undefined) return undefined
    const modifyIndex = this.#state.keyValues.modRevision(key)
    const { value, flags = 0, createIndex = modifyIndex } = record
    return { key, value, flags, createIndex, modifyIndex }
  }

  has(key: string): boolean {
    return this.#derived.has(key) || this.#state.keyValues.has(key)
  }

  isDerived(key: string): boolean {
    return this.#derived.has(key)
  }

  keysBelow(prefix: string): string[] {
    return this.#sorted.below(prefix)
  }

  /** What waits for a key, or for all below a prefix. */
  topicOf(key: string, isPrefix: boolean): string {
    return isPrefix ? prefixTopic(key) : keyTopic(key)
  }

  /** Since when the key, or what is below the prefix, is as it is. */
  indexOf(key: string, isPrefix: boolean): number {
    if (!isPrefix) return this.get(key)?.modifyIndex ?? this.#topics.indexOf(keyTopic(key))
    if (!this.#prefixes.has(key)) this.#follow(key)
    return this.#topics.indexOf(prefixTopic(key))
  }

  /** A service's members are these now. */
  derive(before: readonly CatalogEntry[], after: readonly CatalogEntry[]): void {
    const { revision } = this.#state
    const wanted = new Map<string, string>()
    for (const entry of after) {
      const found = upsyncKey(entry)
      if (found !== undefined) wanted.set(found.key, found.value)
    }
    for (const entry of before) {
      const found = upsyncKey(entry)
      if (found === undefined || wanted.has(found.key) || !this.#derived.has(found.key)) continue
      this.#change(found.key, revision, () => this.#derived.delete(found.key))
    }
    for (const [key, value] of wanted) {
      const known = this.#derived.get(key)
      if (known?.value === value) continue
      const createIndex = known?.createIndex ?? revision
      this.#change(key, revision, () => this.#derived.set(key, { value, createIndex, modifyIndex: revision }))
    }
  }

  /** Prefixes that nobody waits for are forgotten when there are too many, and looked at anew. */
  #follow(prefix: string): void {
    if (this.#prefixes.size >= maxPrefixes)
      for (const each of this.#prefixes) if (!this.#topics.isWaitedFor(prefixTopic(each))) this.#prefixes.delete(each)
    this.#prefixes.add(prefix)
    // Keys below it may have gone since anybody looked: as far as is known, it has changed just now.
    this.#topics.touch(prefixTopic(prefix), Math.max(this.#topics.floor, this.#newestBelow(prefix)))
  }

  #newestBelow(prefix: string): number {
    return this.keysBelow(prefix).reduce((newest, key) => Math.max(newest, this.get(key)?.modifyIndex ?? 0), 0)
  }

  #note(change: StateChange): void {
    if (change.kind !== 'keyValues') return
    const { id, before, after, revision } = change
    this.#valueBytes += bytesOf(after?.value ?? '') - bytesOf(before?.value ?? '')
    if (before !== undefined && after !== undefined) this.#touch(id, revision)
    else {
      if (this.#derived.has(id)) return
      if (after === undefined) this.#sorted.delete(id)
      else this.#sorted.add(id)
      this.#touch(id, revision)
    }
  }

  #change(key: string, revision: number, act: () => void): void {
    const wasThere = this.has(key)
    act()
    const isThere = this.has(key)
    if (isThere && !wasThere) this.#sorted.add(key)
    else if (wasThere && !isThere) this.#sorted.delete(key)
    this.#touch(key, revision)
  }

  #touch(key: string, revision: number): void {
    this.#topics.touch(keyTopic(key), revision)
    for (let length = 0; length <= key.length; length += 1) {
      const prefix = key.slice(0, length)
      if (this.#prefixes.has(prefix)) this.#topics.touch(prefixTopic(prefix), revision)
    }
  }
}

/** Of a text in base64. */
const bytesOf = (base64: string): number => Math.floor((base64.length * 3) / 4)
