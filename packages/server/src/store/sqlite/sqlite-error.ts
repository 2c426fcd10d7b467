import { statfsSync } from 'node:fs'
import { dirname } from 'node:path'
import { BerthError, messageOf } from '@berth/core'
import type { StoreErrorCode } from '../store.ts'
import { type StoreError, storeError } from '../store-error.ts'
import type { SerializedError } from './protocol.ts'

/** Primary result codes of SQLite: https://sqlite.org/rescode.html */
const sqlite = { busy: 5, locked: 6, readonly: 8, corrupt: 11, full: 13, cannotOpen: 14, notADatabase: 26 } as const

/**
 * What SQLite threw, as a failure of the store. After `store.corrupt` and `store.failed` the state on the disk is in doubt (a
 * failed fsync may have dropped the pages that it was about), so the thread refuses all further work: the server restarts
 * and reads again what is really there.
 */
export function fromSqlite(error: unknown, what: string, path: string): StoreError {
  if (error instanceof BerthError) return error as StoreError
  switch (primaryCodeOf(error)) {
    case sqlite.full:
      return storeError(
        'store.full',
        `${what}: no space left on ${dirname(path)}${freeSpace(path)}; nothing was written. Free some space: the store goes on by itself`,
        { retryable: true, cause: error },
      )
    case sqlite.busy:
    case sqlite.locked:
      return storeError(
        'store.locked',
        `${what}: another process has ${path} open (a second server?); stop it, or give this one its own data directory`,
        { retryable: true, cause: error },
      )
    case sqlite.corrupt:
    case sqlite.notADatabase:
      return corruptError(path, messageOf(error), error)
    case sqlite.readonly:
    case sqlite.cannotOpen:
      return storeError(
        'store.failed',
        `${what}: cannot write ${path}: ${messageOf(error)}; check the owner and mode of the file and its directory, and that the file system is writable`,
        { cause: error },
      )
    default:
      return storeError(
        'store.failed',
        `${what} in ${path}: ${messageOf(error)}; whether the last write is on the disk is unknown. Check the disk (dmesg) and start the server again`,
        { cause: error },
      )
  }
}

export const corruptError = (path: string, finding: string, cause?: unknown): StoreError =>
  storeError(
    'store.corrupt',
    `${path} is damaged: ${finding}; keep a copy of it and of ${path}-wal, then restore the last backup`,
    { details: { path, finding }, cause },
  )

/** Failures after which the thread may not go on. */
export const isFatal = (error: StoreError): boolean => error.code === 'store.corrupt' || error.code === 'store.failed'

function primaryCodeOf(error: unknown): number | undefined {
  const extended = (error as { errcode?: unknown } | null)?.errcode
  return typeof extended === 'number' ? extended & 0xff : undefined
}

function freeSpace(path: string): string {
  try {
    const { bavail, bsize } = statfsSync(dirname(path))
    return ` (${Math.floor((bavail * bsize) / 1024)} KiB free)`
  } catch {
    return '' // only an ornament of the message
  }
}

export const serializeError = (error: StoreError): SerializedError => ({
  code: error.code,
  message: error.message,
  retryable: error.retryable,
  details: { ...error.details, ...(error.cause === undefined ? {} : { cause: messageOf(error.cause) }) },
})

export const deserializeError = ({ code, message, retryable, details }: SerializedError): StoreError =>
  storeError(code as StoreErrorCode, message, { retryable, details })
