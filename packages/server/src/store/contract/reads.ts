import { describe, expect, it } from 'vitest'
import type { Operation, Store } from '../store.ts'
import { expectFailure, failureOf, type OpenStoreUnderTest, put, remove, revisionOf } from './store-under-test.ts'

const keysOf = ({ items }: { items: readonly { key: string }[] }): string[] => items.map(({ key }) => key)

export function readContract(open: OpenStoreUnderTest): void {
  describe('reads', () => {
    pageContract(open)

    it('list the keys below a prefix in the order of UTF-8 bytes', async () => {
      await using test = await open()
      const { store } = test
      const sorted = [
        '/p',
        '/p/',
        '/p/A',
        '/p/Z',
        '/p/a',
        '/p/~',
        '/p/é',
        '/p/中',
        '/p/\uffee',
        '/p/😀',
        '/p/\u{10ffff}',
      ]
      for (const key of [...sorted].reverse()) await put(store, key)
      for (const key of ['/o', '/q', '/P/a']) await put(store, key)
      expect(keysOf(await store.list('/p'))).toEqual(sorted)
      expect(keysOf(await store.list('/p/'))).toEqual(sorted.slice(1))
      expect(keysOf(await store.list('/p/\u{10ffff}'))).toEqual(['/p/\u{10ffff}'])
      expect(keysOf(await store.list(''))).toHaveLength(sorted.length + 3)
      expect((await store.list('/none')).items).toEqual([])
    })

    it('see a commit as soon as it is acknowledged', async () => {
      await using test = await open()
      const { revision } = await put(test.store, '/k', '"new"')
      expect(await test.store.get('/k')).toMatchObject({ kv: { value: '"new"', modRevision: revision }, revision })
    })

    it('list an older state', async () => {
      await using test = await open()
      const { store } = test
      await put(store, '/a', '1')
      await put(store, '/b', '1')
      const { revision } = await put(store, '/a', '2')
      await remove(store, '/a')
      await put(store, '/b', '2')
      await put(store, '/c', '1')
      await put(store, '/a', '3')
      const { items, revision: at } = await store.list('/', { revision })
      expect(at).toBe(revision)
      expect(items.map(({ key, value, version }) => [key, value, version])).toEqual([
        ['/a', '2', 2],
        ['/b', '1', 1],
      ])
      expect(keysOf(await store.list('/', { revision: revision + 1 }))).toEqual(['/b'])
    })

    it('refuse a revision of the future and one that is none', async () => {
      await using test = await open()
      const { store } = test
      const currentRevision = await revisionOf(store)
      await expectFailure(() => store.list('/', { revision: currentRevision + 1 }), 'store.future-revision')
      await expectFailure(() => store.list('/', { revision: 0 }), 'store.invalid')
      await expectFailure(() => store.list('/', { limit: 0 }), 'store.invalid')
    })

    it('end with the reason of an abort', async () => {
      await using test = await open()
      const { store } = test
      const reason = new Error('gone')
      const signal = AbortSignal.abort(reason)
      expect(await failureOf(() => store.get('/k', { signal }))).toBe(reason)
      expect(await failureOf(() => store.list('/', { signal }))).toBe(reason)
    })
  })
}

function pageContract(open: OpenStoreUnderTest): void {
  it('list in pages of one revision while the keys change', async () => {
    await using test = await open()
    const { store } = test
    const expected = await putMany(store, 25)
    const found: string[] = []
    let revision: number | undefined
    let after: string | undefined
    do {
      const page = await store.list('/many/', {
        limit: 10,
        ...(after === undefined ? {} : { after }),
        ...(revision === undefined ? {} : { revision }),
      })
      expect(page.items.length).toBeLessThanOrEqual(10)
      expect(page.items.every(({ version }) => version === 1)).toBe(true)
      found.push(...keysOf(page))
      revision ??= page.revision
      after = page.next
      await store.commit({ operations: [{ type: 'delete', key: expected[20] as string }] })
      await put(store, expected[21] as string, '"changed"')
      await put(store, '/many/000a')
    } while (after !== undefined)
    expect(found).toEqual(expected)
  })

  it('list everything of one revision when no limit is given', async () => {
    await using test = await open()
    const { store } = test
    const expected = await putMany(store, 2_500)
    const writing = Promise.all(expected.slice(0, 50).map((key) => put(store, key, '"changed"')))
    const { items, revision } = await store.list('/many/')
    expect(keysOf({ items })).toEqual(expected)
    expect(Math.max(...items.map(({ modRevision }) => modRevision))).toBeLessThanOrEqual(revision)
    await writing
  })

  it('start after a key that need not exist', async () => {
    await using test = await open()
    const { store } = test
    for (const key of ['/a/1', '/a/3', '/b']) await put(store, key)
    expect(keysOf(await store.list('/a/', { after: '/a/1' }))).toEqual(['/a/3'])
    expect(keysOf(await store.list('/a/', { after: '/a/2' }))).toEqual(['/a/3'])
    expect(keysOf(await store.list('/a/', { after: '/a/3' }))).toEqual([])
    expect(keysOf(await store.list('/a/', { after: '/' }))).toEqual(['/a/1', '/a/3'])
    expect(keysOf(await store.list('/a/', { after: '/c' }))).toEqual([])
  })
}

async function putMany(store: Store, count: number): Promise<string[]> {
  const keys = Array.from({ length: count }, (_, index) => `/many/${String(index).padStart(4, '0')}`)
  for (let start = 0; start < count; start += 100) {
    const operations = keys.slice(start, start + 100).map((key): Operation => ({ type: 'put', key, value: '{}' }))
    await store.commit({ operations })
  }
  return keys
}
