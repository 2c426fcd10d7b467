import { addRequests, noRequests, type RequestCounts, type RequestRow, requestsSince } from '@berth/core'
import type { WorkerCounts } from './gateway.ts'

const forgetAfterMs = 10 * 60_000

interface Total {
  readonly row: RequestRow & { readonly counts: number[] }
  changedAt: number
}

interface Seen {
  readonly instance: string
  readonly counts: RequestCounts
  readonly at: number
}

/**
 * What became of requests since the agent began to count, over all workers. Workers come and go, and each counts from 0: what one has counted
 * stays. Of one that dies, what it counted since it was asked last is not known.
 */
export class RequestTotals {
  readonly #totals = new Map<string, Total>()
  /** What each worker had counted when it was asked last. */
  #seen = new Map<number, Map<string, Seen>>()

  /** Returns the rows that have changed, with what they are now. */
  take({ isComplete, workers }: WorkerCounts, now: number): RequestRow[] {
    const changed = new Set<RequestRow>()
    for (const { pid, rows } of workers) {
      const seen = this.#seen.get(pid) ?? new Map<string, Seen>()
      this.#seen.set(pid, seen)
      for (const row of rows) {
        const before = seen.get(row.key)?.counts
        seen.set(row.key, { instance: row.instance, counts: row.counts, at: now })
        const more = before === undefined ? row.counts : (requestsSince(row.counts, before) ?? row.counts)
        if (more.some((count) => count > 0)) changed.add(this.#add(row, more, now))
      }
    }
    if (isComplete) this.#keepOnly(new Set(workers.map(({ pid }) => pid)))
    return [...changed]
  }

  all(): RequestRow[] {
    return [...this.#totals.values()].map(({ row }) => row)
  }

  /** Forgets instances that are not members any more and have served nothing for ten minutes; by then no worker has them. */
  forget(isMember: (instance: string) => boolean, now: number): void {
    const gone = (instance: string, at: number): boolean => now - at >= forgetAfterMs && !isMember(instance)
    for (const [key, { row, changedAt }] of this.#totals) if (gone(row.instance, changedAt)) this.#totals.delete(key)
    for (const seen of this.#seen.values())
      for (const [key, { instance, at }] of seen) if (gone(instance, at)) seen.delete(key)
  }

  #keepOnly(pids: ReadonlySet<number>): void {
    this.#seen = new Map([...this.#seen].filter(([pid]) => pids.has(pid)))
  }

  #add({ route, pool, instance }: RequestRow, more: RequestCounts, now: number): RequestRow {
    const key = JSON.stringify([route, pool, instance])
    const total = this.#totals.get(key) ?? { row: { route, pool, instance, counts: noRequests() }, changedAt: now }
    this.#totals.set(key, total)
    total.changedAt = now
    addRequests(total.row.counts, more)
    return total.row
  }
}
