import { defaultGroup } from '../model/node-group.ts'
import type { Bits } from './bits.ts'
import type { BooksNode } from './books-node.ts'
import { CoreLedger } from './core-ledger.ts'
import type { GroupRule } from './cpu-pieces.ts'
import { grown } from './grown.ts'
import type { Need, NodeClass } from './node-class.ts'
import { Resources } from './resources.ts'
import { Ring } from './ring.ts'
import { RoomIndex } from './room-index.ts'
import { StepIndex, steps } from './step-index.ts'

/** For the order of nodes only: what an instance that reserves nothing counts as, like kube-scheduler's `NonZeroRequested`. */
const phantomCpuMilli = 100
const phantomMemoryBytes = 200 * 1024 ** 2

export const unlimited = 0x3fffffff
const mebibyte = 1024 ** 2

/** All nodes as rows of columns. What is free is kept beside what there is; below 0 a node is over-committed. */
export class NodeTable {
  /** Undefined: a spare row. */
  readonly names: (string | undefined)[] = []
  /** Undefined: not known (any more), but instances are recorded on it. */
  readonly specs: (BooksNode | undefined)[] = []
  readonly rowOf = new Map<string, number>()
  readonly rules = new Map<string, GroupRule>()
  readonly classes: NodeClass[] = []
  readonly #classIds = new Map<string, number>()
  #spare: number[] = []

  readonly ring = new Ring()
  /** Nodes by how much of them is free, by measured use, and by what fits at most. */
  readonly freeness = new StepIndex()
  readonly loads = new StepIndex()
  readonly #cpuRoom = new RoomIndex()
  readonly #memoryRoom = new RoomIndex()
  #indexed = -1
  readonly cores = new CoreLedger()
  readonly resources = new Resources()

  classOf = new Int32Array(0)
  cpuFree = new Int32Array(0)
  memoryFree = new Float64Array(0)
  diskFree = new Float64Array(0)
  /** Addresses left. */
  slots = new Int32Array(0)
  instances = new Int32Array(0)
  /** The first of the list of its instances, -1: none. */
  first = new Int32Array(0)
  /** Not tied to cores on a bound node: how many, and what they reserve. */
  unbound = new Int32Array(0)
  floatingMilli = new Int32Array(0)
  /** Since the last measurement, for `balance`. */
  placedMilli = new Int32Array(0)
  /** Of that, what was placed before the measurement of now. */
  placedEarlierMilli = new Int32Array(0)
  #scoreCpu = new Int32Array(0)
  #scoreMemory = new Float64Array(0)

  get count(): number {
    return this.rowOf.size
  }

  rule(group: string): GroupRule {
    return this.rules.get(group) ?? defaultGroup
  }

  addRow(name: string): number {
    const row = this.#spare.pop() ?? this.names.length
    this.names[row] = name
    this.specs[row] = undefined
    this.rowOf.set(name, row)
    this.#ensure(this.names.length)
    this.first[row] = -1
    this.instances[row] = 0
    this.unbound[row] = 0
    this.floatingMilli[row] = 0
    this.placedMilli[row] = 0
    this.placedEarlierMilli[row] = 0
    this.#scoreCpu[row] = 0
    this.#scoreMemory[row] = 0
    this.ring.touch()
    return row
  }

  dropRow(row: number): void {
    this.rowOf.delete(this.names[row]!)
    this.names[row] = undefined
    this.specs[row] = undefined
    this.#spare.push(row)
    this.ring.touch()
  }

  /** Enters what a node has; nothing may be given out on it at this moment (see `Books.putNode`). */
  layOut(row: number, spec: BooksNode | undefined): void {
    this.specs[row] = spec
    const rule = this.rule(spec?.group ?? defaultGroup.name)
    this.classOf[row] = this.#intern(rule, spec)
    this.cpuFree[row] = this.cpuTotal(row)
    this.memoryFree[row] = spec?.memoryBytes ?? 0
    this.diskFree[row] = spec === undefined ? 0 : (spec.diskBytes ?? Number.POSITIVE_INFINITY)
    this.slots[row] = spec?.addresses ?? unlimited
    this.placedMilli[row] = 0
    this.placedEarlierMilli[row] = 0
    this.cores.setNode(row, spec === undefined || rule.cpu === 'shared' ? noLayout : layoutOf(spec), rule)
    this.resources.layOut(row, spec)
  }

