import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Logger, pino } from 'pino'
import type { StoreUnderTest } from '../contract/store-under-test.ts'
import { openSqliteStore, type SqliteStoreOptions } from './sqlite-store.ts'

export const silent: Logger = pino({ level: 'silent' })

/** Memory where there is some: what these tests look at survives a killed process either way. */
const parent = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()

export interface TemporaryDirectory extends AsyncDisposable {
  readonly path: string
}

export async function makeTemporaryDirectory(): Promise<TemporaryDirectory> {
  const path = await mkdtemp(join(parent, 'berth-store-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

export async function openTemporary(options: Partial<SqliteStoreOptions> = {}): Promise<StoreUnderTest> {
  const directory = await makeTemporaryDirectory()
  const path = join(directory.path, 'store.db')
  const open = () => openSqliteStore({ path, log: silent, compaction: false, ...options })
  const writer = fileURLToPath(new URL('./commit-until-killed.testing.ts', import.meta.url))
  let store = await open()
  return {
    get store() {
      return store
    },
    async reopen() {
      await store[Symbol.asyncDispose]()
      store = await open()
      return store
    },
    async startWriter() {
      await store[Symbol.asyncDispose]()
      return spawn(process.execPath, [writer, path], { stdio: ['ignore', 'pipe', 'inherit'] })
    },
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]()
      await directory[Symbol.asyncDispose]()
    },
  }
}
