import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Change, Transaction } from '../store.ts'
import { packAnswer, packGroup, unpackAnswer, unpackGroup } from './group-codec.ts'
import type { CommitAnswer, CommitEntry } from './protocol.ts'

const key = fc.constantFrom('/a', '/b', '/ü', '/instances/shop.production.web-1')
const value = fc.string({ unit: 'grapheme', maxLength: 20 })
const revision = fc.integer({ min: 0, max: 2 ** 40 })
const compare = fc.oneof(
  fc.record({ key, modRevision: revision }),
  fc.record({ key, version: revision }),
  fc.record({ key, value }),
)
const operation = fc.oneof(
  fc.record({ type: fc.constant('put' as const), key, value }),
  fc.record({ type: fc.constant('put' as const), key, value, lease: fc.constant('l') }),
  fc.record({ type: fc.constant('delete' as const), key }),
  fc.record({ type: fc.constant('delete-prefix' as const), prefix: key }),
)
const transaction: fc.Arbitrary<Transaction> = fc.record({
  compare: fc.array(compare, { maxLength: 3 }),
  // A transaction writes a key at most once: others are refused before they come here.
  operations: fc.uniqueArray(operation, {
    maxLength: 4,
    selector: (each) => (each.type === 'delete-prefix' ? each.prefix : each.key),
  }),
})
const entry: fc.Arbitrary<CommitEntry> = fc.oneof(
  transaction.map((each): CommitEntry => ({ type: 'transaction', transaction: each })),
  fc.constant<CommitEntry>({ type: 'end-lease', leaseId: 'l' }),
)

describe('a group on its way between the threads', () => {
  it('is what it was', () => {
    fc.assert(
      fc.property(fc.array(entry), fc.boolean(), (entries, previous) => {
        const packed = structuredClone(packGroup(entries, previous))
        expect(unpackGroup(packed)).toEqual(entries)
        expect(packed.previous).toBe(previous)
      }),
    )
  })

  it('brings back an answer that is what it was', () => {
    const outcome = fc.constantFrom('done', 'refused', 'failed')
    fc.assert(
      fc.property(fc.array(fc.tuple(entry, outcome, fc.array(fc.boolean()))), fc.boolean(), (members, previous) => {
        const entries = members.map(([each]) => each)
        const answer = answerTo(members)
        const packed = structuredClone(packAnswer(entries, answer, previous))
        expect(unpackAnswer(entries, packed)).toEqual(answer)
      }),
    )
  })
})

/** As the writer makes it: a revision for each member that changed something. `found`: which deletions found something. */
function answerTo(members: readonly (readonly [CommitEntry, string, readonly boolean[]])[]): CommitAnswer {
  let at = 7
  const outcomes: CommitAnswer['outcomes'][number][] = []
  const batches: CommitAnswer['batches'][number][] = []
  for (const [each, how, found] of members) {
    if (how === 'failed')
      outcomes.push({ error: { code: 'store.full', message: 'full', retryable: true, details: {} } })
    else if (how === 'refused') outcomes.push({ ok: false, revision: at })
    else {
      const changes = changesOf(each, at + 1, found)
      if (changes.length > 0) {
        at += 1
        batches.push({ revision: at, changes })
      }
      outcomes.push({ ok: true, revision: at })
    }
  }
  return { outcomes, batches, revision: at }
}

function changesOf(each: CommitEntry, modRevision: number, found: readonly boolean[]): Change[] {
  if (each.type !== 'transaction') return [{ type: 'delete', key: '/leased', modRevision }]
  const written = new Set<string>()
  return each.transaction.operations.flatMap((operation, index): Change[] => {
    if (operation.type === 'delete-prefix') return []
    const { key: name } = operation
    if (written.has(name)) return []
    if (operation.type === 'delete') {
      if (found[index] !== true) return []
      written.add(name)
      return [{ type: 'delete', key: name, modRevision }]
    }
    written.add(name)
    const { value: text, lease } = operation
    const kv = { key: name, value: text, createRevision: modRevision - 2, modRevision, version: 3 }
    return [{ type: 'put', kv: lease === undefined ? kv : { ...kv, lease } }]
  })
}
