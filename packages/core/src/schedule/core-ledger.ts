import { coreCapacity } from './core-capacity.ts'
import { absent, CoreColumns } from './core-columns.ts'
import type { CoreSet } from './core-text.ts'
import { grown } from './grown.ts'

/** Decides which cores of a node a grant gets, and how many grants there is room for; see the rules in `docs/design/scheduler.md`. */
export class CoreLedger extends CoreColumns {
  /** The answer of the last {@link take}: `picked[0 … pickedCount - 1]` ascending, and the core of the fragment (-1: none). */
  picked = new Int32Array(64)
  pickedCount = 0
  pickedFragment = -1
  readonly #freeOn = new Int32Array(absent)

  /** Enough for `whole` cores and a fragment? Constant time. */
  fits(row: number, whole: number, fragmentMilli: number): boolean {
    const free = this.free[row]!
    if (free + this.shared[row]! - whole < this.keep[row]!) return false
    if (fragmentMilli === 0 || this.room[row]! >= fragmentMilli) return free >= whole
    return free > whole && this.shared[row]! < this.maxShared[row]! && fragmentMilli <= this.limit[row]!
  }

  /** How many equal grants fit; see {@link coreCapacity}. */
  capacity(row: number, whole: number, fragmentMilli: number): number {
    const keep = Math.max(0, this.keep[row]! - this.shared[row]!)
    const limit = this.limit[row]!
    const hasFragment = fragmentMilli > 0
    return coreCapacity(
      {
        free: this.free[row]! - (whole > 0 ? keep : 0),
        fragments: hasFragment ? this.#fragmentsOn(row, fragmentMilli) : 0,
        perCore: hasFragment ? Math.floor(limit / fragmentMilli) : 0,
        mayOpen: this.maxShared[row]! - this.shared[row]!,
      },
      whole,
      hasFragment,
    )
  }

  /** The roomiest grant that would fit, for people: thousandths. */
  most(row: number): number {
    const whole = Math.max(0, Math.min(this.free[row]!, this.free[row]! + this.shared[row]! - this.keep[row]!))
    const mayOpen = this.shared[row]! < this.maxShared[row]! && this.free[row]! > whole
    return whole * 1000 + Math.min(999, Math.max(this.room[row]!, mayOpen ? this.limit[row]! : 0))
  }

  /**
   * Picks cores and gives them; the answer is in `picked`. `prefer` are cores to choose where possible (a resize keeps what it has).
   * False, and nothing changed, when they do not fit.
   */
  take(row: number, whole: number, fragmentMilli: number, prefer?: CoreSet): boolean {
    if (!this.fits(row, whole, fragmentMilli)) return false
    if (whole > this.picked.length) this.picked = grown(this.picked, whole)
    this.pickedCount = 0
    this.pickedFragment = -1
    if (fragmentMilli > 0 && prefer !== undefined) this.#preferFragment(row, whole, fragmentMilli, prefer)
    if (fragmentMilli > 0 && this.pickedFragment < 0) this.pickedFragment = this.#bestShared(row, fragmentMilli)
    if (this.pickedFragment >= 0) this.change(row, this.pickedFragment, 0, fragmentMilli)
    const opens = fragmentMilli > 0 && this.pickedFragment < 0
    if (prefer !== undefined) this.#preferWhole(row, whole, prefer)
    const count = whole - this.pickedCount + (opens ? 1 : 0)
    if (this.numaCount[row] === 1) this.#takeOn(row, count, -1)
    else this.#takeByNuma(row, count)
    if (opens) {
      this.pickedFragment = this.picked[--this.pickedCount]!
      this.change(row, this.pickedFragment, -1, fragmentMilli)
    }
    if (prefer !== undefined || this.numaCount[row]! > 1) this.picked.subarray(0, this.pickedCount).sort()
    return true
  }

