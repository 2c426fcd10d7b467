import { type BerthError, namesInstead } from '@berth/core'
import { recordKinds } from './record-kinds.ts'
import type { RecordTable } from './record-table.ts'
import type { EventDraft, RecordTransaction } from './record-transaction.ts'
import type { RecordKind, RecordTypes } from './record-types.ts'
import type { CommitOptions, Records } from './records.ts'

/** Who changes something, and until when it is waited for. */
type By = CommitOptions & { readonly actor: string }

export interface NamedKind<K extends RecordKind> {
  readonly kind: K
  readonly most: number
  /** How many names `missing` is told of at most (20). */
  readonly listed?: number
  /** `hint`: which there are, or which was likely meant. */
  readonly missing: (name: string, hint: string) => BerthError
  readonly tooMany: (name: string, most: number) => BerthError
}

export interface Change<T> {
  readonly record: T
  /** Absent: it is there as it is wanted, and nothing is written. */
  readonly event?: EventDraft
}

/** Records of one kind that people add, change and remove by their names. What they may say is up to who has them. */
export class NamedRecords<K extends RecordKind> {
  readonly #records: Records
  readonly #of: NamedKind<K>
  readonly #table: RecordTable<RecordTypes[K]>

  constructor(records: Records, of: NamedKind<K>) {
    const tables: { readonly [P in RecordKind]: RecordTable<RecordTypes[P]> } = records.state
    this.#records = records
    this.#of = of
    this.#table = tables[of.kind]
  }

  /** Throws what `missing` says. */
  require(name: string): RecordTypes[K] {
    const found = this.#table.get(name)
    if (found !== undefined) return found
    throw this.#of.missing(name, namesInstead(name, [...this.#table.ids()].sort(), this.#of.listed))
  }

  /** Throws what `tooMany` says when there is no room for a new one. */
  requireRoom(name: string, before?: RecordTypes[K]): void {
    if (before === undefined && this.#table.size >= this.#of.most) throw this.#of.tooMany(name, this.#of.most)
  }

  /** A new one. Throws what `exists` and `tooMany` say. */
  add(
    record: RecordTypes[K],
    exists: (name: string) => BerthError,
    event: EventDraft,
    by: By,
  ): Promise<RecordTypes[K]> {
    const name = recordKinds[this.#of.kind].idOf(record)
    const decide = (before: RecordTypes[K] | undefined): Change<RecordTypes[K]> => {
      if (before !== undefined) throw exists(name)
      this.requireRoom(name)
      return { record, event }
    }
    return this.put(name, decide, by)
  }

  /** `decide` is asked again when somebody else was faster; see {@link Records.commit}. What it throws is thrown. */
  async put(
    name: string,
    decide: (before: RecordTypes[K] | undefined, tx: RecordTransaction) => Change<RecordTypes[K]>,
    by: By,
  ): Promise<RecordTypes[K]> {
    const { value } = await this.#records.commit(
      by.actor,
      (tx) => {
        const { record, event } = decide(this.#table.get(name), tx)
        if (event === undefined) return record
        tx.put(this.#of.kind, record, { ifUnchanged: true })
        tx.event(event)
        return record
      },
      by,
    )
    return value
  }

  /** `told` may refuse, and write more. Throws what `missing` says. */
  async remove(
    name: string,
    told: (record: RecordTypes[K], tx: RecordTransaction) => EventDraft,
    by: By,
  ): Promise<void> {
    await this.#records.commit(
      by.actor,
      (tx) => {
        const event = told(this.require(name), tx)
        tx.delete(this.#of.kind, name, { ifUnchanged: true })
        tx.event(event)
      },
      by,
    )
  }
}

/** Throws what `changed` says unless a record has the wanted version; 0: unless there is none. Not wanted: any will do. */
export function checkVersion(
  before: { readonly version: number } | undefined,
  wanted: number | undefined,
  changed: (version: number) => BerthError,
): void {
  const version = before?.version ?? 0
  if (wanted !== undefined && wanted !== version) throw changed(version)
}
