/** What one instance of a shape takes of a node of a class: CPU in pieces. */
export interface PackNeed {
  readonly cpu: number
  readonly memoryBytes: number
  readonly whole: number
  readonly fragment: number
}

/** A size of node: `corePieces` is what a shared core holds (0: cores have no owners), `wholePieces` what a whole one counts as. */
export interface PackClass {
  readonly cpu: number
  readonly memoryBytes: number
  readonly corePieces: number
  readonly wholePieces: number
}

/** Equal instances of a batch, and how many of them are still to be placed. */
export interface PackShape {
  count: number
  /** By class. */
  readonly needs: readonly PackNeed[]
}

/** The shapes as nodes of one class see them: columns, the largest first (by the sum of their shares of a node). */
export class ShapeView {
  readonly shapes: readonly PackShape[]
  readonly on: PackClass
  length: number
  /** Index of the shape. */
  readonly shape: Int32Array
  readonly cpu: Float64Array
  readonly memory: Float64Array
  readonly cpuShare: Float64Array
  readonly memoryShare: Float64Array
  readonly size: Float64Array
  readonly whole: Int32Array
  readonly fragment: Int32Array

  constructor(shapes: readonly PackShape[], on: PackClass, id: number) {
    this.shapes = shapes
    this.on = on
    this.length = shapes.length
    const sizeOf = ({ needs }: PackShape): number => needs[id]!.cpu / on.cpu + needs[id]!.memoryBytes / on.memoryBytes
    const sizes = shapes.map(sizeOf)
    this.shape = Int32Array.from(shapes.keys()).sort((a, b) => sizes[b]! - sizes[a]! || a - b)
    const needs = Array.from(this.shape, (shape) => shapes[shape]!.needs[id]!)
    this.cpu = Float64Array.from(needs, (need) => need.cpu)
    this.memory = Float64Array.from(needs, (need) => need.memoryBytes)
    this.cpuShare = Float64Array.from(needs, (need) => need.cpu / on.cpu)
    this.memoryShare = Float64Array.from(needs, (need) => need.memoryBytes / on.memoryBytes)
    this.size = Float64Array.from(this.shape, (shape) => sizes[shape]!)
    this.whole = Int32Array.from(needs, (need) => need.whole)
    this.fragment = Int32Array.from(needs, (need) => need.fragment)
  }

  /** The first that is no larger than this. */
  from(size: number): number {
    let low = 0
    let high = this.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.size[middle]! > size) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Drops the shapes of which none is left. */
  compact(): void {
    let to = 0
    const columns = [
      this.shape,
      this.cpu,
      this.memory,
      this.cpuShare,
      this.memoryShare,
      this.size,
      this.whole,
      this.fragment,
    ]
    for (let at = 0; at < this.length; at++) {
      if (this.shapes[this.shape[at]!]!.count === 0) continue
      if (to !== at) for (const column of columns) column[to] = column[at]!
      to++
    }
    this.length = to
  }

  /** How many fragments of each size are left. */
  fragmentCounts(): Int32Array {
    const counts = new Int32Array(Math.max(this.on.corePieces, this.on.wholePieces) + 1)
    for (let at = 0; at < this.length; at++) {
      const fragment = this.fragment[at]!
      if (fragment > 0) counts[fragment] = counts[fragment]! + this.shapes[this.shape[at]!]!.count
    }
    return counts
  }
}
