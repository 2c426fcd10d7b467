import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { checkHistory } from './check-history.ts'
import { type History, type RegisterChange, type Rule, rules } from './history.ts'

/** Two clients, a watch of each kind, two instances and two terms, all as it should be. */
const good: History = {
  changes: [
    { revision: 2, register: 'x', value: 1 },
    { revision: 4, register: 'y', value: 1 },
    { revision: 6, register: 'x', value: 2 },
    { revision: 9, register: 'x', value: 3 },
  ],
  operations: [
    { type: 'write', client: 'a', register: 'x', value: 1, outcome: 'acknowledged' },
    { type: 'read', client: 'a', server: 's1', register: 'x', value: 1 },
    { type: 'write', client: 'b', register: 'y', value: 1, outcome: 'unknown' },
    { type: 'read', client: 'b', server: 's2', register: 'y' },
    { type: 'write', client: 'a', register: 'x', value: 2, outcome: 'acknowledged' },
    { type: 'read', client: 'a', server: 's1', register: 'x', value: 3 },
    { type: 'write', client: 'b', register: 'y', value: 2, outcome: 'refused' },
    { type: 'write', client: 'b', register: 'y', value: 3, outcome: 'unknown' },
  ],
  watches: [
    {
      ...{ name: 'all', kind: 'every', after: 2, until: 8 },
      seen: [
        { type: 'change', register: 'y', value: 1, revision: 4 },
        { type: 'mark', revision: 5 },
        { type: 'change', register: 'x', value: 2, revision: 6 },
      ],
    },
    {
      ...{ name: 'views', kind: 'latest', after: 2 },
      seen: [
        { type: 'change', register: 'x', value: 2 },
        { type: 'change', register: 'x', value: 2 },
        { type: 'change', register: 'y', value: 1 },
        { type: 'mark', revision: 7 },
        { type: 'change', register: 'x', value: 3 },
      ],
    },
  ],
  grants: [
    { revision: 3, holder: 'web-1', parts: [core(1, 1000), core(2, 300), address(4)] },
    { revision: 3, holder: 'web-2', parts: [core(2, 700), address(5)] },
    { revision: 7, holder: 'web-1', parts: [] },
    { revision: 7, holder: 'web-3', parts: [core(1, 1000), address(4)] },
    { revision: 8, holder: 'web-2', parts: [core(2, 1000), address(5)] },
  ],
  terms: [
    { role: 'cluster', number: 1, server: 's1', endedAt: 5 },
    { role: 'cluster', number: 6, server: 's2' },
    { role: 'builds', number: 2, server: 's1' },
  ],
  acts: [
    { role: 'cluster', actor: 'p1', revision: 3, what: 'instance.created' },
    { role: 'builds', actor: 'p1', revision: 8, what: 'build.succeeded' },
    { role: 'cluster', actor: 'p2', revision: 7, what: 'instance.created' },
    { role: 'cluster', actor: 'p2', revision: 9, what: 'instance.ended' },
  ],
}

function core(number: number, milli: number) {
  return { name: `n1 core ${number}`, milli }
}
function address(last: number) {
  return { name: `address 10.77.1.${last}`, milli: 1000 }
}

const rulesOf = (history: History): Rule[] => checkHistory(history).map(({ rule }) => rule)
const withOperations = (...more: History['operations']): History => ({
  ...good,
  operations: [...good.operations, ...more],
})
const withWatch = (kind: 'every' | 'latest', ...seen: History['watches'][number]['seen']): History => ({
  ...good,
  watches: [{ name: 'w', kind, after: 2, until: 8, seen }],
})
const y1 = { type: 'change', register: 'y', value: 1, revision: 4 } as const
const x2 = { type: 'change', register: 'x', value: 2, revision: 6 } as const
const lead = (actor: string, revision: number) => ({ role: 'cluster', actor, revision, what: 'deed' })

