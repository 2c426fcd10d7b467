import { grown } from './grown.ts'
import { isUnbound, type Need, needOn, type Sizes } from './node-class.ts'
import { keepFor, type NodeTable, unlimited } from './node-table.ts'
import { type Terms, takesAddress } from './terms.ts'

/** How many of them a node has addresses for. */
export const addressesFor = (terms: Terms, nodes: NodeTable, row: number): number =>
  takesAddress(terms) ? nodes.slots[row]! : unlimited

/** Whether what is free on a node is enough for one request: `begin`, then `admits` for as many rows as one likes. */
export class Fit {
  readonly nodes: NodeTable
  sizes: Sizes = {}
  terms: Terms | undefined
  #now = 0
  #needs: (Need | undefined)[] = []
  /** By class: valid where `stamp` is `now`. */
  #stamp = new Int32Array(0)
  #cpu = new Int32Array(0)
  #memory = new Float64Array(0)
  #whole = new Int32Array(0)
  #fragment = new Int32Array(0)
  /** 0: sums only, 1: owns cores, 2: does not on a node where others do. */
  #kind = new Uint8Array(0)

  constructor(nodes: NodeTable) {
    this.nodes = nodes
  }

  begin(terms: Terms, sizes: Sizes): void {
    this.terms = terms
    this.sizes = sizes
    this.#now++
    const classes = this.nodes.classes.length
    this.#stamp = grown(this.#stamp, classes)
    this.#cpu = grown(this.#cpu, classes)
    this.#memory = grown(this.#memory, classes)
    this.#whole = grown(this.#whole, classes)
    this.#fragment = grown(this.#fragment, classes)
    this.#kind = grown(this.#kind, classes)
  }

  need(row: number): Need {
    const id = this.nodes.classOf[row]!
    if (this.#stamp[id] !== this.#now) this.#compute(id)
    return this.#needs[id]!
  }

  /** What it takes of any node at least. */
  least(): { readonly cpuMilli: number; readonly memoryBytes: number } {
    let cpuMilli = Number.POSITIVE_INFINITY
    let memoryBytes = Number.POSITIVE_INFINITY
    for (let id = 0; id < this.nodes.classes.length; id++) {
      if (this.#stamp[id] !== this.#now) this.#compute(id)
      // Instances without cores are asked about differently.
      cpuMilli = Math.min(cpuMilli, this.#kind[id] === 2 ? 0 : this.#cpu[id]!)
      memoryBytes = Math.min(memoryBytes, this.#memory[id]!)
    }
    return { cpuMilli, memoryBytes }
  }

  admits(row: number): boolean {
    const { nodes } = this
    const id = nodes.classOf[row]!
    if (this.#stamp[id] !== this.#now) this.#compute(id)
    if (nodes.memoryFree[row]! < this.#memory[id]! || addressesFor(this.terms!, nodes, row) <= 0) return false
    return this.hasCpu(row) && this.hasDisk(row) && this.missingResource(row) === undefined
  }

  hasCpu(row: number): boolean {
    const { nodes } = this
    const id = nodes.classOf[row]!
    if (this.#stamp[id] !== this.#now) this.#compute(id)
    const kind = this.#kind[id]!
    if (kind === 0) return nodes.cpuFree[row]! >= this.#cpu[id]!
    const { cores } = nodes
    if (cores.conflicts[row]! > 0) return false
    if (kind === 1) return cores.fits(row, this.#whole[id]!, this.#fragment[id]!)
    const keep = keepFor(nodes.unbound[row]! + 1, nodes.floatingMilli[row]! + this.#cpu[id]!)
    return cores.free[row]! + cores.shared[row]! >= keep
  }

  hasDisk(row: number): boolean {
    const wanted = this.terms!.diskBytes
    if (this.nodes.diskFree[row]! < wanted) return false
    return wanted === 0 || wanted <= (this.nodes.specs[row]?.diskFreeBytes ?? Number.POSITIVE_INFINITY)
  }

  missingResource(row: number): string | undefined {
    for (const [name, amount] of this.terms!.resources) if (this.nodes.resources.free(row, name) < amount) return name
    return undefined
  }

  /** How many of the request the node holds, by what is free. */
  capacity(row: number): number {
    if (!this.admits(row)) return 0
    const { nodes } = this
    const need = this.need(row)
    let count = Math.min(addressesFor(this.terms!, nodes, row), this.cpuCapacity(row, need))
    if (need.memoryBytes > 0) count = Math.min(count, Math.floor(nodes.memoryFree[row]! / need.memoryBytes))
    const { diskBytes, resources, hostPorts } = this.terms!
    if (diskBytes > 0) count = Math.min(count, Math.floor(nodes.diskFree[row]! / diskBytes))
    for (const [name, amount] of resources)
      if (amount > 0) count = Math.min(count, Math.floor(nodes.resources.free(row, name) / amount))
    return hostPorts.length > 0 ? Math.min(1, count) : count
  }

  cpuCapacity(row: number, need: Need): number {
    const { nodes } = this
    const on = nodes.classes[nodes.classOf[row]!]!
    if (on.rule.cpu === 'shared')
      return need.cpuMilli === 0 ? Number.POSITIVE_INFINITY : Math.floor(nodes.cpuFree[row]! / need.cpuMilli)
    if (need.bound) return nodes.cores.capacity(row, need.whole, need.fragmentMilli)
    if (need.cpuMilli === 0) return Number.POSITIVE_INFINITY
    const unowned = nodes.cores.free[row]! + nodes.cores.shared[row]!
    return Math.floor((unowned * 1000 - nodes.floatingMilli[row]!) / need.cpuMilli)
  }

  #compute(id: number): void {
    const on = this.nodes.classes[id]!
    const need = needOn(this.sizes, on)
    this.#needs[id] = need
    this.#stamp[id] = this.#now
    this.#cpu[id] = need.cpuMilli
    this.#memory[id] = need.memoryBytes
    this.#whole[id] = need.whole
    this.#fragment[id] = need.fragmentMilli
    this.#kind[id] = on.rule.cpu === 'shared' ? 0 : isUnbound(this.sizes) ? 2 : 1
  }
}
