import { andNotBits, type Bits, clearBit, orBits, setBit, wordsFor } from './bits.ts'
import type { Peer } from './instance-request.ts'
import type { LabelColumn } from './label-index.ts'
import type { Ring } from './ring.ts'
import { RowCounts } from './row-counts.ts'

/** Where the instances of one entrypoint of one pool are. */
export class Entrypoint {
  /** `shop/production/web` */
  readonly key: string
  readonly app: string
  readonly name: string
  counts = new RowCounts()
  total = 0
  /** Terms that are known of it. */
  terms = 0
  readonly #byLabel = new Map<string, { readonly column: LabelColumn; readonly counts: Int32Array }>()
  #presence: { readonly epoch: number; readonly bits: Bits } | undefined

  constructor(key: string) {
    const parts = key.split('/')
    this.key = key
    this.app = parts[0]!
    this.name = parts.at(-1)!
  }

  add(row: number, change: 1 | -1, ring: Ring): void {
    const count = this.counts.add(row, change)
    this.total += change
    for (const { column, counts } of this.#byLabel.values()) {
      const value = column.valueIndex[row] ?? -1
      if (value >= 0) counts[value] = counts[value]! + change
    }
    if (this.#presence === undefined || this.#presence.epoch !== ring.epoch) return
    const position = ring.positionOf[row] ?? -1
    if (position < 0) this.#presence = undefined
    else if (count === 0) clearBit(this.#presence.bits, position)
    else setBit(this.#presence.bits, position)
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

  /** Takes its nodes out of a set. A bit set of them is kept where there are so many that going through them costs more. */
  removeFrom(mask: Bits, ring: Ring): void {
    if (this.counts.size * 4 > mask.length) andNotBits(mask, this.presence(ring))
    else this.counts.visit((row) => clearBit(mask, ring.positionOf[row]!))
  }

  addTo(mask: Bits, ring: Ring): void {
    if (this.counts.size * 4 > mask.length) orBits(mask, this.presence(ring))
    else this.counts.visit((row) => setBit(mask, ring.positionOf[row]!))
  }

  presence(ring: Ring): Bits {
    if (this.#presence?.epoch === ring.epoch) return this.#presence.bits
    const bits = new Int32Array(wordsFor(ring.length))
    this.counts.visit((row) => setBit(bits, ring.positionOf[row]!))
    this.#presence = { epoch: ring.epoch, bits }
    return bits
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
    for (const key of peerKeys(entrypoint)) {
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
    for (const key of peerKeys(entrypoint)) {
      const set = this.#byPeer.get(key)
      if (set === undefined) this.#byPeer.set(key, new Set([entrypoint]))
      else set.add(entrypoint)
    }
  }
}

export const peerKeys = ({ app, name }: Pick<Entrypoint, 'app' | 'name'>): readonly string[] => [
  `${app}/${name}`,
  `${app}/`,
]

/** `shop/db`, or `shop` for all of it. */
export const formatPeerName = ({ app, entrypoint }: Pick<Peer, 'app' | 'entrypoint'>): string =>
  entrypoint === undefined ? app : `${app}/${entrypoint}`
