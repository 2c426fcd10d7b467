import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Books } from './books.ts'
import type { BooksNode } from './books-node.ts'
import type { BatchItem, InstanceRequest } from './instance-request.ts'

const gibibyte = 1024 ** 3

const node = (name: string, over: Partial<BooksNode> = {}): BooksNode => ({
  name,
  cpuMilli: 4000,
  memoryBytes: 16 * gibibyte,
  ...over,
})

function booksOf(nodes: readonly BooksNode[]): Books {
  const books = new Books()
  books.putGroup('bound', { cpu: 'bound', shareBase: 10, oversellMilli: 1000 })
  books.putGroup('oversold', { cpu: 'bound', shareBase: 10, oversellMilli: 1500, maxSharedCores: 2 })
  for (const each of nodes) books.putNode(each)
  return books
}

const item = (id: string, request: Partial<InstanceRequest>): BatchItem => ({
  id,
  request: { entrypoint: 'shop/production/web', ...request },
})

describe('a mixed batch', () => {
  it('is decided by priority and answered in the order given', () => {
    const books = booksOf([node('a')])
    const decisions = books.placeAll([
      item('low', { cpuMilli: 3000 }),
      item('high', { cpuMilli: 3000, priority: 10 }),
      item('wrong', { cpuMilli: -1 }),
    ])
    expect(decisions.map(({ placed }) => placed)).toEqual([false, true, false])
    expect(decisions[0]).toMatchObject({ refusal: { message: '1 node: 1 too little CPU (most free: a, 1 of 3)' } })
  })

  it('that is packed gives way to what is more important', () => {
    const books = booksOf([node('a')])
    const pack = { strategy: { type: 'pack' } } as const
    const decisions = books.placeAll([
      item('packed', { cpuMilli: 3000, ...pack }),
      item('spread', { cpuMilli: 3000, priority: 1 }),
      item('first', { cpuMilli: 1000, priority: 2, ...pack }),
    ])
    expect(decisions.map(({ placed }) => placed)).toEqual([false, true, true])
  })

  it('is placed as a gang or not at all', () => {
    const books = booksOf([node('a'), node('b')])
    const digests = [books.nodeDigest('a'), books.nodeDigest('b')]
    const gang = ['1', '2', '3'].map((id) => item(id, { cpuMilli: 3000 }))
    const decisions = books.placeAll(gang, { gang: true })
    expect(decisions).toHaveLength(3)
    for (const decision of decisions)
      expect(decision).toMatchObject({
        placed: false,
        refusal: { message: expect.stringMatching(/^not all could be placed: 3: 2 nodes: 2 too little CPU/) },
      })
    expect([books.nodeDigest('a'), books.nodeDigest('b')]).toEqual(digests)
    expect(books.placeAll(gang.slice(1), { gang: true }).every(({ placed }) => placed)).toBe(true)
  })

  it('may not name an instance that has its place', () => {
    const books = booksOf([node('a')])
    books.place('1', item('1', {}).request)
    const decisions = books.placeAll([item('1', {}), item('2', {})], { gang: true })
    expect(decisions.map(({ placed }) => placed)).toEqual([false, false])
    expect(books.booking('1')).toBeDefined()
  })

  it('fills nodes that are used before it opens others', () => {
    const books = booksOf(['a', 'b', 'c', 'd'].map((name) => node(name)))
    for (const id of ['x', 'y']) books.place(id, item(id, { cpuMilli: 1000 }).request)
    const items = Array.from({ length: 7 }, (_, index) =>
      item(`p${index}`, { cpuMilli: index < 2 ? 2000 : 600, memoryBytes: gibibyte, strategy: { type: 'pack' } }),
    )
    expect(books.placeAll(items).every(({ placed }) => placed)).toBe(true)
    const used = ['a', 'b', 'c', 'd'].filter((name) => books.instancesOn(name).length > 0)
    expect(used).toHaveLength(3)
  })
})

it('packing gives nothing twice, leaves nothing out that fits, and takes no more nodes than one by one', () => {
  const group = fc.constantFrom('default', 'bound', 'oversold')
  const spec = fc.record({ cpuMilli: fc.constantFrom(4000, 8000), speedMilli: fc.constantFrom(1000, 750) })
  const size = fc.record({
    cpuMilli: fc.integer({ min: 1, max: 30 }).map((tenths) => tenths * 100),
    memoryBytes: fc.integer({ min: 1, max: 12 }).map((gibibytes) => gibibytes * gibibyte),
  })
  const sizes = fc.array(size, { minLength: 1, maxLength: 60 })
  let opened = { packed: 0, oneByOne: 0 }
  fc.assert(
    fc.property(group, fc.array(spec, { minLength: 1, maxLength: 10 }), sizes, sizes, (name, specs, before, batch) => {
      const names = specs.map((_, index) => `n${index}`)
      const make = (): Books => booksOf(specs.map((each, index) => node(names[index]!, { ...each, group: name })))
      const pack = (each: (typeof batch)[number]): InstanceRequest => ({
        ...each,
        entrypoint: 'shop/p/web',
        group: name,
        strategy: { type: 'pack' },
      })
      const [books, one] = [make(), make()]
      for (const [index, each] of before.slice(0, 5).entries())
        for (const target of [books, one])
          target.place(`before${index}`, { ...pack(each), strategy: { type: 'spread' } })
      const items = batch.map((each, index) => ({ id: `i${index}`, request: pack(each) }))
      const decisions = books.placeAll(items)
      for (const [index, decision] of decisions.entries()) {
        if (decision.placed) expect(books.booking(`i${index}`)).toEqual(decision.booking)
        else expect(books.fits(items[index]!.request)).toBe(false)
      }
      for (const each of names) expect(books.isOverCommitted(each)).toBe(false)
      const claimed = make()
      for (const each of names)
        for (const id of books.instancesOn(each)) claimed.claim(id, pack(batch[0]!), books.booking(id)!)
      for (const each of names) {
        expect(claimed.freeOn(each)).toEqual(books.freeOn(each))
        expect(claimed.coreMap(each)).toEqual(books.coreMap(each))
      }
      const all = decisions.every(({ placed }) => placed)
      if (!all || !items.map(({ id, request }) => one.place(id, request)).every(({ placed }) => placed)) return
      const used = (target: Books): number => names.filter((each) => target.instancesOn(each).length > 0).length
      opened = { packed: opened.packed + used(books), oneByOne: opened.oneByOne + used(one) }
    }),
    { numRuns: 600 },
  )
  expect(opened.packed).toBeLessThanOrEqual(opened.oneByOne)
  expect(opened.packed).toBeGreaterThan(0)
})
