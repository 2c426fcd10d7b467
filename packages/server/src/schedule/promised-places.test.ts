import type { Instance } from '@berth/core'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { plainStatus } from '../controllers/pretended-node.testing.ts'
import { openTemporaryRecords, type RecordsUnderTest } from '../records/open-records.testing.ts'
import { instance } from '../records/sample-records.testing.ts'
import { LiveBooks } from './live-books.ts'

const names = ['n-0', 'n-1']
const id = 'shop.production.web-1'
const request = { entrypoint: 'shop/production/web', cpuMilli: 500, memoryBytes: 2 ** 20 }

let under: RecordsUnderTest
let books: LiveBooks
beforeEach(async () => {
  under = await openTemporaryRecords()
  await under.records.commit('system:test', (tx) => {
    for (const [n, name] of names.entries()) {
      const rest = { labels: {}, address: '127.0.0.1', schedulable: true, certificateFingerprint: '', joinedAt: 0 }
      tx.put('nodes', { name, block: `10.78.${n}.0/24`, ...rest })
      tx.put('nodeStatuses', { ...plainStatus, name, cpuMilli: 4_000, memoryBytes: 2 ** 30 })
    }
  })
  books = new LiveBooks({ state: under.state, isOnline: () => true })
})
afterEach(async () => {
  books[Symbol.dispose]()
  await under[Symbol.asyncDispose]()
})

/** As a server would have them that starts now. */
function expectAsRecorded(): void {
  using fresh = new LiveBooks({ state: under.state, isOnline: () => true })
  expect(books.books.booking(id)).toEqual(fresh.books.booking(id))
  for (const name of names) expect(books.books.freeOn(name)).toEqual(fresh.books.freeOn(name))
}

function place(): Instance {
  const placed = books.place(id, request)
  if (!placed.placed) throw new Error(placed.message)
  return { ...instance(id), ...placed.record }
}

const write = (record: Instance | undefined): Promise<unknown> =>
  under.records.commit('system:test', (tx) => {
    if (record === undefined) tx.delete('instances', id)
    else tx.put('instances', record)
  })

it.each([
  ['as it was found', (found: Instance): Instance => found],
  ['on another node', (found: Instance): Instance => ({ ...found, node: found.node === 'n-0' ? 'n-1' : 'n-0' })],
  ['with other sizes', (found: Instance): Instance => ({ ...found, reservedCpuMilli: 700, cpuMilli: 700 })],
  ['at another address', (found: Instance): Instance => ({ ...found, address: '10.78.0.99' })],
])('a place whose record comes %s is held as the record says, and is free once that is gone', async (_, change) => {
  const found = place()
  await write(change(found))
  expectAsRecorded()
  await write({ ...change(found), desired: 'drain' })
  expectAsRecorded()
  await write(undefined)
  expectAsRecorded()
  expect(books.books.booking(id)).toBeUndefined()
  expect(place().address).toBeDefined()
})
