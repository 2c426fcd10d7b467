import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Books } from './books.ts'
import type { BooksNode } from './books-node.ts'
import { planResize } from './plan-resize.ts'

const gibibyte = 1024 ** 3
const node = (name: string, cpuMilli = 4000): BooksNode => ({
  ...{ name, labels: { node: name }, state: 'online', cordoned: false, drained: false, taints: [] },
  ...{ cpuMilli, memoryBytes: 8 * gibibyte, speedMilli: 1000, addresses: 100 },
})

function booksOf(shareBase: 10 | undefined, nodes: number): Books {
  const books = new Books()
  const cpu = shareBase === undefined ? ({ cpu: 'shared' } as const) : ({ cpu: 'bound' } as const)
  books.putGroup('default', { ...cpu, shareBase: 10, oversellMilli: 1000 })
  for (let index = 0; index < nodes; index++) books.putNode({ ...node(`n${index}`), numa: [[0, 1, 2, 3]] })
  return books
}

const request = (cpuMilli: number) => ({ entrypoint: 'shop/production/web', cpuMilli, memoryBytes: gibibyte })

function placed(books: Books, count: number, cpuMilli: number): string[] {
  const ids = Array.from({ length: count }, (_, index) => `i${index}`)
  return ids.filter((id) => books.place(id, request(cpuMilli)).placed)
}

describe('a plan of a resize', () => {
  it('in place where there is room, elsewhere by replacement, else nowhere', () => {
    const books = booksOf(undefined, 2)
    placed(books, 2, 1000)
    books.place('neighbour', { entrypoint: 'other', cpuMilli: 2500, where: ['node = n0'] })
    const due = ['i0', 'i1'].map((id) => ({ id, sizes: { cpuMilli: 2000 } }))
    const goal = { request: request(2000), due, kept: [], surge: 1, unavailable: 0, isPinned: false }
    const tight = ['i0', 'i1'].find((id) => books.booking(id)?.node === 'n0')
    const plan = planResize(books.clone(), goal)
    expect(plan.find((each) => each.id === tight)).toMatchObject({ how: 'replace', node: 'n1' })
    expect(plan.find((each) => each.id !== tight)).toMatchObject({ how: 'in-place', after: { cpuMilli: 2000 } })
    const pinned = planResize(books.clone(), { ...goal, isPinned: true })
    expect(pinned.find((each) => each.id === tight)).toMatchObject({ how: 'stays' })
    const large = due.map(({ id }) => ({ id, sizes: { cpuMilli: 4000 } }))
    const nowhere = planResize(books.clone(), { ...goal, due: large, request: request(4000) })
    expect(nowhere.find((each) => each.id === tight)).toMatchObject({
      ...{ how: 'nowhere', reason: 'n0 has too little CPU (1.5 of 4)' },
      refusal: expect.stringContaining('too little CPU'),
    })
  })

  it('tells what the books then do, and trying leaves no trace', () => {
    const scene = fc.record({
      bound: fc.boolean(),
      nodes: fc.integer({ min: 1, max: 3 }),
      count: fc.integer({ min: 1, max: 8 }),
      from: fc.integer({ min: 1, max: 20 }),
      to: fc.integer({ min: 1, max: 40 }),
      memory: fc.constantFrom(undefined, null, gibibyte / 2, 3 * gibibyte),
    })
    fc.assert(
      fc.property(scene, ({ bound, nodes, count, from, to, memory }) => {
        const books = booksOf(bound ? 10 : undefined, nodes)
        const ids = placed(books, count, from * 100)
        const sizes = { cpuMilli: to * 100, ...(memory === undefined ? {} : { memoryBytes: memory }) }
        const before = books.nodeNames().map((name) => books.nodeDigest(name))
        const tried = ids.map((id) => books.tryResize(id, sizes))
        expect(books.nodeNames().map((name) => books.nodeDigest(name))).toEqual(before)
        for (const [index, id] of ids.entries()) {
          const copy = books.clone()
          expect(copy.resize(id, sizes)).toEqual(tried[index])
        }
        const due = ids.map((id) => ({ id, sizes }))
        const goal = { request: request(to * 100), due, kept: [], surge: 1, unavailable: 0, isPinned: true }
        for (const { id, how, before: was, after } of planResize(books, goal))
          expect(books.booking(id)).toEqual(how === 'in-place' ? after : was)
      }),
      { numRuns: 300 },
    )
  })
})
