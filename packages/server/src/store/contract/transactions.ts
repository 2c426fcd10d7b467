import { describe, expect, it } from 'vitest'
import { type Compare, maxBytes, maxOperations, type Operation, type Store } from '../store.ts'
import {
  expectFailure,
  failureOf,
  type OpenStoreUnderTest,
  put,
  remove,
  revisionOf,
  valueAt,
} from './store-under-test.ts'

const puts = (count: number): Operation[] =>
  Array.from({ length: count }, (_, index) => ({ type: 'put', key: `/limit/${index}`, value: '{}' }))

export function transactionContract(open: OpenStoreUnderTest): void {
  describe('transactions', () => {
    compareContract(open)
    limitContract(open)
    raceContract(open)

    it('number revisions one by one and count versions', async () => {
      await using test = await open()
      const { store } = test
      const start = await revisionOf(store)
      await put(store, '/k', '1')
      await put(store, '/other')
      await put(store, '/k', '2')
      const { kv, revision } = await store.get('/k')
      expect(revision).toBe(start + 3)
      expect(kv).toEqual({ key: '/k', value: '2', createRevision: start + 1, modRevision: start + 3, version: 2 })
      await remove(store, '/k')
      expect((await store.get('/k')).kv).toBeUndefined()
      await put(store, '/k', '3')
      expect((await store.get('/k')).kv).toMatchObject({
        createRevision: start + 5,
        modRevision: start + 5,
        version: 1,
      })
    })

    it('write all their operations at one revision', async () => {
      await using test = await open()
      const { store } = test
      for (const key of ['/a/1', '/a/2', '/ab', '/b']) await put(store, key)
      const { revision } = await store.commit({
        operations: [
          { type: 'put', key: '/c', value: '"c"' },
          { type: 'delete', key: '/b' },
          { type: 'delete-prefix', prefix: '/a/' },
        ],
      })
      const { items } = await store.list('/')
      expect(items.map(({ key }) => key)).toEqual(['/ab', '/c'])
      expect(items[1]).toMatchObject({ modRevision: revision, createRevision: revision })
    })

    it.each<[string, Operation[]]>([
      ['no operations', []],
      ['a delete of a missing key', [{ type: 'delete', key: '/missing' }]],
      ['a delete of an empty prefix', [{ type: 'delete-prefix', prefix: '/missing/' }]],
    ])('make no revision for %s', async (_what, operations) => {
      await using test = await open()
      const { revision } = await put(test.store, '/k')
      expect(await test.store.commit({ operations })).toEqual({ ok: true, revision })
    })

    it('write nothing when the lease of one put is missing', async () => {
      await using test = await open()
      const { store } = test
      const { revision } = await put(store, '/k')
      const operations: Operation[] = [
        { type: 'put', key: '/first', value: '1' },
        { type: 'put', key: '/second', value: '2', lease: '7587890' },
      ]
      await expectFailure(() => store.commit({ operations }), 'store.lease-not-found')
      expect(await store.list('/')).toMatchObject({ items: [{ key: '/k' }], revision })
    })

    it('are not begun once aborted', async () => {
      await using test = await open()
      const { store } = test
      const reason = new Error('changed my mind')
      const operations: Operation[] = [{ type: 'put', key: '/k', value: '1' }]
      expect(await failureOf(() => store.commit({ operations }, { signal: AbortSignal.abort(reason) }))).toBe(reason)
      expect(await valueAt(store, '/k')).toBeUndefined()
    })
  })
}

function compareContract(open: OpenStoreUnderTest): void {
  const cases: [string, (modRevision: number) => Compare, boolean][] = [
    ['the modRevision', (modRevision) => ({ key: '/k', modRevision }), true],
    ['another modRevision', (modRevision) => ({ key: '/k', modRevision: modRevision - 1 }), false],
    ['modRevision 0 of a key', () => ({ key: '/k', modRevision: 0 }), false],
    ['modRevision 0 of a missing key', () => ({ key: '/none', modRevision: 0 }), true],
    ['modRevision 0 of a deleted key', () => ({ key: '/deleted', modRevision: 0 }), true],
    ['the version', () => ({ key: '/k', version: 2 }), true],
    ['another version', () => ({ key: '/k', version: 1 }), false],
    ['version 0 of a missing key', () => ({ key: '/none', version: 0 }), true],
    ['version 0 of a deleted key', () => ({ key: '/deleted', version: 0 }), true],
    ['the value', () => ({ key: '/k', value: '"näive"' }), true],
    ['another value', () => ({ key: '/k', value: '"naive"' }), false],
    ['the value of a missing key', () => ({ key: '/none', value: '' }), false],
  ]

  it.each(cases)('compare %s', async (_what, compareOf, ok) => {
    await using test = await open()
    const { store } = test
    await put(store, '/deleted')
    await remove(store, '/deleted')
    await put(store, '/k', '1')
    const { revision } = await put(store, '/k', '"näive"')
    const operations: Operation[] = [{ type: 'put', key: '/done', value: '1' }]
    const always: Compare = { key: '/always', version: 0 }
    const result = await store.commit({ compare: [always, compareOf(revision)], operations })
    expect(result).toEqual({ ok, revision: ok ? revision + 1 : revision })
    expect(await valueAt(store, '/done')).toBe(ok ? '1' : undefined)
  })
}

