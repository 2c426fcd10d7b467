import type { RecordKind, RecordTable, RecordTypes, State } from '../../records/index.ts'
import { recordKinds } from '../../records/index.ts'
import type { Listing, SeenChange } from './listing.ts'

/** Views of all records of one kind, in the order of their ids, which are the views' too. `also`: other kinds that views show, of the same ids. */
export function recordListing<K extends RecordKind, V>(
  state: State,
  kind: K,
  viewOf: (record: RecordTypes[K]) => V,
  also: readonly RecordKind[] = [],
): Listing<V> {
  const tables: { readonly [P in RecordKind]: RecordTable<RecordTypes[P]> } = state
  const table = tables[kind]
  const { idOf } = recordKinds[kind]
  return {
    all: () =>
      table
        .all()
        .sort((a, b) => (idOf(a) < idOf(b) ? -1 : 1))
        .map((record) => viewOf(record)),
    get: (id) => {
      const record = table.get(id)
      return record === undefined ? undefined : viewOf(record)
    },
    touched: (change: SeenChange) => (change.kind === kind || also.includes(change.kind) ? [change.id] : []),
  }
}
