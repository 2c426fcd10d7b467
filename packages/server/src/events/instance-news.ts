import { messageOf } from '@berth/core'
import type { Logger } from 'pino'
import { type EventDraft, poolId, type Records, type RecordTransaction } from '../records/index.ts'

export interface InstanceNewsOptions {
  readonly records: Records
  readonly log: Logger
  readonly now?: () => number
  /** So many a second get events of their own, and after a quiet time twice as many at once. */
  readonly perSecond?: number
  readonly summaryMs?: number
}

const defaultPerSecond = 100
const defaultSummaryMs = 1_000
const eventsPerCommit = 90

/** How often what has happened in a pool: `created`, `started`. */
type Counts = Map<string, number>

/**
 * What instances go through every day: they are created, start and are ready. Each is told by an event, as long as there are not more of
 * them than anybody could read; of the others each pool is told once a second how many there were.
 */
export class InstanceNews implements AsyncDisposable {
  readonly #options: InstanceNewsOptions
  readonly #now: () => number
  readonly #perSecond: number
  readonly #pools = new Map<string, Counts>()
  readonly #closing = new AbortController()
  #left: number
  #leftAt: number
  #timer: NodeJS.Timeout | undefined
  #writing: Promise<void> = Promise.resolve()

  constructor(options: InstanceNewsOptions) {
    this.#options = options
    this.#now = options.now ?? Date.now
    this.#perSecond = options.perSecond ?? defaultPerSecond
    this.#left = this.#perSecond * 2
    this.#leftAt = this.#now()
  }

  /** For one attempt to commit. */
  begin(tx: RecordTransaction): NewsOfCommit {
    return new NewsOfCommit(
      tx,
      () => this.#takeOne(),
      (drafts) => this.#count(drafts),
    )
  }

  /** What has been counted is written. */
  async settled(): Promise<void> {
    this.#summarize()
    await this.#writing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.settled()
    this.#closing.abort()
  }

  #takeOne(): boolean {
    const now = this.#now()
    const earned = (Math.max(0, now - this.#leftAt) * this.#perSecond) / 1000
    this.#left = Math.min(this.#perSecond * 2, this.#left + earned)
    this.#leftAt = now
    if (this.#left < 1) return false
    this.#left -= 1
    return true
  }

  #count(drafts: readonly EventDraft[]): void {
    for (const { type, subject } of drafts) {
      const pool = poolId(subject.app ?? '', subject.pool ?? '')
      const counts = this.#pools.get(pool) ?? new Map<string, number>()
      this.#pools.set(pool, counts)
      const what = type.slice(type.indexOf('.') + 1)
      counts.set(what, (counts.get(what) ?? 0) + 1)
    }
    if (drafts.length > 0)
      this.#timer ??= setTimeout(() => this.#summarize(), this.#options.summaryMs ?? defaultSummaryMs).unref()
  }

  #summarize(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const drafts = [...this.#pools].map(([pool, counts]) => summaryOf(pool, counts))
    this.#pools.clear()
    if (drafts.length > 0) this.#writing = this.#writing.then(() => this.#write(drafts))
  }

  async #write(drafts: readonly EventDraft[]): Promise<void> {
    const { records, log } = this.#options
    try {
      for (let from = 0; from < drafts.length; from += eventsPerCommit)
        await records.commit(
          'system:events',
          (tx) => {
            for (const draft of drafts.slice(from, from + eventsPerCommit)) tx.event(draft)
          },
          { signal: this.#closing.signal },
        )
    } catch (error) {
      log.warn({ err: error }, `tell how many instances have changed: ${messageOf(error)}`)
    }
  }
}

/** The news of one transaction: written with it, or counted once it is committed. */
export class NewsOfCommit {
  readonly #tx: RecordTransaction
  readonly #takeOne: () => boolean
  readonly #count: (drafts: readonly EventDraft[]) => void
  readonly #drafts: EventDraft[] = []

  constructor(tx: RecordTransaction, takeOne: () => boolean, count: (drafts: readonly EventDraft[]) => void) {
    this.#tx = tx
    this.#takeOne = takeOne
    this.#count = count
  }

  tell(draft: EventDraft): void {
    if (this.#takeOne()) this.#tx.event(draft)
    else this.#drafts.push(draft)
  }

  /** The transaction is committed. */
  committed(): void {
    this.#count(this.#drafts)
  }
}

function summaryOf(pool: string, counts: Counts): EventDraft {
  const [app = '', name = ''] = pool.split('/')
  const parts = [...counts].map(([what, count]) => `${count} ${what}`)
  return { type: 'pool.instances', subject: { app, pool: name }, message: `${pool}: instances: ${parts.join(', ')}` }
}
