import { type Bits, copyAndBits, forEachBit } from './bits.ts'
import { Fit } from './fit.ts'
import { hashText } from './hash-text.ts'
import type { Sizes } from './node-class.ts'
import { applyRules } from './rules.ts'
import { steps } from './step-index.ts'
import type { Tables } from './tables.ts'
import type { Terms } from './terms.ts'
import { valueOrder } from './value-order.ts'
import { byWishes } from './wishes.ts'

/** Finds the node for one request. Holds scratch space only: between calls it knows nothing. */
export class NodeChooser {
  readonly fit: Fit
  readonly #tables: Tables
  #mask: Bits = new Int32Array(0)
  /** Of one value of a label, and of one level of counts. */
  #valuePart: Bits = new Int32Array(0)
  #levelPart: Bits = new Int32Array(0)
  #start = 0
  readonly #admits: (position: number) => boolean

  constructor(tables: Tables) {
    this.#tables = tables
    this.fit = new Fit(tables.nodes)
    this.#admits = (position) => this.fit.admits(this.#tables.nodes.ring.rowAt[position]!)
  }

  /** The row, or -1: no node will do. */
  choose(terms: Terms, sizes: Sizes): number {
    const mask = this.begin(terms, sizes)
    const { cpuMilli, memoryBytes } = this.fit.least()
    this.#tables.nodes.keepRoomy(mask, cpuMilli, memoryBytes)
    const position = this.#overValues(terms, mask)
    return position < 0 ? -1 : this.#tables.nodes.ring.rowAt[position]!
  }

  /** All positions that no filter but those for what is free refuses; also readies `fit`. Valid until the next call. */
  begin(terms: Terms, sizes: Sizes): Bits {
    const { nodes } = this.#tables
    nodes.settle()
    this.fit.begin(terms, sizes)
    this.#start = nodes.ring.start(startOf(terms))
    const eligible = terms.eligibility.bits(nodes)
    if (this.#mask.length !== eligible.length) {
      this.#mask = new Int32Array(eligible.length)
      this.#valuePart = new Int32Array(eligible.length)
      this.#levelPart = new Int32Array(eligible.length)
    }
    this.#mask.set(eligible)
    applyRules(this.#mask, terms, this.#tables)
    return this.#mask
  }

  /** How far a position is from the seed's place on the ring. */
  turnOf(position: number): number {
    return position >= this.#start ? position : position + this.#tables.nodes.ring.length
  }

  /** With `spread.over`: in the value that has the largest deficit, else in the next. */
  #overValues(terms: Terms, mask: Bits): number {
    const { spread } = terms.request
    if (spread === undefined) return this.#among(terms, mask)
    const column = this.#tables.labels.of(spread.over, this.#tables.nodes)
    for (const index of valueOrder(terms.entrypoint.countsBy(column), column.values, spread.shares)) {
      copyAndBits(this.#valuePart, mask, column.bits[index]!)
      const position = this.#among(terms, this.#valuePart)
      if (position >= 0) return position
    }
    return -1
  }

  #among(terms: Terms, mask: Bits): number {
    if (!terms.hasWishes) return this.#byStrategy(terms, mask)
    for (const set of byWishes(mask, terms, this.#tables)) {
      const position = this.#byStrategy(terms, set)
      if (position >= 0) return position
    }
    return -1
  }

  #byStrategy(terms: Terms, mask: Bits): number {
    const { freeness, loads } = this.#tables.nodes
    switch (terms.strategy.type) {
      case 'pack':
        return freeness.find(mask, this.#start, true, 0, this.#admits)
      case 'balance':
        return loads.find(mask, this.#start, true, 0, this.#admits)
      case 'spread':
      case 'each':
        return this.#fewest(terms, mask)
      case 'fill':
        return this.#most(terms, mask, terms.strategy.count)
      case 'drain-first':
        return this.#smallest(mask)
      default:
        return terms.strategy satisfies never
    }
  }

  /** The fewest of the entrypoint, then the most free. */
  #fewest({ entrypoint }: Terms, mask: Bits): number {
    const { freeness, ring } = this.#tables.nodes
    for (let level = 1; ; level++) {
      if (entrypoint.isEverywhere(level)) continue
      this.#levelPart.set(mask)
      const more = entrypoint.total > 0 && entrypoint.removeAtLeast(this.#levelPart, level, ring)
      const position = freeness.find(this.#levelPart, this.#start, false, steps - 1, this.#admits)
      if (position >= 0 || !more) return position
    }
  }

  /** The most of the entrypoint below `limit` (the set has none with more), then the most free. */
  #most({ entrypoint }: Terms, mask: Bits, limit: number): number {
    const { freeness, ring } = this.#tables.nodes
    for (let level = limit - 1; level > 0 && entrypoint.total > 0; level--) {
      this.#levelPart.set(mask)
      if (!entrypoint.removeAtLeast(this.#levelPart, level, ring)) continue
      // What was removed is what is looked for.
      for (let word = 0; word < mask.length; word++) this.#levelPart[word] = mask[word]! & ~this.#levelPart[word]!
      const position = freeness.find(this.#levelPart, this.#start, false, steps - 1, this.#admits)
      if (position >= 0) return position
    }
    return freeness.find(mask, this.#start, false, steps - 1, this.#admits)
  }

  /** Room for the fewest more, then the most free. */
  #smallest(mask: Bits): number {
    const { ring, freeness } = this.#tables.nodes
    let best = -1
    let bestCapacity = 0
    let bestStep = 0
    let bestTurn = 0
    forEachBit(mask, (position) => {
      const capacity = this.fit.capacity(ring.rowAt[position]!)
      if (capacity < 1) return
      const step = freeness.step(position)
      const turn = this.turnOf(position)
      if (best >= 0 && (bestCapacity - capacity || step - bestStep || bestTurn - turn) <= 0) return
      best = position
      bestCapacity = capacity
      bestStep = step
      bestTurn = turn
    })
    return best
  }
}

/** The seed's place on the ring; entrypoints begin at different places, so that not all first instances go to one node. */
const startOf = (terms: Terms): number => hashText(terms.entrypoint.key, terms.request.seed ?? 0)
