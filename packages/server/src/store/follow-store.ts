import { setTimeout as delay } from 'node:timers/promises'
import { messageOf } from '@berth/core'
import type { Logger } from 'pino'
import type { ListResult, Store, WatchBatch } from './store.ts'
import { isStoreError } from './store-error.ts'

/** Who is told: `replace` takes a whole listing (at first, and when changes were missed), `apply` one revision's changes. */
export interface StoreFollower {
  replace(list: ListResult): void
  apply(batch: WatchBatch): void
}

const minBackoffMs = 50
const maxBackoffMs = 5_000

/**
 * Watches everything below `prefix` from `revision` on and never gives up before `signal` aborts: a watch that has lost its history,
 * or was too slow, lists again; any other failure is logged and tried again with growing pauses.
 */
export async function followStore(
  store: Store,
  prefix: string,
  follower: StoreFollower,
  options: { readonly fromRevision: number; readonly signal: AbortSignal; readonly log: Logger },
): Promise<void> {
  const { signal, log } = options
  let next: number | undefined = options.fromRevision
  let backoffMs = minBackoffMs
  while (!signal.aborted) {
    try {
      if (next === undefined) {
        const list = await store.list(prefix, { signal })
        follower.replace(list)
        next = list.revision + 1
      }
      for await (const batch of store.watch(prefix, { fromRevision: next, signal, previous: false })) {
        follower.apply(batch)
        next = batch.revision + 1
        backoffMs = minBackoffMs
      }
      if (!signal.aborted) throw new Error('the watch ended')
    } catch (error) {
      if (signal.aborted) return
      const missed = isStoreError(error, 'store.compacted', 'store.slow-watcher', 'store.future-revision')
      if (missed) next = undefined
      log.warn({ err: error, prefix, retryInMs: backoffMs }, `watch ${prefix}: ${messageOf(error)}`)
      await delay(backoffMs, undefined, { signal }).catch(() => undefined)
      backoffMs = Math.min(backoffMs * 2, maxBackoffMs)
    }
  }
}
