/** The records of one kind as they were at the state's revision. Only {@link State} writes. */
export class RecordTable<T> {
  readonly #records = new Map<string, T>()
  readonly #modRevisions = new Map<string, number>()
  readonly #indexes: SecondaryIndex<T>[] = []

  get(id: string): T | undefined {
    return this.#records.get(id)
  }

  has(id: string): boolean {
    return this.#records.has(id)
  }

  /** Revision at which the record was last written; 0 when there is none. What a transaction compares with. */
  modRevision(id: string): number {
    return this.#modRevisions.get(id) ?? 0
  }

  /** Oldest first, as far as the keys' order tells. */
  values(): IterableIterator<T> {
    return this.#records.values()
  }

  ids(): IterableIterator<string> {
    return this.#records.keys()
  }

  all(): T[] {
    return [...this.#records.values()]
  }

  get size(): number {
    return this.#records.size
  }

  /** For {@link State} only. Returns what was there before. */
  set(id: string, record: T | undefined, modRevision: number): T | undefined {
    const before = this.#records.get(id)
    if (record === undefined) {
      this.#records.delete(id)
      this.#modRevisions.delete(id)
    } else {
      this.#records.set(id, record)
      this.#modRevisions.set(id, modRevision)
    }
    for (const index of this.#indexes) index.update(id, before, record)
    return before
  }

  protected index(keyOf: (record: T) => string | undefined): SecondaryIndex<T> {
    const index = new SecondaryIndex(keyOf)
    this.#indexes.push(index)
    return index
  }
}

export class SecondaryIndex<T> {
  readonly #keyOf: (record: T) => string | undefined
  readonly #groups = new Map<string, Map<string, T>>()

  constructor(keyOf: (record: T) => string | undefined) {
    this.#keyOf = keyOf
  }

  get(key: string): T[] {
    const group = this.#groups.get(key)
    return group === undefined ? [] : [...group.values()]
  }

  has(key: string): boolean {
    return this.#groups.has(key)
  }

  keys(): IterableIterator<string> {
    return this.#groups.keys()
  }

  update(id: string, before: T | undefined, after: T | undefined): void {
    const oldKey = before === undefined ? undefined : this.#keyOf(before)
    const newKey = after === undefined ? undefined : this.#keyOf(after)
    if (oldKey !== undefined && oldKey !== newKey) this.#remove(oldKey, id)
    if (newKey !== undefined && after !== undefined) this.#groupOf(newKey).set(id, after)
  }

  #groupOf(key: string): Map<string, T> {
    const existing = this.#groups.get(key)
    if (existing !== undefined) return existing
    const group = new Map<string, T>()
    this.#groups.set(key, group)
    return group
  }

  #remove(key: string, id: string): void {
    const group = this.#groups.get(key)
    group?.delete(id)
    if (group?.size === 0) this.#groups.delete(key)
  }
}
