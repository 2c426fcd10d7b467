import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Books } from './books.ts'
import { CoreLedger } from './core-ledger.ts'
import { formatCores, parseCores } from './core-text.ts'
import { cpuProblem, type GroupRule } from './cpu-pieces.ts'

const gibibyte = 1024 ** 3

const rule = (over: Partial<GroupRule> = {}): GroupRule => ({
  cpu: 'bound',
  shareBase: 10,
  oversellMilli: 1000,
  ...over,
})

function booksOf(hosts: number, cores: number, groupRule = rule()): Books {
  const books = new Books()
  books.putGroup('bound', groupRule)
  for (let i = 0; i < hosts; i++)
    books.putNode({ name: `h${i}`, group: 'bound', cpuMilli: cores * 1000, memoryBytes: 1024 * gibibyte })
  return books
}

/** The published table: how many instances a group of hosts takes. */
const table: readonly (readonly [hosts: number, cores: number, cpuMilli: number, count: number])[] = [
  [4, 16, 1000, 64],
  [4, 16, 2000, 32],
  [4, 16, 3000, 20],
  [4, 16, 4000, 16],
  [4, 16, 5000, 12],
  [4, 16, 1500, 40],
  [4, 16, 2500, 24],
  [4, 16, 3500, 16],
  [4, 16, 1100, 56],
  [4, 16, 2100, 28],
  [1, 64, 1000, 64],
  [1, 64, 2000, 32],
  [1, 64, 3000, 21],
  [1, 64, 4000, 16],
  [1, 64, 5000, 12],
  [1, 64, 1500, 42],
  [1, 64, 2500, 25],
]

describe('a group of hosts takes as many as the published table says', () => {
  it.each(table)('%d hosts of %d cores, instances of %d thousandths: %d', (hosts, cores, cpuMilli, count) => {
    const request = { entrypoint: 'a/p/w', group: 'bound', cpuMilli, memoryBytes: gibibyte }
    expect(booksOf(hosts, cores).capacity(request).count).toBe(count)
    const one = booksOf(hosts, cores)
    let placed = 0
    while (one.place(String(placed), request).placed) placed++
    expect(placed).toBe(count)
    const ids = Array.from({ length: count + 1 }, (_, i) => String(i))
    expect(booksOf(hosts, cores).placeBatch(ids, request).placed).toBe(count)
  })
})

it('the formula is what the greedy order reaches, and the maximum over every number of shared cores', () => {
  const amount = fc.record({
    cores: fc.integer({ min: 1, max: 40 }),
    pieces: fc.integer({ min: 1, max: 45 }),
    before: fc.array(fc.integer({ min: 1, max: 35 }), { maxLength: 6 }),
    maxSharedCores: fc.option(fc.nat(8), { nil: undefined }),
    oversellMilli: fc.constantFrom(1000, 1500, 2300),
  })
  fc.assert(
    fc.property(amount, ({ cores, pieces, before, maxSharedCores, oversellMilli }) => {
      const ledger = new CoreLedger()
      ledger.ensureRows(1)
      const numbers = Array.from({ length: cores }, (_, i) => i)
      const limits = { oversellMilli, ...(maxSharedCores === undefined ? {} : { maxSharedCores }) }
      ledger.setNode(0, { numbers, numa: numbers.map(() => 0) }, rule(limits))
      for (const each of before) ledger.take(0, Math.floor(each / 10), (each % 10) * 100)
      const [whole, fragment] = [Math.floor(pieces / 10), (pieces % 10) * 100]
      const expected = ledger.capacity(0, whole, fragment)
      const byTrying = bestOfAll(ledger, whole, fragment)
      let taken = 0
      while (ledger.take(0, whole, fragment)) taken++
      expect([taken, byTrying]).toEqual([expected, expected])
    }),
    { numRuns: 5000 },
  )
})

