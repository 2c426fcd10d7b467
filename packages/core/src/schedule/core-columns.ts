import type { CoreSet } from './core-text.ts'
import { type GroupRule, sharedCoreMilli } from './cpu-pieces.ts'
import { grown } from './grown.ts'

/** The cores of a node that may be given out, and the NUMA node of each. */
export interface CoreLayout {
  readonly numbers: readonly number[]
  /** Parallel to `numbers`. */
  readonly numa: readonly number[]
}

/** Of a core that the node does not report. */
export const absent = 255

/**
 * Who has which core, for all nodes of bound groups, in flat arrays: node `row` has the entries `start[row] + core number`.
 *
 * A core is free (nobody), whole (one owner) or shared (fragments whose sum is at most `limit`); anything else, such as a core that
 * the node no longer reports, is a conflict: it can only come from claims, makes the node over-committed and goes away with the
 * releases. Owners are counted, so that giving and taking back are exact inverses in any order, whatever was claimed.
 */
export class CoreColumns {
  /** Per row. */
  free = new Int32Array(0)
  /** Cores of which fragments are owned. */
  shared = new Int32Array(0)
  /** The largest room for a fragment on a shared core, in thousandths. */
  room = new Int32Array(0)
  conflicts = new Int32Array(0)
  limit = new Int32Array(0)
  maxShared = new Int32Array(0)
  /** Cores that must not be owned whole, since instances without cores of their own run there. */
  keep = new Int32Array(0)
  length = new Int32Array(0)
  protected start = new Int32Array(0)
  protected numaCount = new Uint8Array(0)

  /** Per core. */
  protected owners = new Uint8Array(0)
  protected milli = new Uint16Array(0)
  protected numa = new Uint8Array(0)
  #used = 0
  readonly #spare = new Map<number, number[]>()

  ensureRows(rows: number): void {
    if (rows <= this.free.length) return
    for (const key of ['free', 'shared', 'room', 'conflicts', 'limit', 'maxShared', 'keep', 'length'] as const)
      this[key] = grown(this[key], rows)
    this.start = grown(this.start, rows)
    this.numaCount = grown(this.numaCount, rows)
  }

  /** Lays out a node's cores. Nothing may be given out on it: its grants are claimed again afterwards. */
  setNode(row: number, layout: CoreLayout, rule: GroupRule): void {
    this.#giveBackSlice(row)
    const length = layout.numbers.reduce((most, number) => Math.max(most, number + 1), 0)
    this.start[row] = this.#slice(length)
    this.length[row] = length
    const numas = new Set(layout.numa)
    this.numaCount[row] = numas.size
    const dense = new Map([...numas].sort((a, b) => a - b).map((numa, index) => [numa, Math.min(index, absent - 1)]))
    for (const [i, number] of layout.numbers.entries())
      this.numa[this.start[row]! + number] = dense.get(layout.numa[i]!) ?? 0
    this.free[row] = layout.numbers.length
    this.shared[row] = 0
    this.room[row] = 0
    this.conflicts[row] = 0
    this.keep[row] = 0
    this.limit[row] = sharedCoreMilli(rule)
    this.maxShared[row] = Math.min(rule.maxSharedCores ?? layout.numbers.length, layout.numbers.length)
  }

  /** Gives the named cores, whoever has them already. */
  claim(row: number, cores: CoreSet): void {
    for (const core of cores.whole) this.change(row, core, 1, 0)
    if (cores.fragmentMilli > 0) this.change(row, cores.fragmentCore, 0, cores.fragmentMilli)
  }

  /** Takes back exactly what was given. */
  release(row: number, cores: CoreSet): void {
    for (const core of cores.whole) this.change(row, core, -1, 0)
    if (cores.fragmentMilli > 0) this.change(row, cores.fragmentCore, 0, -cores.fragmentMilli)
  }

  releaseWhole(row: number, core: number): void {
    this.change(row, core, -1, 0)
  }

  claimWhole(row: number, core: number): void {
    this.change(row, core, 1, 0)
  }

  changeFragment(row: number, core: number, milli: number): void {
    this.change(row, core, 0, milli)
  }

  /** What is given out of a core: owners of the whole, thousandths of fragments; `present`: the node reports it. */
  core(row: number, number: number): { present: boolean; numa: number; owners: number; milli: number } {
    if (number >= this.length[row]!) return { present: false, numa: 0, owners: 0, milli: 0 }
    const at = this.start[row]! + number
    const numa = this.numa[at]!
    return {
      present: numa !== absent,
      numa: numa === absent ? 0 : numa,
      owners: this.owners[at]!,
      milli: this.milli[at]!,
    }
  }

