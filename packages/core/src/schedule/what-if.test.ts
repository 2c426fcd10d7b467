import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Books } from './books.ts'
import type { BooksNode } from './books-node.ts'
import type { InstanceRequest } from './instance-request.ts'
import { rebalance } from './rebalance.ts'

const gibibyte = 1024 ** 3
const bound = { cpu: 'bound', shareBase: 10, oversellMilli: 1000 } as const

const node = (name: string, over: Partial<BooksNode> = {}): BooksNode => ({
  name,
  cpuMilli: 4000,
  memoryBytes: 16 * gibibyte,
  labels: { node: name },
  ...over,
})

function booksOf(...nodes: readonly BooksNode[]): Books {
  const books = new Books()
  books.putGroup('bound', bound)
  for (const each of nodes) books.putNode(each)
  return books
}

const request = (over: Partial<InstanceRequest> = {}): InstanceRequest => ({
  entrypoint: 'shop/production/web',
  cpuMilli: 1000,
  memoryBytes: gibibyte,
  ...over,
})

describe('the same books, request and seed give the same answer', () => {
  const names = Array.from({ length: 20 }, (_, index) => `n${index}`)
  const answers = (order: readonly string[], seed?: number): string[] => {
    const books = booksOf(...order.map((name) => node(name)))
    return names.map((_, index) => {
      const decision = books.place(`i${index}`, request(seed === undefined ? {} : { seed }))
      return decision.placed ? decision.booking.node : ''
    })
  }
  it('in whatever order the nodes came', () => {
    expect(answers([...names].reverse())).toEqual(answers(names))
    expect(new Set(answers(names)).size).toBe(names.length)
  })

  it('and another seed another one of the equally good', () => {
    expect(answers(names, 1)).toEqual(answers(names, 1))
    expect(answers(names, 1)).not.toEqual(answers(names, 2))
  })
})

describe('a copy', () => {
  it('sees nothing of what happens to the books, nor they of it', () => {
    const books = booksOf(node('a', { group: 'bound' }), node('b', { group: 'bound' }))
    books.place('1', request())
    const digests = (of: Books): (string | undefined)[] => ['a', 'b'].map((name) => of.nodeDigest(name))
    const copy = books.clone()
    expect(digests(copy)).toEqual(digests(books))
    const before = digests(books)
    copy.removeNode('a')
    copy.putNode(node('c'))
    copy.placeBatch(['2', '3'], request())
    copy.resize('1', { cpuMilli: 2500 })
    expect(digests(books)).toEqual(before)
    expect(books.instanceCount).toBe(1)
    const kept = digests(copy)
    books.place('4', request())
    books.release('1')
    expect(digests(copy)).toEqual(kept)
  })

  it('decides like the original, whatever was asked before', () => {
    const size = fc.record({ cpuMilli: fc.integer({ min: 1, max: 20 }).map((tenths) => tenths * 100), seed: fc.nat(3) })
    fc.assert(
      fc.property(fc.array(size, { maxLength: 30 }), fc.array(size, { maxLength: 10 }), (before, after) => {
        const apart = [{ app: 'shop', entrypoint: 'web', weight: 2 }]
        const books = booksOf(...['a', 'b', 'c', 'd'].map((name) => node(name, { group: 'bound' })))
        for (const [index, each] of before.entries()) books.place(`i${index}`, request({ ...each, apart }))
        for (let index = 0; index < before.length; index += 3) books.release(`i${index}`)
        const copy = books.clone()
        for (const [index, each] of after.entries())
          expect(copy.place(`more${index}`, request(each))).toEqual(books.place(`more${index}`, request(each)))
      }),
      { numRuns: 200 },
    )
  })
})

describe('a digest', () => {
  const changes: readonly [string, (books: Books) => unknown, boolean][] = [
    ['an instance that comes', (books) => books.place('2', request()), true],
    ['an instance that goes', (books) => books.release('1'), true],
    ['a resize', (books) => books.resize('1', { memoryBytes: 2 * gibibyte }), true],
    ['a label', (books) => books.putNode(node('a', { labels: { node: 'a', disk: 'ssd' } })), true],
    ['a drain', (books) => books.putNode(node('a', { drained: true })), true],
    ['the group’s rule', (books) => books.putGroup('default', { ...bound, cpu: 'shared', oversellMilli: 2000 }), true],
    ['what is measured', (books) => books.putNode(node('a', { measuredCpuMilli: 700, diskFreeBytes: 9 })), false],
    ['nothing', (books) => books.putNode(node('a')), false],
    ['an instance that came and went', (books) => books.place('2', request()).placed && books.release('2'), false],
  ]
  it.each(changes)('of a node: %s', (_, change, isChanged) => {
    const books = booksOf(node('a'))
    books.place('1', request())
    const before = books.nodeDigest('a')
    change(books)
    expect(books.nodeDigest('a') !== before).toBe(isChanged)
  })

  it('does not depend on the order, and there is none of an unknown node', () => {
    const [one, other] = [booksOf(node('a')), booksOf(node('a'))]
    for (const id of ['1', '2', '3']) one.place(id, request())
    for (const id of ['3', '1', '2']) other.place(id, request())
    expect(one.nodeDigest('a')).toBe(other.nodeDigest('a'))
    expect(one.nodeDigest('b')).toBeUndefined()
  })
})