  /** What may be given out of its CPU: with the oversell, where only sums are kept. */
  cpuTotal(row: number): number {
    const { rule, cpuMilli } = this.classes[this.classOf[row]!]!
    return rule.cpu === 'bound' ? cpuMilli : Math.floor((cpuMilli * rule.oversellMilli) / 1000)
  }

  /** What is reserved on a row, or with a negative `sign` given back, apart from its cores. */
  reserve(row: number, sign: 1 | -1, cpuMilli: number, memoryBytes: number, owns: boolean): void {
    this.cpuFree[row] = this.cpuFree[row]! - sign * cpuMilli
    this.memoryFree[row] = this.memoryFree[row]! - sign * memoryBytes
    this.#scoreCpu[row] = this.#scoreCpu[row]! + sign * scoreOf(cpuMilli, phantomCpuMilli)
    this.#scoreMemory[row] = this.#scoreMemory[row]! + sign * scoreOf(memoryBytes, phantomMemoryBytes)
    this.placedMilli[row] = Math.max(0, this.placedMilli[row]! + sign * cpuMilli)
    if (!owns) this.#reserveUnbound(row, sign, cpuMilli)
  }

  /**
   * A measurement has come. What was placed shortly before has hardly begun to work: it is counted besides until the next one.
   */
  measure(row: number, cpuMilli: number): void {
    const spec = this.specs[row]
    if (spec === undefined) return
    this.specs[row] = { ...spec, measuredCpuMilli: cpuMilli }
    const since = Math.max(0, this.placedMilli[row]! - this.placedEarlierMilli[row]!)
    this.placedMilli[row] = since
    this.placedEarlierMilli[row] = since
    this.reindex(row)
  }