  /** Cores that nobody owns whole: where instances without cores of their own may run. */
  unowned(row: number): number[] {
    const numbers: number[] = []
    for (let core = 0; core < this.length[row]!; core++) {
      const at = this.start[row]! + core
      if (this.numa[at] !== absent && this.owners[at] === 0) numbers.push(core)
    }
    return numbers
  }

  /** The one place where a core changes hands; keeps the row's sums. */
  protected change(row: number, core: number, owners: number, milli: number): void {
    if (core >= this.length[row]!) this.#stretch(row, core + 1)
    const at = this.start[row]! + core
    const limit = this.limit[row]!
    const before = this.owners[at]! + (this.milli[at]! > 0 ? 1 : 0)
    const wasShared = this.milli[at]! > 0
    const wasConflict = this.#isConflict(at, limit)
    this.owners[at] = this.owners[at]! + owners
    this.milli[at] = this.milli[at]! + milli
    const isShared = this.milli[at]! > 0
    const after = this.owners[at]! + (isShared ? 1 : 0)
    const isConflict = this.#isConflict(at, limit)
    if (this.numa[at] !== absent) {
      if (before === 0 && after > 0) this.free[row] = this.free[row]! - 1
      else if (before > 0 && after === 0) this.free[row] = this.free[row]! + 1
      if (wasShared !== isShared) this.shared[row] = this.shared[row]! + (isShared ? 1 : -1)
    }
    if (wasConflict !== isConflict) this.conflicts[row] = this.conflicts[row]! + (isConflict ? 1 : -1)
    if (wasShared || isShared) this.room[row] = this.#roomiest(row)
  }

  #isConflict(at: number, limit: number): boolean {
    const owners = this.owners[at]!
    const milli = this.milli[at]!
    if (owners === 0 && milli === 0) return false
    return this.numa[at] === absent || owners > 1 || milli > limit || (owners === 1 && milli > 0)
  }

  #roomiest(row: number): number {
    if (this.shared[row] === 0) return 0
    const start = this.start[row]!
    const end = start + this.length[row]!
    let least = Number.MAX_SAFE_INTEGER
    for (let at = start; at < end; at++) {
      const milli = this.milli[at]!
      if (milli > 0 && milli < least && this.owners[at] === 0 && this.numa[at] !== absent) least = milli
    }
    return Math.max(0, this.limit[row]! - least)
  }

  /** A claim named a core beyond what the node has. */
  #stretch(row: number, length: number): void {
    const from = this.start[row]!
    const old = this.length[row]!
    const to = this.#slice(length)
    for (let core = 0; core < old; core++) {
      this.owners[to + core] = this.owners[from + core]!
      this.milli[to + core] = this.milli[from + core]!
      this.numa[to + core] = this.numa[from + core]!
    }
    this.#giveBackSlice(row)
    this.start[row] = to
    this.length[row] = length
  }

  #slice(length: number): number {
    const start = this.#spare.get(length)?.pop() ?? this.#append(length)
    this.owners.fill(0, start, start + length)
    this.milli.fill(0, start, start + length)
    this.numa.fill(absent, start, start + length)
    return start
  }

  #append(length: number): number {
    const start = this.#used
    this.#used += length
    this.owners = grown(this.owners, this.#used)
    this.milli = grown(this.milli, this.#used)
    this.numa = grown(this.numa, this.#used)
    return start
  }

  #giveBackSlice(row: number): void {
    const length = this.length[row]!
    if (length === 0) return
    const starts = this.#spare.get(length)
    if (starts === undefined) this.#spare.set(length, [this.start[row]!])
    else starts.push(this.start[row]!)
    this.length[row] = 0
  }

  protected copyTo(copy: CoreColumns): void {
    for (const key of ['free', 'shared', 'room', 'conflicts', 'limit', 'maxShared', 'keep', 'length'] as const)
      copy[key] = this[key].slice()
    copy.start = this.start.slice()
    copy.numaCount = this.numaCount.slice()
    copy.owners = this.owners.slice()
    copy.milli = this.milli.slice()
    copy.numa = this.numa.slice()
    copy.#used = this.#used
    for (const [length, starts] of this.#spare) copy.#spare.set(length, [...starts])
  }

  protected isFree(at: number): boolean {
    return this.owners[at] === 0 && this.milli[at] === 0 && this.numa[at] !== absent
  }
}
