import { describe, expect, it } from 'vitest'
import type { Change, Store, WatchBatch } from '../store.ts'
import { isStoreError } from '../store-error.ts'
import {
  changesBetween,
  deadlineMs,
  eventually,
  expectFailure,
  failureOf,
  type OpenStoreUnderTest,
  put,
  remove,
  revisionOf,
  watchFailure,
} from './store-under-test.ts'

export function watchContract(open: OpenStoreUnderTest): void {
  describe('watches', () => {
    orderContract(open)
    endContract(open)

    it('deliver the changes of a revision together, with what was there before', async () => {
      await using test = await open()
      const { store } = test
      await put(store, '/w/a', '1')
      await put(store, '/w/b', '1')
      const before = (await store.list('/w/')).items
      const { revision } = await store.commit({
        operations: [
          { type: 'put', key: '/w/c', value: '1' },
          { type: 'put', key: '/elsewhere', value: '1' },
          { type: 'put', key: '/w/a', value: '2' },
          { type: 'delete', key: '/w/b' },
        ],
      })
      const after = new Map((await store.list('/w/')).items.map((kv) => [kv.key, kv]))
      const changes: Change[] = [
        { type: 'put', kv: after.get('/w/c') as never },
        { type: 'put', kv: after.get('/w/a') as never, previous: before[0] as never },
        { type: 'delete', key: '/w/b', modRevision: revision, previous: before[1] as never },
      ]
      expect(await changesBetween(store, '/w/', revision, revision)).toEqual([{ revision, changes }])
    })

    it('go on where another one ended', async () => {
      await using test = await open()
      const { store } = test
      const start = (await revisionOf(store)) + 1
      for (let index = 0; index < 10; index++) await put(store, `/w/${index}`)
      const whole = await changesBetween(store, '/w/', start, start + 9)
      const parts = [
        ...(await changesBetween(store, '/w/', start, start + 3)),
        ...(await changesBetween(store, '/w/', start + 4, start + 9)),
      ]
      expect(whole).toHaveLength(10)
      expect(parts).toEqual(whole)
    })

    it('mark how far they are when others change', async () => {
      await using test = await open()
      const { store } = test
      const start = await revisionOf(store)
      const signal = AbortSignal.timeout(deadlineMs)
      const watch = store.watch('/w/', { fromRevision: start + 1, signal })[Symbol.asyncIterator]()
      const first = watch.next()
      const { revision } = await put(store, '/elsewhere')
      let mark = (await first).value as WatchBatch
      while (mark.revision < revision) mark = (await watch.next()).value
      expect(mark).toEqual({ revision, changes: [] })
      await watch.return?.()
    })
  })
}

function orderContract(open: OpenStoreUnderTest): void {
  it('neither miss nor repeat a revision while many write, wherever they start', async () => {
    await using test = await open()
    const { store } = test
    const start = (await revisionOf(store)) + 1
    const total = 400
    const writing = writeInBursts(store, total)
    const froms = [start, start + 1, start + 37, start + 150]
    const watches = froms.map(async (from) => {
      await eventually(async () => (await revisionOf(store)) >= from, `revision ${from}`)
      return changesBetween(store, '/w/', from, start + total - 1)
    })
    await writing
    for (const [index, from] of froms.entries()) {
      const batches = (await watches[index]) as WatchBatch[]
      const revisions = batches.map(({ revision }) => revision)
      expect(revisions).toEqual(Array.from({ length: start + total - from }, (_, offset) => from + offset))
    }
  })

  it('deliver every change to a slow reader, or tell it to list again', async () => {
    await using test = await open()
    const { store } = test
    const start = (await revisionOf(store)) + 1
    const signal = AbortSignal.timeout(deadlineMs)
    const watch = store.watch('/w/', { fromRevision: start, signal })[Symbol.asyncIterator]()
    const first = watch.next()
    const value = 'x'.repeat(1_000_000)
    for (let index = 0; index < 40; index++) await put(store, `/w/${index % 4}`, value)
    const revisions = [((await first).value as WatchBatch).revision]
    const failure = await failureOf(async () => {
      while ((revisions.at(-1) as number) < start + 39)
        revisions.push(((await watch.next()).value as WatchBatch).revision)
    })
    expect(failure === undefined || isStoreError(failure, 'store.slow-watcher')).toBe(true)
    expect(revisions).toEqual(revisions.map((_, index) => start + index))
    await watch.return?.()
  })
}

async function writeInBursts(store: Store, total: number): Promise<void> {
  for (let written = 0; written < total; ) {
    const burst = Math.min(1 + ((written * 7) % 23), total - written)
    const first = written
    await Promise.all(Array.from({ length: burst }, (_, index) => put(store, `/w/${(first + index) % 17}`)))
    written += burst
  }
}

function endContract(open: OpenStoreUnderTest): void {
  it('fail below the compacted revision and name it', async () => {
    await using test = await open()
    const { store } = test
    const { revision: first } = await put(store, '/w/a')
    for (let index = 0; index < 5; index++) await put(store, '/w/a', String(index))
    const { revision: compactedRevision } = await remove(store, '/w/a')
    await put(store, '/w/b')
    await store.compact(compactedRevision)
    expect(await watchFailure(store, '/w/', first)).toMatchObject({
      code: 'store.compacted',
      details: { compactedRevision },
    })
    const batches = await changesBetween(store, '/w/', compactedRevision + 1, compactedRevision + 1)
    expect(batches).toMatchObject([{ changes: [{ type: 'put', kv: { key: '/w/b' } }] }])
  })

  it('fail when they start in the future', async () => {
    await using test = await open()
    const { store } = test
    const currentRevision = await revisionOf(store)
    expect(await watchFailure(store, '/w/', currentRevision + 2)).toMatchObject({
      code: 'store.future-revision',
      details: { currentRevision },
    })
    expect(await watchFailure(store, '/w/', 0)).toMatchObject({ code: 'store.invalid' })
  })

  it('end quietly when aborted: before, while waiting, and between two changes', async () => {
    await using test = await open()
    const { store } = test
    const { revision } = await put(store, '/w/a')
    expect(await countUntilAbort(store, revision, AbortSignal.abort(), () => undefined)).toBe(0)
    const between = new AbortController()
    await put(store, '/w/b')
    expect(await countUntilAbort(store, revision, between.signal, () => between.abort())).toBe(1)
    const waiting = new AbortController()
    const counted = countUntilAbort(store, revision + 2, waiting.signal, () => undefined)
    await revisionOf(store)
    waiting.abort()
    expect(await counted).toBe(0)
  })

  it('fail when the store is closed', async () => {
    await using test = await open()
    const { store } = test
    const { revision } = await put(store, '/w/a')
    const failure = failureOf(() => countUntilAbort(store, revision, AbortSignal.timeout(deadlineMs), () => undefined))
    await revisionOf(store)
    await store[Symbol.asyncDispose]()
    expect(await failure).toMatchObject({ code: 'store.closed' })
    await expectFailure(() => store.get('/w/a'), 'store.closed')
    await expectFailure(() => put(store, '/w/a'), 'store.closed')
    expect(await watchFailure(store, '/w/', revision)).toMatchObject({ code: 'store.closed' })
  })
}

async function countUntilAbort(
  store: Store,
  fromRevision: number,
  signal: AbortSignal,
  onChange: () => void,
): Promise<number> {
  let count = 0
  for await (const { changes } of store.watch('/w/', { fromRevision, signal })) {
    count += changes.length
    if (changes.length > 0) onChange()
  }
  return count
}