/** `max over x of min(S + x·k, ⌊(F − x) ÷ n⌋)` as it is written. */
function bestOfAll(ledger: CoreLedger, whole: number, fragment: number): number {
  const [free = 0, shared = 0, limit = 0, maxShared = 0] = [
    ledger.free[0],
    ledger.shared[0],
    ledger.limit[0],
    ledger.maxShared[0],
  ]
  const fragmentsFree = Array.from({ length: ledger.length[0] ?? 0 }, (_, core) => ledger.core(0, core)).reduce(
    (sum, { milli }) => sum + (milli > 0 && fragment > 0 ? Math.max(0, Math.floor((limit - milli) / fragment)) : 0),
    0,
  )
  const byWhole = (cores: number): number => (whole === 0 ? Number.POSITIVE_INFINITY : Math.floor(cores / whole))
  if (fragment === 0) return byWhole(free)
  let best = 0
  for (let x = 0; x <= Math.min(free, maxShared - shared); x++)
    best = Math.max(best, Math.min(fragmentsFree + x * Math.floor(limit / fragment), byWhole(free - x)))
  return maxShared < shared ? Math.min(fragmentsFree, byWhole(free)) : best
}

describe('cores come', () => {
  const numa = (...free: readonly (readonly number[])[]): CoreLedger => {
    const ledger = new CoreLedger()
    ledger.ensureRows(1)
    ledger.setNode(0, { numbers: free.flat(), numa: free.flatMap((cores, index) => cores.map(() => index)) }, rule())
    return ledger
  }
  const taken = (ledger: CoreLedger, whole: number, fragment: number): string => {
    if (!ledger.take(0, whole, fragment)) return 'none'
    const cores = Array.from(ledger.picked.subarray(0, ledger.pickedCount))
    return formatCores({ whole: cores, fragmentCore: ledger.pickedFragment, fragmentMilli: fragment })
  }
  it.each<[string, readonly (readonly number[])[], readonly [number, number][], readonly string[]]>([
    [
      'the lowest numbers first',
      [[0, 1, 2, 3]],
      [
        [2, 0],
        [1, 300],
      ],
      ['0-1', '2,3:300'],
    ],
    [
      'from the NUMA node with the fewest free ones that has enough',
      [
        [0, 1, 2, 3],
        [4, 5, 6],
      ],
      [
        [3, 0],
        [2, 0],
      ],
      ['4-6', '0-1'],
    ],
    [
      'with the fragment from the same NUMA node',
      [
        [0, 1, 2, 3],
        [4, 5],
      ],
      [[1, 500]],
      ['4,5:500'],
    ],
    ['from as few NUMA nodes as possible', [[0, 1], [2, 3, 4], [5]], [[4, 0]], ['2-5']],
    [
      'with interleaved numbers',
      [
        [0, 2, 4],
        [1, 3, 5],
      ],
      [
        [3, 0],
        [2, 200],
      ],
      ['0,2,4', '1,3,5:200'],
    ],
    [
      'with the fragment on the fullest shared core that has room',
      [[0, 1, 2, 3]],
      [
        [0, 600],
        [0, 700],
        [0, 300],
        [0, 400],
      ],
      ['0:600', '1:700', '1:300', '0:400'],
    ],
    [
      'not at all when there are too few',
      [[0, 1]],
      [
        [1, 500],
        [1, 0],
        [0, 600],
      ],
      ['0,1:500', 'none', 'none'],
    ],
  ])('%s', (_, layout, wanted, expected) => {
    const ledger = numa(...layout)
    expect(wanted.map(([whole, fragment]) => taken(ledger, whole, fragment))).toEqual(expected)
  })
})

