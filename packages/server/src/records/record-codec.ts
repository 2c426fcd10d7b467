import { BerthError } from '@berth/core'
import { recordKinds } from './record-kinds.ts'
import type { RecordKind, RecordTypes } from './record-types.ts'

/** Records are JSON documents with their form's version in `v`. */
export function encodeRecord<K extends RecordKind>(kind: K, record: RecordTypes[K]): string {
  return JSON.stringify({ v: recordKinds[kind].version, ...record })
}

/** Throws `record.corrupt` or `record.newer`, both naming the key. */
export function decodeRecord<K extends RecordKind>(kind: K, key: string, value: string): RecordTypes[K] {
  const known = recordKinds[kind].version
  const start = `{"v":${known},`
  // Without what would only be taken out again: a copy of a large object is slower to use, and larger.
  if (value.startsWith(start)) return parseDocument(key, `{${value.slice(start.length)}`) as unknown as RecordTypes[K]
  const { v, ...record } = parseDocument(key, value)
  if (typeof v !== 'number') throw corrupt(key, 'it has no version')
  if (v > known) {
    throw new BerthError(
      'record.newer',
      `read ${key}: it has form ${v}, this server knows up to ${known}; start a server at least as new as the one that wrote it`,
      { details: { key, version: v, known } },
    )
  }
  return record as unknown as RecordTypes[K]
}

function parseDocument(key: string, value: string): Record<string, unknown> {
  let document: unknown
  try {
    document = JSON.parse(value)
  } catch (cause) {
    throw corrupt(key, 'it is no JSON', cause)
  }
  if (typeof document !== 'object' || document === null || Array.isArray(document))
    throw corrupt(key, 'it is no object')
  return document as Record<string, unknown>
}

const corrupt = (key: string, why: string, cause?: unknown): BerthError =>
  new BerthError('record.corrupt', `read ${key}: ${why}; restore the store from a backup or delete that key`, {
    details: { key },
    cause,
  })
