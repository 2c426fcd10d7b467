import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Books } from './books.ts'
import { parseCores } from './core-text.ts'
import { type GroupRule, sharedCoreMilli } from './cpu-pieces.ts'
import type { Booking, InstanceRequest } from './instance-request.ts'

/**
 * What must hold whatever happens: no piece of a core is lost or given twice, a release restores exactly what was, and records claimed into
 * new books make the same books.
 */
const runs = process.env.BERTH_TEST_LONG === '1' ? 100_000 : 20_000
const cores = 5

interface World {
  readonly books: Books
  readonly rule: GroupRule
  /** What the books said of each instance when it was placed, resized or claimed. */
  readonly bookings: Map<string, { readonly request: InstanceRequest; readonly booking: Booking }>
  next: number
}

function makeWorld(kind: number, books?: Books): World {
  const shareBase = ([10, 10, 100, 1000] as const)[kind & 3]!
  const oversellMilli = kind & 4 ? 1500 : 1000
  const rule: GroupRule = { cpu: 'bound', shareBase, oversellMilli, ...(kind & 8 ? { maxSharedCores: 2 } : {}) }
  return { books: books ?? emptyBooks(rule, kind), rule, bookings: new Map(), next: 0 }
}

function emptyBooks(rule: GroupRule, kind: number): Books {
  const books = new Books()
  books.putGroup('bound', rule)
  const numa =
    kind & 16
      ? {
          numa: [
            [0, 2, 4],
            [1, 3],
          ],
        }
      : {}
  const node = { group: 'bound', cpuMilli: cores * 1000, memoryBytes: 100, speedMilli: kind & 32 ? 750 : 1000, ...numa }
  books.putNode({ ...node, name: 'a' })
  books.putNode({ ...node, name: 'b', resources: { gpu: 3, fpga: ['x', 'y'] } })
  return books
}

/** One byte, one step: two bits say what, the others with what. */
function step(world: World, byte: number): void {
  const { books, bookings, rule } = world
  const what = byte & 3
  const size = byte >> 2
  const ids = [...bookings.keys()]
  const id = ids[size % Math.max(1, ids.length)]
  if (what < 2 || id === undefined) {
    const made = `i${world.next++}`
    const request = requestOf(size, rule)
    const decision = books.place(made, request)
    if (decision.placed) bookings.set(made, { request, booking: decision.booking })
  } else if (what === 2) {
    books.release(id)
    bookings.delete(id)
  } else if (size & 1) {
    const known = bookings.get(id)!
    const decision = books.resize(id, { cpuMilli: pieces(size * 3, rule), memoryBytes: size & 15 })
    if (decision.placed) bookings.set(id, { ...known, booking: decision.booking })
  } else {
    const known = bookings.get(id)!
    books.release(id)
    books.claim(id, known.request, known.booking)
  }
}

const pieces = (size: number, rule: GroupRule): number => (1 + (size % 25)) * Math.max(100, 1000 / rule.shareBase)

function requestOf(size: number, rule: GroupRule): InstanceRequest {
  const entrypoint = `app/p/${size & 1 ? 'web' : 'db'}`
  const resources = size % 7 === 0 ? { resources: { gpu: 1, fpga: 1 } } : {}
  if (size % 11 === 0) return { entrypoint, group: 'bound', unbound: true, cpuMilli: size * 10, memoryBytes: 1 }
  const strategy = { type: size & 2 ? 'pack' : 'spread' } as const
  const memoryBytes = size & 15
  return { entrypoint, group: 'bound', cpuMilli: pieces(size, rule), memoryBytes, strategy, ...resources }
}

/** Counts everything again from what was told. */
function check({ books, rule, bookings }: World): void {
  const limit = sharedCoreMilli(rule)
  const owned = new Map<string, number>()
  const memory = { a: 0, b: 0 }
  const named: string[] = []
  const unbound = { a: [] as number[], b: [] as number[] }
  for (const [id, { booking }] of bookings) {
    if (JSON.stringify(books.booking(id)) !== JSON.stringify(booking)) throw new Error(`the books lost ${id}`)
    memory[booking.node as 'a'] += booking.reservedMemoryBytes
    named.push(...(booking.named?.fpga ?? []))
    if (booking.cores === undefined) unbound[booking.node as 'a'].push(booking.reservedCpuMilli)
    const read = parseCores(booking.cores ?? '')
    if (!read.ok) throw new Error(read.message)
    const { whole, fragmentCore, fragmentMilli } = read.value
    if (booking.cores !== undefined && whole.length * 1000 + fragmentMilli !== booking.reservedCpuMilli)
      throw new Error(`${id} got ${booking.cores} for ${booking.reservedCpuMilli}`)
    for (const core of whole) give(owned, `${booking.node} ${core}`, Number.POSITIVE_INFINITY, limit)
    if (fragmentMilli > 0) give(owned, `${booking.node} ${fragmentCore}`, fragmentMilli, limit)
  }
  for (const node of ['a', 'b'] as const) {
    const kept = parseCores(books.unownedCores(node))
    const needed = Math.ceil(unbound[node].reduce((sum, milli) => sum + milli, 0) / 1000)
    if (unbound[node].length > 0 && kept.ok && kept.value.whole.length < Math.max(1, needed))
      throw new Error(`${node} has no cores left for what owns none`)
  }
  if (memory.a > 100 || memory.b > 100) throw new Error('memory given twice')
  if (new Set(named).size !== named.length) throw new Error('a named resource given twice')
}

function give(owned: Map<string, number>, core: string, milli: number, limit: number): void {
  const had = owned.get(core) ?? 0
  if (had > 0 && had + milli > limit) throw new Error(`core ${core} is given out twice`)
  owned.set(core, had + milli)
}

const state = (books: Books): string =>
  JSON.stringify(['a', 'b'].map((node) => [books.coreMap(node), books.freeOn(node)]))

/** Books are used again by the next sequence: that nothing is left behind is what is claimed here. */
const spare = new Map<number, { readonly books: Books; readonly empty: string }>()

function run(kind: number, bytes: Uint8Array): void {
  const world = makeWorld(kind, spare.get(kind)?.books)
  const empty = spare.get(kind)?.empty ?? state(world.books)
  spare.delete(kind)
  for (const byte of bytes) step(world, byte)
  check(world)
  const { books, bookings } = world
  const before = state(books)
  for (const id of bookings.keys()) books.release(id)
  if (state(books) !== empty) throw new Error('a release left something behind')
  for (const [id, { request, booking }] of [...bookings].reverse()) books.claim(id, request, booking)
  if (state(books) !== before) throw new Error('claimed records make other books')
  for (const id of bookings.keys()) books.release(id)
  spare.set(kind, { books, empty })
}

it(`of ${runs} sequences of place, release, resize and claim none loses a piece or gives it twice`, () => {
  const result = fc.check(fc.property(fc.nat(63), fc.uint8Array({ maxLength: 24 }), run), { numRuns: runs })
  expect(result.failed ? fc.defaultReportMessage(result) : result.numRuns).toBe(runs)
}, 120_000)