describe('capacity', () => {
  it('says how many more fit and what runs out first', () => {
    const books = booksOf(node('a'), node('b', { memoryBytes: 2 * gibibyte }), node('c', { cordoned: true }))
    expect(books.capacity(request())).toEqual({
      count: 6,
      nodes: 2,
      missing: [
        { filter: 'cpu', what: 'CPU', nodes: 1 },
        { filter: 'memory', what: 'memory', nodes: 1 },
      ],
    })
    expect(books.capacity(request({ cpuMilli: -1 }))).toEqual({ count: 0, nodes: 0, missing: [] })
    expect(books.capacity(request({ entrypoint: 'a/b/c', cpuMilli: 0, memoryBytes: 0 })).count).toBeGreaterThan(1e8)
  })
})

describe('a node that changes under its instances', () => {
  const wanted = request({ cpuMilli: 1300 })
  it('comes back as it was after its group has been bound, shared and bound again', () => {
    const books = booksOf(node('a', { group: 'bound' }), node('b', { group: 'bound' }))
    for (const id of ['1', '2', '3', '4']) books.place(id, wanted)
    const before = JSON.stringify([books.nodeDigest('a'), books.coreMap('a'), books.freeOn('a')])
    books.putGroup('bound', { ...bound, cpu: 'shared' })
    expect(books.freeOn('a')).toMatchObject({ cpuFreeMilli: 4000 - 2600 })
    expect(books.isOverCommitted('a')).toBe(false)
    books.putGroup('bound', bound)
    expect(JSON.stringify([books.nodeDigest('a'), books.coreMap('a'), books.freeOn('a')])).toBe(before)
  })

  it('keeps them when it is removed, and has them when it is back', () => {
    const books = booksOf(node('a'))
    books.place('1', wanted)
    books.removeNode('a')
    expect([books.hasNode('a'), books.booking('1')?.node, books.nodeNames()]).toEqual([false, 'a', []])
    expect(books.place('2', wanted)).toMatchObject({ refusal: { message: '1 node: 1 not known' } })
    books.putNode(node('a'))
    expect(books.freeOn('a')).toMatchObject({ cpuFreeMilli: 2700, instances: 1 })
    books.removeNode('a')
    books.release('1')
    expect(books.nodeCount).toBe(0)
  })

  it('is known by the instances that are claimed on it before it is', () => {
    const books = booksOf()
    const booking = { node: 'a', cpuMilli: 1300, memoryBytes: 1, reservedCpuMilli: 1300, reservedMemoryBytes: 1 }
    books.claim('1', wanted, { ...booking, cores: '0,1:300' })
    books.putNode(node('a', { group: 'bound' }))
    expect(books.coreMap('a').slice(0, 2)).toMatchObject([{ owners: [{ milli: 1000 }] }, { owners: [{ milli: 300 }] }])
    expect(books.place('2', wanted)).toMatchObject({ booking: { cores: '2,1:300' } })
    expect(books.reservedIn('bound')).toEqual({ cpuMilli: 2600, memoryBytes: 1 + gibibyte })
  })
})

describe('rebalancing', () => {
  const crowded = (): Books => {
    const books = booksOf(node('a'), node('b'))
    books.placeBatch(['1', '2', '3', '4', '5', '6'], request())
    books.putNode(node('c'))
    return books
  }
  const requestOf = (): InstanceRequest => request()
  const counts = (books: Books): number[] => ['a', 'b', 'c'].map((name) => books.instancesOn(name).length)

  it('moves to a node that has joined, within the budget, until it is even', () => {
    const books = crowded()
    expect(rebalance(books, { moves: 1, requestOf })).toMatchObject([{ to: 'c' }])
    expect(rebalance(books, { moves: 10, requestOf })).toHaveLength(1)
    expect(counts(books)).toEqual([2, 2, 2])
    expect(rebalance(books, { moves: 10, requestOf })).toEqual([])
  })

  it('leaves what may not move, and moves nothing for less than the threshold', () => {
    const stays = crowded()
    expect(rebalance(stays, { moves: 10, requestOf: () => undefined })).toEqual([])
    expect(rebalance(crowded(), { moves: 10, thresholdMilli: 600, requestOf })).toEqual([])
    expect(counts(stays)).toEqual([3, 3, 0])
  })
})
