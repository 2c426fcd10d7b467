import { randomBytes } from 'node:crypto'
import { BerthError } from '@berth/core'
import type { Store, TransactionResult } from '../store/store.ts'
import { createEventIds } from './event-id.ts'
import { type CommitGuard, RecordTransaction, type TransactionContext } from './record-transaction.ts'
import type { State } from './state.ts'

export interface CommitOptions {
  readonly signal?: AbortSignal
}

export interface Committed<T> {
  readonly revision: number
  readonly value: T
}

const maxAttempts = 8

export interface RecordsOptions {
  readonly now?: () => number
  readonly processTag?: string
}

/** The one way to write records. */
export class Records {
  readonly state: State
  readonly #store: Store
  readonly #context: TransactionContext

  constructor(store: Store, state: State, options: RecordsOptions | TransactionContext = {}) {
    this.state = state
    this.#store = store
    this.#context = 'nextEventId' in options ? options : contextOf(state, options)
  }

  /**
   * The same for who may write only for a time: every commit compares with the guard, so that none is accepted once somebody else has
   * taken over, and throws what the guard throws from then on.
   */
  guardedBy(guard: CommitGuard): Records {
    return new Records(this.#store, this.state, { ...this.#context, guard })
  }

  /**
   * Runs `decide`, commits what it wrote and returns once the state shows it. When a compare failed, it waits for the state to
   * catch up and decides again, so `decide` must read everything it relies on from the state, synchronously, and may throw to
   * write nothing. Throws `record.conflict` (retryable) when others win time after time. A decision that writes nothing
   * commits nothing.
   */
  async commit<T>(
    actor: string,
    decide: (tx: RecordTransaction) => T,
    options: CommitOptions = {},
  ): Promise<Committed<T>> {
    for (let attempt = 1; attempt <= maxAttempts; attempt += 1) {
      options.signal?.throwIfAborted()
      this.#context.guard?.check()
      const tx = this.begin(actor)
      const value = decide(tx)
      if (tx.isEmpty) return { revision: this.state.revision, value }
      const result = await this.#store.commit(tx.build(), options)
      await this.state.waitFor(result.revision, options)
      if (result.ok) return { revision: result.revision, value }
    }
    throw new BerthError(
      'record.conflict',
      `a change by ${actor} lost against others ${maxAttempts} times in a row; try again`,
      { retryable: true },
    )
  }

  /** For callers that decide themselves what to do on a conflict: fill it, then {@link tryCommit}. */
  begin(actor: string): RecordTransaction {
    return new RecordTransaction(actor, this.#context)
  }

  /** Commits once; false when a compare failed. Either way the state has seen the outcome on return. */
  async tryCommit(tx: RecordTransaction, options: CommitOptions = {}): Promise<boolean> {
    return (await this.attempt(tx, options)).ok
  }

  /** {@link tryCommit}, with the revision. */
  async attempt(tx: RecordTransaction, options: CommitOptions = {}): Promise<TransactionResult> {
    if (tx.isEmpty) return { ok: true, revision: this.state.revision }
    const result = await this.#store.commit(tx.build(), options)
    await this.state.waitFor(result.revision, options)
    return result
  }
}

const contextOf = (state: State, { now, processTag }: RecordsOptions): TransactionContext => ({
  state,
  now: now ?? Date.now,
  nextEventId: createEventIds(processTag ?? randomBytes(3).toString('hex')),
})
