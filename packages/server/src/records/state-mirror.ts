import { messageOf } from '@berth/core'
import type { Logger } from 'pino'
import type { StoreFollower } from '../store/follow-store.ts'
import type { Change, KeyValue, ListResult, WatchBatch } from '../store/store.ts'
import { decodeRecord } from './record-codec.ts'
import { parseKey, recordKindNames } from './record-kinds.ts'
import type { RecordTable } from './record-table.ts'
import type { RecordKind, RecordTypes } from './record-types.ts'
import { RevisionWaiters } from './revision-waiters.ts'
import type { StateChange, StateListener } from './state.ts'
import type { Tables } from './tables.ts'

type AnyRecord = RecordTypes[RecordKind]

/**
 * Writes what the store says into the tables, one revision at a time, and tells listeners once a revision is in whole. A listing that
 * comes later (changes were missed) becomes the changes that lead from what is known to it.
 */
export class StateMirror implements StoreFollower {
  readonly #tables: Tables
  readonly #log: Logger
  /** Replaced when somebody comes or goes, so that those of one change are the same from first to last. */
  #listeners: readonly StateListener[] = []
  /** Who waits for a revision. */
  readonly waiters = new RevisionWaiters()
  #revision = 0

  constructor(tables: Tables, log: Logger) {
    this.#tables = tables
    this.#log = log
  }

  get revision(): number {
    return this.#revision
  }

  subscribe(listener: StateListener): () => void {
    this.#listeners = [...this.#listeners, listener]
    return () => {
      this.#listeners = this.#listeners.filter((each) => each !== listener)
    }
  }

  /** Of the first listing, the whole or a page: nobody is told, and a record that cannot be read is fatal. */
  load({ items, revision }: Pick<ListResult, 'items' | 'revision'>): void {
    for (const kv of items) {
      const record = parseKey(kv.key)
      if (record !== undefined) this.#set(record.kind, record.id, this.#read(record.kind, kv), kv.modRevision)
    }
    this.#revision = revision
  }

  replace(list: ListResult): void {
    const present = new Map<RecordKind, Set<string>>(recordKindNames.map((kind) => [kind, new Set()]))
    const changes: (StateChange | undefined)[] = []
    for (const kv of list.items) {
      const record = parseKey(kv.key)
      if (record === undefined) continue
      present.get(record.kind)?.add(record.id)
      if (this.#table(record.kind).modRevision(record.id) !== kv.modRevision)
        changes.push(this.#put(kv, kv.modRevision))
    }
    for (const kind of recordKindNames)
      for (const id of [...this.#table(kind).ids()])
        if (!present.get(kind)?.has(id)) changes.push(this.#delete(kind, id, list.revision))
    this.#settle(list.revision, changes)
  }

  apply(batch: WatchBatch): void {
    this.#settle(
      batch.revision,
      batch.changes.map((change) => this.#change(change, batch.revision)),
    )
  }

  #change(change: Change, revision: number): StateChange | undefined {
    if (change.type === 'put') return this.#put(change.kv, revision)
    const record = parseKey(change.key)
    return record === undefined ? undefined : this.#delete(record.kind, record.id, revision)
  }

  #put(kv: KeyValue, revision: number): StateChange | undefined {
    const record = parseKey(kv.key)
    if (record === undefined) return undefined
    const { kind, id } = record
    try {
      const after = this.#read(kind, kv)
      return asChange(kind, id, revision, this.#set(kind, id, after, kv.modRevision), after)
    } catch (error) {
      // Only another program can have written it. Going on with the last form known is safer than forgetting the record.
      this.#log.error({ err: error, key: kv.key }, messageOf(error))
      return undefined
    }
  }

  #read(kind: RecordKind, kv: KeyValue): AnyRecord {
    return decodeRecord(kind, kv.key, kv.value)
  }

  #set(kind: RecordKind, id: string, record: AnyRecord, modRevision: number): AnyRecord | undefined {
    return this.#table(kind).set(this.#textOf(kind, id, record), record, modRevision)
  }

  /** That of a key would be one more text, and hold the whole key: the record's own, or for a status its instance's. */
  #textOf(kind: RecordKind, id: string, record: AnyRecord): string {
    const shared = kind === 'statuses' ? this.#tables.instances.ownId(id) : undefined
    if (shared !== undefined) return shared
    return 'id' in record && record.id === id ? record.id : id
  }

  #delete(kind: RecordKind, id: string, revision: number): StateChange | undefined {
    const before = this.#table(kind).set(id, undefined, 0)
    return before === undefined ? undefined : asChange(kind, id, revision, before, undefined)
  }

  #settle(revision: number, changes: readonly (StateChange | undefined)[]): void {
    this.#revision = revision
    for (const change of changes) {
      if (change === undefined) continue
      for (const listener of this.#listeners) this.#tell(listener, change)
    }
    this.waiters.reached(revision)
  }

  #tell(listener: StateListener, change: StateChange): void {
    try {
      listener(change)
    } catch (error) {
      this.#log.error({ err: error, kind: change.kind, id: change.id }, 'a listener of the state failed')
    }
  }

  #table(kind: RecordKind): RecordTable<AnyRecord> {
    return this.#tables[kind] as unknown as RecordTable<AnyRecord>
  }
}

const asChange = (
  kind: RecordKind,
  id: string,
  revision: number,
  before: AnyRecord | undefined,
  after: AnyRecord | undefined,
): StateChange =>
  ({
    kind,
    id,
    revision,
    ...(before === undefined ? {} : { before }),
    ...(after === undefined ? {} : { after }),
  }) as StateChange
