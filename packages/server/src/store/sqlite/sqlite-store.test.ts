import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { build } from 'esbuild'
import { describe, expect, it } from 'vitest'
import {
  changesBetween,
  deadlineMs,
  eventually,
  expectFailure,
  failureOf,
  put,
  remove,
  revisionOf,
} from '../contract/store-under-test.ts'
import type { WatchBatch } from '../store.ts'
import type { StoreError } from '../store-error.ts'
import { makeTemporaryDirectory, openTemporary, silent } from './open-temporary.testing.ts'
import { openSqliteStore } from './sqlite-store.ts'

const workerFile = fileURLToPath(new URL('./sqlite-worker.ts', import.meta.url))

describe('the thread', () => {
  it('runs from one CommonJS text, as in the executable', async () => {
    const { outputFiles } = await build({
      entryPoints: [workerFile],
      bundle: true,
      platform: 'node',
      format: 'cjs',
      write: false,
    })
    const source = outputFiles[0]?.text as string
    await using test = await openTemporary({ worker: () => new Worker(source, { eval: true }) })
    const { revision } = await put(test.store, '/k', '"bundled"')
    const store = await test.reopen()
    expect(await store.get('/k')).toMatchObject({ kv: { value: '"bundled"' }, revision })
  })

  it('fails the store when it dies: calls, watches, and a word to the owner', async () => {
    const failures: StoreError[] = []
    let worker: Worker | undefined
    await using test = await openTemporary({
      worker: () => {
        worker = new Worker(workerFile)
        return worker
      },
      onFailure: (error) => failures.push(error),
    })
    const { store } = test
    const watching = failureOf(async () => {
      for await (const _ of store.watch('/', { fromRevision: 1, signal: AbortSignal.timeout(deadlineMs) }));
    })
    await put(store, '/k')
    const pending = Array.from({ length: 50 }, (_, index) => failureOf(() => put(store, `/k/${index}`)))
    await worker?.terminate()
    for (const one of [...pending, watching]) expect([undefined, 'store.failed']).toContain(codeOf(await one))
    expect(codeOf(await watching)).toBe('store.failed')
    await expectFailure(() => store.get('/k'), 'store.failed')
    await expectFailure(() => store.keepLeaseAlive('x'), 'store.failed')
    expect(failures.map(({ code }) => code)).toEqual(['store.failed'])
  })

  it('is given up when opening is aborted', async () => {
    await using directory = await makeTemporaryDirectory()
    const path = join(directory.path, 'store.db')
    const controller = new AbortController()
    const opening = failureOf(() => openSqliteStore({ path, log: silent, signal: controller.signal }))
    controller.abort(new Error('stop'))
    expect(await opening).toMatchObject({ message: 'stop' })
    await using store = await openSqliteStore({ path, log: silent })
    expect(await revisionOf(store)).toBe(1)
  })
})

describe('closing', () => {
  it('finishes the commits under way and can be repeated', async () => {
    await using test = await openTemporary()
    const { store } = test
    const commits = Array.from({ length: 600 }, (_, index) => put(store, `/k/${index}`))
    await Promise.all([store[Symbol.asyncDispose](), store[Symbol.asyncDispose]()])
    expect((await Promise.all(commits)).every(({ ok }) => ok)).toBe(true)
    expect((await (await test.reopen()).list('/k/')).items).toHaveLength(600)
  })
})

describe('a commit that waits for its group', () => {
  it('is taken back by an abort', async () => {
    await using test = await openTemporary()
    const { store } = test
    const controller = new AbortController()
    const operations = [{ type: 'put' as const, key: '/aborted', value: '1' }]
    const first = put(store, '/first')
    await Promise.resolve() // the first group has left
    const waiting = failureOf(() => store.commit({ operations }, { signal: controller.signal }))
    controller.abort(new Error('stop'))
    expect(await waiting).toMatchObject({ message: 'stop' })
    await first
    await put(store, '/second')
    expect((await store.list('/')).items.map(({ key }) => key)).toEqual(['/first', '/second'])
  })
})

