import { describe, expect, test } from 'vitest'
import { keepLastKnownGood } from './last-known-good.ts'
import { sampleMember, sampleRoute, sampleTable } from './route-table.testing.ts'
import type { Route } from './route-table.ts'

const good = sampleRoute([1, 2])
const empty: Route = { ...good, targets: [] }
const drained: Route = sampleRoute([sampleMember(1, { weight: 0 })])

describe('a table that leaves a known route without members', () => {
  test.each<[string, Route, Route, boolean]>([
    ['no members', good, empty, true],
    ['only members of weight 0', good, drained, true],
    ['draining members still serve', good, sampleRoute([sampleMember(1, { state: 'draining' })]), false],
    ['allowed to be empty', good, { ...empty, allowEmpty: true }, false],
    ['known to be empty before', empty, empty, false],
    ['with other members', good, sampleRoute([3]), false],
  ])('%s', (_, before, after, isKept) => {
    const { table, kept } = keepLastKnownGood(sampleTable(1, [before]), sampleTable(2, [after]))
    expect(kept).toEqual(isKept ? [good.id] : [])
    expect(table).toEqual(sampleTable(2, [isKept ? { ...after, targets: before.targets } : after]))
  })

  test('everything else about the route changes', () => {
    const next = { ...empty, host: 'new.example.com', timeoutMs: 5 }
    const { table } = keepLastKnownGood(sampleTable(1, [good]), sampleTable(2, [next]))
    expect(table.routes).toEqual([{ ...next, targets: good.targets }])
  })

  test('it is kept as long as it takes', () => {
    const first = keepLastKnownGood(sampleTable(1, [good]), sampleTable(2, [empty])).table
    const second = keepLastKnownGood(first, sampleTable(3, [empty]))
    expect(second).toEqual({ table: sampleTable(3, [good]), kept: [good.id] })
  })
})

test('a deleted route is gone, a new one may be empty, the first table is taken as it is', () => {
  const other = sampleRoute([], { host: 'other.example.com' })
  expect(keepLastKnownGood(sampleTable(1, [good]), sampleTable(2, [other]))).toEqual({
    table: sampleTable(2, [other]),
    kept: [],
  })
  expect(keepLastKnownGood(undefined, sampleTable(1, [empty]))).toEqual({ table: sampleTable(1, [empty]), kept: [] })
})
