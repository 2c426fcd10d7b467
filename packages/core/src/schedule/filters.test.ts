import { describe, expect, it } from 'vitest'
import { Books } from './books.ts'
import type { BooksNode } from './books-node.ts'
import type { InstanceRequest } from './instance-request.ts'

const gibibyte = 1024 ** 3
const web = 'shop/production/web'

const node = (name: string, over: Partial<BooksNode> = {}): BooksNode => ({
  name,
  cpuMilli: 4000,
  memoryBytes: 16 * gibibyte,
  labels: { site: 'bj' },
  ...over,
})

function booksOf(...nodes: readonly BooksNode[]): Books {
  const books = new Books()
  books.putGroup('bound', { cpu: 'bound', shareBase: 10, oversellMilli: 1000 })
  for (const each of nodes) books.putNode(each)
  return books
}

const request = (over: Partial<InstanceRequest> = {}): InstanceRequest => ({ entrypoint: web, ...over })

it('forty nodes are refused in one sentence, in the order of the filters, with the best of what is counted', () => {
  const books = new Books()
  for (let i = 0; i < 40; i++) {
    const free = i === 17 ? 800 : 500
    const cpuMilli = i >= 12 && i < 32 ? free : 4000
    books.putNode(node(i === 17 ? 'web-7' : `n${i}`, { cpuMilli, labels: { site: i < 12 ? 'cloud' : 'bj' } }))
  }
  for (let i = 32; i < 40; i++)
    books.claim(`db${i}`, { entrypoint: 'shop/production/db' }, { ...nothing, node: `n${i}` })
  const wanted = request({ cpuMilli: 1300, where: ['site = bj'], apart: [{ app: 'shop', entrypoint: 'db' }] })
  const decision = books.place('a', wanted)
  expect(decision).toMatchObject({
    placed: false,
    refusal: {
      nodes: 40,
      message:
        '40 nodes: 12 wrong site, 20 too little CPU (most free: web-7, 0.8 of 1.3), 8 anti-affinity with shop/db',
      reasons: [
        { filter: 'where', nodes: 12, text: 'wrong site' },
        { filter: 'cpu', nodes: 20, text: 'too little CPU (most free: web-7, 0.8 of 1.3)' },
        { filter: 'apart', nodes: 8, text: 'anti-affinity with shop/db' },
      ],
    },
  })
  expect(books.explain(wanted)).toEqual(decision.placed ? undefined : decision.refusal)
})

const nothing = { cpuMilli: 0, memoryBytes: 0, reservedCpuMilli: 0, reservedMemoryBytes: 0 }
const booked = (over: Partial<typeof nothing>) => ({ ...nothing, node: 'a', ...over })

