import { describe, expect, it } from 'vitest'
import { Books } from './books.ts'
import type { BooksNode } from './books-node.ts'
import type { InstanceRequest } from './instance-request.ts'

const gibibyte = 1024 ** 3
const bound = { cpu: 'bound', shareBase: 10, oversellMilli: 1000 } as const

const node = (name: string, over: Partial<BooksNode> = {}): BooksNode => ({
  name,
  cpuMilli: 4000,
  memoryBytes: 16 * gibibyte,
  ...over,
})

const request = (over: Partial<InstanceRequest> = {}): InstanceRequest => ({
  entrypoint: 'shop/production/web',
  ...over,
})

function booksOf(...nodes: readonly BooksNode[]): Books {
  const books = new Books()
  books.putGroup('bound', bound)
  for (const each of nodes) books.putNode(each)
  return books
}

function nodeOf(books: Books, id: string, wanted: InstanceRequest): string {
  const decision = books.place(id, wanted)
  return decision.placed ? decision.booking.node : decision.refusal.message
}

describe('a booking', () => {
  it('is what was asked for, or the default cut to the size of the node', () => {
    const books = booksOf(node('a'))
    expect(books.place('1', request({ cpuMilli: 1300, memoryBytes: gibibyte }))).toEqual({
      placed: true,
      booking: {
        node: 'a',
        cpuMilli: 1300,
        memoryBytes: gibibyte,
        reservedCpuMilli: 1300,
        reservedMemoryBytes: gibibyte,
      },
    })
    const small = booksOf(node('a', { cpuMilli: 2000, memoryBytes: 4 * gibibyte }))
    expect(small.place('1', request())).toMatchObject({
      booking: { cpuMilli: 2000, memoryBytes: 4 * gibibyte, reservedCpuMilli: 0, reservedMemoryBytes: 0 },
    })
  })

  it('names cores in a bound group', () => {
    const books = booksOf(node('a', { group: 'bound' }))
    expect(books.place('1', request({ cpuMilli: 2300 }))).toMatchObject({ booking: { cores: '0-1,2:300' } })
    expect(books.place('2', request({ cpuMilli: 300 }))).toMatchObject({ booking: { cores: '2:300' } })
    expect(books.unownedCores('a')).toBe('2-3')
  })
})

it('a refusal says how many nodes for which reason', () => {
  const books = booksOf(node('a', { labels: { site: 'bj' } }), node('b', { labels: { site: 'cloud' } }))
  nodeOf(books, '1', request({ cpuMilli: 3200, where: ['site = bj'] }))
  expect(nodeOf(books, '2', request({ cpuMilli: 1300, where: ['site = bj'] }))).toBe(
    '2 nodes: 1 wrong site, 1 too little CPU (most free: a, 0.8 of 1.3)',
  )
})
