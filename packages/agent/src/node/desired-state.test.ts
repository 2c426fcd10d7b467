import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type NameTable, type Peers, peerPartOf, type RouteTable } from '@berth/core'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { NetdFiles } from '../dns/netd-files.ts'
import type { Reconciler } from '../instance/reconciler.ts'
import type { RuntimeFiles } from '../instance/runtime-files.ts'
import type { NodeNetwork } from '../network/node-network.ts'
import { NodeStore } from '../state/node-store.ts'
import { type DesiredLine, DesiredState } from './desired-state.ts'
import { Problems } from './problems.ts'

const log = pino({ level: 'silent' })
const network = { pool: '10.77.0.0/16', block: '10.77.1.0/24', peers: [], domain: 'berth', defaultPool: 'production' }
let directory: string
let desired: DesiredState
let store: NodeStore
let problems: Problems
/** What consumers were given. */
let routes: ([version: number, force: boolean] | 'ends')[]
let names: number[]
let policies: string[]
let servers: string[][]
let routing: string[]
let failover: number[]

const path = (name: string): string => join(directory, name)
const nothing = async (): Promise<void> => undefined

/** As the agent does it at its start. */
async function start(): Promise<void> {
  store = await NodeStore.open(path('state.json'), log)
  problems = new Problems(() => undefined)
  desired = new DesiredState({
    store,
    reconciler: { applySnapshot: nothing, contextChanged: () => undefined } as unknown as Reconciler,
    network: { ensure: nothing } as unknown as NodeNetwork,
    netd: {
      writeNetwork: nothing,
      writeInstances: nothing,
      writeRouted: nothing,
      writeNames: async ({ version }) => void names.push(version),
    } satisfies NetdFiles,
    policy: {
      take: ({ profiles }) => policies.push(profiles.map(({ id }) => id).join()),
      change: (members) => policies.push(Object.keys(members).join()),
    },
    files: { setResolving: nothing } as Pick<RuntimeFiles, 'setResolving'> as RuntimeFiles,
    problems,
    log,
    acceptEpochPath: path('accept-epoch'),
    onRoutes: ({ version }, force) => routes.push([version, force]),
    onGatewayEnds: () => routes.push('ends'),
    onServers: (each) => void servers.push(each.map(({ host }) => host)),
    onRouting: async ({ mode }) => void routing.push(mode),
    onFailover: async ({ addresses }) => void failover.push(addresses.length),
    onNetwork: () => undefined,
  })
}

async function restart(): Promise<void> {
  await desired[Symbol.asyncDispose]()
  await start()
}

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'berth-desired-'))
  routes = []
  names = []
  policies = []
  servers = []
  routing = []
  failover = []
  await start()
})
afterEach(async () => {
  vi.useRealTimers()
  await desired[Symbol.asyncDispose]()
  rmSync(directory, { recursive: true })
})

const table = (version: number): RouteTable => ({ version, routes: [], certificates: [] })
const snapshot = (epoch: string, revision: number): DesiredLine => ({
  type: 'snapshot',
  epoch,
  revision,
  assignments: [],
  network,
  names: { version: revision, entries: [] } as NameTable,
  routes: table(revision),
})
const line = (revision: number): DesiredLine => ({ type: 'routes', revision, routes: table(revision) })
const accept = (epoch: string): void => writeFileSync(path('accept-epoch'), `${epoch}\n`)

describe('changes of the routes', () => {
  const changes = (base: number, version: number): DesiredLine => ({
    ...{ type: 'route-changes', revision: version },
    changes: { base, version, put: [], gone: [] },
  })

  it('make the next table of the one that was told last', async () => {
    await desired.apply(snapshot('e1', 5))
    await desired.apply(changes(5, 6))
    await desired.apply(line(7))
    await desired.apply(changes(7, 9))
    expect(routes.map(([version]) => version)).toEqual([5, 6, 7, 9])
  })

  it('of a table that is not there are refused, until the whole is told again', async () => {
    await expect(desired.apply(changes(4, 5))).rejects.toMatchObject({ code: 'link.foreign-changes' })
    await desired.apply(snapshot('e1', 5))
    await expect(desired.apply(changes(4, 6))).rejects.toThrow('the changes are of table 4, and there is 5')
    await desired.apply(line(7))
    expect(routes.map(([version]) => version)).toEqual([5, 7])
  })

  it('are withheld while a store that has gone back is not accepted', async () => {
    await desired.apply(snapshot('e1', 500))
    await desired.apply(snapshot('e1', 300))
    await desired.apply(changes(300, 301))
    expect(routes.map(([version]) => version)).toEqual([500])
  })
})

