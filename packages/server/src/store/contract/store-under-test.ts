import type { ChildProcess } from 'node:child_process'
import type { BerthError } from '@berth/core'
import { expect } from 'vitest'
import type { Store, StoreErrorCode, TransactionResult, WatchBatch } from '../store.ts'

/** One new, empty store, and what an adapter's tests can do with its data. Disposing it removes the data. */
export interface StoreUnderTest extends AsyncDisposable {
  readonly store: Store
  /** Closes the store and opens the same data again; `store` is then the new one. */
  reopen(): Promise<Store>
  /** Closes the store and starts a process that runs `commitUntilKilled` on the same data. */
  startWriter(): Promise<ChildProcess>
}

export type OpenStoreUnderTest = () => Promise<StoreUnderTest>

/** The longest that any expected thing may take. */
export const deadlineMs = 20_000

export const put = (store: Store, key: string, value = '{}', lease?: string): Promise<TransactionResult> =>
  store.commit({ operations: [{ type: 'put', key, value, ...(lease === undefined ? {} : { lease }) }] })

export const remove = (store: Store, key: string): Promise<TransactionResult> =>
  store.commit({ operations: [{ type: 'delete', key }] })

export async function valueAt(store: Store, key: string): Promise<string | undefined> {
  return (await store.get(key)).kv?.value
}

export async function revisionOf(store: Store): Promise<number> {
  return (await store.get('/any')).revision
}

/** The batches with changes of `prefix` from one revision to another, both inclusive. */
export async function changesBetween(store: Store, prefix: string, from: number, to: number): Promise<WatchBatch[]> {
  const batches: WatchBatch[] = []
  const signal = AbortSignal.timeout(deadlineMs)
  if (from > to) return batches
  for await (const batch of store.watch(prefix, { fromRevision: from, signal })) {
    if (batch.revision <= to && batch.changes.length > 0) batches.push(batch)
    if (batch.revision >= to) return batches
  }
  throw new Error(`the watch of ${prefix} ended before it reached revision ${to}`)
}

/** What the watch throws before it yields anything. */
export async function watchFailure(store: Store, prefix: string, fromRevision: number): Promise<unknown> {
  const signal = AbortSignal.timeout(deadlineMs)
  return failureOf(async () => {
    for await (const _batch of store.watch(prefix, { fromRevision, signal })) return
  })
}

export async function failureOf(work: () => Promise<unknown>): Promise<unknown> {
  try {
    await work()
  } catch (error) {
    return error
  }
  return undefined
}

export async function expectFailure(
  work: () => Promise<unknown>,
  code: StoreErrorCode,
  details: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  const failure = (await failureOf(work)) as BerthError | undefined
  expect({ code: failure?.code, details: failure?.details }).toMatchObject({ code, details })
}

/** Polls until `condition` holds. */
export async function eventually(condition: () => Promise<boolean> | boolean, what: string): Promise<void> {
  const endMs = performance.now() + deadlineMs
  while (!(await condition())) {
    if (performance.now() > endMs) throw new Error(`still not after ${deadlineMs} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
