import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { eventually, expectFailure, failureOf, put, valueAt } from '../contract/store-under-test.ts'
import type { Store } from '../store.ts'
import { makeTemporaryDirectory, silent } from './open-temporary.testing.ts'
import { mountSmallDisk } from './small-disk.testing.ts'
import { openSqliteStore } from './sqlite-store.ts'

describe('a full disk', () => {
  it('refuses commits, loses none, goes on reading, and is over when there is space', async () => {
    await using directory = await makeTemporaryDirectory()
    const mountPoint = join(directory.path, 'small')
    await using _mount = await mountSmallDisk(mountPoint, 3_072)
    const filler = join(mountPoint, 'filler')
    await writeFile(filler, Buffer.alloc(1_048_576))
    const path = join(mountPoint, 'store.db')
    const acknowledged: string[] = []
    {
      await using store = await openSqliteStore({ path, log: silent })
      const { id } = await store.grantLease(300)
      await put(store, '/leased', '1', id)
      await fillUp(store, acknowledged)
      const failure = await failureOf(() => put(store, '/big', 'x'.repeat(100_000)))
      expect(failure).toMatchObject({ code: 'store.full', retryable: true })
      expect(String(failure)).toMatch(new RegExp(`no space left on ${mountPoint} \\(\\d+ KiB free\\)`))
      expect(await missing(store, acknowledged)).toEqual([])
      const { items, revision } = await store.list('/')
      expect(revision).toBe(Math.max(...items.map(({ modRevision }) => modRevision)))

      await rm(filler)
      await put(store, '/big', 'x'.repeat(100_000))
      await fillUp(store, acknowledged, 3)
      await eventually(
        async () => (await valueAt(store, '/leased')) === undefined,
        'the lease ends once there is space',
      )
    }
    await using store = await openSqliteStore({ path, log: silent })
    expect(await missing(store, acknowledged)).toEqual([])
    expect((await store.list('/f/')).items).toHaveLength(acknowledged.length)
  })

  it('is named when not even the file fits', async () => {
    await using directory = await makeTemporaryDirectory()
    const mountPoint = join(directory.path, 'tiny')
    await using _mount = await mountSmallDisk(mountPoint, 12)
    await writeFile(join(mountPoint, 'filler'), Buffer.alloc(12_288)).catch(() => undefined)
    await expectFailure(() => openSqliteStore({ path: join(mountPoint, 'store.db'), log: silent }), 'store.full')
  })
})

/** Groups of ten until one of a group is refused, or `groups` of them are written. */
async function fillUp(store: Store, acknowledged: string[], groups = 1_000): Promise<void> {
  for (let group = 0; group < groups; group++) {
    const keys = Array.from({ length: 10 }, (_, index) => `/f/${acknowledged.length}-${index}`)
    const results = await Promise.allSettled(keys.map((key) => put(store, key, key.repeat(300))))
    for (const [index, { status }] of results.entries())
      if (status === 'fulfilled') acknowledged.push(keys[index] as string)
    if (results.some(({ status }) => status === 'rejected')) return
  }
}

async function missing(store: Store, keys: readonly string[]): Promise<string[]> {
  const found = new Map((await store.list('/f/')).items.map(({ key, value }) => [key, value]))
  return keys.filter((key) => found.get(key) !== key.repeat(300))
}
