import type { DatabaseSync } from 'node:sqlite'
import type { WatchBatch } from '../store.ts'
import { isStoreError, type StoreError } from '../store-error.ts'
import type { History } from './history.ts'
import type { CommitAnswer, CommitEntry, CommitOutcome } from './protocol.ts'
import { fromSqlite, isFatal, serializeError } from './sqlite-error.ts'
import type { Writer } from './writer.ts'

/**
 * Writes many transactions with one fsync. Members are independent: each has its own compares, revision and outcome. When
 * SQLite fails for the group (say one member too many for the disk), nothing of it was written, and each member is tried
 * alone.
 */
export class GroupCommit {
  readonly #database: DatabaseSync
  readonly #history: History
  readonly #writer: Writer
  readonly #path: string

  constructor(database: DatabaseSync, history: History, writer: Writer, path: string) {
    this.#database = database
    this.#history = history
    this.#writer = writer
    this.#path = path
  }

  /** `previous`: changes tell what they replaced. Throws only what is fatal for the store. */
  run(entries: readonly CommitEntry[], previous: boolean): CommitAnswer {
    try {
      return this.#attempt(entries, previous)
    } catch (thrown) {
      const error = fromSqlite(thrown, 'commit', this.#path)
      if (isFatal(error)) throw error
      if (entries.length === 1) return this.#answer([{ error: serializeError(error) }], [])
    }
    const answers = entries.map((entry) => this.run([entry], previous))
    return this.#answer(
      answers.flatMap((answer) => answer.outcomes),
      answers.flatMap((answer) => answer.batches),
    )
  }

  #attempt(entries: readonly CommitEntry[], previous: boolean): CommitAnswer {
    const mark = this.#writer.mark()
    const outcomes: CommitOutcome[] = []
    const batches: WatchBatch[] = []
    this.#database.exec('BEGIN IMMEDIATE')
    try {
      for (const entry of entries) {
        const { outcome, changes } = this.#applyOrRefuse(entry, previous)
        outcomes.push(outcome)
        if (changes.length > 0) batches.push({ revision: this.#history.revision, changes })
      }
      this.#database.exec('COMMIT')
    } catch (error) {
      this.#writer.reset(mark)
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK') // on some errors SQLite already did
      throw error
    }
    return this.#answer(outcomes, batches)
  }

  #applyOrRefuse(entry: CommitEntry, previous: boolean): ReturnType<Writer['apply']> {
    try {
      return this.#writer.apply(entry, previous)
    } catch (error) {
      if (!isStoreError(error)) throw error
      return { outcome: { error: serializeError(error as StoreError) }, changes: [] }
    }
  }

  #answer(outcomes: readonly CommitOutcome[], batches: readonly WatchBatch[]): CommitAnswer {
    return { outcomes, batches, revision: this.#history.revision }
  }
}