describe('a node is refused', () => {
  it.each<[string, Partial<InstanceRequest>, Partial<BooksNode>, string]>([
    ['in another group', { group: 'bound' }, {}, 'not in group bound'],
    ['offline', {}, { state: 'offline' }, 'offline'],
    ['lost', {}, { state: 'lost' }, 'lost'],
    ['without a report', {}, { cpuMilli: 0 }, 'not measured yet'],
    ['cordoned', {}, { cordoned: true }, 'cordoned'],
    ['drained', {}, { drained: true }, 'drained'],
    ['with a taint', {}, { taints: [{ key: 'gpu', value: 'only' }] }, 'taint gpu=only not tolerated'],
    [
      'with another taint',
      { tolerate: [{ key: 'gpu', value: 'no' }] },
      { taints: [{ key: 'gpu' }] },
      'taint gpu not tolerated',
    ],
    ['in the wrong site', { where: ['site in (sh, gz)'] }, {}, 'wrong site'],
    ['of the wrong kind', { where: ['kind = c64'] }, { labels: { kind: 'c16' } }, 'wrong kind'],
    ['without a label', { where: ['disk = ssd'] }, {}, 'without disk = ssd'],
    ['with too old a version', { where: ['kernel >= 5.15'] }, { labels: { kernel: '5.4' } }, 'without kernel >= 5.15'],
    ['without a network', { networks: ['lan'] }, { networks: ['bridge'] }, 'without Docker network lan'],
    ['without a volume', { volumes: ['data'] }, { volumes: ['logs'] }, 'without volume data'],
    ['with no share', { spread: { over: 'site', shares: { sh: 1 } } }, {}, 'site has no share'],
    ['without what is spread over', { spread: { over: 'rack' } }, {}, 'without rack'],
    ['of too little CPU', { cpuMilli: 3600 }, {}, 'too little CPU (most free: a, 3.5 of 3.6)'],
    ['of too little memory', { memoryBytes: 16 * gibibyte }, {}, 'too little memory (most free: a, 15Gi of 16Gi)'],
    [
      'of too little disk',
      { diskBytes: 11 * gibibyte },
      { diskBytes: 10 * gibibyte },
      'too little disk (most free: a, 10Gi of 11Gi)',
    ],
    [
      'of a full disk',
      { diskBytes: 2 * gibibyte },
      { diskBytes: 10 * gibibyte, diskFreeBytes: gibibyte },
      'too little disk (most free: a, 1Gi of 2Gi)',
    ],
    [
      'of too few of a resource',
      { resources: { gpu: 2 } },
      { resources: { gpu: 1 } },
      'too little gpu (most free: a, 1 of 2)',
    ],
    [
      'of too few named ones',
      { resources: { fpga: 3 } },
      { resources: { fpga: ['x', 'y'] } },
      'too little fpga (most free: a, 2 of 3)',
    ],
    ['with a taken port', { hostPorts: [80, 443] }, { usedPorts: [443] }, 'port 443 taken'],
    ['beside an enemy', { apart: [{ app: 'shop', entrypoint: 'db' }] }, {}, 'anti-affinity with shop/db'],
    ['beside an app', { apart: [{ app: 'shop' }] }, {}, 'anti-affinity with shop'],
    ['in the site of an enemy', { apart: [{ app: 'shop', over: 'site' }] }, {}, 'anti-affinity with shop'],
    ['away from a friend', { near: [{ app: 'mail', entrypoint: 'in' }] }, {}, 'no mail/in near'],
    [
      'with as many as may be',
      { entrypoint: 'shop/production/db', max: { node: 1 } },
      {},
      'with 1 of shop/production/db already',
    ],
    [
      'in a site with as many',
      { entrypoint: 'shop/production/db', max: { site: 1 } },
      {},
      'in a site with 1 of shop/production/db already',
    ],
    ['without an address', {}, { addresses: 1 }, 'addresses used up'],
  ])('%s', (_, wanted, over, text) => {
    const books = booksOf(node('a', over))
    books.claim(
      'db',
      { entrypoint: 'shop/production/db' },
      booked({ reservedCpuMilli: 500, reservedMemoryBytes: gibibyte }),
    )
    expect(books.place('x', request(wanted))).toMatchObject({
      placed: false,
      refusal: { message: `1 node: 1 ${text}` },
    })
  })

  it('when more is given out on it than there is', () => {
    const books = booksOf(node('a'))
    books.claim('db', { entrypoint: 'shop/production/db' }, booked({ reservedCpuMilli: 9000 }))
    expect(books.place('x', request())).toMatchObject({ refusal: { message: '1 node: 1 over-committed' } })
    expect(books.isOverCommitted('a')).toBe(true)
  })

  it('because of what another wants to be apart from, too', () => {
    const books = booksOf(node('a'))
    books.place('db', { entrypoint: 'shop/production/db', apart: [{ app: 'shop', entrypoint: 'web' }] })
    expect(books.place('x', request())).toMatchObject({ refusal: { message: '1 node: 1 anti-affinity with shop/db' } })
    books.release('db')
    expect(books.place('x', request())).toMatchObject({ placed: true })
  })
})

describe('a node is taken', () => {
  it.each<[string, Partial<InstanceRequest>, Partial<BooksNode>]>([
    ['whose taint is tolerated', { tolerate: [{ key: 'gpu' }] }, { taints: [{ key: 'gpu', value: 'only' }] }],
    ['with the networks', { networks: ['bridge', 'lan'] }, { networks: ['a', 'lan', 'bridge'] }],
    ['with a volume', { volumes: ['data'] }, { volumes: ['data', 'logs'] }],
    ['that has exactly enough', { cpuMilli: 4000, memoryBytes: 16 * gibibyte }, {}],
    ['without an address left, where it needs none', { network: 'host' }, { addresses: 0 }],
    ['without an address left, where it has its own', { hasAddress: true }, { addresses: 0 }],
    ['near itself, when it is the first', { near: [{ app: 'shop', entrypoint: 'web' }] }, {}],
    ['apart from itself, when it is the first', { apart: [{ app: 'shop', entrypoint: 'web' }] }, {}],
  ])('%s', (_, wanted, over) => {
    expect(booksOf(node('a', over)).place('x', request(wanted))).toMatchObject({ placed: true })
  })
})

