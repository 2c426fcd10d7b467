import { grown } from '@berth/core'

const none = -1

interface Group {
  first: number
  last: number
}

/** The rows of a table by something that their records say, in the order in which they came to say it: two numbers a row. */
export class SecondaryIndex<T> {
  readonly #keyOf: (record: T) => string | undefined
  readonly #groups = new Map<string, Group>()
  #next = new Int32Array(0)
  #previous = new Int32Array(0)

  constructor(keyOf: (record: T) => string | undefined) {
    this.#keyOf = keyOf
  }

  has(key: string): boolean {
    return this.#groups.has(key)
  }

  keys(): IterableIterator<string> {
    return this.#groups.keys()
  }

  rows(key: string): number[] {
    const rows: number[] = []
    for (let row = this.#groups.get(key)?.first ?? none; row !== none; row = this.#next[row] ?? none) rows.push(row)
    return rows
  }

  update(row: number, before: T | undefined, after: T | undefined): void {
    const oldKey = before === undefined ? undefined : this.#keyOf(before)
    const newKey = after === undefined ? undefined : this.#keyOf(after)
    if (oldKey === newKey) return
    if (oldKey !== undefined) this.#remove(oldKey, row)
    if (newKey !== undefined) this.#add(newKey, row)
  }

  #add(key: string, row: number): void {
    this.#next = grown(this.#next, row + 1)
    this.#previous = grown(this.#previous, row + 1)
    const group = this.#groups.get(key)
    this.#next[row] = none
    this.#previous[row] = group?.last ?? none
    if (group === undefined) this.#groups.set(key, { first: row, last: row })
    else {
      this.#next[group.last] = row
      group.last = row
    }
  }

  #remove(key: string, row: number): void {
    const group = this.#groups.get(key)
    if (group === undefined) return
    const [next = none, previous = none] = [this.#next[row], this.#previous[row]]
    if (next === none) group.last = previous
    else this.#previous[next] = previous
    if (previous === none) group.first = next
    else this.#next[previous] = next
    if (group.first === none) this.#groups.delete(key)
  }
}