describe('a store that has gone back', () => {
  beforeEach(async () => {
    await desired.apply(snapshot('e1', 500))
    desired.routesForced()
    await desired.apply(snapshot('e1', 300))
  })

  it('is withheld from every consumer, and said so', async () => {
    await desired.apply(line(310))
    expect(desired.frozen).toBe(true)
    expect(desired.routesAreCurrent).toBe(false)
    expect(problems.list().join()).toContain('went back from revision 500 to 300')
    expect([routes, names]).toEqual([[[500, true]], [500]])
  })

  it('is forced through to every consumer once a person has accepted it', async () => {
    accept('e1')
    expect(await desired.isToBeJudgedAgain()).toBe(true)
    desired.forgetOffer()
    expect(await desired.isToBeJudgedAgain()).toBe(false)
    await desired.apply(snapshot('e1', 301))
    await desired.apply(line(302))
    expect(routes.slice(1)).toEqual([
      [301, true],
      [302, true],
    ])
    expect(names).toEqual([500, 301])
    expect(desired.routesAreCurrent).toBe(false)
    desired.routesForced()
    expect(desired.routesAreCurrent).toBe(true)
    await desired.apply(line(303))
    expect(routes.at(-1)).toEqual([303, false])
  })

  it('is forced through although the agent died before the gateway had it', async () => {
    accept('e1')
    await desired.apply(snapshot('e1', 301))
    await restart()
    await desired.apply(snapshot('e1', 302))
    expect(desired.frozen).toBe(false)
    expect(routes.at(-1)).toEqual([302, true])
  })

  it('is obeyed without a person once it has caught up', async () => {
    await desired.apply(line(499))
    expect(await desired.isToBeJudgedAgain()).toBe(false)
    await desired.apply(line(500))
    expect(await desired.isToBeJudgedAgain()).toBe(true)
    await desired.apply(snapshot('e1', 500))
    expect(desired.frozen).toBe(false)
    expect(routes.at(-1)).toEqual([500, false])
  })
})

it('forgets how far the store was when an older state of it is accepted', async () => {
  await desired.apply(snapshot('e1', 500))
  // Noted, and about to be written.
  await desired.apply(line(510))
  accept('e1')
  await desired.apply(snapshot('e1', 300))
  await restart()
  expect(store.state.revision).toBe(300)
  await desired.apply(snapshot('e1', 305))
  expect(desired.frozen).toBe(false)
})

it('trusts no table that was there before the node knew a store', async () => {
  await desired.apply(snapshot('e1', 7))
  expect(routes).toEqual([[7, true]])
})