describe('a request is refused before any node is looked at', () => {
  it.each<[Partial<InstanceRequest>, string]>([
    [{ where: ['site = bj', 'site = cloud'] }, '`site = bj` and `site = cloud` can never both hold'],
    [{ where: ['site ='] }, 'requirement "site =", place 7: expected a value, found the end'],
    [
      { prefer: [{ where: 'disk ~ ssd', weight: 1 }] },
      'requirement "disk ~ ssd", place 6: expected =, !=, in (…), not in (…), >=, >, <= or <, found "~ ssd"',
    ],
    [
      { near: [{ app: 'shop', entrypoint: 'db' }], apart: [{ app: 'shop', entrypoint: 'db' }] },
      'near shop/db and apart from shop/db can never both hold',
    ],
    [
      { where: ['site = gz'], spread: { over: 'site', shares: { bj: 1, sh: 2 } } },
      '`site = gz` and a spread over site in (bj, sh) can never both hold',
    ],
    [{ cpuMilli: -100 }, '-0.1 cores: an amount of CPU cannot be negative; the least is 0.001'],
    [{ cpuMilli: Number.NaN }, 'NaN is not an amount of CPU: the least is 0.001 cores'],
    [{ memoryBytes: Number.NaN }, 'NaN bytes are not an amount of memory'],
    [{ resources: { gpu: -1 } }, '-1 of gpu: a count from 0 on is needed'],
    [{ cpuMilli: 64_000 }, '64 cores are more than any node has: at most 4 (a)'],
    [{ memoryBytes: 64 * gibibyte }, '64Gi of memory are more than any node has: at most 16Gi (a)'],
  ])('%j', (wanted, message) => {
    const decision = booksOf(node('a')).place('x', request(wanted))
    expect(decision).toMatchObject({ placed: false, refusal: { message, reasons: [{ filter: 'request' }] } })
  })

  it('and so is one that has its place, and one without any node', () => {
    const books = booksOf(node('a'))
    books.place('x', request())
    expect(books.place('x', request())).toMatchObject({
      refusal: { message: 'x has its place already: release it first' },
    })
    expect(booksOf().place('x', request())).toMatchObject({
      refusal: { message: 'the cluster has no node yet: run `berth up` or `berth node join`' },
    })
  })
})

it('of many reasons the most frequent are told', () => {
  const kinds = ['a', 'a', 'b', 'b', 'c', 'c', 'd', 'd', 'e', 'e', 'f', 'g']
  const books = booksOf(...kinds.map((kind, i) => node(`n${i}`, { taints: [{ key: kind }] })))
  expect(books.explain(request()).message).toBe(
    `12 nodes: ${['a', 'b', 'c', 'd', 'e'].map((key) => `2 taint ${key} not tolerated`).join(', ')}, and 2 other reasons`,
  )
})

describe('named resources', () => {
  it('are given by name and come back', () => {
    const books = booksOf(node('a', { resources: { fpga: ['y', 'x', 'z'], gpu: 2 } }))
    const wanted = request({ resources: { fpga: 2, gpu: 1 } })
    const first = books.place('1', wanted)
    expect(first).toMatchObject({ booking: { named: { fpga: ['x', 'y'] } } })
    expect(books.place('2', wanted)).toMatchObject({ placed: false })
    expect(books.place('3', request({ resources: { fpga: 1 } }))).toMatchObject({ booking: { named: { fpga: ['z'] } } })
    books.release('1')
    expect(books.place('4', wanted)).toMatchObject({ booking: { named: { fpga: ['x', 'y'] } } })
    books.release('4')
    if (first.placed) books.claim('1', wanted, first.booking)
    expect(books.place('2', request({ resources: { fpga: 1 } }))).toMatchObject({ placed: false })
  })
})
