import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, open, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { expectFailure, failureOf, put } from '../contract/store-under-test.ts'
import type { Store } from '../store.ts'
import type { StoreError } from '../store-error.ts'
import { makeTemporaryDirectory, silent } from './open-temporary.testing.ts'
import { openSqliteStore } from './sqlite-store.ts'

const run = promisify(execFile)

const openAt = (path: string): Promise<Store> => openSqliteStore({ path, log: silent, lockWaitMs: 0 })

const modeOf = async (path: string): Promise<string> => ((await stat(path)).mode & 0o777).toString(8)

describe('the files of the store', () => {
  it('are for their owner only, whoever made them first', async () => {
    await using directory = await makeTemporaryDirectory()
    const path = join(directory.path, 'made', 'here', 'store.db')
    const first = await openAt(path)
    await put(first, '/k')
    expect(await Promise.all([path, `${path}-wal`, dirname(path)].map(modeOf))).toEqual(['600', '600', '700'])
    await first[Symbol.asyncDispose]()
    await chmod(path, 0o644)
    await using _second = await openAt(path)
    expect(await modeOf(path)).toBe('600')
  })

  it('are opened by one store at a time, in this process and in another', async () => {
    await using directory = await makeTemporaryDirectory()
    const path = join(directory.path, 'store.db')
    await using writer = await startWriter(path)
    await expectFailure(() => openAt(path), 'store.locked')
    expect(String(await failureOf(() => openAt(path)))).toContain(`another process has ${path} open`)
    await writer.kill()
    await using store = await openAt(path)
    await expectFailure(() => openAt(path), 'store.locked')
    expect(await put(store, '/k')).toMatchObject({ ok: true })
  })

  it('are waited for while their last user ends', async () => {
    await using directory = await makeTemporaryDirectory()
    const path = join(directory.path, 'store.db')
    await using writer = await startWriter(path)
    const opening = openSqliteStore({ path, log: silent, lockWaitMs: 20_000 })
    await writer.kill()
    await using store = await opening
    expect((await store.list('/crash/')).items.length).toBeGreaterThan(0)
  })
})

describe('a file that is damaged while it is open', () => {
  it('fails the store at the first sign, for good', async () => {
    await using directory = await makeTemporaryDirectory()
    const path = join(directory.path, 'store.db')
    await fill(path, 30_000)
    const failures: StoreError[] = []
    await using store = await openSqliteStore({ path, log: silent, onFailure: (error) => failures.push(error) })
    const pages = (await stat(path)).size / 4_096
    await run('dd', ['if=/dev/urandom', `of=${path}`, 'bs=4096', 'seek=100', `count=${pages - 100}`, 'conv=notrunc'])
    await expectFailure(() => store.list('/k/'), 'store.corrupt')
    await expectFailure(() => put(store, '/new'), 'store.corrupt')
    await expectFailure(() => store.get('/k/1'), 'store.corrupt')
    expect(failures.map(({ code }) => code)).toEqual(['store.corrupt'])
  })
})

describe('an unusable file', () => {
  it.each<[string, string, (path: string) => Promise<unknown>]>([
    [
      'text',
      'store.corrupt',
      (path) => writeFile(path, 'not a database at all, but long enough for a header'.repeat(99)),
    ],
    ['overwritten in the middle', 'store.corrupt', (path) => overwrite(path, 8_192, 20_000)],
    ['cut off', 'store.corrupt', (path) => truncate(path, 40_960)],
    ['empty beside its journal', 'store.corrupt', emptyBesideJournal],
    ['another program’s database', 'store.failed', foreign],
    ['a newer version’s database', 'store.newer', newer],
    ['a directory', 'store.failed', replaceByDirectory],
  ])('%s is refused with %s, which names it', async (_what, code, damage) => {
    await using directory = await makeTemporaryDirectory()
    const path = join(directory.path, 'store.db')
    await fill(path)
    await damage(path)
    const failure = await failureOf(() => openAt(path))
    expect(failure).toMatchObject({ code })
    expect(String(failure)).toContain(path)
    const sizeBefore = (await stat(path)).size
    await failureOf(() => openAt(path))
    expect((await stat(path)).size).toBe(sizeBefore)
  })
})

async function fill(path: string, count = 500): Promise<void> {
  await using store = await openAt(path)
  await Promise.all(Array.from({ length: count }, (_, index) => put(store, `/k/${index}`, 'x'.repeat(500))))
}

async function overwrite(path: string, position: number, length: number): Promise<void> {
  await using file = await open(path, 'r+')
  await file.write(Buffer.alloc(length, 0xa5), 0, length, position)
}

async function emptyBesideJournal(path: string): Promise<void> {
  const writer = await startWriter(path)
  await writer.kill()
  await truncate(path, 0)
}

async function foreign(path: string): Promise<void> {
  await rm(path)
  const database = new DatabaseSync(path)
  database.exec('CREATE TABLE bookmarks (id INTEGER)')
  database.close()
}

async function newer(path: string): Promise<void> {
  const database = new DatabaseSync(path)
  database.exec('PRAGMA user_version = 999')
  database.close()
}

async function replaceByDirectory(path: string): Promise<void> {
  await rm(path)
  await using _store = await openAt(join(path, 'other.db'))
}

/** A process that has the store open and has committed something. */
async function startWriter(path: string): Promise<AsyncDisposable & { kill(): Promise<void> }> {
  const script = fileURLToPath(new URL('./commit-until-killed.testing.ts', import.meta.url))
  const child = spawn(process.execPath, [script, path], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exit = once(child, 'exit')
  child.stdout.resume()
  await once(child.stdout, 'data')
  const kill = async () => {
    child.kill('SIGKILL')
    await exit
  }
  return { kill, [Symbol.asyncDispose]: kill }
}