describe('a resize keeps the cores that it has', () => {
  const bound = (cores: number): Books => booksOf(1, cores)
  const place = (books: Books, id: string, cpuMilli: number): string | undefined => {
    const decision = books.place(id, { entrypoint: 'a/p/w', group: 'bound', cpuMilli, memoryBytes: gibibyte })
    return decision.placed ? decision.booking.cores : decision.refusal.message
  }
  const resize = (books: Books, id: string, cpuMilli: number): string | undefined => {
    const decision = books.resize(id, { cpuMilli })
    return decision.placed ? decision.booking.cores : decision.refusal.message
  }
  it.each<[string, readonly number[], number, string]>([
    ['more whole cores', [2300, 1000], 3300, '0-1,4,2:300'],
    ['fewer', [3300], 1300, '0,3:300'],
    ['a larger fragment where there is room', [1300, 300], 1600, '0,1:600'],
    ['a larger fragment elsewhere where there is none', [1300, 700], 1600, '0,2:600'],
    ['no fragment any more', [1300], 1000, '0'],
    ['a fragment that becomes the whole core', [1500], 2000, '0-1'],
    ['a whole core that becomes a fragment', [2000], 1500, '0,1:500'],
    ['not at all where there is too little', [1000], 9000, 'h0 has too little CPU (6 of 9)'],
    [
      'nor in finer steps than the group has',
      [1000],
      1250,
      '1.25 cores is finer than a core is divided here (10 pieces): the nearest are 1.2 and 1.3',
    ],
  ])('%s', (_, before, wanted, expected) => {
    const books = bound(6)
    for (const [i, cpuMilli] of before.entries()) place(books, `i${i}`, cpuMilli)
    const digest = books.nodeDigest('h0')
    expect(resize(books, 'i0', wanted)).toBe(expected)
    resize(books, 'i0', before[0]!)
    if (!/[a-z]/.test(expected)) return
    expect(books.nodeDigest('h0')).toBe(digest)
  })
})

describe('a node that reports fewer cores than are given out', () => {
  it('is over-committed, keeps what it has, and is taken again when it has room', () => {
    const books = booksOf(1, 4)
    const request = { entrypoint: 'a/p/w', group: 'bound', cpuMilli: 1000, memoryBytes: gibibyte }
    for (const id of ['a', 'b', 'c']) books.place(id, request)
    const node = { name: 'h0', group: 'bound', memoryBytes: 1024 * gibibyte }
    books.putNode({ ...node, cpuMilli: 2000 })
    expect(books.isOverCommitted('h0')).toBe(true)
    expect(books.booking('c')).toMatchObject({ cores: '2' })
    expect(books.coreMap('h0').map(({ core, present }) => [core, present])).toEqual([
      [0, true],
      [1, true],
      [2, false],
    ])
    expect(books.place('d', { ...request, cpuMilli: 0 })).toMatchObject({
      refusal: { message: '1 node: 1 over-committed' },
    })
    books.release('c')
    expect(books.isOverCommitted('h0')).toBe(false)
    books.release('b')
    expect(books.place('d', request)).toMatchObject({ booking: { cores: '1' } })
  })

  it('and so is one whose records give a core out twice', () => {
    const books = booksOf(1, 4)
    const request = { entrypoint: 'a/p/w', group: 'bound', cpuMilli: 1000, memoryBytes: 0 }
    const booking = { node: 'h0', cpuMilli: 1000, memoryBytes: 0, reservedCpuMilli: 1000, reservedMemoryBytes: 0 }
    books.claim('a', request, { ...booking, cores: '1' })
    books.claim('b', request, { ...booking, cores: '1' })
    expect(books.isOverCommitted('h0')).toBe(true)
    books.release('a')
    expect(books.isOverCommitted('h0')).toBe(false)
    expect(books.unownedCores('h0')).toBe('0,2-3')
  })
})

it('a fragment finds no place where no core may be shared, and the refusal says so', () => {
  const request = { entrypoint: 'a/p/w', group: 'bound', cpuMilli: 1500, memoryBytes: gibibyte }
  const books = booksOf(2, 4, rule({ maxSharedCores: 0 }))
  expect(books.place('a', request)).toMatchObject({ refusal: { message: '2 nodes: 2 no room on shared cores' } })
  expect(books.place('a', { ...request, cpuMilli: 4000 }).placed).toBe(true)
})

