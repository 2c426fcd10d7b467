import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { futureRevisionError } from '../store-error.ts'
import { type History, numberOf, type Row } from './history.ts'

/** Bounds of one slice, the longest that a commit waits for it. */
const sliceRows = 500
const sliceMs = 5

type LogRow = Pick<Row, 'id' | 'revision' | 'key' | 'previous'> & { readonly deleted: 0 | 1 }

interface Waiter {
  readonly revision: number
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/**
 * Compaction: first the new limit is written, so that reads below it fail from then on; then the log is followed from where
 * the last compaction ended, and of every row in it the one that it replaced is dropped, in slices between which commits go
 * on. Its work is the number of changes since, not the size of the store. A restart goes on from `pruned`.
 *
 * Kept: for every key its newest row at or below the limit, unless that is a deletion from before the limit.
 */
export class Pruning {
  readonly #database: DatabaseSync
  readonly #history: History
  readonly #setMeta: StatementSync
  readonly #slice: StatementSync
  readonly #deleteRow: StatementSync
  readonly #forgetKey: StatementSync
  #pruned: number
  /** Of the run under way: its limit stays until its end, while a higher one waits for the next run. */
  #limit = 0
  #lastId = 0
  #waiters: Waiter[] = []
  #running = false
  #stopped = false

  constructor(database: DatabaseSync, history: History) {
    this.#database = database
    this.#history = history
    this.#pruned = numberOf(database, "SELECT value AS n FROM meta WHERE name = 'pruned'")
    this.#setMeta = database.prepare('UPDATE meta SET value = ? WHERE name = ?')
    this.#slice = database.prepare(
      `SELECT id, revision, key, value IS NULL AS deleted, previous FROM changes INDEXED BY changes_by_revision
       WHERE revision >= ? AND revision <= ? AND id > ? ORDER BY revision, id LIMIT ${sliceRows}`,
    )
    this.#deleteRow = database.prepare('DELETE FROM changes WHERE id = ?')
    this.#forgetKey = database.prepare('DELETE FROM keys WHERE key = ? AND change = ?')
  }

  /** Resolves when nothing older than `revision` is left. */
  async compact(revision: number): Promise<void> {
    if (revision > this.#history.revision) throw futureRevisionError('compact', revision, this.#history.revision)
    if (revision > this.#history.compactedRevision) {
      this.#setMeta.run(revision, 'compacted')
      this.#history.compactedRevision = revision
    }
    if (this.#pruned >= revision) return
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#waiters.push({ revision, resolve, reject })
    this.start()
    return promise
  }

  /** Also called at opening, for what an earlier process left. */
  start(): void {
    if (this.#running || this.#pruned >= this.#history.compactedRevision) return
    this.#running = true
    setImmediate(() => this.#step())
  }

  stop(reason: unknown): void {
    this.#stopped = true
    for (const waiter of this.#waiters.splice(0)) waiter.reject(reason)
  }

  /** One slice, then whatever waits in the thread's queue, then the next. */
  #step(): void {
    this.#running = false
    if (this.#stopped) return
    try {
      if (this.#lastId === 0) this.#limit = this.#history.compactedRevision
      this.#pruneSlice(this.#limit)
    } catch (error) {
      for (const waiter of this.#waiters.splice(0)) waiter.reject(error)
      return
    }
    const done = this.#waiters.filter(({ revision }) => revision <= this.#pruned)
    this.#waiters = this.#waiters.filter(({ revision }) => revision > this.#pruned)
    for (const waiter of done) waiter.resolve()
    this.start()
  }

  #pruneSlice(limit: number): void {
    const rows = this.#slice.all(this.#pruned, limit, this.#lastId) as unknown as LogRow[]
    this.#database.exec('BEGIN IMMEDIATE')
    try {
      const last = this.#pruneRows(rows, limit)
      const end = last === undefined || (last === rows.at(-1) && rows.length < sliceRows)
      const pruned = end ? limit : last.revision
      this.#setMeta.run(pruned, 'pruned')
      this.#database.exec('COMMIT')
      this.#pruned = pruned
      // The rows of the limit's own revision are visited again next time: their deletions may be dropped only then.
      this.#lastId = end ? 0 : last.id
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK')
      throw error
    }
  }

  /** Returns the last row that it had time for: at least one, if there are any. */
  #pruneRows(rows: readonly LogRow[], limit: number): LogRow | undefined {
    const endMs = performance.now() + sliceMs
    for (const row of rows) {
      this.#pruneRow(row, limit)
      if (performance.now() > endMs) return row
    }
    return rows.at(-1)
  }

  #pruneRow({ id, revision, key, deleted, previous }: LogRow, limit: number): void {
    if (previous !== null) this.#deleteRow.run(previous)
    if (!deleted || revision >= limit) return
    this.#deleteRow.run(id)
    this.#forgetKey.run(key, id)
  }
}
