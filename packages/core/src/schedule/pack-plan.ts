import { type FragmentPrices, fragmentPrices, mostPricedPieces } from './fragment-prices.ts'
import { type PackClass, type PackShape, ShapeView } from './pack-shapes.ts'

/** A node to be filled. */
export interface PackBin {
  readonly class: number
  readonly cpu: number
  readonly memoryBytes: number
  readonly slots: number
  /** Where cores have owners. */
  readonly cores?: PackCores
}

export interface PackCores {
  readonly free: number
  /** Cores that may not be owned whole, those shared already not counted. */
  readonly keep: number
  readonly mayOpen: number
  /** Pieces left on each shared core. */
  readonly rests: readonly number[]
}

export interface PackOptions {
  /** How much more the resource counts of which the batch needs more. */
  readonly power: number
}

/** A fragment that completes a core counts double, one that spoils it nothing more. */
const completing = 1
const spoiling = 10
/** So many nodes are filled before prices and columns are made anew. */
const renewal = 25

/**
 * Fills nodes one after the other, each time with the shape that has the largest dot product with what is left of the node, weighted by
 * how much the rest of the batch needs of each resource (Panigrahy, Talwar, Uyeda and Wieder, Heuristics for vector bin packing,
 * 2011). Fragments are chosen by what they leave of a shared core, see {@link fragmentPrices}. Returns for every bin the shapes put
 * there, in an order in which the ledger can give them; `count` of the shapes goes down.
 */
export function planPacking(
  shapes: readonly PackShape[],
  classes: readonly PackClass[],
  bins: readonly PackBin[],
  options: PackOptions,
): number[][] {
  const packer = new Packer(shapes, classes, options)
  return bins.map((bin) => packer.fill(bin))
}

class Packer {
  readonly #shapes: readonly PackShape[]
  readonly #classes: readonly PackClass[]
  readonly #power: number
  readonly #views: (ShapeView | undefined)[] = []
  readonly #prices: (FragmentPrices | undefined)[] = []
  #left: number
  #filled = 0
  /** Of the whole batch, in the first class's nodes. */
  #cpuDemand = 0
  #memoryDemand = 0
  #factors = new Float64Array(0)

  constructor(shapes: readonly PackShape[], classes: readonly PackClass[], { power }: PackOptions) {
    this.#shapes = shapes
    this.#classes = classes
    this.#power = power
    this.#left = shapes.reduce((sum, { count }) => sum + count, 0)
    const [first] = classes
    for (const { count, needs } of shapes) {
      this.#cpuDemand += (count * needs[0]!.cpu) / first!.cpu
      this.#memoryDemand += (count * needs[0]!.memoryBytes) / first!.memoryBytes
    }
  }

