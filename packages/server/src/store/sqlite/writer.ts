import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { Change, Compare, Lease, Operation, Transaction } from '../store.ts'
import { leaseNotFoundError } from '../store-error.ts'
import { type History, numberOf, plainChangeOf, type Row } from './history.ts'
import type { CommitEntry, CommitOutcome } from './protocol.ts'

export interface Written {
  readonly outcome: CommitOutcome
  readonly changes: readonly Change[]
}

/**
 * Applies the members of a group inside SQLite's open transaction. Each either writes nothing (compares that fail, a missing
 * lease: all checked before the first write) or all of its changes at one new revision.
 */
export class Writer {
  readonly #history: History
  readonly #insert: StatementSync
  readonly #point: StatementSync
  readonly #leaseExists: StatementSync
  readonly #insertLease: StatementSync
  readonly #deleteLease: StatementSync
  readonly #keysOfLease: StatementSync
  /** Ids only grow: the newest row is never compacted, so none is used twice even after a restart. */
  #nextId: number

  constructor(database: DatabaseSync, history: History) {
    this.#history = history
    this.#nextId = numberOf(database, 'SELECT coalesce(max(id), 0) + 1 AS n FROM changes')
    this.#insert = database.prepare(
      `INSERT INTO changes (id, revision, key, value, createRevision, version, lease, previous)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    )
    this.#point = database.prepare(
      `INSERT INTO keys (key, change, lease) VALUES (?, ?, ?)
       ON CONFLICT (key) DO UPDATE SET change = excluded.change, lease = excluded.lease`,
    )
    this.#leaseExists = database.prepare('SELECT 1 FROM leases WHERE id = ?')
    this.#insertLease = database.prepare('INSERT INTO leases (id, ttlMs) VALUES (?, ?)')
    this.#deleteLease = database.prepare('DELETE FROM leases WHERE id = ?')
    this.#keysOfLease = database.prepare('SELECT key FROM keys WHERE lease = ? ORDER BY key')
  }

  /** `previous`: the changes tell what they replaced. */
  apply(entry: CommitEntry, previous: boolean): Written {
    switch (entry.type) {
      case 'transaction':
        return this.#commit(entry.transaction, previous)
      case 'grant-lease':
        return this.#grant(entry.lease)
      case 'end-lease':
        return this.#endLease(entry.leaseId, previous)
    }
  }

  /** The counters to go back to when SQLite's transaction is rolled back. */
  mark(): { readonly revision: number; readonly nextId: number } {
    return { revision: this.#history.revision, nextId: this.#nextId }
  }

  reset({ revision, nextId }: ReturnType<Writer['mark']>): void {
    this.#history.revision = revision
    this.#nextId = nextId
  }

  #commit({ compare = [], operations }: Transaction, previous: boolean): Written {
    if (!compare.every((one) => this.#holds(one)))
      return { outcome: { ok: false, revision: this.#history.revision }, changes: [] }
    for (const operation of operations)
      if (operation.type === 'put' && operation.lease !== undefined)
        this.#requireLease(operation.lease, `put ${operation.key}`)
    const revision = this.#history.revision + 1
    const rows = operations.flatMap((operation) => this.#perform(operation, revision))
    return this.#done(rows, previous)
  }

  #holds(compare: Compare): boolean {
    if ('value' in compare) return this.#history.get(compare.key)?.value === compare.value
    const mark = this.#history.mark(compare.key)
    const live = mark?.isLive === 1 ? mark : undefined
    if ('modRevision' in compare) return (live?.revision ?? 0) === compare.modRevision
    return (live?.version ?? 0) === compare.version
  }

  #perform(operation: Operation, revision: number): Row[] {
    switch (operation.type) {
      case 'put':
        return [this.#put(operation.key, operation.value, operation.lease ?? null, revision)]
      case 'delete':
        return this.#deleteKey(operation.key, revision)
      case 'delete-prefix':
        return [...this.#history.below(operation.prefix)].flatMap(({ key }) => this.#deleteKey(key, revision))
    }
  }

  #put(key: string, value: string, lease: string | null, revision: number): Row {
    const newest = this.#history.mark(key)
    const live = newest?.isLive === 1 ? newest : undefined
    return this.#append({
      id: this.#nextId++,
      revision,
      key,
      value,
      createRevision: live?.createRevision ?? revision,
      version: (live?.version ?? 0) + 1,
      lease,
      previous: newest?.id ?? null,
    })
  }

  #deleteKey(key: string, revision: number): Row[] {
    const newest = this.#history.mark(key)
    if (newest?.isLive !== 1) return []
    const { id: previous } = newest
    const id = this.#nextId++
    return [this.#append({ id, revision, key, value: null, createRevision: 0, version: 0, lease: null, previous })]
  }

  #append(row: Row): Row {
    const { id, revision, key, value, createRevision, version, lease, previous } = row
    this.#insert.run(id, revision, key, value, createRevision, version, lease, previous)
    this.#point.run(key, id, lease)
    return row
  }

  #grant({ id, ttlMs }: Lease): Written {
    this.#insertLease.run(id, ttlMs)
    return this.#done([], false)
  }

  #endLease(id: string, previous: boolean): Written {
    this.#requireLease(id, 'end the lease')
    const keys = this.#keysOfLease.all(id).map((row) => String(row.key))
    const revision = this.#history.revision + 1
    const rows = keys.flatMap((key) => this.#deleteKey(key, revision))
    this.#deleteLease.run(id)
    return this.#done(rows, previous)
  }

  #requireLease(id: string, what: string): void {
    if (!this.#leaseExists.get(id)) throw leaseNotFoundError(id, what)
  }

  #done(rows: readonly Row[], previous: boolean): Written {
    if (rows.length > 0) this.#history.revision += 1
    const changes = rows.map((row) => (previous ? this.#history.changeOf(row) : plainChangeOf(row)))
    return { outcome: { ok: true, revision: this.#history.revision }, changes }
  }
}
