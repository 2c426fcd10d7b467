import type { RequestRow, RouteTable } from '@berth/core'
import type { Gateway } from '../gateway/gateway.ts'
import { RequestTotals } from '../gateway/request-totals.ts'

const everyMs = 2_000
/** Workers answer between requests: with many members, which take more than one answer to tell of, they are not asked all the time. */
const shareOfTime = 0.05
const forgetEveryMs = 60_000

export interface ReadOptions {
  /** In force, as far as it is known. */
  readonly table: RouteTable | undefined
  readonly signal: AbortSignal
}

/** Reads a gateway's counters every 2 seconds at most. Only what has changed travels, except after a reading that failed. */
export class RequestReader {
  readonly #totals = new RequestTotals()
  readonly #now: () => number
  #notBefore = Number.NEGATIVE_INFINITY
  #forgetAt: number
  #isAllWanted = true

  constructor(now: () => number = () => performance.now()) {
    this.#now = now
    this.#forgetAt = now() + forgetEveryMs
  }

  /** All that is known, with what it was when it was read last. */
  get rows(): RequestRow[] {
    return this.#totals.all()
  }

  /** Rows that have changed; undefined when it is too early to ask. Throws what the gateway throws. */
  async read(gateway: Pick<Gateway, 'counts'>, { table, signal }: ReadOptions): Promise<RequestRow[] | undefined> {
    const startedAt = this.#now()
    if (startedAt < this.#notBefore) return undefined
    const isAllWanted = this.#isAllWanted
    this.#isAllWanted = true
    const counts = await gateway.counts({ signal, changed: isAllWanted ? 'anew' : 'since' })
    this.#isAllWanted = !counts.isComplete
    const now = this.#now()
    this.#notBefore = startedAt + Math.max(counts.hasMore ? 0 : everyMs, (now - startedAt) / shareOfTime)
    if (now >= this.#forgetAt && table !== undefined) {
      this.#forgetAt = now + forgetEveryMs
      const members = instancesOf(table)
      this.#totals.forget((instance) => members.has(instance), now)
    }
    return this.#totals.take(counts, now)
  }
}

const instancesOf = (table: RouteTable): ReadonlySet<string> =>
  new Set(table.routes.flatMap(({ targets }) => targets.flatMap(({ members }) => members.map((each) => each.instance))))
