import { decodeRecord } from '../records/record-codec.ts'
import { parseKey } from '../records/record-kinds.ts'
import type { RecordKind, RecordTypes } from '../records/record-types.ts'
import type { Items } from './store-items.ts'

export type DecodedRecords = { readonly [K in RecordKind]?: Map<string, RecordTypes[K]> }

export interface DecodedItems {
  readonly records: DecodedRecords
  readonly counts: Readonly<Record<string, number>>
}

/** Every record, decoded. Throws `record.corrupt` or `record.newer`, naming the key. */
export async function decodeItems(items: Items): Promise<DecodedItems> {
  const records = new Map<string, Map<string, unknown>>()
  for await (const { key, value } of items) {
    const parsed = parseKey(key)
    const kind = parsed?.kind
    tableOf(records, kind ?? 'others').set(
      parsed?.id ?? key,
      kind === undefined ? value : decodeRecord(kind, key, value),
    )
  }
  const counts = Object.fromEntries([...records].map(([kind, table]) => [kind, table.size]))
  return { records: Object.fromEntries(records) as DecodedRecords, counts }
}

function tableOf(records: Map<string, Map<string, unknown>>, kind: string): Map<string, unknown> {
  const table = records.get(kind) ?? new Map<string, unknown>()
  records.set(kind, table)
  return table
}
