/**
 * How many per row, for the rows that have any: an open-addressing table of numbers, since there is one for every entrypoint and most
 * entrypoints are on few of many nodes.
 */
export class RowCounts {
  /** row + 1; 0 is an empty place. */
  #keys = new Int32Array(4)
  #counts = new Int32Array(4)
  size = 0

  get(row: number): number {
    const mask = this.#keys.length - 1
    for (let at = place(row) & mask; ; at = (at + 1) & mask) {
      const key = this.#keys[at]
      if (key === row + 1) return this.#counts[at]!
      if (key === 0) return 0
    }
  }

  /** The new count. Rows whose count comes to 0 are forgotten. */
  add(row: number, change: number): number {
    const mask = this.#keys.length - 1
    let at = place(row) & mask
    while (this.#keys[at] !== 0 && this.#keys[at] !== row + 1) at = (at + 1) & mask
    if (this.#keys[at] === 0) return this.#insert(at, row, change)
    const count = this.#counts[at]! + change
    this.#counts[at] = count
    if (count === 0) this.#remove(at)
    return count
  }

  visit(each: (row: number, count: number) => void): void {
    for (let at = 0; at < this.#keys.length; at++)
      if (this.#keys[at] !== 0) each(this.#keys[at]! - 1, this.#counts[at]!)
  }

  clone(): RowCounts {
    const copy = new RowCounts()
    copy.#keys = this.#keys.slice()
    copy.#counts = this.#counts.slice()
    copy.size = this.size
    return copy
  }

  #insert(at: number, row: number, count: number): number {
    this.#keys[at] = row + 1
    this.#counts[at] = count
    this.size++
    if (this.size * 4 > this.#keys.length * 3) this.#rebuild(this.#keys.length * 2)
    return count
  }

  /** Closes the gap, so that no marks of the removed are needed (Knuth, The Art of Computer Programming 3, 6.4, algorithm R). */
  #remove(gap: number): void {
    const mask = this.#keys.length - 1
    this.size--
    let hole = gap
    for (let at = (gap + 1) & mask; this.#keys[at] !== 0; at = (at + 1) & mask) {
      const home = place(this.#keys[at]! - 1) & mask
      if (((at - home) & mask) < ((at - hole) & mask)) continue
      this.#keys[hole] = this.#keys[at]!
      this.#counts[hole] = this.#counts[at]!
      hole = at
    }
    this.#keys[hole] = 0
    this.#counts[hole] = 0
  }

  #rebuild(length: number): void {
    const keys = this.#keys
    const counts = this.#counts
    this.#keys = new Int32Array(length)
    this.#counts = new Int32Array(length)
    const mask = length - 1
    for (let i = 0; i < keys.length; i++) {
      if (keys[i] === 0) continue
      let at = place(keys[i]! - 1) & mask
      while (this.#keys[at] !== 0) at = (at + 1) & mask
      this.#keys[at] = keys[i]!
      this.#counts[at] = counts[i]!
    }
  }
}

const place = (row: number): number => {
  const mixed = Math.imul(row + 1, 0x9e3779b1)
  return mixed ^ (mixed >>> 15)
}
