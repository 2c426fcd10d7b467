import type { CoreSet } from './core-text.ts'
import { grown } from './grown.ts'

/** All instances as rows of columns: a million of them are some hundred megabytes, most of it their names. */
export class InstanceTable {
  readonly ids: (string | undefined)[] = []
  readonly rowOf = new Map<string, number>()
  #spare: number[] = []

  node = new Int32Array(0)
  terms = new Int32Array(0)
  cpuMilli = new Int32Array(0)
  cpuLimitMilli = new Int32Array(0)
  memoryBytes = new Float64Array(0)
  memoryLimitBytes = new Float64Array(0)
  /** Neighbours in the list of its node's instances, -1: none. */
  next = new Int32Array(0)
  previous = new Int32Array(0)
  /** Owns cores; else it is not tied to any. */
  owns = new Uint8Array(0)
  wholeCount = new Uint16Array(0)
  fragmentCore = new Uint16Array(0)
  fragmentMilli = new Uint16Array(0)
  #wholeAt = new Int32Array(0)
  /** Core numbers of all instances, in slices of equal length that are used again. */
  #numbers = new Uint16Array(0)
  #numbersUsed = 0
  #spareSlices = new Map<number, number[]>()
  /** Names of named resources given to it: few have any. */
  readonly named = new Map<number, Readonly<Record<string, readonly string[]>>>()

  get count(): number {
    return this.rowOf.size
  }

  add(id: string): number {
    const row = this.#spare.pop() ?? this.ids.length
    this.ids[row] = id
    this.rowOf.set(id, row)
    if (row >= this.node.length) this.#ensure(row + 1)
    this.wholeCount[row] = 0
    this.fragmentMilli[row] = 0
    return row
  }

  /** The rows of all of them, or the first that is there already or twice, and nothing is added. */
  addAll(ids: readonly string[]): Int32Array | string {
    const rows = new Int32Array(ids.length)
    for (const [index, id] of ids.entries()) {
      if (!this.rowOf.has(id)) rows[index] = this.add(id)
      else {
        for (let each = index - 1; each >= 0; each--) this.remove(rows[each]!)
        return id
      }
    }
    return rows
  }

  remove(row: number): void {
    this.setCores(row, [], 0, -1, 0)
    this.named.delete(row)
    this.rowOf.delete(this.ids[row]!)
    this.ids[row] = undefined
    this.#spare.push(row)
  }

  setCores(row: number, whole: ArrayLike<number>, count: number, fragmentCore: number, fragmentMilli: number): void {
    const old = this.wholeCount[row]!
    if (old !== count) {
      this.#giveBack(old, this.#wholeAt[row]!)
      this.#wholeAt[row] = this.#slice(count)
      this.wholeCount[row] = count
    }
    const at = this.#wholeAt[row]!
    for (let i = 0; i < count; i++) this.#numbers[at + i] = whole[i]!
    this.fragmentCore[row] = Math.max(0, fragmentCore)
    this.fragmentMilli[row] = fragmentMilli
  }

  cores(row: number): CoreSet {
    const at = this.#wholeAt[row]!
    const fragmentMilli = this.fragmentMilli[row]!
    return {
      whole: Array.from(this.#numbers.subarray(at, at + this.wholeCount[row]!)),
      fragmentCore: fragmentMilli === 0 ? -1 : this.fragmentCore[row]!,
      fragmentMilli,
    }
  }

  clone(): InstanceTable {
    const copy = new InstanceTable()
    for (const id of this.ids) copy.ids.push(id)
    for (const [id, row] of this.rowOf) copy.rowOf.set(id, row)
    copy.#spare = [...this.#spare]
    for (const key of int32Columns) copy[key] = this[key].slice()
    for (const key of uint16Columns) copy[key] = this[key].slice()
    copy.memoryBytes = this.memoryBytes.slice()
    copy.memoryLimitBytes = this.memoryLimitBytes.slice()
    copy.owns = this.owns.slice()
    copy.#wholeAt = this.#wholeAt.slice()
    copy.#numbers = this.#numbers.slice()
    copy.#numbersUsed = this.#numbersUsed
    for (const [count, starts] of this.#spareSlices) copy.#spareSlices.set(count, [...starts])
    for (const [row, named] of this.named) copy.named.set(row, named)
    return copy
  }

  #slice(count: number): number {
    if (count === 0) return 0
    const spare = this.#spareSlices.get(count)?.pop()
    if (spare !== undefined) return spare
    const at = this.#numbersUsed
    this.#numbersUsed += count
    this.#numbers = grown(this.#numbers, this.#numbersUsed)
    return at
  }

  #giveBack(count: number, at: number): void {
    if (count === 0) return
    const spare = this.#spareSlices.get(count)
    if (spare === undefined) this.#spareSlices.set(count, [at])
    else spare.push(at)
  }

  #ensure(rows: number): void {
    for (const key of int32Columns) this[key] = grown(this[key], rows)
    for (const key of uint16Columns) this[key] = grown(this[key], rows)
    this.memoryBytes = grown(this.memoryBytes, rows)
    this.memoryLimitBytes = grown(this.memoryLimitBytes, rows)
    this.owns = grown(this.owns, rows)
    this.#wholeAt = grown(this.#wholeAt, rows)
  }
}

const int32Columns = ['node', 'terms', 'cpuMilli', 'cpuLimitMilli', 'next', 'previous'] as const
const uint16Columns = ['wholeCount', 'fragmentCore', 'fragmentMilli'] as const
