import { readFile } from 'node:fs/promises'
import { matchRoute, type Route, type RouteTable } from '@berth/core'
import { sampleRoute, sampleTable } from '@berth/core/network/route-table.testing'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, type MockInstance, test, vi } from 'vitest'
import { AdminClient } from './admin-client.ts'
import { eventually, openGateway, openUpstream, type TestGateway, type Upstream } from './gateway.testing.ts'
import { createNginxGateway } from './nginx-gateway.ts'
import { gatewayPaths } from './nginx-options.ts'
import { decodeTable } from './table-text.ts'

/** So many that a few are never a fourth of the table. */
const others = 300

let open: TestGateway
let members: Upstream[]
let admin: AdminClient
let puts: readonly MockInstance[]

beforeEach(async () => {
  members = await Promise.all([openUpstream(), openUpstream(), openUpstream()])
  open = await openGateway({ workers: 2 })
  admin = new AdminClient(gatewayPaths(open.options.stateDir).adminSocket)
  puts = [vi.spyOn(AdminClient.prototype, 'putTable'), vi.spyOn(AdminClient.prototype, 'putChanges')]
})
afterEach(async () => {
  vi.restoreAllMocks()
  admin[Symbol.dispose]()
  await open[Symbol.asyncDispose]()
  for (const member of members) await member.close()
})

/** How nginx was told of tables so far: `table`, `changes`. */
const told = (): readonly string[] =>
  puts
    .flatMap(({ mock }, index) =>
      mock.invocationCallOrder.map((order) => ({ order, way: index === 0 ? 'table' : 'changes' })),
    )
    .sort((a, b) => a.order - b.order)
    .map(({ way }) => way)

const portOf = (member: number): number => members[member]?.port ?? 0
const filler = Array.from({ length: others }, (_, number) =>
  sampleRoute([number + 1], { host: `other-${number}.test` }),
)

/** What a test changes: few hosts and paths, whose members are one of three. */
type Choice = Readonly<Record<string, number>>
const places = ['a.test/', 'a.test/x', 'a.test/x/y', 'b.test/', '*.test/', '*/', '*/x'] as const
const choices: fc.Arbitrary<Choice> = fc.dictionary(fc.constantFrom(...places), fc.nat(2))

const routesOf = (choice: Choice): Route[] =>
  Object.entries(choice).map(([place, member]) => {
    const [host = '', path = ''] = [place.slice(0, place.indexOf('/')), place.slice(place.indexOf('/'))]
    return sampleRoute([portOf(member)], { host, path })
  })

/** As they come from a link: what has not changed is the same object. */
function tableOf(version: number, choice: Choice, before: RouteTable | undefined): RouteTable {
  const known = new Map(before?.routes.map((route) => [JSON.stringify(route), route]))
  const routes = [...filler, ...routesOf(choice)]
  return sampleTable(
    version,
    routes.map((route) => known.get(JSON.stringify(route)) ?? route),
    before?.certificates ?? [],
  )
}

const sorted = (table: RouteTable | undefined) =>
  table && { ...table, routes: [...table.routes].sort((a, b) => (a.id < b.id ? -1 : 1)) }

async function answers(table: RouteTable): Promise<void> {
  for (const [host, path] of [
    ['a.test', '/'],
    ['a.test', '/x/y/z'],
    ['b.test', '/x'],
    ['c.test', '/'],
    ['elsewhere', '/x'],
  ] as const) {
    const route = matchRoute(table.routes, host, path)
    const { status, body } = await open.fetch(path, { host })
    const port = route?.targets[0]?.members[0]?.port
    expect({ host, path, said: status === 200 ? body : status }).toEqual({
      host,
      path,
      said: port === undefined ? 404 : `${port}`,
    })
  }
}

async function workersOf(master: number): Promise<number[]> {
  const text = await readFile(`/proc/${master}/task/${master}/children`, 'utf8')
  return text.trim().split(' ').map(Number)
}

describe('a table that is told by what has changed', () => {
  test('is the same as one that is told whole, and every worker routes by it', async () => {
    let version = 0
    let table: RouteTable | undefined
    await fc.assert(
      fc.asyncProperty(fc.array(choices, { minLength: 1, maxLength: 6 }), async (list) => {
        for (const choice of list) {
          version += 1
          table = tableOf(version, choice, table)
          await open.gateway.apply(table)
          expect(sorted(decodeTable(await admin.getTable())?.table)).toEqual(sorted(table))
        }
        if (table !== undefined) for (let worker = 0; worker < 2; worker++) await answers(table)
      }),
      { numRuns: 15 },
    )
    expect(told().filter((way) => way === 'changes').length).toBeGreaterThan(10)
    expect((await open.gateway.status()).version).toBe(version)
  })

  test('is there for a worker that takes the place of a killed one, for a reload, and for an agent that comes back', async () => {
    let table = tableOf(1, { 'a.test/': 0 }, undefined)
    await open.gateway.apply(table)
    for (let version = 2; version < 6; version++) {
      table = tableOf(version, { 'a.test/': version % 3, 'b.test/': 1 }, table)
      await open.gateway.apply(table)
    }
    expect(told()).toEqual(['table', 'changes', 'changes', 'changes', 'changes'])
    const { pid } = await open.gateway.status()
    const before = await workersOf(pid)
    for (const worker of before) process.kill(worker, 'SIGKILL')
    await eventually(async () => (await workersOf(pid)).every((worker) => worker > 0 && !before.includes(worker)))
    await eventually(async () => (await open.gateway.status()).version === 5)
    await answers(table)
    // Another log setting is another configuration: nginx reads it by a reload.
    const next = createNginxGateway({ ...open.options, accessLog: true })
    await next.start()
    expect(await next.status()).toMatchObject({ pid, version: 5, reloads: 1 })
    await answers(table)
    await next.apply(tableOf(6, { 'a.test/': 1 }, table))
    await answers(tableOf(6, { 'a.test/': 1 }, table))
    await next[Symbol.asyncDispose]()
  })

  test('that nginx has not, since another one came between, is told whole', async () => {
    const first = tableOf(1, { 'a.test/': 0 }, undefined)
    await open.gateway.apply(first)
    const other = createNginxGateway(open.options)
    await other.start()
    await other.apply(tableOf(2, { 'a.test/': 1 }, first))
    for (const put of puts) put.mockClear()
    const third = tableOf(3, { 'a.test/': 2 }, first)
    await open.gateway.apply(third)
    expect(told()).toEqual(['changes', 'table'])
    await answers(third)
    await other[Symbol.asyncDispose]()
  })
})
