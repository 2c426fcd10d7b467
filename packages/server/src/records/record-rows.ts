/** Where a table keeps its records, each in a row of its own. */
export interface RecordRows<T> {
  /** Of a row that has one. */
  get(row: number, id: string): T
  /** One field of it; not its id. */
  field<K extends keyof T>(row: number, name: K): T[K]
  put(row: number, id: string, record: T): void
  /** The row may be used for another. */
  drop(row: number): void
}

/** Records as they were read. */
export class PlainRows<T> implements RecordRows<T> {
  readonly #records: (T | undefined)[] = []

  get(row: number): T {
    return this.#records[row] as T
  }

  field<K extends keyof T>(row: number, name: K): T[K] {
    return (this.#records[row] as T)[name]
  }

  put(row: number, _id: string, record: T): void {
    this.#records[row] = record
  }

  drop(row: number): void {
    this.#records[row] = undefined
  }
}
