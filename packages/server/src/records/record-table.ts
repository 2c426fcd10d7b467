import { grown } from '@berth/core'
import { PlainRows, type RecordRows } from './record-rows.ts'
import { SecondaryIndex } from './secondary-index.ts'

/** The records of one kind as they were at the state's revision. Only {@link State} writes. */
export class RecordTable<T> {
  readonly #rowOf = new Map<string, number>()
  readonly #ids: string[] = []
  readonly #spare: number[] = []
  readonly #rows: RecordRows<T>
  readonly #indexes: SecondaryIndex<T>[] = []
  #modRevisions = new Float64Array(0)

  constructor(rows: RecordRows<T> = new PlainRows<T>()) {
    this.#rows = rows
  }

  get(id: string): T | undefined {
    const row = this.#rowOf.get(id)
    return row === undefined ? undefined : this.#rows.get(row, this.#idAt(row))
  }

  has(id: string): boolean {
    return this.#rowOf.has(id)
  }

  /** What {@link get} would say of one field; for those who ask about many records. */
  field<K extends Exclude<keyof T, 'id'>>(id: string, name: K): T[K] | undefined {
    const row = this.#rowOf.get(id)
    return row === undefined ? undefined : this.#rows.field(row, name)
  }

  /** The text that the table itself has, for others to share. */
  ownId(id: string): string | undefined {
    const row = this.#rowOf.get(id)
    return row === undefined ? undefined : this.#ids[row]
  }

  /** Revision at which the record was last written; 0 when there is none. What a transaction compares with. */
  modRevision(id: string): number {
    const row = this.#rowOf.get(id)
    return row === undefined ? 0 : (this.#modRevisions[row] ?? 0)
  }

  /** Oldest first, as far as the keys' order tells. */
  *values(): Generator<T, undefined> {
    for (const [id, row] of this.#rowOf) yield this.#rows.get(row, id)
  }

  ids(): IterableIterator<string> {
    return this.#rowOf.keys()
  }

  all(): T[] {
    return [...this.values()]
  }

  get size(): number {
    return this.#rowOf.size
  }

  /** For {@link State} only. Returns what was there before. */
  set(id: string, record: T | undefined, modRevision: number): T | undefined {
    const known = this.#rowOf.get(id)
    const before = known === undefined ? undefined : this.#rows.get(known, this.#idAt(known))
    if (record === undefined) {
      if (known !== undefined) this.#remove(known, before)
      return before
    }
    const row = known ?? this.#add(id)
    this.#rows.put(row, this.#idAt(row), record)
    this.#modRevisions[row] = modRevision
    for (const index of this.#indexes) index.update(row, before, record)
    return before
  }

  protected index(keyOf: (record: T) => string | undefined): TableIndex<T> {
    const index = new SecondaryIndex(keyOf)
    this.#indexes.push(index)
    return {
      get: (key) => index.rows(key).map((row) => this.#rows.get(row, this.#idAt(row))),
      ids: (key) => index.rows(key).map((row) => this.#idAt(row)),
      values: (key, name) => new Set(index.rows(key).map((row) => this.#rows.field(row, name))),
      has: (key) => index.has(key),
      keys: () => index.keys(),
    }
  }

  #idAt(row: number): string {
    return this.#ids[row] as string
  }

  #add(id: string): number {
    const row = this.#spare.pop() ?? this.#ids.length
    this.#ids[row] = id
    this.#rowOf.set(id, row)
    this.#modRevisions = grown(this.#modRevisions, row + 1)
    return row
  }

  #remove(row: number, before: T | undefined): void {
    for (const index of this.#indexes) index.update(row, before, undefined)
    this.#rowOf.delete(this.#idAt(row))
    this.#rows.drop(row)
    this.#ids[row] = ''
    this.#spare.push(row)
  }
}

/** The records of a table by something that they say. */
export interface TableIndex<T> {
  get(key: string): T[]
  ids(key: string): string[]
  /** What one field is in them, each value once. */
  values<K extends Exclude<keyof T, 'id'>>(key: string, name: K): Set<T[K]>
  has(key: string): boolean
  keys(): IterableIterator<string>
}
