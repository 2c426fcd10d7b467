import type { Instance } from '@berth/core'
import { describe, expect, it } from 'vitest'
import { plainStatus } from '../controllers/pretended-node.testing.ts'
import { openTemporaryRecords } from '../records/open-records.testing.ts'
import { addressProblems } from '../views/address-problems.ts'
import { LiveBooks } from './live-books.ts'

/** Each has addresses for five. */
const blocks = { r1: '10.90.0.0/29', r2: '10.90.0.8/29' }

async function openNodes(...names: (keyof typeof blocks)[]) {
  const under = await openTemporaryRecords()
  await under.records.commit('system:test', (tx) => {
    const rest = { labels: {}, address: '127.0.0.1', schedulable: true, certificateFingerprint: '', joinedAt: 0 }
    for (const name of names) {
      tx.put('nodes', { name, block: blocks[name], ...rest })
      tx.put('nodeStatuses', { ...plainStatus, name })
    }
  })
  return under
}

const instances = [2, 3, 4, 5, 6].map(
  (last): Instance => ({
    ...{ id: `shop.production.web-${last}`, app: 'shop', pool: 'production', entrypoint: 'web', ordinal: last },
    ...{ release: 'v1', generation: 1, type: 'service', desired: 'run', restartNonce: 0, createdAt: 1 },
    ...{ createdBy: 'test', node: 'r1', address: `10.90.0.${last}` },
  }),
)

const place = (books: LiveBooks, id: string) => books.place(id, { entrypoint: 'shop/production/web', cpuMilli: 0 })

describe('a node whose addresses are used up', () => {
  it('is refused with that reason, and says so itself', async () => {
    await using under = await openNodes('r1')
    const { records, state } = under
    await records.commit('system:test', (tx) => instances.slice(1).map((each) => tx.put('instances', each)))
    const node = state.nodes.get('r1')
    if (node === undefined) throw new Error('r1 is there')
    expect(addressProblems(state, node)).toEqual([])
    using books = new LiveBooks({ state, isOnline: () => true })
    expect(place(books, 'a')).toMatchObject({ placed: true, record: { address: '10.90.0.2' } })
    expect(place(books, 'b')).toEqual({ placed: false, message: '1 node: 1 addresses used up' })
    books.restore(['a'])
    await records.commit('system:test', (tx) => tx.put('instances', instances[0] as Instance))
    expect(addressProblems(state, node)).toEqual([
      expect.stringMatching(/^its addresses are used up \(5 of 5 in 10\.90\.0\.0\/29\)/),
    ])
  })

  it('by instances that have ended is passed over, and taken again when they are forgotten', async () => {
    await using under = await openNodes('r1', 'r2')
    const { records, state } = under
    await records.commit('system:test', (tx) => {
      for (const each of instances) {
        tx.put('instances', { ...each, desired: 'stop' })
        tx.put('statuses', { id: each.id, createdAt: 1, node: 'r1', phase: 'ended', ready: false, restarts: 0 })
      }
    })
    using books = new LiveBooks({ state, isOnline: () => true })
    for (const id of ['a', 'b', 'c', 'd', 'e'])
      expect(place(books, id)).toMatchObject({ placed: true, record: { node: 'r2' } })
    const refused = place(books, 'f')
    expect(refused).toMatchObject({
      placed: false,
      message: expect.stringMatching(
        /^addresses used up on r1 \(instances that have ended hold theirs until they are forgotten\); elsewhere: 2 nodes: .*1 addresses used up/,
      ),
    })
    await records.commit('system:test', (tx) => tx.delete('instances', instances[1]?.id ?? ''))
    expect(place(books, 'f')).toMatchObject({ placed: true, record: { node: 'r1', address: '10.90.0.3' } })
  })
})