describe('instances without cores of their own', () => {
  it('keep a core that nobody owns whole, and as many as they reserve', () => {
    const books = booksOf(1, 4)
    const unbound = { entrypoint: 'a/p/agent', group: 'bound', unbound: true, memoryBytes: gibibyte }
    const request = { entrypoint: 'a/p/w', group: 'bound', cpuMilli: 1000, memoryBytes: gibibyte }
    expect(books.place('agent', unbound)).toMatchObject({ placed: true, booking: { reservedCpuMilli: 0 } })
    expect(books.capacity(request).count).toBe(3)
    books.place('batch', { ...unbound, cpuMilli: 1500 })
    expect(books.capacity(request).count).toBe(2)
    expect(books.place('a', request).placed && books.place('b', request).placed).toBe(true)
    expect(books.place('c', request).placed).toBe(false)
    expect(books.unownedCores('h0')).toBe('2-3')
    expect(books.place('batch2', { ...unbound, cpuMilli: 600 })).toMatchObject({
      refusal: { message: '1 node: 1 too little CPU (most free: h0, 0.5 of 0.6)' },
    })
  })
})

describe('an amount of CPU that cannot be had names the nearest', () => {
  it.each<[number, Partial<GroupRule>, string | undefined]>([
    [1300, {}, undefined],
    [1350, {}, '1.35 cores is finer than a core is divided here (10 pieces): the nearest are 1.3 and 1.4'],
    [1350, { shareBase: 100 }, undefined],
    [
      1301,
      { shareBase: 100 },
      '1.301 cores is finer than a core is divided here (100 pieces): the nearest are 1.3 and 1.31',
    ],
    [50, {}, '0.05 cores is finer than a core is divided here (10 pieces): the least is 0.1'],
    [0.1, { shareBase: 1000 }, '0.0001 cores is finer than a core is divided here (1000 pieces): the least is 0.001'],
    [-500, {}, '-0.5 cores: an amount of CPU cannot be negative; the least is 0.1'],
    [Number.NaN, {}, 'NaN is not an amount of CPU: the least is 0.1 cores'],
    [1301, { cpu: 'shared' }, undefined],
  ])('%d', (cpuMilli, over, message) => {
    expect(cpuProblem(cpuMilli, rule(over))).toBe(message)
  })

  it('and what no node has names the largest', () => {
    expect(booksOf(2, 16).place('a', { entrypoint: 'a/p/w', group: 'bound', cpuMilli: 20_000 })).toMatchObject({
      refusal: { message: '20 cores are more than any node has: at most 16 (h0)' },
    })
  })
})

describe('a slower node', () => {
  it('gives more of its cores for the same, to the next piece', () => {
    const books = new Books()
    books.putGroup('bound', rule())
    books.putNode({ name: 'cloud', group: 'bound', cpuMilli: 8000, memoryBytes: 64 * gibibyte, speedMilli: 750 })
    books.putNode({ name: 'slow', group: 'default', cpuMilli: 8000, memoryBytes: 64 * gibibyte, speedMilli: 750 })
    const request = { entrypoint: 'a/p/w', cpuMilli: 1300, memoryBytes: gibibyte }
    expect(books.place('a', { ...request, group: 'bound' })).toMatchObject({
      booking: { reservedCpuMilli: 1800, cores: '0,1:800' },
    })
    expect(books.place('b', { ...request, group: 'default' })).toMatchObject({ booking: { reservedCpuMilli: 1734 } })
    expect(books.capacity({ ...request, group: 'default' }).count).toBe(3)
    expect(books.place('c', { ...request, group: 'bound', cpuMilli: 6100 })).toMatchObject({
      refusal: { message: '6.1 cores are more than any node has: at most 6 (cloud)' },
    })
  })
})

describe('the text of cores', () => {
  it.each(['', '7', '2-3,7:300', '0-3,5,7-8,6:1', '4:999'])('%s is read and written alike', (text) => {
    const read = parseCores(text)
    expect(read.ok && formatCores(read.value)).toBe(text)
  })

  it.each<[string, string]>([
    ['3-2', '"3-2": 3-2 is no range of cores'],
    ['1,1', '"1,1": core 1 is named twice'],
    ['1-3,2:100', '"1-3,2:100": core 2 is named twice'],
    ['1:100,2:100', '"1:100,2:100": there is more than one fragment'],
    ['1:0', '"1:0": the fragment of core 1 is empty'],
    ['x', '"x": "x" is neither a core (7), nor a range (2-3), nor a fragment (7:300)'],
  ])('%s is refused', (text, message) => {
    expect(parseCores(text)).toMatchObject({ ok: false, message })
  })
})
