import type { InstanceStatus } from '@berth/core'

type Reports = Map<string, InstanceStatus>

export interface ReportBatch {
  readonly statuses: readonly InstanceStatus[]
  readonly nodes: readonly string[]
}

/**
 * What agents have reported and nobody has taken yet; of several statuses of one instance on one node the last. While a batch is out,
 * what its nodes report waits until it is back, so that one node's reports are never written beside each other.
 */
export class ReportQueue {
  /** By node, in the order in which they came. */
  readonly #waiting = new Map<string, Reports>()
  /** Of nodes with a batch that is out: what has come meanwhile, and what it had no room for. */
  readonly #held = new Map<string, Reports>()
  #size = 0

  /** So many could be taken now. */
  get size(): number {
    return this.#size
  }

  get isEmpty(): boolean {
    return this.#size === 0 && this.#held.size === 0
  }

  add(node: string, statuses: readonly InstanceStatus[]): void {
    const reports = this.#reportsOf(node)
    const before = reports.size
    for (const status of statuses) reports.set(status.id, { ...status, node })
    if (!this.#held.has(node)) this.#size += reports.size - before
  }

  /** Those of a batch that could not be written: what has come meanwhile is newer. Before {@link back}. */
  putBack(statuses: readonly InstanceStatus[]): void {
    for (const status of statuses) {
      const reports = this.#reportsOf(status.node)
      if (!reports.has(status.id)) reports.set(status.id, status)
    }
  }

  /** At most so many, of those who wait longest. */
  take(most: number): ReportBatch {
    const statuses: InstanceStatus[] = []
    const nodes: string[] = []
    for (const [node, reports] of this.#waiting) {
      if (statuses.length === most) break
      this.#waiting.delete(node)
      this.#size -= reports.size
      this.#held.set(node, reports)
      nodes.push(node)
      for (const [id, status] of reports) {
        if (statuses.length === most) break
        reports.delete(id)
        statuses.push(status)
      }
    }
    return { statuses, nodes }
  }

  /** The batch is written, or given up. */
  back({ nodes }: ReportBatch): void {
    for (const node of nodes) {
      const reports = this.#held.get(node)
      this.#held.delete(node)
      if (reports === undefined || reports.size === 0) continue
      this.#waiting.set(node, reports)
      this.#size += reports.size
    }
  }

  #reportsOf(node: string): Reports {
    const held = this.#held.get(node)
    if (held !== undefined) return held
    const waiting = this.#waiting.get(node) ?? new Map<string, InstanceStatus>()
    this.#waiting.set(node, waiting)
    return waiting
  }
}
