import type { Answer, Query } from './consul-call.ts'
import type { Outgoing, Reply } from './consul-exchange.ts'
import { Deadlines } from './deadlines.ts'
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
}

interface Waiter {
  readonly reply: Reply
  readonly form: string
  readonly group: Group
  /** Of {@link Deadlines}. */
  due: number
}

/** All who ask the same and know the same. */
interface Group {
  readonly query: Query
  readonly known: Answer
  readonly waiters: Set<Waiter>
  stop: () => void
}

/**
 * So many answers are written before other things get their turn: some forty milliseconds. Fewer are no kindness: whoever has its answer asks
 * again at once, and each turn that others get holds up those who have none yet.
 */
const answersAtOnce = 4_000

/**
 * Calls that wait for another answer than they know. Those who ask the same are one group, which is looked at once a change, and gets one
 * answer, encoded once. Thousands are answered in slices, and what is sent is always what is true at that moment.
 */
export class WaitingCalls implements Disposable {
  readonly #options: WaitingCallsOptions
  readonly #groups = new Map<string, Group>()
  readonly #deadlines = new Deadlines<Waiter>((waiter) => this.#answer([waiter], waiter.group.query))
  readonly #waiting = new Set<Waiter>()

  constructor(options: WaitingCallsOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#waiting.size
  }

  /** The caller knows the answer as it is now; after `waitMs` it gets it again. */
  add(query: Query, form: string, reply: Reply, waitMs: number): void {
    const waiter: Waiter = { reply, form, group: this.#groupOf(query), due: 0 }
    waiter.due = this.#deadlines.add(waiter, waitMs)
    waiter.group.waiters.add(waiter)
    this.#waiting.add(waiter)
    reply.onGone(() => this.#forget(waiter))
  }

  /** All get what is. */
  end(): void {
    for (const { query, waiters } of [...this.#groups.values()]) this.#answer([...waiters], query)
    // Whose slice has not come yet.
    for (const waiter of [...this.#waiting]) this.#answer([waiter], waiter.group.query)
  }

  [Symbol.dispose](): void {
    this.#deadlines[Symbol.dispose]()
  }

  #groupOf(query: Query): Group {
    const { topics, read } = this.#options
    const { answer } = read(query)
    const found = this.#groups.get(query.key)
    if (found !== undefined) return found
    const group: Group = { query, known: answer, waiters: new Set(), stop: () => {} }
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
    this.#answerInSlices([...group.waiters], group.query, 0)
  }

  #answerInSlices(waiters: readonly Waiter[], query: Query, from: number): void {
    const end = from + answersAtOnce
    this.#answer(waiters.slice(from, end), query)
    if (end < waiters.length) setImmediate(() => this.#answerInSlices(waiters, query, end))
  }

  #answer(waiters: readonly Waiter[], query: Query): void {
    const result = this.#options.read(query)
    const written = new Map<string, Outgoing>()
    for (const waiter of waiters) {
      if (!this.#waiting.has(waiter)) continue
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
    if (!this.#waiting.delete(waiter)) return
    const { group, due } = waiter
    this.#deadlines.delete(waiter, due)
    group.waiters.delete(waiter)
    if (group.waiters.size > 0 || this.#groups.get(group.query.key) !== group) return
    this.#groups.delete(group.query.key)
    group.stop()
  }
}

/** Without its index: what counts is what it says. */
const isSame = (a: Answer, b: Answer): boolean =>
  a === b ||
  (a.status === b.status && (a.body === b.body || Buffer.compare(Buffer.from(a.body), Buffer.from(b.body)) === 0))