/** One history for every way in which a rule can be broken. */
const wrong: readonly (readonly [rule: Rule, what: string, history: History])[] = [
  [
    'lost-write',
    'an acknowledged write that never was',
    withOperations({ type: 'write', client: 'a', register: 'x', value: 4, outcome: 'acknowledged' }),
  ],
  [
    'lost-write',
    'the only write of a register',
    withOperations({ type: 'write', client: 'c', register: 'z', value: 1, outcome: 'acknowledged' }),
  ],
  [
    'undone-write',
    'a value that comes back',
    { ...good, changes: [...good.changes, { revision: 11, register: 'x', value: 2 }] },
  ],
  ['undone-write', 'a register that goes', { ...good, changes: [...good.changes, { revision: 11, register: 'y' }] }],
  [
    'ghost-write',
    'a refused write that is there',
    withOperations({ type: 'write', client: 'b', register: 'y', value: 1, outcome: 'refused' }),
  ],
  [
    'stale-read',
    'a value before the own one',
    withOperations({ type: 'read', client: 'a', server: 's2', register: 'x', value: 1 }),
  ],
  [
    'stale-read',
    'nothing where something was written',
    withOperations({ type: 'read', client: 'a', server: 's2', register: 'x' }),
  ],
  [
    'invented-read',
    'a value that nobody wrote',
    withOperations({ type: 'read', client: 'b', server: 's2', register: 'y', value: 9 }),
  ],
  ['watch-skips', 'the first', withWatch('every', x2)],
  ['watch-skips', 'the last', withWatch('every', y1)],
  ['watch-skips', 'a view before a mark', withWatch('latest', y1, { type: 'mark', revision: 7 })],
  [
    'watch-skips',
    'an old view at a mark',
    withWatch('latest', { type: 'change', register: 'x', value: 1 }, y1, { type: 'mark', revision: 7 }),
  ],
  ['watch-repeats', 'a change', withWatch('every', y1, x2, y1)],
  ['watch-repeats', 'out of order', withWatch('every', x2, y1)],
  ['watch-repeats', 'a view that goes back', withWatch('latest', x2, { type: 'change', register: 'x', value: 1 })],
  ['watch-invents', 'a revision', withWatch('every', y1, x2, { type: 'change', register: 'x', value: 2, revision: 7 })],
  ['watch-invents', 'a value', withWatch('latest', { type: 'change', register: 'x', value: 7 })],
  [
    'given-twice',
    'a whole core',
    { ...good, grants: [...good.grants, { revision: 9, holder: 'web-4', parts: [core(1, 1000)] }] },
  ],
  [
    'given-twice',
    'a little of a full core',
    { ...good, grants: [...good.grants, { revision: 9, holder: 'web-4', parts: [core(2, 1)] }] },
  ],
  [
    'given-twice',
    'an address',
    { ...good, grants: [...good.grants, { revision: 9, holder: 'web-4', parts: [address(5)] }] },
  ],
  [
    'given-twice',
    'a port, in one transaction',
    {
      ...good,
      grants: ['a', 'b'].map((holder) => ({ revision: 3, holder, parts: [{ name: 'n1 port 80', milli: 1000 }] })),
    },
  ],
  ['two-leaders', 'one that was succeeded', { ...good, acts: [...good.acts, lead('p1', 10)] }],
  ['two-leaders', 'one in two servers’ terms', { ...good, acts: [lead('p1', 3), lead('p1', 7)] }],
  ['acts-without-term', 'between two terms', { ...good, acts: [lead('p1', 5)] }],
  ['acts-without-term', 'in a role that nobody has', { ...good, acts: [{ ...lead('p1', 3), role: 'upkeep' }] }],
]

describe('a history', () => {
  it('in which all is well is found to be so', () => {
    expect(checkHistory(good)).toEqual([])
  })

  it.each(wrong)('is found to break %s: %s', (rule, _what, history) => {
    expect(rulesOf(history)).toContain(rule)
  })

  it('breaks no other rule than the one that it was made to break', () => {
    for (const [rule, what, history] of wrong)
      expect([what, new Set(rulesOf(history))]).toEqual([what, new Set([rule])])
  })

  it('is there for every rule', () => {
    expect(new Set(wrong.map(([rule]) => rule))).toEqual(new Set(rules))
  })
})

describe('whatever happens in order', () => {
  const steps = fc.array(fc.record({ register: fc.constantFrom('x', 'y', 'z'), gap: fc.integer({ min: 1, max: 3 }) }), {
    minLength: 1,
  })
  const changesOf = (order: readonly { readonly register: string; readonly gap: number }[]): RegisterChange[] => {
    const counts = new Map<string, number>()
    let revision = 1
    return order.map(({ register, gap }) => {
      const value = (counts.get(register) ?? 0) + 1
      counts.set(register, value)
      revision += gap
      return { revision, register, value }
    })
  }
  const told = (changes: readonly RegisterChange[]): History => ({
    ...{ changes, grants: [], terms: [], acts: [] },
    operations: changes.map(({ register, value = 0 }) => ({
      ...{ type: 'write', client: register, register, value, outcome: 'acknowledged' },
    })),
    watches: [{ name: 'w', kind: 'every', after: 0, seen: changes.map((each) => ({ type: 'change', ...each })) }],
  })

  it('is consistent', () => {
    fc.assert(fc.property(steps, (order) => checkHistory(told(changesOf(order))).length === 0))
  })

  it('is not, once any change is missing in the store or in a watch', () => {
    fc.assert(
      fc.property(steps, fc.nat(), (order, n) => {
        const changes = changesOf(order)
        const gone = n % changes.length
        const lost = { ...told(changes), changes: changes.filter((_, index) => index !== gone) }
        expect(rulesOf(lost)).toEqual(['lost-write', 'watch-invents'])
        const [watch] = told(changes).watches
        const seen = watch?.seen.filter((_, index) => index !== gone) ?? []
        const skipped: History = { ...told(changes), watches: [{ name: 'w', kind: 'every', after: 0, seen }] }
        expect(rulesOf(skipped)).toEqual(['watch-skips'])
      }),
    )
  })
})
