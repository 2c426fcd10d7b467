import { describe, expect, it } from 'vitest'
import type { Store } from '../store.ts'
import { changesBetween, expectFailure, type OpenStoreUnderTest, put, remove, revisionOf } from './store-under-test.ts'

export function compactionContract(open: OpenStoreUnderTest): void {
  describe('compaction', () => {
    it('keeps current values and the history from its revision on', async () => {
      await using test = await open()
      const { store } = test
      await put(store, '/c/old', 'kept')
      await put(store, '/c/a', '1')
      await put(store, '/c/deleted', '1')
      await remove(store, '/c/deleted')
      const { revision } = await put(store, '/c/a', '2')
      await put(store, '/c/a', '3')
      await store.compact(revision)
      const compactedRevision = revision
      await expectFailure(() => store.list('/c/', { revision: revision - 1 }), 'store.compacted', { compactedRevision })
      expect(await valuesAt(store, revision)).toEqual({ '/c/a': '2', '/c/old': 'kept' })
      expect(await valuesAt(store, revision + 1)).toEqual({ '/c/a': '3', '/c/old': 'kept' })
      expect(await changesBetween(store, '/c/', revision + 1, revision + 1)).toHaveLength(1)
    })

    it('can be repeated, and refuses the future', async () => {
      await using test = await open()
      const { store } = test
      await put(store, '/c/a', '1')
      const { revision } = await put(store, '/c/a', '2')
      await Promise.all([store.compact(revision), store.compact(revision - 1), store.compact(revision)])
      await store.compact(revision)
      await store.compact(revision - 1)
      await expectFailure(() => store.compact(revision + 1), 'store.future-revision')
      expect(await valuesAt(store, revision)).toEqual({ '/c/a': '2' })
    })

    it('lets deleted keys begin anew', async () => {
      await using test = await open()
      const { store } = test
      for (let round = 0; round < 3; round++) {
        const { revision } = await put(store, '/c/a')
        expect((await store.get('/c/a')).kv).toMatchObject({ version: 1, createRevision: revision })
        await remove(store, '/c/a')
        await store.compact(await revisionOf(store))
        expect((await store.list('/c/')).items).toEqual([])
      }
    })

    it('lets commits go on', async () => {
      await using test = await open()
      const { store } = test
      const rounds = 60
      for (let round = 0; round < rounds; round++)
        await Promise.all(Array.from({ length: 100 }, (_, index) => put(store, `/c/${index}`, String(round))))
      let compacting = true
      const compaction = store.compact(await revisionOf(store)).finally(() => {
        compacting = false
      })
      let commits = 0
      while (compacting) {
        await put(store, '/other', String(commits))
        commits += 1
      }
      await compaction
      expect(commits).toBeGreaterThan(1)
      const values = Object.values(await valuesAt(store, await revisionOf(store)))
      expect(values).toEqual(Array.from({ length: 100 }, () => String(rounds - 1)))
    })
  })
}

async function valuesAt(store: Store, revision: number): Promise<Record<string, string>> {
  const { items } = await store.list('/c/', { revision })
  return Object.fromEntries(items.map(({ key, value }) => [key, value]))
}
