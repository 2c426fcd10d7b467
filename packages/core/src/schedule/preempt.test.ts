import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Books } from './books.ts'
import type { InstanceRequest } from './instance-request.ts'
import type { PreemptionBounds } from './preempt.ts'

const gibibyte = 1024 ** 3

function booksOf(names: readonly string[], cpuMilli = 4000): Books {
  const books = new Books()
  books.putGroup('bound', { cpu: 'bound', shareBase: 10, oversellMilli: 1000 })
  for (const name of names)
    books.putNode({ name, group: 'bound', cpuMilli, memoryBytes: 16 * gibibyte, labels: { node: name } })
  return books
}

type Resident = readonly [id: string, node: string, cpuMilli: number, priority: number, over?: Partial<InstanceRequest>]

function fill(books: Books, residents: readonly Resident[]): void {
  for (const [id, node, cpuMilli, priority, over] of residents) {
    const entrypoint = `${id.replace(/\d/, '')}/p/web`
    const where = [`node = ${node}`]
    books.place(id, { entrypoint, cpuMilli, memoryBytes: gibibyte, priority, preemptible: true, where, ...over })
  }
}

const wanted = (over: Partial<InstanceRequest> = {}): InstanceRequest => ({
  entrypoint: 'vip/p/web',
  cpuMilli: 2000,
  memoryBytes: gibibyte,
  priority: 100,
  preempt: true,
  ...over,
})

describe('victims are', () => {
  it.each<
    [
      string,
      readonly Resident[],
      Partial<InstanceRequest>,
      PreemptionBounds,
      readonly [string, ...string[]] | undefined,
    ]
  >([
    [
      'the fewest',
      [
        ['a1', 'x', 2000, 5],
        ['a2', 'x', 2000, 5],
        ['b1', 'y', 1000, 1],
        ['b2', 'y', 1000, 1],
        ['b3', 'y', 2000, 50],
      ],
      {},
      {},
      ['x', 'a1'],
    ],
    [
      'of equally few the least important',
      [
        ['a1', 'x', 4000, 5],
        ['b1', 'y', 4000, 4],
      ],
      {},
      {},
      ['y', 'b1'],
    ],
    [
      'of equally important the smallest',
      [
        ['a1', 'x', 4000, 5],
        ['b1', 'y', 2000, 5],
        ['b2', 'y', 2000, 90],
      ],
      {},
      {},
      ['y', 'b1'],
    ],
    [
      'only those that allow it',
      [
        ['a1', 'x', 4000, 1, { preemptible: false }],
        ['b1', 'y', 4000, 9],
      ],
      {},
      {},
      ['y', 'b1'],
    ],
    [
      'only those of lower priority',
      [
        ['a1', 'x', 4000, 100],
        ['b1', 'y', 4000, 101],
      ],
      {},
      {},
      undefined,
    ],
    ['none where the request does not ask for it', [['a1', 'x', 4000, 1]], { preempt: false }, {}, undefined],
    [
      'none that the caller keeps',
      [
        ['a1', 'x', 4000, 1],
        ['b1', 'y', 4000, 9],
      ],
      {},
      { keeps: (id) => id === 'a1' },
      ['y', 'b1'],
    ],
    [
      'no more of an entrypoint than it can spare',
      [
        ['a1', 'x', 2000, 1],
        ['a2', 'x', 2000, 1],
        ['b1', 'y', 4000, 9],
      ],
      { cpuMilli: 4000 },
      { spare: () => 1 },
      ['y', 'b1'],
    ],
    [
      'no more than so many',
      [
        ['a1', 'x', 1000, 1],
        ['a2', 'x', 1000, 1],
        ['a3', 'x', 2000, 500],
      ],
      {},
      { most: 1 },
      undefined,
    ],
    [
      'none where even all would not do',
      [
        ['a1', 'x', 2000, 1],
        ['a2', 'x', 2000, 500],
        ['b1', 'y', 4000, 500],
      ],
      { cpuMilli: 3000 },
      {},
      undefined,
    ],
    [
      'none on a node that breaks a rule',
      [
        ['a1', 'x', 4000, 1],
        ['b1', 'y', 4000, 9],
      ],
      { where: ['node = y'] },
      {},
      ['y', 'b1'],
    ],
  ])('%s', (_, residents, over, bounds, expected) => {
    const books = booksOf(['x', 'y'])
    fill(books, residents)
    const before = [books.nodeDigest('x'), books.nodeDigest('y')]
    const found = books.findVictims(wanted(over), bounds)
    expect(found).toEqual(expected === undefined ? undefined : { node: expected[0], victims: expected.slice(1) })
    expect([books.nodeDigest('x'), books.nodeDigest('y')]).toEqual(before)
  })
})

it('without its victims a request fits, with one of them left it does not, and looking changes nothing', () => {
  const resident = fc.record({
    node: fc.constantFrom('x', 'y', 'z'),
    cpuMilli: fc.integer({ min: 1, max: 20 }).map((tenths) => tenths * 100),
    priority: fc.integer({ min: 0, max: 4 }),
    preemptible: fc.boolean(),
  })
  const request = fc.record({
    cpuMilli: fc.integer({ min: 5, max: 40 }).map((tenths) => tenths * 100),
    priority: fc.integer({ min: 0, max: 6 }),
  })
  fc.assert(
    fc.property(fc.array(resident, { maxLength: 25 }), request, (residents, over) => {
      const books = booksOf(['x', 'y', 'z'])
      fill(
        books,
        residents.map(({ node, cpuMilli, priority, preemptible }, i) => [
          `r${i}`,
          node,
          cpuMilli,
          priority,
          { preemptible },
        ]),
      )
      const state = (): string =>
        JSON.stringify(['x', 'y', 'z'].map((name) => [books.freeOn(name), books.coreMap(name)]))
      const before = state()
      const found = books.findVictims(wanted(over), {})
      expect(state()).toBe(before)
      if (found === undefined) return
      const request = wanted({ ...over, where: [`node = ${found.node}`] })
      for (const kept of found.victims) {
        const copy = books.clone()
        for (const id of found.victims) if (id !== kept) copy.release(id)
        expect(copy.fits(request)).toBe(false)
      }
      for (const id of found.victims) books.release(id)
      expect(books.fits(request)).toBe(true)
    }),
    { numRuns: 500 },
  )
})