  fill(bin: PackBin): number[] {
    if (this.#left === 0) return []
    if (this.#filled++ % renewal === 0) this.#renew()
    const view = this.#view(bin.class)
    const node = new OpenNode(bin, view.on)
    const chosen: number[] = []
    while (node.slots > 0) {
      const at = this.#best(view, node, bin.class)
      if (at < 0) break
      const shape = view.shape[at]!
      chosen.push(shape)
      this.#take(this.#shapes[shape]!)
      node.put(view, at)
    }
    return chosen
  }

  #take(shape: PackShape): void {
    shape.count--
    this.#left--
    const [first] = this.#classes
    this.#cpuDemand -= shape.needs[0]!.cpu / first!.cpu
    this.#memoryDemand -= shape.needs[0]!.memoryBytes / first!.memoryBytes
  }

  #best(view: ShapeView, node: OpenNode, id: number): number {
    const { on } = view
    const cpuWeight = Math.max(0, this.#cpuDemand) ** this.#power
    const memoryWeight = Math.max(0, this.#memoryDemand) ** this.#power
    const weights = cpuWeight + memoryWeight || 1
    const forCpu = ((node.cpu / on.cpu) * cpuWeight) / weights
    const forMemory = ((node.memory / on.memoryBytes) * memoryWeight) / weights
    const factors = this.#factorsFor(node, on, id)
    const most = Math.max(forCpu, forMemory) * (1 + completing)
    let best = -1
    let bestScore = -1
    for (let at = view.from(node.cpu / on.cpu + node.memory / on.memoryBytes + 1e-9); at < view.length; at++) {
      // Sizes only go down from here.
      if (view.size[at]! * most <= bestScore) break
      if (view.cpu[at]! > node.cpu || view.memory[at]! > node.memory) continue
      if (this.#shapes[view.shape[at]!]!.count === 0 || !node.takes(view.whole[at]!, view.fragment[at]!)) continue
      const score =
        (view.cpuShare[at]! * forCpu + view.memoryShare[at]! * forMemory) * (factors[view.fragment[at]!] ?? 1)
      if (score <= bestScore) continue
      bestScore = score
      best = at
    }
    return best
  }

  /** By size of fragment: how well it goes with what is left of the node's shared cores. */
  #factorsFor(node: OpenNode, on: PackClass, id: number): Float64Array {
    if (on.corePieces === 0) return noFactors
    if (this.#factors.length !== on.corePieces) this.#factors = new Float64Array(on.corePieces)
    const prices = this.#prices[id]
    this.#factors.fill(1)
    for (let size = 1; size < on.corePieces; size++) {
      const rest = node.restFor(size)
      if (rest < 0) continue
      const loss =
        prices === undefined ? rest - size : prices.ofRest[rest]! - prices.of[size]! - prices.ofRest[rest - size]!
      this.#factors[size] = 1 + completing * Math.max(0, 1 - loss * spoiling)
    }
    return this.#factors
  }

  #view(id: number): ShapeView {
    const view = this.#views[id] ?? new ShapeView(this.#shapes, this.#classes[id]!, id)
    if (this.#views[id] === undefined) {
      this.#views[id] = view
      this.#price(id, view)
    }
    return view
  }

  #renew(): void {
    for (const [id, view] of this.#views.entries()) {
      if (view === undefined) continue
      view.compact()
      this.#price(id, view)
    }
  }

  #price(id: number, view: ShapeView): void {
    const pieces = view.on.corePieces
    this.#prices[id] =
      pieces > 0 && pieces <= mostPricedPieces ? fragmentPrices(view.fragmentCounts(), pieces) : undefined
  }
}

const noFactors = new Float64Array(0)

/** What is left of the node being filled; the same rules as the ledger's. */
class OpenNode {
  cpu: number
  memory: number
  slots: number
  #free: number
  #mayOpen: number
  #keep: number
  readonly #bound: boolean
  /** How many shared cores have so many pieces left. */
  readonly #rests: Int32Array
  readonly #corePieces: number

  constructor({ cpu, memoryBytes, slots, cores }: PackBin, on: PackClass) {
    this.cpu = cpu
    this.memory = memoryBytes
    this.slots = slots
    this.#bound = cores !== undefined
    this.#free = cores?.free ?? 0
    this.#mayOpen = cores?.mayOpen ?? 0
    this.#keep = cores?.keep ?? 0
    this.#corePieces = on.corePieces
    this.#rests = new Int32Array(on.corePieces + 1)
    for (const rest of cores?.rests ?? []) this.#rests[rest] = this.#rests[rest]! + 1
  }

  takes(whole: number, fragment: number): boolean {
    if (!this.#bound) return true
    const opens = fragment > 0 && this.restFor(fragment) < 0
    if (opens && (this.#mayOpen <= 0 || fragment > this.#corePieces)) return false
    const left = this.#free - whole - (opens ? 1 : 0)
    return left >= 0 && left + (opens ? 1 : 0) >= this.#keep
  }

  /** The fullest shared core with room has so many pieces left; -1: none. */
  restFor(fragment: number): number {
    for (let rest = fragment; rest < this.#rests.length; rest++) if (this.#rests[rest]! > 0) return rest
    return -1
  }

  put(view: ShapeView, at: number): void {
    this.cpu -= view.cpu[at]!
    this.memory -= view.memory[at]!
    this.slots--
    if (!this.#bound) return
    this.#free -= view.whole[at]!
    const fragment = view.fragment[at]!
    if (fragment === 0) return
    let rest = this.restFor(fragment)
    if (rest < 0) {
      rest = this.#corePieces
      this.#free--
      this.#mayOpen--
      this.#keep--
    } else this.#rests[rest] = this.#rests[rest]! - 1
    if (rest > fragment) this.#rests[rest - fragment] = this.#rests[rest - fragment]! + 1
  }
}
