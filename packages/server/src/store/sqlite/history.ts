import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { Change, KeyValue, ListResult, WatchBatch } from '../store.ts'
import { compactedError, futureRevisionError } from '../store-error.ts'
import { compareKeys, endOfPrefix } from './key-range.ts'
import type { ListRequest, ScanAnswer, ScanRequest } from './protocol.ts'

/** A row of `changes`. Without value it is a deletion. */
export interface Row {
  readonly id: number
  readonly revision: number
  readonly key: string
  readonly value: string | null
  readonly createRevision: number
  readonly version: number
  readonly lease: string | null
  readonly previous: number | null
}

/** What a write asks of a key's newest row: all but its value, which may be long. */
export interface RowMark {
  readonly id: number
  readonly revision: number
  readonly createRevision: number
  readonly version: number
  /** 0: it is a deletion. */
  readonly isLive: number
}

/** Bounds of one answer, so that neither a long history nor large values hold up the commits behind it. */
const scanRevisions = 2_000
const scanRows = 2_000
const answerBytes = 4 * 1_048_576

/** Reads states and changes. Its counters are the store's: the writer moves them on. */
export class History {
  revision: number
  compactedRevision: number
  readonly #current: StatementSync
  readonly #mark: StatementSync
  readonly #currentBelow: StatementSync
  readonly #byId: StatementSync
  readonly #changes: StatementSync

  constructor(database: DatabaseSync) {
    this.revision = numberOf(database, 'SELECT coalesce(max(revision), 1) AS n FROM changes')
    this.compactedRevision = numberOf(database, "SELECT value AS n FROM meta WHERE name = 'compacted'")
    this.#current = database.prepare('SELECT c.* FROM keys k CROSS JOIN changes c ON c.id = k.change WHERE k.key = ?')
    this.#mark = database.prepare(
      `SELECT c.id, c.revision, c.createRevision, c.version, c.value IS NOT NULL AS isLive
       FROM keys k CROSS JOIN changes c ON c.id = k.change WHERE k.key = ?`,
    )
    this.#currentBelow = database.prepare(
      'SELECT c.* FROM keys k CROSS JOIN changes c ON c.id = k.change WHERE k.key >= ? AND k.key < ? ORDER BY k.key',
    )
    this.#byId = database.prepare('SELECT * FROM changes WHERE id = ?')
    this.#changes = database.prepare(
      `SELECT * FROM changes INDEXED BY changes_by_revision
       WHERE revision >= ? AND revision <= ? AND key >= ? AND key < ? ORDER BY revision, id`,
    )
  }

  /** Of the newest row of the key, a deletion too. */
  mark(key: string): RowMark | undefined {
    return this.#mark.get(key) as unknown as RowMark | undefined
  }

  get(key: string): KeyValue | undefined {
    return liveOf(this.#current.get(key) as unknown as Row | undefined)
  }

  *below(prefix: string, from = prefix): Generator<Row> {
    yield* this.#currentBelow.iterate(from, endOfPrefix(prefix)) as unknown as Iterable<Row>
  }

  list({ prefix, limit, after, revision = this.revision }: ListRequest): ListResult {
    this.checkReadable(`list ${prefix}`, revision)
    const items: KeyValue[] = []
    let bytes = 0
    for (const newest of this.below(prefix, firstAfter(after, prefix))) {
      const kv = liveOf(this.#at(newest, revision))
      if (!kv) continue
      const last = items.at(-1)
      if (last && (items.length >= limit || bytes >= answerBytes)) return { items, revision, next: last.key }
      items.push(kv)
      bytes += kv.key.length + kv.value.length
    }
    return { items, revision }
  }

  /** Whole revisions from `from` on, as many as fit in an answer and at least one. */
  scan({ prefix, from, to }: ScanRequest): ScanAnswer {
    this.checkReadable(`watch ${prefix}`, from)
    const end = Math.min(to, from + scanRevisions - 1)
    const batches: WatchBatch[] = []
    let changes: Change[] = []
    let rows = 0
    let bytes = 0
    for (const row of this.#changes.iterate(from, end, prefix, endOfPrefix(prefix)) as unknown as Iterable<Row>) {
      const current = batches.at(-1)
      if (current?.revision !== row.revision) {
        if (current && (rows >= scanRows || bytes >= answerBytes)) return { batches, through: current.revision }
        changes = []
        batches.push({ revision: row.revision, changes })
      }
      changes.push(this.changeOf(row))
      rows += 1
      bytes += row.key.length + (row.value?.length ?? 0)
    }
    return { batches, through: end }
  }

  /** The row as watchers see it, with what it replaced as long as that is not compacted. */
  changeOf(row: Row): Change {
    const previous = row.previous === null ? undefined : liveOf(this.#row(row.previous))
    const change = plainChangeOf(row)
    return previous ? { ...change, previous } : change
  }

  checkReadable(what: string, revision: number): void {
    if (revision < this.compactedRevision) throw compactedError(what, revision, this.compactedRevision)
    if (revision > this.revision) throw futureRevisionError(what, revision, this.revision)
  }

  /** Walks back to the row that was the newest at `revision`. A row that compaction took was a deletion or is not asked for. */
  #at(newest: Row, revision: number): Row | undefined {
    let row: Row | undefined = newest
    while (row && row.revision > revision) row = row.previous === null ? undefined : this.#row(row.previous)
    return row
  }

  #row(id: number): Row | undefined {
    return this.#byId.get(id) as unknown as Row | undefined
  }
}

/** The row as watchers see it who do not ask what it replaced. */
export function plainChangeOf(row: Row): Change {
  const kv = liveOf(row)
  return kv ? { type: 'put', kv } : { type: 'delete', key: row.key, modRevision: row.revision }
}

export function liveOf(row: Row | undefined): KeyValue | undefined {
  if (!row || row.value === null) return undefined
  const { key, value, createRevision, revision: modRevision, version, lease } = row
  const kv = { key, value, createRevision, modRevision, version }
  return lease === null ? kv : { ...kv, lease }
}

/** NUL cannot be part of a key, so `after` followed by it sorts right after `after`. */
const firstAfter = (after: string | undefined, prefix: string): string =>
  after === undefined || compareKeys(after, prefix) < 0 ? prefix : `${after}\0`

export const numberOf = (database: DatabaseSync, query: string): number => Number(database.prepare(query).get()?.n)
