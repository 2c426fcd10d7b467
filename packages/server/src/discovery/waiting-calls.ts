import type { Answer, Query } from './consul-call.ts'
import type { Outgoing, Reply } from './consul-exchange.ts'
import { Deadlines, type Due, takeOut } from './deadlines.ts'
import type { Topics } from './topics.ts'

export interface Result {
  readonly index: number
  readonly answer: Answer
}

export interface WaitingCallsOptions {
  readonly topics: Pick<Topics, 'next'>
  readonly read: (query: Query) => Result
  /** Equal forms of one result are sent as one {@link Outgoing}. */
  readonly write: (form: string, result: Result) => Outgoing
  /** Monotonic, in ms. */
  readonly now?: () => number
}

interface Waiter extends Due {
  readonly reply: Reply
  readonly form: string
  readonly group: Group
  /** Of the group's waiters. */
  at: number
  isOver: boolean
}

/** All who ask the same and know the same. */
interface Group {
  readonly query: Query
  readonly known: Answer
  /** Once it is told, those that are over stay where they are. */
  readonly waiters: Waiter[]
  /** When the telling of another answer began. */
  toldSince: number | undefined
  stop: () => void
}

/**
 * So many answers are written before other things get their turn: some forty milliseconds. Fewer are no kindness: each turn that others get holds
 * up those who have none yet.
 */
const answersAtOnce = 4_000

/**
 * Calls that wait for another answer than they know. Those who ask the same are one group, which is looked at once a change, and gets one
 * answer, encoded once. Thousands are answered in slices, and what is sent is always what is true at that moment.
 */
export class WaitingCalls implements Disposable {
  readonly #options: WaitingCallsOptions
  readonly #now: () => number
  /** By the keys of their queries. */
  readonly #groups = new Map<string, Group>()
  /** Those of which some have their answer and some have not, the oldest first. */
  readonly #telling = new Set<Group>()
  readonly #deadlines: Deadlines<Waiter>
  #size = 0

  constructor(options: WaitingCallsOptions) {
    this.#options = options
    this.#now = options.now ?? (() => performance.now())
    this.#deadlines = new Deadlines<Waiter>((waiter) => this.#answer([waiter], waiter.group.query), this.#now)
  }

  get size(): number {
    return this.#size
  }

  /** Since when answers of one change are written of which some are still to come; undefined: there are none. */
  get tellingSince(): number | undefined {
    for (const { toldSince } of this.#telling) return toldSince
    return undefined
  }

  /** The caller knows the answer as it is now; after `waitMs` it gets it again. */
  add(query: Query, form: string, reply: Reply, waitMs: number): void {
    const group = this.#groupOf(query)
    const waiter: Waiter = { reply, form, group, at: group.waiters.length, isOver: false, dueTick: 0, dueAt: 0 }
    group.waiters.push(waiter)
    this.#size += 1
    this.#deadlines.add(waiter, waitMs)
    reply.onGone(() => this.#forget(waiter))
  }

  /** All get what is. */
  end(): void {
    for (const { query, waiters } of [...this.#telling, ...this.#groups.values()]) this.#answer([...waiters], query)
  }

  [Symbol.dispose](): void {
    this.#deadlines[Symbol.dispose]()
  }

  #groupOf(query: Query): Group {
    const { topics, read } = this.#options
    const { answer } = read(query)
    const found = this.#groups.get(query.key)
    if (found !== undefined) return found
    const group: Group = { query, known: answer, waiters: [], toldSince: undefined, stop: () => {} }
    group.stop = topics.next(query.topic, () => this.#look(group))
    this.#groups.set(query.key, group)
    return group
  }

  /** Its topic was touched. */
  #look(group: Group): void {
    const { topics, read } = this.#options
    if (this.#groups.get(group.query.key) !== group) return
    if (isSame(read(group.query).answer, group.known)) {
      group.stop = topics.next(group.query.topic, () => this.#look(group))
      return
    }
    this.#groups.delete(group.query.key)
    group.toldSince = this.#now()
    this.#telling.add(group)
    this.#tell(group, 0)
  }

  #tell(group: Group, from: number): void {
    const end = from + answersAtOnce
    let isTold = true
    try {
      this.#answer(group.waiters.slice(from, end), group.query)
      isTold = end >= group.waiters.length
    } finally {
      if (isTold) this.#telling.delete(group)
    }
    if (!isTold) setImmediate(() => this.#tell(group, end))
  }

  #answer(waiters: readonly Waiter[], query: Query): void {
    const result = this.#options.read(query)
    const written = new Map<string, Outgoing>()
    for (const waiter of waiters) {
      if (waiter.isOver) continue
      this.#forget(waiter)
      let outgoing = written.get(waiter.form)
      if (outgoing === undefined) {
        outgoing = this.#options.write(waiter.form, result)
        written.set(waiter.form, outgoing)
      }
      waiter.reply.send(outgoing)
    }
  }

  #forget(waiter: Waiter): void {
    if (waiter.isOver) return
    waiter.isOver = true
    this.#size -= 1
    this.#deadlines.delete(waiter)
    const { group } = waiter
    if (group.toldSince !== undefined) return
    takeOut(group.waiters, waiter.at, moveTo)
    if (group.waiters.length > 0 || this.#groups.get(group.query.key) !== group) return
    this.#groups.delete(group.query.key)
    group.stop()
  }
}

const moveTo = (waiter: Waiter, at: number): void => {
  waiter.at = at
}

/** Without its index: what counts is what it says. */
const isSame = (a: Answer, b: Answer): boolean =>
  a === b ||
  (a.status === b.status && (a.body === b.body || Buffer.compare(Buffer.from(a.body), Buffer.from(b.body)) === 0))
