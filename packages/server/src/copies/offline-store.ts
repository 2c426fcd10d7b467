import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import type { Worker } from 'node:worker_threads'
import { BerthError } from '@berth/core'
import type { Logger } from 'pino'
import { keyOf } from '../records/record-kinds.ts'
import { openStore, sqlitePath } from '../store/open-store.ts'
import type { Store } from '../store/store.ts'
import { parseStoreLocation, type StoreSettings } from '../store/store-location.ts'
import { readFilling, refuseUnfinished } from './copied-keys.ts'
import { itemsOf } from './store-items.ts'

/** What tools that work without a server are started with. */
export interface OfflineOptions {
  /** The server's folder in the state directory. */
  readonly directory: string
  readonly log: Logger
  readonly worker?: (() => Worker) | undefined
  readonly signal?: AbortSignal | undefined
}

/** A store with records that no server stands on. SQLite's lock proves it; in etcd, servers say that they run. */
export async function openSource(settings: StoreSettings, options: OfflineOptions): Promise<Store> {
  const location = parseStoreLocation(settings)
  if (location.kind === 'sqlite' && !existsSync(sqlitePath(options.directory, location)))
    throw new BerthError('store.not-found', `open the store: ${sqlitePath(options.directory, location)} does not exist`)
  const store = await openAlone(settings, options)
  try {
    // A file that could be opened has no server: its lock is a server's for as long as it runs.
    if (location.kind === 'etcd') await refuseRunningServers(store)
    return store
  } catch (error) {
    await store[Symbol.asyncDispose]()
    throw error
  }
}

/** Who has the file open is a server in all likelihood; what it says itself speaks of a second one. */
async function openAlone(settings: StoreSettings, options: OfflineOptions): Promise<Store> {
  try {
    return await openStore({ ...options, settings })
  } catch (error) {
    if (!(error instanceof BerthError) || error.code !== 'store.locked') throw error
    throw new BerthError(
      'store.locked',
      'open the store: a server of this machine stands on it; stop it first (berth down, which leaves containers and traffic alone), then try again',
      { retryable: true, cause: error },
    )
  }
}

async function refuseRunningServers(store: Store): Promise<void> {
  const { items } = await store.list(keyOf('members', ''))
  const names = items.map(({ key }) => key.slice(keyOf('members', '').length))
  if (names.length > 0)
    throw new BerthError(
      'store.in-use',
      `open the store: servers stand on it (${names.join(', ')}); stop each on its machine first (berth down, which leaves containers and traffic alone), then try again (a server that was killed counts for some seconds more)`,
      { retryable: true, details: { servers: names } },
    )
}

export interface Target {
  readonly store: Store
  /** Closes it; takes away what was not there before, unless it was filled. */
  close(isFilled: boolean): Promise<void>
}

/** An empty store, with an epoch that nobody has ever seen, or one that is half filled. */
export async function openTarget(settings: StoreSettings, options: OfflineOptions): Promise<Target> {
  const location = parseStoreLocation(settings)
  if (location.kind === 'etcd') {
    const store = await openFresh(settings, options)
    return { store, close: async () => await store[Symbol.asyncDispose]() }
  }
  const path = sqlitePath(options.directory, location)
  await removeEmpty(path, settings, options)
  const existed = existsSync(path)
  const store = await openAlone(settings, options)
  return {
    store,
    close: async (isFilled) => {
      await store[Symbol.asyncDispose]()
      if (!existed && !isFilled) await removeDatabase(path)
    },
  }
}

/** Only what is about to be filled gets a new epoch: one that has records is looked at first, and refused as it is. */
async function openFresh(settings: StoreSettings, options: OfflineOptions): Promise<Store> {
  const store = await openSource(settings, options)
  if (!(await isEmpty(store))) return store
  await store[Symbol.asyncDispose]()
  return openStore({ ...options, settings, newEpoch: true })
}

/** A server that was started once has left an empty file, whose epoch nodes may know. */
async function removeEmpty(path: string, settings: StoreSettings, options: OfflineOptions): Promise<void> {
  if (!existsSync(path)) return
  const store = await openAlone(settings, options)
  const empty = await isEmpty(store).finally(() => store[Symbol.asyncDispose]())
  if (empty) await removeDatabase(path)
}

/** Whether a server could stand on a store, and would find records. Others may stand on it, where that can be. */
export async function lookAtStore(
  settings: StoreSettings,
  options: OfflineOptions,
): Promise<{ readonly isEmpty: boolean }> {
  const location = parseStoreLocation(settings)
  if (location.kind === 'sqlite' && !existsSync(sqlitePath(options.directory, location))) return { isEmpty: true }
  await using store = await openStore({ ...options, settings })
  await refuseUnfinished(store)
  return { isEmpty: await isEmpty(store) }
}

async function isEmpty(store: Store): Promise<boolean> {
  if ((await readFilling(store)) !== undefined) return false
  for await (const _ of itemsOf(store)) return false
  return true
}

const removeDatabase = async (path: string): Promise<void> => {
  for (const file of [path, `${path}-wal`, `${path}-shm`]) await rm(file, { force: true })
}
