import { andNotBits, type Bits, clearBit, orBits, setBit } from './bits.ts'
import type { Peer } from './instance-request.ts'
import type { LabelColumn } from './label-index.ts'
import { LevelSets } from './level-sets.ts'
import type { Ring } from './ring.ts'
import { RowCounts } from './row-counts.ts'

/** Where the instances of one entrypoint of one pool are. */
export class Entrypoint {
  /** `shop/production/web` */
  readonly key: string
  readonly app: string
  readonly name: string
  /** What a {@link Peer} may call it: `shop/db`, `shop/` (with all of the app). */
  readonly peerKeys: readonly string[]
  counts = new RowCounts()
  total = 0
  /** Terms that are known of it. */
  terms = 0
  readonly #byLabel = new Map<string, { readonly column: LabelColumn; readonly counts: Int32Array }>()
  #levels: LevelSets | undefined

  constructor(key: string) {
    const parts = key.split('/')
    this.key = key
    this.app = parts[0]!
    this.name = parts.at(-1)!
    this.peerKeys = [`${this.app}/${this.name}`, `${this.app}/`]
  }

  add(row: number, change: 1 | -1, ring: Ring): void {
    const count = this.counts.add(row, change)
    this.total += change
    for (const { column, counts } of this.#byLabel.values()) {
      const value = column.valueIndex[row] ?? -1
      if (value >= 0) counts[value] = counts[value]! + change
    }
    if (this.#levels === undefined) return
    const position = this.#levels.epoch === ring.epoch ? (ring.positionOf[row] ?? -1) : -1
    if (position < 0) this.#levels = undefined
    else this.#levels.update(position, count, change)
  }

  /** How many there are for each value of a label. */
  countsBy(column: LabelColumn): Int32Array {
    const known = this.#byLabel.get(column.label)
    if (known?.column === column) return known.counts
    const counts = new Int32Array(column.values.length)
    this.counts.visit((row, count) => {
      const value = column.valueIndex[row] ?? -1
      if (value >= 0) counts[value] = counts[value]! + count
    })
    this.#byLabel.set(column.label, { column, counts })
    return counts
  }

  /** Takes the nodes with at least so many out of a set; false: there are none. */
  removeAtLeast(mask: Bits, level: number, ring: Ring): boolean {
    if (this.#isOnMany(mask)) {
      const bits = this.#levelSets(ring).atLeast(level)
      if (bits !== undefined) andNotBits(mask, bits)
      return bits !== undefined
    }
    let any = false
    this.counts.visit((row, count) => {
      if (count < level) return
      any = true
      const position = ring.positionOf[row] ?? -1
      if (position >= 0) clearBit(mask, position)
    })
    return any
  }

  /** Every node has at least so many, as far as that is known without looking. */
  isEverywhere(level: number): boolean {
    return this.#levels?.isAll(level) ?? false
  }

  addTo(mask: Bits, ring: Ring): void {
    const bits = this.#isOnMany(mask) ? this.#levelSets(ring).atLeast(1) : undefined
    if (bits !== undefined) orBits(mask, bits)
    else
      this.counts.visit((row) => {
        setBit(mask, ring.positionOf[row]!)
      })
  }

  /** On so many nodes that going through them costs more than going through the words of a bit set. */
  #isOnMany(mask: Bits): boolean {
    return this.counts.size * 4 > mask.length
  }

  #levelSets(ring: Ring): LevelSets {
    if (this.#levels?.epoch !== ring.epoch) this.#levels = new LevelSets(this.counts, ring)
    return this.#levels
  }

  clone(): Entrypoint {
    const copy = new Entrypoint(this.key)
    copy.counts = this.counts.clone()
    copy.total = this.total
    copy.terms = this.terms
    return copy
  }
}

/** All entrypoints, found by key and by what a {@link Peer} says. */
export class EntrypointTable {
  readonly byKey = new Map<string, Entrypoint>()
  /** `shop/db` and `shop/` (all of it) */
  readonly #byPeer = new Map<string, Set<Entrypoint>>()

  get(key: string): Entrypoint {
    const known = this.byKey.get(key)
    if (known !== undefined) return known
    const made = new Entrypoint(key)
    this.#enter(made)
    return made
  }

  /** Of every pool. */
  matching(peer: Pick<Peer, 'app' | 'entrypoint'>): Iterable<Entrypoint> {
    return this.#byPeer.get(`${peer.app}/${peer.entrypoint ?? ''}`) ?? []
  }

  drop(entrypoint: Entrypoint): void {
    this.byKey.delete(entrypoint.key)
    for (const key of entrypoint.peerKeys) {
      const set = this.#byPeer.get(key)
      set?.delete(entrypoint)
      if (set?.size === 0) this.#byPeer.delete(key)
    }
  }

  clone(): EntrypointTable {
    const copy = new EntrypointTable()
    for (const entrypoint of this.byKey.values()) copy.#enter(entrypoint.clone())
    return copy
  }

  #enter(entrypoint: Entrypoint): void {
    this.byKey.set(entrypoint.key, entrypoint)
    for (const key of entrypoint.peerKeys) {
      const set = this.#byPeer.get(key)
      if (set === undefined) this.#byPeer.set(key, new Set([entrypoint]))
      else set.add(entrypoint)
    }
  }
}

/** `shop/db`, or `shop` for all of it. */
export const formatPeerName = ({ app, entrypoint }: Pick<Peer, 'app' | 'entrypoint'>): string =>
  entrypoint === undefined ? app : `${app}/${entrypoint}`