  /** The free share of what it has least of, 0 … 1. */
  freeShare(row: number): number {
    return freeShareOf(this.classes[this.classOf[row]!]!, this.#scoreCpu[row]!, this.#scoreMemory[row]!)
  }

  stepOf(row: number): number {
    return Math.floor(this.freeShare(row) * (steps - 1))
  }

  /** The same, after `count` more have come. */
  stepAfter(row: number, need: Pick<Need, 'cpuMilli' | 'memoryBytes'>, count: number): number {
    const on = this.classes[this.classOf[row]!]!
    const cpu = this.#scoreCpu[row]! + count * scoreOf(need.cpuMilli, phantomCpuMilli)
    const memory = this.#scoreMemory[row]! + count * scoreOf(need.memoryBytes, phantomMemoryBytes)
    return Math.floor(freeShareOf(on, cpu, memory) * (steps - 1))
  }

  /** After every change of what is reserved or measured. */
  reindex(row: number): void {
    if (this.#indexed === this.ring.epoch) this.#index(row, this.ring.positionOf[row]!)
  }

  /** Brings ring and indexes up to date; before every decision. */
  settle(): void {
    this.ring.settle(this.names)
    if (this.#indexed === this.ring.epoch) return
    this.#indexed = this.ring.epoch
    for (const index of [this.freeness, this.loads, this.#cpuRoom, this.#memoryRoom]) index.reset(this.ring.length)
    for (let position = 0; position < this.ring.length; position++) this.#index(this.ring.rowAt[position]!, position)
  }

  /** Takes out of a set what certainly has too little; what is left has to be asked. */
  keepRoomy(mask: Bits, cpuMilli: number, memoryBytes: number): void {
    this.#cpuRoom.keep(mask, cpuMilli)
    this.#memoryRoom.keep(mask, memoryBytes / mebibyte)
  }

  /** Measured use and what was placed since, in thousandths of the node. */
  load(row: number): number {
    const cpuMilli = this.classes[this.classOf[row]!]!.cpuMilli
    if (cpuMilli === 0) return Number.POSITIVE_INFINITY
    return ((this.specs[row]?.measuredCpuMilli ?? 0) + this.placedMilli[row]!) / cpuMilli
  }

  isOverCommitted(row: number): boolean {
    // Where cores have owners, their ledger says it: the sum of oversold fragments may exceed what the node has.
    const bound = this.classes[this.classOf[row]!]!.rule.cpu === 'bound'
    const cpu = bound ? this.cores.conflicts[row]! > 0 : this.cpuFree[row]! < 0
    return cpu || this.memoryFree[row]! < 0 || this.diskFree[row]! < 0
  }

  clone(): NodeTable {
    const copy = new NodeTable()
    copy.names.push(...this.names)
    copy.specs.push(...this.specs)
    for (const [name, row] of this.rowOf) copy.rowOf.set(name, row)
    for (const [group, rule] of this.rules) copy.rules.set(group, rule)
    copy.classes.push(...this.classes)
    for (const [key, id] of this.#classIds) copy.#classIds.set(key, id)
    copy.#spare = [...this.#spare]
    for (const key of intColumns) copy[key] = this[key].slice()
    for (const key of floatColumns) copy[key] = this[key].slice()
    copy.#scoreCpu = this.#scoreCpu.slice()
    copy.#scoreMemory = this.#scoreMemory.slice()
    // Its indexes are made when they are asked for.
    return Object.assign(copy, {
      ring: this.ring.clone(),
      cores: this.cores.clone(),
      resources: this.resources.clone(),
    })
  }

  #index(row: number, position: number): void {
    const bound = this.cores.length[row]! > 0
    this.freeness.set(position, this.stepOf(row))
    this.loads.set(position, Math.min(steps - 1, Math.floor(this.load(row) * (steps / 2))))
    this.#cpuRoom.set(position, bound ? this.cores.most(row) : this.cpuFree[row]!)
    this.#memoryRoom.set(position, this.memoryFree[row]! / mebibyte)
  }

  #reserveUnbound(row: number, sign: 1 | -1, cpuMilli: number): void {
    this.unbound[row] = this.unbound[row]! + sign
    this.floatingMilli[row] = this.floatingMilli[row]! + sign * cpuMilli
    this.cores.keep[row] = keepFor(this.unbound[row]!, this.floatingMilli[row]!)
  }

  #intern(rule: GroupRule, spec: BooksNode | undefined): number {
    const { cpuMilli = 0, memoryBytes = 0, speedMilli = 1000 } = spec ?? {}
    const key = `${rule.cpu} ${rule.shareBase} ${rule.maxSharedCores} ${rule.oversellMilli} ${speedMilli} ${cpuMilli} ${memoryBytes}`
    const known = this.#classIds.get(key)
    if (known !== undefined) return known
    const id = this.classes.length
    this.classes.push({ id, rule, speedMilli, cpuMilli, memoryBytes })
    this.#classIds.set(key, id)
    return id
  }

  #ensure(rows: number): void {
    for (const key of intColumns) this[key] = grown(this[key], rows)
    for (const key of floatColumns) this[key] = grown(this[key], rows)
    this.#scoreCpu = grown(this.#scoreCpu, rows)
    this.#scoreMemory = grown(this.#scoreMemory, rows)
    this.cores.ensureRows(rows)
  }
}

const intColumns = [
  'classOf',
  'cpuFree',
  'slots',
  'instances',
  'first',
  'unbound',
  'floatingMilli',
  'placedMilli',
  'placedEarlierMilli',
] as const
const floatColumns = ['memoryFree', 'diskFree'] as const

const scoreOf = (amount: number, phantom: number): number => (amount === 0 ? phantom : amount)

function freeShareOf(on: NodeClass, cpuMilli: number, memoryBytes: number): number {
  const cpu = on.cpuMilli > 0 ? (on.cpuMilli - cpuMilli) / on.cpuMilli : 0
  const memory = on.memoryBytes > 0 ? (on.memoryBytes - memoryBytes) / on.memoryBytes : 0
  return Math.max(0, Math.min(cpu, memory))
}

const noLayout = { numbers: [], numa: [] }

/** Instances without cores need at least one that nobody owns whole, and as many as they reserve. */
export const keepFor = (unbound: number, floatingMilli: number): number =>
  unbound === 0 ? 0 : Math.max(1, Math.ceil(floatingMilli / 1000))

function layoutOf(spec: BooksNode): { numbers: number[]; numa: number[] } {
  if (spec.numa === undefined) {
    const numbers = Array.from({ length: Math.floor(spec.cpuMilli / 1000) }, (_, core) => core)
    return { numbers, numa: numbers.map(() => 0) }
  }
  return { numbers: spec.numa.flat(), numa: spec.numa.flatMap((cores, index) => cores.map(() => index)) }
}