  #fragmentsOn(row: number, fragmentMilli: number): number {
    if (this.room[row]! < fragmentMilli) return 0
    const start = this.start[row]!
    const end = start + this.length[row]!
    let count = 0
    for (let at = start; at < end; at++) {
      const milli = this.milli[at]!
      if (milli === 0 || this.owners[at] !== 0 || this.numa[at] === absent) continue
      count += Math.max(0, Math.floor((this.limit[row]! - milli) / fragmentMilli))
    }
    return count
  }

  /** The fullest shared core with room (best fit), -1 when there is none. */
  #bestShared(row: number, fragmentMilli: number): number {
    if (this.room[row]! < fragmentMilli) return -1
    const start = this.start[row]!
    const end = start + this.length[row]!
    const most = this.limit[row]! - fragmentMilli
    let best = -1
    let bestMilli = 0
    for (let at = start; at < end; at++) {
      const milli = this.milli[at]!
      if (milli <= bestMilli || milli > most || this.owners[at] !== 0 || this.numa[at] === absent) continue
      best = at
      bestMilli = milli
    }
    return best < 0 ? -1 : best - start
  }

  #preferFragment(row: number, whole: number, fragmentMilli: number, prefer: CoreSet): void {
    const core = prefer.fragmentCore
    const start = this.start[row]!
    if (core >= 0 && this.#takesFragment(row, whole, fragmentMilli, core)) this.pickedFragment = core
    if (this.pickedFragment >= 0 || this.room[row]! >= fragmentMilli || prefer.whole.length <= whole) return
    const surplus = prefer.whole.findLast((number) => number < this.length[row]! && this.isFree(start + number))
    if (surplus !== undefined) this.pickedFragment = surplus
  }

  #takesFragment(row: number, whole: number, fragmentMilli: number, core: number): boolean {
    if (core >= this.length[row]!) return false
    const at = this.start[row]! + core
    if (this.isFree(at))
      return this.free[row]! > whole && this.shared[row]! < this.maxShared[row]! && fragmentMilli <= this.limit[row]!
    const milli = this.milli[at]!
    return this.owners[at] === 0 && this.numa[at] !== absent && milli > 0 && milli + fragmentMilli <= this.limit[row]!
  }

  #preferWhole(row: number, whole: number, prefer: CoreSet): void {
    const start = this.start[row]!
    const wanted = prefer.fragmentCore >= 0 ? [...prefer.whole, prefer.fragmentCore] : prefer.whole
    for (const number of wanted) {
      if (this.pickedCount === whole) return
      if (number < this.length[row]! && this.isFree(start + number)) this.#pick(row, number)
    }
  }

  #pick(row: number, core: number): void {
    if (this.pickedCount === this.picked.length) this.picked = grown(this.picked, this.pickedCount + 1)
    this.picked[this.pickedCount++] = core
    this.change(row, core, 1, 0)
  }

  #takeOn(row: number, count: number, numa: number): void {
    const start = this.start[row]!
    const end = start + this.length[row]!
    for (let at = start; at < end && count > 0; at++) {
      if (!this.isFree(at) || (numa >= 0 && this.numa[at] !== numa)) continue
      this.#pick(row, at - start)
      count--
    }
  }

  /** The NUMA node with the fewest free cores that has enough; otherwise from as few as possible, the emptiest first. */
  #takeByNuma(row: number, count: number): void {
    for (let missing = count; missing > 0; ) {
      this.#countFree(row)
      const numa = this.#tightest(row, missing) ?? this.#emptiest(row)
      const here = Math.min(missing, this.#freeOn[numa]!)
      this.#takeOn(row, here, numa)
      missing -= here
    }
  }

  #countFree(row: number): void {
    const start = this.start[row]!
    const end = start + this.length[row]!
    this.#freeOn.fill(0, 0, this.numaCount[row]!)
    for (let at = start; at < end; at++)
      if (this.isFree(at)) this.#freeOn[this.numa[at]!] = this.#freeOn[this.numa[at]!]! + 1
  }

  #tightest(row: number, count: number): number | undefined {
    let best: number | undefined
    for (let numa = 0; numa < this.numaCount[row]!; numa++) {
      if (this.#freeOn[numa]! >= count && (best === undefined || this.#freeOn[numa]! < this.#freeOn[best]!)) best = numa
    }
    return best
  }

  #emptiest(row: number): number {
    let best = 0
    for (let numa = 1; numa < this.numaCount[row]!; numa++) if (this.#freeOn[numa]! > this.#freeOn[best]!) best = numa
    return best
  }

  clone(): CoreLedger {
    const copy = new CoreLedger()
    this.copyTo(copy)
    return copy
  }
}