function limitContract(open: OpenStoreUnderTest): void {
  it('hold as many operations as allowed, and no more', async () => {
    await using test = await open()
    const { store } = test
    const compares = (count: number) =>
      Array.from({ length: count }, (_, index): Compare => ({ key: `/limit/${index}`, version: 0 }))
    const tooMany = compares(maxOperations + 1)
    await expectFailure(() => store.commit({ operations: puts(maxOperations + 1) }), 'store.too-large')
    await expectFailure(() => store.commit({ compare: tooMany, operations: puts(1) }), 'store.too-large')
    expect((await store.list('/')).items).toEqual([])
    const most = { compare: compares(maxOperations), operations: puts(maxOperations) }
    expect(await store.commit(most)).toMatchObject({ ok: true })
    expect((await store.list('/')).items).toHaveLength(maxOperations)
  })

  it('hold as many bytes as allowed, and no more', async () => {
    await using test = await open()
    const { store } = test
    const largest = 'é'.repeat((maxBytes - 2) / 2)
    await expectFailure(() => put(store, '/k', `${largest}x`), 'store.too-large')
    await put(store, '/k', largest)
    expect(await valueAt(store, '/k')).toBe(largest)
  })

  const invalid: [string, Operation[]][] = [
    ['an empty key', [{ type: 'put', key: '', value: '' }]],
    ['an empty prefix to delete', [{ type: 'delete-prefix', prefix: '' }]],
    ['a NUL in a key', [{ type: 'put', key: '/a\0', value: '' }]],
    ['half a surrogate pair', [{ type: 'put', key: '/a', value: '\ud800' }]],
    ['a key put twice', [...puts(1), ...puts(1)]],
    ['a key put and deleted', [...puts(1), { type: 'delete', key: '/limit/0' }]],
    ['a key put and deleted by prefix', [{ type: 'delete-prefix', prefix: '/limit/' }, ...puts(1)]],
  ]

  it.each(invalid)('refuse %s', async (_what, operations) => {
    await using test = await open()
    await expectFailure(() => test.store.commit({ operations }), 'store.invalid')
    expect((await test.store.list('')).items).toEqual([])
  })
}

function raceContract(open: OpenStoreUnderTest): void {
  it('let one of many win', async () => {
    await using test = await open()
    const { store } = test
    const attempts = Array.from({ length: 32 }, (_, index) =>
      store.commit({
        compare: [{ key: '/leader', version: 0 }],
        operations: [{ type: 'put', key: '/leader', value: String(index) }],
      }),
    )
    const results = await Promise.all(attempts)
    const winners = results.flatMap(({ ok }, index) => (ok ? [String(index)] : []))
    expect(winners).toHaveLength(1)
    expect(await valueAt(store, '/leader')).toBe(winners[0])
  })

  it('lose no update of those that compare and try again', async () => {
    await using test = await open()
    const { store } = test
    const [writers, each] = [8, 20]
    await Promise.all(Array.from({ length: writers }, () => repeat(each, () => increment(store, '/counter'))))
    expect((await store.get('/counter')).kv).toMatchObject({ value: String(writers * each), version: writers * each })
  })

  it('each succeed or fail alone when they arrive together', async () => {
    await using test = await open()
    const { store } = test
    const start = await revisionOf(store)
    const results = await Promise.allSettled([
      put(store, '/a'),
      put(store, '/b', '{}', '7587890'),
      store.commit({ compare: [{ key: '/none', version: 1 }], operations: puts(1) }),
      put(store, '/c'),
    ])
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled'])
    expect(await store.list('/')).toMatchObject({ items: [{ key: '/a' }, { key: '/c' }], revision: start + 2 })
  })
}

async function repeat(times: number, work: () => Promise<void>): Promise<void> {
  for (let done = 0; done < times; done++) await work()
}

async function increment(store: Store, key: string): Promise<void> {
  for (;;) {
    const { kv } = await store.get(key)
    const { ok } = await store.commit({
      compare: [{ key, modRevision: kv?.modRevision ?? 0 }],
      operations: [{ type: 'put', key, value: String(Number(kv?.value ?? 0) + 1) }],
    })
    if (ok) return
  }
}
