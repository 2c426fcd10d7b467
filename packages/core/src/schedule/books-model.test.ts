import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Books } from './books.ts'
import type { BooksNode } from './books-node.ts'
import type { InstanceRequest, Peer, Strategy } from './instance-request.ts'
import { NaiveBooks } from './naive-books.testing.ts'

const gibibyte = 1024 ** 3
const entrypoints = ['shop/p/web', 'shop/p/db', 'mail/p/in', 'mail/t/in']
const peers = [{ app: 'shop' }, { app: 'shop', entrypoint: 'db' }, { app: 'mail', entrypoint: 'in' }]
const strategies: readonly Strategy[] = [
  { type: 'spread' },
  { type: 'pack' },
  { type: 'fill', count: 2 },
  { type: 'each', count: 2 },
  { type: 'drain-first' },
  { type: 'balance' },
]

const node = fc.record({
  cpuMilli: fc.constantFrom(2000, 4000, 7000),
  memoryBytes: fc.constantFrom(4 * gibibyte, 16 * gibibyte),
  labels: fc.constantFrom({}, { site: 'bj' }, { site: 'bj', disk: 'ssd' }, { site: 'sh', disk: 'hdd' }, { site: 'gz' }),
  state: fc.constantFrom('online' as const, 'online' as const, 'online' as const, 'offline' as const),
  taints: fc.constantFrom([], [], [{ key: 'gpu' }]),
  addresses: fc.constantFrom(3, 50),
  measuredCpuMilli: fc.nat(2000),
})

const rarely = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined, freq: 3 })
const peer = fc.record({
  peer: fc.constantFrom(...peers),
  over: rarely(fc.constantFrom('site', 'disk')),
  weight: rarely(fc.integer({ min: 1, max: 3 })),
})

/** A wish over a label is weighed over that label in the books; the naive ones know wishes about nodes only. */
const asPeer = (each: { peer: { app: string }; over: string | undefined; weight: number | undefined }): Peer => ({
  ...each.peer,
  ...(each.weight === undefined ? {} : { weight: each.weight }),
  ...(each.weight === undefined && each.over !== undefined ? { over: each.over } : {}),
})

const request = fc
  .record({
    entrypoint: fc.constantFrom(...entrypoints),
    cpuMilli: rarely(fc.constantFrom(100, 700, 1300)),
    memoryBytes: rarely(fc.constantFrom(gibibyte / 2, 3 * gibibyte)),
    hostPorts: fc.constantFrom([], [], [80]),
    network: rarely(fc.constant('host' as const)),
    hasAddress: rarely(fc.constant(true)),
    where: fc.constantFrom([], [], ['site = bj'], ['disk != hdd'], ['site in (sh, gz)']),
    tolerate: fc.constantFrom([], [{ key: 'gpu' }]),
    prefer: fc.constantFrom([], [], [{ where: 'disk = ssd', weight: 2 }], [{ where: '!disk', weight: -1 }]),
    apart: fc.array(peer.map(asPeer), { maxLength: 1 }),
    near: fc.array(peer.map(asPeer), { maxLength: 1 }),
    max: fc.constantFrom({}, {}, { node: 2 }, { site: 3 }),
    spread: fc.constantFrom(undefined, undefined, { over: 'site' }, { over: 'site', shares: { bj: 70, sh: 30 } }),
    strategy: fc.constantFrom(...strategies),
    seed: fc.nat(3),
  })
  .map(
    (record) =>
      Object.fromEntries(Object.entries(record).filter(([, each]) => each !== undefined)) as unknown as InstanceRequest,
  )

const action = fc.oneof(
  { weight: 6, arbitrary: fc.record({ place: request }) },
  { weight: 2, arbitrary: fc.record({ release: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ node: fc.nat(), as: node }) },
)

it('the books decide what the rules say, whatever they remember', () => {
  fc.assert(
    fc.property(
      fc.array(node, { minLength: 1, maxLength: 8 }),
      fc.array(action, { maxLength: 40 }),
      (nodes, actions) => {
        const books = new Books()
        const naive = new NaiveBooks()
        const put = (each: BooksNode): void => {
          books.putNode(each)
          naive.nodes.set(each.name, each)
        }
        for (const [index, each] of nodes.entries()) put({ ...each, name: `n${index}` })
        for (const [index, each] of actions.entries()) {
          if ('place' in each) placeOne(books, naive, `i${index}`, each.place)
          else if ('release' in each) releaseOne(books, naive, each.release)
          else {
            const name = `n${each.node % (nodes.length + 1)}`
            // What is measured anew forgets what was placed since; the naive ones cannot know when.
            const measuredCpuMilli = naive.nodes.get(name)?.measuredCpuMilli ?? each.as.measuredCpuMilli
            const { cpuMilli, memoryBytes, addresses } = naive.nodes.get(name) ?? each.as
            put({
              ...each.as,
              cpuMilli,
              memoryBytes,
              ...(addresses === undefined ? {} : { addresses }),
              measuredCpuMilli,
              name,
            })
          }
        }
      },
    ),
    { numRuns: 3000 },
  )
})

function placeOne(books: Books, naive: NaiveBooks, id: string, wanted: InstanceRequest): void {
  const expected = naive.choose(wanted)
  const decision = books.place(id, wanted)
  const chosen = decision.placed ? decision.booking.node : undefined
  if (decision.placed || decision.refusal.reasons[0]?.filter !== 'request') expect(chosen).toBe(expected)
  if (decision.placed) naive.placed.set(id, { request: wanted, booking: decision.booking })
}

function releaseOne(books: Books, naive: NaiveBooks, which: number): void {
  const id = [...naive.placed.keys()][which % Math.max(1, naive.placed.size)]
  if (id === undefined) return
  books.release(id)
  naive.placed.delete(id)
}
