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

/** Addresses by node and sums by group, kept with every change: nobody has to go through all instances for them. */
export class GivenOut {
  readonly #holdings = new Map<string, Holding>()
  readonly #addresses = new Map<string, Map<string, number>>()
  readonly #rooms = new Map<string, { cpuMilli: number; memoryBytes: number }>()

  /** In place of what it held before; undefined: nothing any more. */
  set(id: string, holding: Holding | undefined): void {
    const before = this.#holdings.get(id)
    if (before !== undefined) this.#count(before, -1)
    if (holding === undefined) this.#holdings.delete(id)
    else {
      this.#holdings.set(id, holding)
      this.#count(holding, 1)
    }
  }

  isUsed(node: string, address: string): boolean {
    return this.#addresses.get(node)?.has(address) === true
  }

  inGroup(group: string): Room {
    return this.#rooms.get(group) ?? { cpuMilli: 0, memoryBytes: 0 }
  }

  #count({ node, address, room }: Holding, sign: 1 | -1): void {
    if (address !== undefined) this.#countAddress(node, address, sign)
    if (room === undefined) return
    const sum = this.#rooms.get(room.group) ?? { cpuMilli: 0, memoryBytes: 0 }
    sum.cpuMilli += sign * room.cpuMilli
    sum.memoryBytes += sign * room.memoryBytes
    this.#rooms.set(room.group, sum)
  }

  /** Counted, since one may get the address of another before the news of that one's end. */
  #countAddress(node: string, address: string, sign: 1 | -1): void {
    const used = this.#addresses.get(node) ?? new Map<string, number>()
    const count = (used.get(address) ?? 0) + sign
    if (count > 0) used.set(address, count)
    else used.delete(address)
    if (used.size > 0) this.#addresses.set(node, used)
    else this.#addresses.delete(node)
  }
}
