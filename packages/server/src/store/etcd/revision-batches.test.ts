import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { WatchBatch } from '../store.ts'
import { EtcdKeys } from './etcd-keys.ts'
import type { EtcdEvent, WatchResponse } from './etcd-messages.ts'
import { RevisionBatches } from './revision-batches.ts'

const keys = new EtcdKeys('/berth')

const eventOf = (revision: number, key: Buffer): EtcdEvent => ({
  type: 0,
  kv: {
    key,
    value: Buffer.from(`${revision}`),
    create_revision: revision,
    mod_revision: revision,
    version: 1,
    lease: '0',
  },
  prev_kv: undefined,
})

const answerOf = (events: readonly EtcdEvent[], fragment: boolean, revision = 0): WatchResponse => ({
  header: { cluster_id: '1', member_id: '1', raft_term: 1, revision },
  ...{ created: false, canceled: false, compact_revision: 0, cancel_reason: '', fragment, events },
})

/** Sizes of revisions (events each), and where the answers are cut: `true` ends one as a fragment. */
const history = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 12 })

it('hands out every revision once and whole, however the answers are cut into fragments', () => {
  fc.assert(
    fc.property(history, fc.infiniteStream(fc.nat(3)), fc.nat(4), (sizes, cuts, behind) => {
      const all = sizes.flatMap((size, index) =>
        Array.from({ length: size }, (_, part) => eventOf(10 + index, keys.data(`/k${part}`))),
      )
      const from = 10 + Math.min(behind, sizes.length - 1)
      const batches = new RevisionBatches(keys, '/', from)
      const found: WatchBatch[] = []
      for (let rest = all; rest.length > 0; ) {
        const length = 1 + (cuts.next().value as number)
        const part = rest.slice(0, length)
        rest = rest.slice(length)
        found.push(...batches.take(answerOf(part, rest.length > 0)))
      }
      expect(found.map(({ revision, changes }) => [revision, changes.length])).toEqual(
        sizes.map((size, index) => [10 + index, size]).filter(([revision = 0]) => revision >= from),
      )
      expect(batches.next).toBe(10 + sizes.length)
    }),
  )
})

it('forgets half a revision when the stream breaks: it comes again', () => {
  const batches = new RevisionBatches(keys, '/', 5)
  expect([...batches.take(answerOf([eventOf(5, keys.data('/a'))], true))]).toEqual([])
  batches.restart()
  const again = [eventOf(5, keys.data('/a')), eventOf(5, keys.data('/b'))]
  expect([...batches.take(answerOf(again, false))]).toMatchObject([{ revision: 5, changes: [{}, {}] }])
})

it('marks progress by revisions of others, of its own bookkeeping, and by empty answers', () => {
  const batches = new RevisionBatches(keys, '/w/', 5)
  const marks = [
    ...batches.take(answerOf([eventOf(5, keys.data('/elsewhere'))], false)),
    ...batches.take(answerOf([eventOf(6, keys.slot('x'))], false)),
    ...batches.take(answerOf([], false, 9)),
    ...batches.take(answerOf([], false, 8)),
  ]
  expect(marks).toEqual([5, 6, 9].map((revision) => ({ revision, changes: [] })))
})
