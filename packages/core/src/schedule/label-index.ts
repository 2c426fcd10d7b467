import { type Bits, setBit, wordsFor } from './bits.ts'
import type { NodeTable } from './node-table.ts'

/** One label of all nodes. Positions are the ring's: a column holds until a node comes, goes or changes its labels. */
export interface LabelColumn {
  readonly label: string
  /** In order. */
  readonly values: readonly string[]
  /** By row: index into `values`, -1: the node has no such label. */
  readonly valueIndex: Int32Array
  /** By value: the positions that have it. */
  readonly bits: readonly Bits[]
  /** The positions that have any. */
  readonly any: Bits
}

/** Columns of the labels that somebody asked about. */
export class LabelIndex {
  readonly #columns = new Map<string, LabelColumn>()
  #epoch = -1

  /** A node's labels changed. */
  touch(): void {
    this.#columns.clear()
  }

  of(label: string, nodes: NodeTable): LabelColumn {
    if (this.#epoch !== nodes.ring.epoch) this.touch()
    this.#epoch = nodes.ring.epoch
    const known = this.#columns.get(label)
    if (known !== undefined) return known
    const column = makeColumn(label, nodes)
    this.#columns.set(label, column)
    return column
  }
}

function makeColumn(label: string, { ring, specs, names }: NodeTable): LabelColumn {
  const texts = Array.from(ring.rowAt.subarray(0, ring.length), (row) => specs[row]?.labels?.[label])
  const values = [...new Set(texts.filter((text) => text !== undefined))].sort()
  const indexOf = new Map(values.map((value, index) => [value, index]))
  const bits = values.map(() => new Int32Array(wordsFor(ring.length)))
  const any: Bits = new Int32Array(wordsFor(ring.length))
  const valueIndex = new Int32Array(names.length).fill(-1)
  for (const [position, text] of texts.entries()) {
    const index = text === undefined ? undefined : indexOf.get(text)
    if (index === undefined) continue
    valueIndex[ring.rowAt[position]!] = index
    setBit(bits[index]!, position)
    setBit(any, position)
  }
  return { label, values, valueIndex, bits, any }
}
