import { andBits, type Bits, forEachBit, isEmpty } from './bits.ts'
import { Fit } from './fit.ts'
import { hashText } from './hash-text.ts'
import type { Sizes } from './node-class.ts'
import { applyRules } from './rules.ts'
import { steps } from './step-index.ts'
import type { Tables } from './tables.ts'
import type { Terms } from './terms.ts'
import { valueOrder } from './value-order.ts'
import { weighWishes } from './wishes.ts'

/** Finds the node for one request. Holds scratch space only: between calls it knows nothing. */
export class NodeChooser {
  readonly fit: Fit
  readonly #tables: Tables
  #mask: Bits = new Int32Array(0)
  #part: Bits = new Int32Array(0)
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
      this.#part = new Int32Array(eligible.length)
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
      const part = mask.slice()
      andBits(part, column.bits[index]!)
      const position = this.#among(terms, part)
      if (position >= 0) return position
    }
    return -1
  }

  #among(terms: Terms, mask: Bits): number {
    if (terms.hasWishes) return this.#best(mask, terms, weighWishes(terms, this.#tables))
    const { freeness } = this.#tables.nodes
    if (terms.strategy.type === 'pack') return freeness.find(mask, this.#start, true, 0, this.#admits)
    if (terms.strategy.type !== 'spread') return this.#best(mask, terms)
    if (terms.entrypoint.total === 0) return freeness.find(mask, this.#start, false, steps - 1, this.#admits)
    this.#part.set(mask)
    terms.entrypoint.removeFrom(this.#part, this.#tables.nodes.ring)
    const apart = freeness.find(this.#part, this.#start, false, steps - 1, this.#admits)
    return apart >= 0 || isEmpty(mask) ? apart : this.#best(mask, terms)
  }

  /** Weighs every node of the set: the most wishes, then the strategy's order, then the ring's. */
  #best(mask: Bits, terms: Terms, wishes?: Float64Array): number {
    const { ring } = this.#tables.nodes
    let best = -1
    let bestWish = 0
    let bestFirst = 0
    let bestSecond = 0
    let bestTurn = 0
    forEachBit(mask, (position) => {
      const row = ring.rowAt[position]!
      if (!this.fit.admits(row)) return
      const wish = wishes === undefined ? 0 : wishes[position]!
      if (best >= 0 && wish < bestWish) return
      const first = this.#firstKey(terms, row)
      const second = this.#secondKey(terms, row, position)
      const turn = this.turnOf(position)
      const order = bestWish - wish || first - bestFirst || second - bestSecond || turn - bestTurn
      if (best >= 0 && order >= 0) return
      best = position
      bestWish = wish
      bestFirst = first
      bestSecond = second
      bestTurn = turn
    })
    return best
  }

  /** Lower is better. */
  #firstKey(terms: Terms, row: number): number {
    switch (terms.strategy.type) {
      case 'spread':
      case 'each':
        return terms.entrypoint.counts.get(row)
      case 'fill':
        return -terms.entrypoint.counts.get(row)
      case 'drain-first':
        return this.fit.capacity(row)
      case 'balance':
        return this.#tables.nodes.load(row)
      case 'pack':
        return 0
      default:
        return terms.strategy satisfies never
    }
  }

  #secondKey(terms: Terms, _row: number, position: number): number {
    const step = this.#tables.nodes.freeness.step(position)
    return terms.strategy.type === 'pack' ? step : -step
  }
}

/** The seed's place on the ring; entrypoints begin at different places, so that not all first instances go to one node. */
const startOf = (terms: Terms): number => hashText(terms.entrypoint.key, terms.request.seed ?? 0)
