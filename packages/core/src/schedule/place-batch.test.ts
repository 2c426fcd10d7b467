import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Books } from './books.ts'
import type { BooksNode } from './books-node.ts'
import type { InstanceRequest, Strategy } from './instance-request.ts'

const gibibyte = 1024 ** 3
const web = 'shop/production/web'

const node = (name: string, over: Partial<BooksNode> = {}): BooksNode => ({
  name,
  cpuMilli: 4000,
  memoryBytes: 16 * gibibyte,
  ...over,
})

function booksOf(nodes: readonly BooksNode[]): Books {
  const books = new Books()
  books.putGroup('bound', { cpu: 'bound', shareBase: 10, oversellMilli: 1000 })
  for (const each of nodes) books.putNode(each)
  return books
}

const ids = (count: number): string[] => Array.from({ length: count }, (_, index) => `i${index}`)
const countOn = (books: Books, names: readonly string[]): number[] =>
  names.map((name) => books.instancesOn(name).length)

describe('a batch is dealt', () => {
  const names = ['a', 'b', 'c']
  const nodes = [node('a'), node('b', { cpuMilli: 2000 }), node('c', { cpuMilli: 8000 })]
  it.each<[string, Partial<InstanceRequest>, number, readonly number[]]>([
    ['evenly', {}, 6, [2, 2, 2]],
    ['evenly as far as there is room', {}, 10, [4, 2, 4]],
    ['onto the fewest nodes', { strategy: { type: 'pack' } }, 2, [0, 2, 0]],
    ['up to so many a node', { strategy: { type: 'fill', count: 2 } }, 4, [2, 2, 0]],
    ['so many on each', { strategy: { type: 'each', count: 1 } }, 5, [1, 1, 1]],
    ['into the smallest gaps', { strategy: { type: 'drain-first' } }, 7, [4, 2, 1]],
    ['to the least used', { strategy: { type: 'balance' } }, 7, [2, 1, 4]],
    ['no more than so many a node', { max: { node: 1 } }, 5, [1, 1, 1]],
    ['no more than one a node apart from itself', { apart: [{ app: 'shop', entrypoint: 'web' }] }, 5, [1, 1, 1]],
    ['one by one where a port is asked for', { hostPorts: [80] }, 5, [1, 1, 1]],
  ])('%s', (_, over, count, expected) => {
    const books = booksOf(nodes)
    const result = books.placeBatch(ids(count), { entrypoint: web, cpuMilli: 1000, ...over })
    expect(countOn(books, names)).toEqual(expected)
    expect(result.placed).toBe(expected.reduce((sum, each) => sum + each, 0))
    expect(result.refusal === undefined).toBe(result.placed === count)
  })

  it('in proportions over a label, and so is one after the other', () => {
    const names = ['n0', 'n1', 'n2', 'n3']
    const nodes = names.map((name, index) => node(name, { labels: { site: index < 2 ? 'bj' : 'cloud' } }))
    const wanted = { entrypoint: web, cpuMilli: 100, spread: { over: 'site', shares: { bj: 70, cloud: 30 } } }
    const [batch, one] = [booksOf(nodes), booksOf(nodes)]
    batch.placeBatch(ids(10), wanted)
    for (const id of ids(10)) one.place(id, wanted)
    for (const books of [batch, one]) {
      const [a = 0, b = 0, c = 0, d = 0] = countOn(books, names)
      expect([a + b, Math.abs(a - b), c + d, Math.abs(c - d)]).toEqual([7, 1, 3, 1])
    }
  })

  it('not at all when an instance has its place already or is named twice', () => {
    const books = booksOf(nodes)
    books.place('i1', { entrypoint: web })
    expect(books.placeBatch(ids(2), { entrypoint: web })).toMatchObject({
      placed: 0,
      refusal: { message: 'i1 has its place already: release it first' },
    })
    expect(books.placeBatch(['x', 'x'], { entrypoint: web })).toMatchObject({
      refusal: { message: 'x is named twice in the batch' },
    })
  })
})

const strategies: readonly Strategy[] = [
  { type: 'spread' },
  { type: 'pack' },
  { type: 'fill', count: 3 },
  { type: 'each', count: 2 },
  { type: 'drain-first' },
  { type: 'balance' },
]

it('a batch takes as many as one by one, as many as the capacity says, and spreads as evenly', () => {
  const nodes = fc.array(
    fc.record({
      cpuMilli: fc.constantFrom(2000, 4000, 7000),
      group: fc.constantFrom('bound', 'default'),
      labels: fc.constantFrom({ site: 'bj' }, { site: 'sh' }, {}),
    }),
    { minLength: 1, maxLength: 6 },
  )
  const wanted = fc.record({
    cpuMilli: fc.integer({ min: 1, max: 25 }).map((tenths) => tenths * 100),
    memoryBytes: fc.constantFrom(gibibyte, 3 * gibibyte),
    strategy: fc.constantFrom(...strategies),
    max: fc.constantFrom({}, { node: 2 }, { site: 3 }),
    apart: fc.constantFrom([], [], [{ app: 'shop', entrypoint: 'web' }], [{ app: 'shop', over: 'site' }]),
  })
  fc.assert(
    fc.property(nodes, fc.array(fc.integer({ min: 1, max: 20 }), { maxLength: 6 }), wanted, (specs, before, over) => {
      const make = (): Books => {
        const books = booksOf(specs.map((spec, index) => node(`n${index}`, spec)))
        for (const [index, tenths] of before.entries())
          books.place(`before${index}`, { entrypoint: 'other/p/x', cpuMilli: tenths * 100, memoryBytes: gibibyte })
        return books
      }
      const request = { entrypoint: web, ...over }
      const [one, batch] = [make(), make()]
      const capacity = batch.capacity(request).count
      let placed = 0
      while (placed < 100 && one.place(`i${placed}`, request).placed) placed++
      expect(batch.placeBatch(ids(100), request).placed).toBe(placed)
      expect(capacity).toBe(placed)
      const part = Math.floor(placed / 2)
      const [half, halfOne] = [make(), make()]
      half.placeBatch(ids(part), request)
      for (const id of ids(part)) halfOne.place(id, request)
      if (over.strategy.type !== 'spread' && over.strategy.type !== 'each') return
      const own = (books: Books): number[] =>
        specs.map((_, index) => books.instancesOn(`n${index}`).filter((id) => /^i\d/.test(id)).length).sort()
      expect(own(half)).toEqual(own(halfOne))
    }),
    { numRuns: 1500 },
  )
})
