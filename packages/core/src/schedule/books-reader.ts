import { bookingOf, instancesOn } from './bookkeeping.ts'
import { type CoreMapEntry, coreMap } from './core-map.ts'
import { formatCoreList } from './core-text.ts'
import type { Booking } from './instance-request.ts'
import { nodeDigest } from './node-digest.ts'
import { type NodeRoom, reservedIn, roomOn } from './node-room.ts'
import type { Tables } from './tables.ts'

/** What the books say. */
export class BooksReader {
  protected readonly tables: Tables

  constructor(tables: Tables) {
    this.tables = tables
  }

  /** Also of nodes that are only known because instances are recorded on them. */
  get nodeCount(): number {
    return this.tables.nodes.count
  }

  get instanceCount(): number {
    return this.tables.instances.count
  }

  hasNode(name: string): boolean {
    const row = this.tables.nodes.rowOf.get(name)
    return row !== undefined && this.tables.nodes.specs[row] !== undefined
  }

  /** More is given out there than it has (it has shrunk, or claims said so): nothing new is placed on it. */
  isOverCommitted(name: string): boolean {
    const row = this.tables.nodes.rowOf.get(name)
    return row !== undefined && this.tables.nodes.isOverCommitted(row)
  }

  booking(id: string): Booking | undefined {
    const row = this.tables.instances.rowOf.get(id)
    return row === undefined ? undefined : bookingOf(this.tables, row)
  }

  /** In the order of their names. */
  instancesOn(node: string): string[] {
    const row = this.tables.nodes.rowOf.get(node)
    if (row === undefined) return []
    return instancesOn(this.tables, row)
      .map((each) => this.tables.instances.ids[each]!)
      .sort()
  }

  nodeNames(): string[] {
    return [...this.tables.nodes.rowOf.keys()].filter((name) => this.hasNode(name))
  }

  /** What is reserved on the nodes of a group, whoever it is for. */
  reservedIn(group: string): { readonly cpuMilli: number; readonly memoryBytes: number } {
    return reservedIn(this.tables, group)
  }

  /** The used share of what a node has least of, 0 … 1. */
  fullness(node: string): number {
    const row = this.tables.nodes.rowOf.get(node)
    return row === undefined ? 0 : 1 - this.tables.nodes.freeShare(row)
  }

  /** What is left on a node; undefined: no such node. */
  freeOn(node: string): NodeRoom | undefined {
    const row = this.tables.nodes.rowOf.get(node)
    return row === undefined ? undefined : roomOn(this.tables, row)
  }

  /** Cores of a node of a bound group that nobody owns whole, as a cpuset: where instances without cores of their own run. */
  unownedCores(node: string): string {
    const row = this.tables.nodes.rowOf.get(node)
    return row === undefined ? '' : formatCoreList(this.tables.nodes.cores.unowned(row))
  }

  /** Who has which core of a node of a bound group. */
  coreMap(node: string): CoreMapEntry[] {
    const row = this.tables.nodes.rowOf.get(node)
    return row === undefined ? [] : coreMap(this.tables, row)
  }

  /** Changes when what the node is or what is given out there changes; undefined: no such node. */
  nodeDigest(node: string): string | undefined {
    return nodeDigest(this.tables, node)
  }
}
