import type { Logger } from 'pino'
import { eachPage } from '../store/list-pages.ts'
import { lineageKey } from '../store/own-keys.ts'
import type { ListResult, Store } from '../store/store.ts'
import { isStoreError } from '../store/store-error.ts'
import { StateMirror } from './state-mirror.ts'
import { createTables, type Tables } from './tables.ts'

export interface LoadedState {
  readonly tables: Tables
  readonly mirror: StateMirror
  /** Epochs of stores whose records were moved into this one. */
  readonly follows: readonly string[]
}

export interface LoadOptions {
  readonly log: Logger
  readonly signal: AbortSignal
}

const attempts = 3

/**
 * Reads all records, as of one revision and page by page: the texts of a large store are several times what becomes of them. Should
 * compaction overtake it, all over again.
 */
export async function loadState(store: Store, options: LoadOptions): Promise<LoadedState> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await loadOnce(store, options)
    } catch (error) {
      if (attempt === attempts || !isStoreError(error, 'store.compacted')) throw error
    }
  }
}

async function loadOnce(store: Store, { log, signal }: LoadOptions): Promise<LoadedState> {
  const tables = createTables()
  const mirror = new StateMirror(tables, log)
  let follows: readonly string[] = []
  const take = (page: ListResult): void => {
    mirror.load(page)
    follows = lineageOf(page) ?? follows
  }
  await eachPage(store, '/', take, { signal })
  return { tables, mirror, follows }
}

/** Written by `berth store migrate`. */
function lineageOf({ items }: ListResult): readonly string[] | undefined {
  const kv = items.find(({ key }) => key === lineageKey)
  return kv === undefined ? undefined : (JSON.parse(kv.value) as { readonly follows: string[] }).follows
}
