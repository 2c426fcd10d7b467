import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { type Logger, pino } from 'pino'
import type { StoreUnderTest } from '../contract/store-under-test.ts'
import { type EtcdStoreOptions, openEtcdStore } from './etcd-store.ts'

export const silent: Logger = pino({ level: 'silent' })

let stores = 0

/** A new store in an etcd that has others, each below its own prefix. Disposing it removes its keys. */
export async function openInEtcd(
  addresses: readonly string[],
  options: Partial<EtcdStoreOptions> = {},
): Promise<StoreUnderTest> {
  const prefix = `/berth-${process.pid}-${++stores}`
  const open = () =>
    openEtcdStore({
      ...{ addresses, prefix, log: silent, compaction: false },
      ...options,
    })
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
      return spawn(process.execPath, [writer, prefix, ...addresses], { stdio: ['ignore', 'pipe', 'inherit'] })
    },
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]()
      const cleaner = await open()
      await cleaner.commit({ operations: [{ type: 'delete-prefix', prefix: '/' }] })
      await cleaner[Symbol.asyncDispose]()
    },
  }
}
