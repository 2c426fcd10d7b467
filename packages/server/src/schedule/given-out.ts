import { grown, tryParseAddress } from '@berth/core'

/** Beyond so many kinds of rooms on nodes all are gathered anew. */
const mostKnown = 100_000

/** What one instance holds of its node and its group. */
export interface Holding {
  readonly node: string
  readonly address: string | undefined
  /** Absent: it takes no room any more (it has ended), only its address. */
  readonly room?: Room & { readonly group: string }
}

export interface Room {
  readonly cpuMilli: number
  readonly memoryBytes: number
}

/** What of an instance is counted; of a million of them the same few times over. */
interface Kept {
  readonly node: string
  readonly room: Holding['room']
}

/** Addresses by node and sums by group, kept with every change: nobody has to go through all instances for them. */
export class GivenOut {
  readonly #rowOf = new Map<string, number>()
  readonly #kept: (Kept | undefined)[] = []
  readonly #spare: number[] = []
  readonly #known = new Map<string, Kept>()
  /** 0: none. */
  #addressOf = new Uint32Array(0)
  readonly #addresses = new Map<string, Map<number, number>>()
  readonly #rooms = new Map<string, { cpuMilli: number; memoryBytes: number }>()

  /** In place of what it held before; undefined: nothing any more. */
  set(id: string, holding: Holding | undefined): void {
    const row = this.#rowOf.get(id)
    if (row !== undefined) this.#countRow(row, -1)
    if (holding !== undefined) this.#enter(row ?? this.#add(id), holding)
    else if (row !== undefined) this.#remove(id, row)
  }

  isUsed(node: string, address: string): boolean {
    return this.#addresses.get(node)?.has(numberOf(address)) === true
  }

  countOn(node: string): number {
    return this.#addresses.get(node)?.size ?? 0
  }

  inGroup(group: string): Room {
    return this.#rooms.get(group) ?? { cpuMilli: 0, memoryBytes: 0 }
  }

  #add(id: string): number {
    const row = this.#spare.pop() ?? this.#kept.length
    this.#rowOf.set(id, row)
    this.#addressOf = grown(this.#addressOf, row + 1)
    return row
  }

  #enter(row: number, holding: Holding): void {
    this.#kept[row] = this.#keptOf(holding)
    this.#addressOf[row] = holding.address === undefined ? 0 : numberOf(holding.address)
    this.#countRow(row, 1)
  }

  #remove(id: string, row: number): void {
    this.#rowOf.delete(id)
    this.#kept[row] = undefined
    this.#spare.push(row)
  }

  #keptOf({ node, room }: Holding): Kept {
    const key = room === undefined ? node : `${node} ${room.group} ${room.cpuMilli} ${room.memoryBytes}`
    const known = this.#known.get(key)
    if (known !== undefined) return known
    if (this.#known.size >= mostKnown) this.#known.clear()
    const kept = { node, room }
    this.#known.set(key, kept)
    return kept
  }

  #countRow(row: number, sign: 1 | -1): void {
    const kept = this.#kept[row]
    if (kept === undefined) return
    const address = this.#addressOf[row] ?? 0
    if (address !== 0) this.#countAddress(kept.node, address, sign)
    if (kept.room === undefined) return
    const { group, cpuMilli, memoryBytes } = kept.room
    const sum = this.#rooms.get(group) ?? { cpuMilli: 0, memoryBytes: 0 }
    sum.cpuMilli += sign * cpuMilli
    sum.memoryBytes += sign * memoryBytes
    this.#rooms.set(group, sum)
  }

  /** Counted, since one may get the address of another before the news of that one's end. */
  #countAddress(node: string, address: number, sign: 1 | -1): void {
    const used = this.#addresses.get(node) ?? new Map<number, number>()
    const count = (used.get(address) ?? 0) + sign
    if (count > 0) used.set(address, count)
    else used.delete(address)
    if (used.size > 0) this.#addresses.set(node, used)
    else this.#addresses.delete(node)
  }
}

const numberOf = (address: string): number => tryParseAddress(address) ?? 0
