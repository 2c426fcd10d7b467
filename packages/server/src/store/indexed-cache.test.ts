import fc from 'fast-check'
import { type Logger, pino } from 'pino'
import { describe, expect, it } from 'vitest'
import { deadlineMs, eventually, expectFailure, failureOf, put, remove } from './contract/store-under-test.ts'
import { type CacheBatch, type CacheEntry, createIndexedCache, type IndexedCache } from './indexed-cache.ts'
import { openTemporary } from './sqlite/open-temporary.testing.ts'
import type { KeyValue, ListResult, Store, WatchBatch } from './store.ts'
import { compactedError } from './store-error.ts'

interface Box {
  readonly node?: string
  readonly tags?: readonly string[]
}

type BoxCache = IndexedCache<Box, 'node' | 'tag'>

const log: Logger = pino({ level: 'silent' })

const createCache = (store: Store, maxBufferedChanges?: number, signal = AbortSignal.timeout(deadlineMs)) =>
  createIndexedCache(store, '/box/', {
    decode: (kv): Box => JSON.parse(kv.value),
    indexes: { node: ({ node }) => node, tag: ({ tags }) => tags },
    log,
    signal,
    ...(maxBufferedChanges === undefined ? {} : { maxBufferedChanges }),
  })

const putBox = (store: Store, name: string, box: Box) => put(store, `/box/${name}`, JSON.stringify(box))

const keysOf = (entries: Iterable<CacheEntry<Box>>): string[] => [...entries].map(({ key }) => key).sort()

describe('an indexed cache', () => {
  it('holds what was there and what comes, by key and by every term', async () => {
    await using test = await openTemporary()
    const { store } = test
    await putBox(store, '1', { node: 'a', tags: ['x', 'y'] })
    await putBox(store, '2', { node: 'a' })
    await using cache = await createCache(store)
    expect(keysOf(cache.by('node', 'a'))).toEqual(['/box/1', '/box/2'])
    await putBox(store, '1', { node: 'b', tags: ['y', 'z'] })
    await remove(store, '/box/2')
    const { revision } = await putBox(store, '3', {})
    await cache.waitFor(revision)
    expect(cache.revision).toBe(revision)
    expect(cache.get('/box/1')).toMatchObject({ value: { node: 'b' }, version: 2 })
    expect([cache.size, keysOf(cache.all())]).toEqual([2, ['/box/1', '/box/3']])
    expect(cache.by('node', 'a')).toEqual([])
    for (const [term, keys] of Object.entries({ x: [], y: ['/box/1'], z: ['/box/1'] }))
      expect(keysOf(cache.by('tag', term))).toEqual(keys)
  })

  it('reaches revisions that changed nothing here', async () => {
    await using test = await openTemporary()
    await using cache = await createCache(test.store)
    const { revision } = await put(test.store, '/elsewhere')
    await cache.waitFor(revision)
    expect(cache.revision).toBe(revision)
  })

  it('tells listeners and streams the same, with what was there before', async () => {
    await using test = await openTemporary()
    const { store } = test
    await using cache = await createCache(store)
    const heard: CacheBatch<Box>[] = []
    const stop = cache.subscribe((batch) => void heard.push(batch))
    const controller = new AbortController()
    const streamed = collect(cache, controller.signal)
    await putBox(store, '1', { node: 'a' })
    await putBox(store, '1', { node: 'b' })
    const { revision } = await remove(store, '/box/1')
    await cache.waitFor(revision)
    stop()
    await eventually(() => streamed.batches.length === 3, 'the stream has them all')
    controller.abort()
    await streamed.done
    expect(heard.filter(({ changes }) => changes.length > 0)).toEqual(streamed.batches)
    expect(streamed.batches.flatMap(({ changes }) => changes)).toMatchObject([
      { type: 'put', entry: { value: { node: 'a' } } },
      { type: 'put', entry: { value: { node: 'b' } }, previous: { value: { node: 'a' } } },
      { type: 'delete', key: '/box/1', modRevision: revision, previous: { value: { node: 'b' } } },
    ])
  })

  it('keeps the last readable value of a key and names it', async () => {
    await using test = await openTemporary()
    const { store } = test
    await put(store, '/box/broken', 'not JSON')
    await putBox(store, '1', { node: 'a' })
    await using cache = await createCache(store)
    const { revision } = await put(store, '/box/1', '{')
    await cache.waitFor(revision)
    expect(cache.get('/box/1')?.value).toEqual({ node: 'a' })
    expect([...cache.unreadable.keys()]).toEqual(['/box/broken', '/box/1'])
    await putBox(store, '1', { node: 'b' })
    await cache.waitFor((await remove(store, '/box/broken')).revision)
    expect([cache.unreadable.size, cache.by('node', 'b').length]).toEqual([0, 1])
  })

  it('goes on for others when a listener throws', async () => {
    await using test = await openTemporary()
    await using cache = await createCache(test.store)
    cache.subscribe(() => {
      throw new Error('careless')
    })
    await cache.waitFor((await putBox(test.store, '1', {})).revision)
    expect(cache.size).toBe(1)
  })
})