describe('the servers', () => {
  const at = (...hosts: string[]) => hosts.map((host) => ({ host, port: 7601 }))

  it('are kept on disk, with those that there were before', async () => {
    await desired.apply({ ...snapshot('e1', 500), servers: at('a', 'b') } as DesiredLine)
    await desired.apply({ type: 'servers', revision: 501, servers: at('b', 'c') })
    expect(servers).toEqual([
      ['a', 'b'],
      ['b', 'c'],
    ])
    await restart()
    expect(store.state).toMatchObject({ servers: at('b', 'c'), formerServers: at('a') })
    await desired.apply({ type: 'servers', revision: 502, servers: at('a') })
    expect(store.state).toMatchObject({ servers: at('a'), formerServers: at('b', 'c') })
  })

  it('of a foreign store are not taken', async () => {
    await desired.apply({ ...snapshot('e1', 500), servers: at('a') } as DesiredLine)
    await desired.apply({ ...snapshot('e2', 1), servers: at('evil') } as DesiredLine)
    await desired.apply({ type: 'servers', revision: 2, servers: at('evil') })
    expect(servers).toEqual([['a']])
  })

  it('are taken from one that does not lead if its store is known, or none is', async () => {
    await desired.offerServers('e1', at('a'))
    await desired.apply(snapshot('e1', 500))
    await desired.offerServers('e2', at('evil'))
    await desired.offerServers('e1', at('a', 'b'))
    expect(servers).toEqual([['a'], ['a', 'b']])
    expect(store.state.revision).toBe(500)
  })

  it('of another store are a problem that says how to accept it, until a leader has spoken', async () => {
    await desired.apply(snapshot('e1', 500))
    await desired.offerServers('e2', at('b'))
    expect(problems.list()).toEqual([
      expect.stringContaining('the server speaks for store e2, this node belongs to e1'),
    ])
    expect(problems.list()[0]).toContain(`echo e2 > ${path('accept-epoch')}`)
    await desired.apply(snapshot('e1', 501))
    expect(problems.list()).toEqual([])
    expect(servers).toEqual([])
  })

  it('of a store that a person has accepted are those that it goes to, also while it obeys nobody', async () => {
    await desired.apply(snapshot('e1', 500))
    await desired.apply(snapshot('e2', 7))
    await desired.offerServers('e2', at('b'))
    expect(servers).toEqual([])
    accept('e2')
    await desired.offerServers('e2', at('b'))
    await desired.offerServers('e3', at('evil'))
    expect(servers).toEqual([['b']])
    expect(desired.frozen).toBe(true)
  })

  it('are never none', async () => {
    await desired.apply({ ...snapshot('e1', 500), servers: at('a') } as DesiredLine)
    await desired.apply({ type: 'servers', revision: 501, servers: [] })
    expect(store.state.servers).toEqual(at('a'))
  })
})

it('takes in what has changed of its peers since its snapshot', async () => {
  const peer = (node: string, block: string) => ({ node, block, via: '192.0.2.1' })
  await desired.apply({ type: 'peers', revision: 1, put: [peer('early', '10.77.8.0/24')], gone: [] })
  expect(store.state.network).toBeUndefined()
  await desired.apply(snapshot('e1', 500))
  const put = [peer('b', '10.77.2.0/24'), peer('own', network.block)]
  await desired.apply({ type: 'peers', revision: 501, put, gone: [] })
  expect(store.state.network?.peers).toEqual([peer('b', '10.77.2.0/24')])
  await desired.apply({ type: 'peers', revision: 502, put: [peer('c', '10.77.3.0/24')], gone: ['b'] })
  await restart()
  expect(store.state.network?.peers).toEqual([peer('c', '10.77.3.0/24')])
})

it('is told how routes are learned by what it obeys only, and where nothing is said of it, nothing changes', async () => {
  const told = (revision: number, mode: 'static' | 'bgp'): DesiredLine => {
    const routing = mode === 'static' ? { mode } : { mode, as: 1, address: '10.0.0.1', reflects: false, sessions: [] }
    return { type: 'routing', revision, routing }
  }
  await desired.apply({ ...snapshot('e1', 500), routing: { mode: 'static' } } as DesiredLine)
  await desired.apply(snapshot('e1', 501))
  await desired.apply(told(502, 'bgp'))
  expect(routing).toEqual(['static', 'bgp'])
  await desired.apply({ ...snapshot('e1', 300), routing: { mode: 'static' } } as DesiredLine)
  await desired.apply(told(301, 'static'))
  expect(desired.frozen).toBe(true)
  expect(routing).toEqual(['static', 'bgp'])
})

describe('the security policy', () => {
  const policy = (id: string) => ({
    profiles: [{ id, tags: [], inbound_rules: [], outbound_rules: [] }],
    members: {},
    gateways: [],
  })

  it('is taken from snapshots and lines, and withheld from a store that has gone back', async () => {
    await desired.apply({ ...snapshot('e1', 500), policy: policy('a') } as DesiredLine)
    await desired.apply({ type: 'policy', revision: 501, policy: policy('b') })
    await desired.apply({ type: 'members', revision: 502, members: { web: { put: ['10.77.1.2'], gone: [] } } })
    expect(policies).toEqual(['a', 'b', 'web'])
    await desired.apply({ ...snapshot('e1', 300), policy: policy('c') } as DesiredLine)
    await desired.apply({ type: 'policy', revision: 301, policy: policy('d') })
    expect(policies).toEqual(['a', 'b', 'web'])
  })

  it('stays as it is when a server knows of none', async () => {
    await desired.apply(snapshot('e1', 1))
    expect(policies).toEqual([])
  })
})