describe('a slow reader', () => {
  it('gets store.slow-watcher, keeps nothing in memory, and disturbs no other', async () => {
    await using test = await openTemporary({ watchBufferBytes: 20_000 })
    const { store } = test
    const signal = AbortSignal.timeout(deadlineMs)
    const slow = store.watch('/', { fromRevision: 2, signal })[Symbol.asyncIterator]()
    const first = slow.next()
    await put(store, '/k')
    expect(((await first).value as WatchBatch).revision).toBe(2)
    const fast = changesBetween(store, '/', 3, 102)
    for (let index = 0; index < 100; index++) await put(store, '/k', 'x'.repeat(500))
    expect(await fast).toHaveLength(100)
    expect(codeOf(await failureOf(() => slow.next()))).toBe('store.slow-watcher')
    expect(await changesBetween(store, '/', 3, 102)).toHaveLength(100)
  })

  it('gets one batch whatever its size', async () => {
    await using test = await openTemporary({ watchBufferBytes: 1_000 })
    const { store } = test
    const reading = changesBetween(store, '/', 2, 2)
    await store.commit({ operations: [{ type: 'put', key: '/large', value: 'x'.repeat(1_000_000) }] })
    expect(await reading).toHaveLength(1)
  })
})

describe('compaction', () => {
  const rowsOf = (path: string, table: string): number => {
    const database = new DatabaseSync(path, { readOnly: true })
    try {
      return Number(database.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.n)
    } finally {
      database.close()
    }
  }

  it('drops every row that nobody can ask for', async () => {
    await using directory = await makeTemporaryDirectory()
    const path = join(directory.path, 'store.db')
    {
      await using store = await openSqliteStore({ path, log: silent, compaction: false })
      for (let round = 0; round < 30; round++)
        await Promise.all(
          Array.from({ length: 40 }, (_, index) =>
            (round + index) % 3 ? put(store, `/k/${index}`) : remove(store, `/k/${index}`),
          ),
        )
      await remove(store, '/k/0')
      await store.compact(await revisionOf(store))
      await store.compact(await revisionOf(store))
      await put(store, '/last')
      await store.compact(await revisionOf(store))
    }
    // Of 40 keys, 13 were deleted in the last round and one after it.
    expect(rowsOf(path, 'changes')).toBe(rowsOf(path, 'keys'))
    expect(rowsOf(path, 'keys')).toBe(26 + 1)
  })

  it('keeps what its own revision changed, even a deletion', async () => {
    await using test = await openTemporary()
    const { store } = test
    await put(store, '/k')
    const { revision } = await remove(store, '/k')
    await put(store, '/other')
    await store.compact(revision)
    const changes = [{ type: 'delete', key: '/k', modRevision: revision }]
    expect(await changesBetween(store, '/k', revision, revision)).toEqual([{ revision, changes }])
  })

  it('that was interrupted is finished after the next start', async () => {
    await using directory = await makeTemporaryDirectory()
    const path = join(directory.path, 'store.db')
    let worker: Worker | undefined
    const store = await openSqliteStore({
      path,
      log: silent,
      worker: () => {
        worker = new Worker(workerFile)
        return worker
      },
    })
    for (let round = 0; round < 60; round++)
      await Promise.all(Array.from({ length: 200 }, (_, index) => put(store, `/k/${index}`)))
    const compacting = failureOf(() => store.compact(12_001))
    await store.get('/k/1')
    await worker?.terminate()
    expect(codeOf(await compacting)).toBe('store.failed')
    await store[Symbol.asyncDispose]()
    expect(rowsOf(path, 'changes')).toBeGreaterThan(200)
    {
      await using again = await openSqliteStore({ path, log: silent, compaction: false })
      await expectFailure(() => again.list('/', { revision: 12_000 }), 'store.compacted')
      await again.compact(12_001)
      expect((await again.list('/')).items).toHaveLength(200)
    }
    expect(rowsOf(path, 'changes')).toBe(200)
  })

  it('happens by itself', async () => {
    await using test = await openTemporary({ compaction: { keepMs: 100, keepRevisions: 1_000 } })
    const { store } = test
    const { revision } = await put(store, '/k', '1')
    await put(store, '/k', '2')
    await eventually(
      async () => codeOf(await failureOf(() => store.list('/', { revision }))) === 'store.compacted',
      'the first revision is compacted',
    )
    expect((await store.list('/')).items).toMatchObject([{ value: '2' }])
  })
})

const codeOf = (error: unknown): string | undefined => (error as StoreError | undefined)?.code