describe('who reads an indexed cache', () => {
  it('is told to list again when too slow, while the cache goes on', async () => {
    await using test = await openTemporary()
    await using cache = await createCache(test.store, 3)
    const signal = AbortSignal.timeout(deadlineMs)
    const slow = cache.changes({ signal })[Symbol.asyncIterator]()
    for (let index = 0; index < 4; index++) await cache.waitFor((await putBox(test.store, `${index}`, {})).revision)
    expect(await failureOf(() => slow.next())).toMatchObject({ code: 'store.slow-watcher' })
    expect(cache.size).toBe(4)
  })

  it('stops waiting when it aborts, and when the cache is closed', async () => {
    await using test = await openTemporary()
    const cache = await createCache(test.store)
    const reason = new Error('gone')
    expect(await failureOf(() => cache.waitFor(99, { signal: AbortSignal.abort(reason) }))).toBe(reason)
    const controller = new AbortController()
    const aborted = failureOf(() => cache.waitFor(99, { signal: controller.signal }))
    controller.abort(reason)
    expect(await aborted).toBe(reason)
    const waiting = failureOf(() => cache.waitFor(99))
    const reading = failureOf(() =>
      cache
        .changes({ signal: AbortSignal.timeout(deadlineMs) })
        [Symbol.asyncIterator]()
        .next(),
    )
    await cache[Symbol.asyncDispose]()
    expect([await waiting, await reading]).toMatchObject([{ code: 'store.closed' }, { code: 'store.closed' }])
    await expectFailure(() => cache.waitFor(99), 'store.closed')
  })
})

describe('an indexed cache that missed changes', () => {
  it('lists again and tells the difference', async () => {
    const name = fc.constantFrom('1', '2', '3', '4')
    const step = fc.record({ name, node: fc.constantFrom('a', 'b'), remove: fc.boolean() })
    await using test = await openTemporary()
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 6 }),
        fc.array(step, { minLength: 1, maxLength: 8 }),
        async (before, missed) => {
          const perform = async (steps: typeof before) => {
            for (const one of steps)
              await (one.remove
                ? remove(test.store, `/box/${one.name}`)
                : putBox(test.store, one.name, { node: one.node }))
          }
          await perform(before)
          const { store, lose } = losing(test.store)
          await using cache = await createCache(store)
          const wrong: unknown[] = []
          const shadow = new Map([...cache.all()].map((entry) => [entry.key, entry]))
          cache.subscribe(({ changes }) => {
            for (const change of changes) {
              const key = change.type === 'put' ? change.entry.key : change.key
              if (change.previous !== shadow.get(key)) wrong.push(change)
              if (change.type === 'put') shadow.set(key, change.entry)
              else shadow.delete(key)
            }
          })
          await lose(() => perform(missed))
          const { items, revision } = await test.store.list('/box/')
          await cache.waitFor(revision)
          expect(inOrder(cache.all())).toEqual(items.map(decoded))
          expect(wrong).toEqual([])
          expect(inOrder(shadow.values())).toEqual(items.map(decoded))
          for (const node of ['a', 'b'])
            expect(inOrder(cache.by('node', node))).toEqual(
              items.map(decoded).filter(({ value }) => value.node === node),
            )
        },
      ),
      { numRuns: 40, endOnFailure: true },
    )
  })
})

const decoded = (kv: KeyValue): CacheEntry<Box> => ({ ...kv, value: JSON.parse(kv.value) })

const inOrder = (entries: Iterable<CacheEntry<Box>>): CacheEntry<Box>[] =>
  [...entries].sort((a, b) => (a.key < b.key ? -1 : 1))

/** A store whose watches fail with `store.compacted`, as after a long absence. */
function losing(store: Store): { store: Store; lose(meanwhile: () => Promise<void>): Promise<void> } {
  let cut = new AbortController()
  let blocked: Promise<void> | undefined
  async function* watch(prefix: string, options: Parameters<Store['watch']>[1]): AsyncGenerator<WatchBatch> {
    const signal = AbortSignal.any([options.signal, cut.signal])
    yield* store.watch(prefix, { ...options, signal })
    if (!options.signal.aborted) throw compactedError(`watch ${prefix}`, options.fromRevision, options.fromRevision + 1)
  }
  async function list(...args: Parameters<Store['list']>): Promise<ListResult> {
    await blocked
    return store.list(...args)
  }
  return {
    store: Object.assign(Object.create(store), { watch, list }),
    async lose(meanwhile) {
      const gate = Promise.withResolvers<void>()
      blocked = gate.promise
      cut.abort()
      cut = new AbortController()
      await meanwhile()
      gate.resolve()
    },
  }
}

function collect(cache: BoxCache, signal: AbortSignal): { batches: CacheBatch<Box>[]; done: Promise<void> } {
  const batches: CacheBatch<Box>[] = []
  const changes = cache.changes({ signal })
  const done = (async () => {
    for await (const batch of changes) if (batch.changes.length > 0) batches.push(batch)
  })()
  return { batches, done }
}