describe('peers in parts', () => {
  const peerOf = (node: string, via = '1.1.1.1') => ({ node, block: `10.77.${node.charCodeAt(0)}.0/24`, via })
  const [b, c] = [peerOf('b'), peerOf('c')]
  const announced = (parts: readonly number[], peers: Peers): DesiredLine =>
    ({ ...snapshot('e1', 500), peerParts: parts, network: { ...network, peers } }) as DesiredLine
  const partOf = (...peers: Peers): DesiredLine => ({
    ...{ type: 'peer-part', revision: 501, peers },
    part: peerPartOf(peers[0]?.node ?? ''),
  })
  const inForce = () => store.state.network?.peers

  it('are in force together, once all that were announced have come', async () => {
    const parts = [peerPartOf('b'), peerPartOf('c')]
    await desired.apply(announced(parts, [peerOf('b', '9.9.9.9')]))
    await desired.apply(partOf(b))
    expect(inForce()).toEqual([peerOf('b', '9.9.9.9')])
    // What a link that breaks now has brought need not be brought again.
    expect(desired.peers).toEqual([b])
    await desired.apply({ type: 'peers', revision: 502, put: [peerOf('d')], gone: [] })
    await desired.apply(partOf(c))
    expect(inForce()).toEqual(expect.arrayContaining([b, c, peerOf('d')]))
    expect(desired.peers).toBe(inForce())
  })

  it('of which none differs need no more than the snapshot', async () => {
    await desired.apply(announced([], [b]))
    expect(inForce()).toEqual([b])
    await desired.apply({ type: 'peers', revision: 502, put: [], gone: ['b'] })
    expect(inForce()).toEqual([])
  })

  it('that were still to come are not waited for after another snapshot, or a network told as a whole', async () => {
    await desired.apply(announced([peerPartOf('b'), peerPartOf('c')], []))
    await desired.apply({ type: 'network', revision: 501, network: { ...network, peers: [c] } })
    expect(inForce()).toEqual([c])
    await desired.apply(announced([peerPartOf('b')], []))
    await desired.apply(announced([], [b]))
    await desired.apply({ type: 'peers', revision: 503, put: [c], gone: [] })
    expect(inForce()).toEqual([b, c])
  })
})

it('the gateway ends when the node’s own store says that it is none, and never on another’s word', async () => {
  const { routes: _, ...none } = snapshot('e1', 500) as Extract<DesiredLine, { type: 'snapshot' }>
  await desired.apply(snapshot('e1', 400))
  await desired.apply({ type: 'gateway-ends', revision: 450 })
  await desired.apply({ ...none, gatewayEnds: true })
  // A server of the form before says nothing of it.
  await desired.apply({ ...none, revision: 501 })
  expect(routes.slice(1)).toEqual(['ends', 'ends'])
  await desired.apply({ ...none, epoch: 'e2', gatewayEnds: true })
  await desired.apply({ type: 'gateway-ends', revision: 600 })
  expect(desired.frozen).toBe(true)
  expect(routes).toHaveLength(3)
})

it('is told of failover addresses by what it obeys only, and where nothing is said of them, nothing changes', async () => {
  const of = (...addresses: string[]) => ({
    source: '10.0.0.1',
    addresses: addresses.map((address) => ({ address, by: 'bgp' as const })),
  })
  await desired.apply({ ...snapshot('e1', 500), failover: of('192.0.2.10') } as DesiredLine)
  await desired.apply(snapshot('e1', 501))
  await desired.apply({ type: 'failover', revision: 502, failover: of('192.0.2.10', '192.0.2.11') })
  expect(failover).toEqual([1, 2])
  await desired.apply({ ...snapshot('e1', 300), failover: of() } as DesiredLine)
  await desired.apply({ type: 'failover', revision: 301, failover: of() })
  expect(desired.frozen).toBe(true)
  expect(failover).toEqual([1, 2])
})
