import { BerthError, type BerthErrorOptions } from '@berth/core'
import type { StoreErrorCode } from './store.ts'

export interface StoreError extends BerthError {
  readonly code: StoreErrorCode
}

export const storeError = (code: StoreErrorCode, message: string, options?: BerthErrorOptions): StoreError =>
  new BerthError(code, message, options) as StoreError

/** True for any failure of a store, or for one of `codes` when some are given. */
export const isStoreError = (error: unknown, ...codes: readonly StoreErrorCode[]): error is StoreError =>
  error instanceof BerthError &&
  error.code.startsWith('store.') &&
  (codes.length === 0 || (codes as readonly string[]).includes(error.code))

export const compactedError = (what: string, revision: number, compactedRevision: number): StoreError =>
  storeError(
    'store.compacted',
    `${what} at revision ${revision}: history before revision ${compactedRevision} is gone; list again and go on from the list's revision`,
    { details: { revision, compactedRevision } },
  )

export const futureRevisionError = (what: string, revision: number, currentRevision: number): StoreError =>
  storeError(
    'store.future-revision',
    `${what} at revision ${revision}: the store is at revision ${currentRevision}; if it was restored from a backup, list again`,
    { details: { revision, currentRevision } },
  )

export const leaseNotFoundError = (id: string, what: string): StoreError =>
  storeError('store.lease-not-found', `${what}: lease ${id} has ended or was never granted; grant a new one`, {
    details: { lease: id },
  })
