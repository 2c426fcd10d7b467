import { describe, expect, it } from 'vitest'
import { Books } from './books.ts'
import { planReplacement } from './plan-replacement.ts'

const gibibyte = 1024 ** 3
const request = { entrypoint: 'shop/production/web', cpuMilli: 1000 }
const goal = { request, wanted: 2, kept: [], old: [], surge: 1, unavailable: 0 }

function booksOf(nodes: Readonly<Record<string, number>>, ids: readonly string[] = []): Books {
  const books = new Books()
  for (const [name, cores] of Object.entries(nodes))
    books.putNode({ name, cpuMilli: cores * 1000, memoryBytes: gibibyte })
  for (const id of ids) books.place(id, request)
  return books
}

describe('planReplacement', () => {
  it('spreads the first instances', () => {
    const plan = planReplacement(booksOf({ a: 4, b: 4 }), goal)
    expect([...plan.nodes].sort()).toEqual(['a', 'b'])
    expect(plan.missing).toBe(0)
  })

  it('uses the room that old ones leave', () => {
    const books = booksOf({ a: 3 }, ['old-1', 'old-2'])
    expect(planReplacement(books, { ...goal, old: ['old-1', 'old-2'] })).toEqual({ nodes: ['a', 'a'], missing: 0 })
    expect(books.instancesOn('a')).toHaveLength(2)
  })

  it('says that a full node has no room for a surge', () => {
    const books = booksOf({ a: 2 }, ['old-1', 'old-2'])
    const plan = planReplacement(books, { ...goal, old: ['old-1', 'old-2'] })
    expect(plan).toEqual({ nodes: [], missing: 2, refusal: '1 node: 1 too little CPU (most free: a, 0 of 1)' })
  })

  it('goes on where some may be missing meanwhile', () => {
    const books = booksOf({ a: 2 }, ['old-1', 'old-2'])
    const plan = planReplacement(books, { ...goal, old: ['old-1', 'old-2'], surge: 0, unavailable: 1 })
    expect(plan).toEqual({ nodes: ['a', 'a'], missing: 0 })
  })

  it('keeps what is good, and lets go what is too much', () => {
    const books = booksOf({ a: 4 }, ['good-1', 'good-2', 'good-3'])
    expect(planReplacement(books, { ...goal, kept: ['good-1', 'good-2', 'good-3'] })).toEqual({ nodes: [], missing: 0 })
    expect(books.instancesOn('a')).toEqual(['good-1', 'good-2'])
  })
})
