import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Build, type Node, placeText, type Release, registryPlace } from '@berth/core'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ImageCopies } from '../agents/image-copies.ts'
import { type Authority, openAuthority } from '../authority/authority.ts'
import { eventually } from '../eventually.testing.ts'
import { openTemporaryRecords, type RecordsUnderTest } from '../records/open-records.testing.ts'
import { Retention } from '../retention/retention.ts'
import { openSecretKey } from '../secrets/secret-key.ts'
import { ClusterRegistry } from './cluster-registry.ts'
import { PretendedAgents } from './pretended-registry.testing.ts'
import { RegistryKeeper, type RegistryKeeperOptions } from './registry-keeper.ts'
import { RegistryOrders } from './registry-orders.ts'
import { RegistryTokens } from './registry-tokens.ts'

const log = pino({ level: 'silent' })
const admin = { actor: 'token:ann' }
const signal = AbortSignal.timeout(600_000)
const dayMs = 86_400_000

let directory: string
let under: RecordsUnderTest
let authority: Authority
let agents: PretendedAgents
let registry: ClusterRegistry
let orders: RegistryOrders
let tokens: RegistryTokens
let now: number
const keepers: RegistryKeeper[] = []

beforeEach(async () => {
  now = Date.now()
  directory = await mkdtemp(join(tmpdir(), 'berth-registry-'))
  under = await openTemporaryRecords()
  authority = await openAuthority(join(directory, 'authority'), { now: () => now })
  tokens = new RegistryTokens(await openSecretKey(join(directory, 'key'), { sealedValuesExist: false }))
  agents = new PretendedAgents('a', 'b', 'c')
  orders = new RegistryOrders({ state: under.state, authority, tokens })
  registry = new ClusterRegistry({ records: under.records, agents, orders, now: () => now })
  await under.records.commit('system:test', (tx) => {
    for (const [at, name] of ['a', 'b', 'c'].entries())
      tx.put('nodes', { name, labels: {}, schedulable: true, address: `10.0.0.${at + 1}` } as Node)
  })
})
afterEach(async () => {
  for (const each of keepers.splice(0)) await each[Symbol.asyncDispose]()
  await under[Symbol.asyncDispose]()
  await rm(directory, { recursive: true })
})

function keep(over: Partial<RegistryKeeperOptions> = {}): RegistryKeeper {
  const keeper = new RegistryKeeper({
    ...{ records: under.records, agents, orders, tokens, registry, log, now: () => now, lookMs: 20, restMs: 0 },
    ...over,
  })
  keepers.push(keeper)
  return keeper
}

const imageOf = (digit: string): string => `sha256:${digit.repeat(64)}`

/** A release that was built on a node. */
async function release(app: string, id: string, digit: string, node?: string): Promise<string> {
  const image = imageOf(digit)
  if (node !== undefined) agents.has.get(node)?.add(image)
  const build = `b-${app}-${id}`
  await under.records.commit('system:test', (tx) => {
    tx.put('releases', { app, id, image, build, createdAt: now } as Release)
    tx.put('builds', { id: build, app, state: 'succeeded', image, ...(node && { node }) } as Build)
  })
  return image
}
const forget = (app: string, id: string) =>
  under.records.commit('system:test', (tx) => tx.delete('releases', `${app}/${id}`))

const contents = (node = 'a'): string[] => [...(agents.registries.get(node)?.images.keys() ?? [])].sort()
const nameOf = (app: string, digit: string): string =>
  placeText(registryPlace({ app, image: imageOf(digit) }) ?? expect.fail('an id has a place'))

describe('a registry of the cluster', () => {
  it('gets the images of all releases, from nodes that have them, and those of new ones at once', async () => {
    await release('shop', 'v1', '1', 'b')
    keep()
    await registry.run({ node: 'a' }, admin)
    await eventually(() => expect(contents()).toEqual([nameOf('shop', '1')]))
    await release('shop', 'v2', '2', 'c')
    await eventually(() => expect(contents()).toEqual([nameOf('shop', '1'), nameOf('shop', '2')]))
    expect(await registry.status({ signal })).toMatchObject({
      ...{ place: { node: 'a', host: '10.0.0.1:5000' }, missing: 0 },
      report: { running: true },
    })
  })

  it('is named by its node and port, which stay as they are unless others are said', async () => {
    await expect(registry.run({}, admin)).rejects.toMatchObject({ code: 'registry.no-node' })
    await registry.run({ node: 'b', port: 5555 }, admin)
    expect((await registry.run({}, admin)).place).toMatchObject({ node: 'b', port: 5555 })
    // It was as it should be.
    expect(agents.done).toEqual(['run b'])
    await expect(registry.run({ node: 'nowhere' }, admin)).rejects.toMatchObject({ code: 'node.not-found' })
  })

  it('takes what waits for a node that has it, once there is one', async () => {
    const image = await release('shop', 'v1', '1')
    keep()
    await registry.run({ node: 'a' }, admin)
    await eventually(async () => expect(await registry.status({ signal })).toMatchObject({ missing: 1 }))
    agents.has.get('c')?.add(image)
    await eventually(() => expect(contents()).toEqual([nameOf('shop', '1')]))
  })

  it('is made elsewhere when its node is lost: images are pushed again, and the old one ends when it comes back', async () => {
    await release('shop', 'v1', '1', 'b')
    keep()
    await registry.run({ node: 'a' }, admin)
    await eventually(() => expect(contents()).toHaveLength(1))
    agents.connected.delete('a')
    await registry.run({ node: 'c' }, admin)
    await eventually(() => expect(contents('c')).toEqual([nameOf('shop', '1')]))
    expect(agents.registries.has('a')).toBe(true)
    agents.connected.add('a')
    keepers[0]?.nodeChanged('a')
    await eventually(() => expect(agents.done).toContain('end a purge'))
    await eventually(() => expect(under.state.imageRegistries.get('cluster')?.left).toEqual([]))
  })

  it('that is put elsewhere gets at once what was on its way to the old place', async () => {
    keep()
    await registry.run({ node: 'a' }, admin)
    await delay(50)
    const silent = Promise.withResolvers<void>()
    agents.gate = silent.promise
    await release('shop', 'v1', '1', 'b')
    await delay(50)
    agents.gate = Promise.resolve()
    await registry.run({ node: 'c' }, admin)
    await eventually(() => expect(contents('c')).toEqual([nameOf('shop', '1')]))
    silent.resolve()
  })

  it('ends when it is stopped, and nothing is left of its record', async () => {
    keep()
    await registry.run({ node: 'a' }, admin)
    await registry.stop({ purge: true }, admin)
    await eventually(() => expect(agents.done).toContain('end a purge'))
    await eventually(() => expect(under.state.imageRegistries.size).toBe(0))
    await expect(registry.stop({ purge: true }, admin)).rejects.toMatchObject({ code: 'registry.none' })
    await expect(registry.collect(0, admin)).rejects.toMatchObject({ code: 'registry.none' })
    expect(await registry.status({ signal })).toEqual({ missing: 0 })
  })

  it('is told again when its node has lost it, and before its certificate ends', async () => {
    keep()
    await registry.run({ node: 'a' }, admin)
    agents.registries.delete('a')
    await eventually(() => expect(agents.registries.has('a')).toBe(true))
    const before = agents.registries.get('a')?.order
    now += 300 * dayMs
    await eventually(() => expect(agents.registries.get('a')?.order.certificatePem).not.toBe(before?.certificatePem))
    expect(agents.registries.get('a')?.order.id).toBe(before?.id)
  })
})

describe('a collection', () => {
  it('leaves what releases are made of, and takes the rest', async () => {
    await release('shop', 'v1', '1', 'b')
    await release('shop', 'v2', '2', 'b')
    keep()
    await registry.run({ node: 'a' }, admin)
    await eventually(() => expect(contents()).toHaveLength(2))
    await forget('shop', 'v1')
    now += 1
    expect(await registry.collect(600_000, admin)).toMatchObject({ removed: 0 })
    expect(await registry.collect(0, admin)).toMatchObject({ removed: 1 })
    expect(contents()).toEqual([nameOf('shop', '2')])
  })

  it('never takes what runs or can be gone back to, whatever has gone from the history', async () => {
    await under.records.commit('system:test', (tx) => {
      tx.put('apps', { name: 'shop', vcs: 'git', createdAt: 0, createdBy: 'ann', nextRelease: 10 })
      tx.put('pools', {
        ...{ app: 'shop', name: 'production', environment: 'production', release: 'v2', generation: 1 },
        ...{ nextGeneration: 2, replicas: {}, nextOrdinal: {}, createdAt: 0 },
      })
      tx.put('rollouts', {
        ...{ id: 'r-1', app: 'shop', pool: 'production', reason: 'deploy', from: 'v1', to: 'v2', state: 'succeeded' },
        ...{ fromGeneration: 0, toGeneration: 1, message: '', progress: {}, replicasBefore: {}, jobsDone: [] },
        ...{ createdAt: 0, updatedAt: 0, endedAt: 1, createdBy: 'ann' },
      })
    })
    for (let n = 1; n <= 9; n += 1) {
      now += 1
      await release('shop', `v${n}`, String(n), 'b')
    }
    keep()
    await registry.run({ node: 'a' }, admin)
    await eventually(() => expect(contents()).toHaveLength(9))
    {
      await using _ = new Retention({
        ...{ records: under.records, log, removeBuildOutput: async () => {}, intervalMs: 10 },
        limits: { releasesPerApp: 2 },
      })
      await eventually(() => expect(under.state.releases.byApp('shop').map(({ id }) => id)).toHaveLength(4))
    }
    // Of those that went from the history the registry still tells, until it is collected.
    const listed = async () =>
      (await registry.imagesOf('shop', { signal })).map(({ image, releases }) => [image, releases])
    expect(await listed()).toHaveLength(9)
    expect(await listed()).toContainEqual([imageOf('5'), []])
    await registry.collect(0, admin)
    expect(new Map((await listed()) as [string, string[]][])).toEqual(
      new Map(['1', '2', '8', '9'].map((digit) => [imageOf(digit), [`v${digit}`]])),
    )
    await expect(registry.imagesOf('nobody', { signal })).rejects.toMatchObject({ code: 'app.not-found' })
  })

  it('comes by itself once a day', async () => {
    await release('shop', 'v1', '1', 'b')
    keep()
    await registry.run({ node: 'a' }, admin)
    await eventually(() => expect(contents()).toHaveLength(1))
    await forget('shop', 'v1')
    await delay(100)
    expect(agents.done.filter((each) => each.startsWith('collect'))).toEqual([])
    now += dayMs
    await eventually(() => expect(agents.done).toContain('collect 1'))
    expect(contents()).toEqual([])
  })
})

describe('bad days', () => {
  /** Copies as they are without a registry. */
  const copied: string[] = []
  const copiesWith = (keeper: RegistryKeeper): ImageCopies =>
    new ImageCopies({
      ...{ state: under.state, isConnected: (node) => agents.isConnected(node), log, signal, registry: keeper.offers },
      copy: async (_, from, to) => void copied.push(`${from} to ${to}`),
    })
  beforeEach(() => void copied.splice(0))

  it('a node pulls what it misses; one that is being pushed is waited for', async () => {
    const keeper = keep()
    await registry.run({ node: 'a' }, admin)
    await eventually(() => keeper.offers.offers('').then(() => expect(agents.done).toEqual(['run a'])))
    await delay(50)
    const gate = Promise.withResolvers<void>()
    agents.gate = gate.promise
    const image = await release('shop', 'v1', '1', 'b')
    using copies = copiesWith(keeper)
    const brought = copies.bring(image, 'c')
    await delay(50)
    expect(agents.done).toEqual(['run a'])
    gate.resolve()
    expect(await brought).toBeUndefined()
    expect(agents.done.slice(1)).toEqual(['push berth/app-shop from b', 'pull berth/app-shop to c'])
    expect(copied).toEqual([])
  })

  it('while it is down, or its node is, nodes copy; what it missed is pushed when it is back', async () => {
    const keeper = keep()
    const image = await release('shop', 'v1', '1', 'b')
    await registry.run({ node: 'a' }, admin)
    await eventually(() => expect(contents()).toHaveLength(1))
    using copies = copiesWith(keeper)
    agents.isDown = true
    expect(await copies.bring(image, 'c')).toBeUndefined()
    agents.isDown = false
    agents.connected.delete('a')
    expect(await copies.bring(image, 'c')).toBeUndefined()
    expect(copied).toEqual(['b to c', 'b to c'])
    agents.registries.get('a')?.images.clear()
    agents.connected.add('a')
    keeper.nodeChanged('a')
    await eventually(() => expect(contents()).toEqual([nameOf('shop', '1')]))
    await eventually(async () => expect(await keeper.offers.offers(image)).toBe(true))
    expect(await copies.bring(image, 'c')).toBeUndefined()
    expect(copied).toHaveLength(2)
  })

  it('what it should have and has not is copied, and pushed again', async () => {
    const keeper = keep({ lookMs: 600_000 })
    const image = await release('shop', 'v1', '1', 'b')
    await registry.run({ node: 'a' }, admin)
    await eventually(async () => expect(await keeper.offers.offers(image)).toBe(true))
    agents.registries.get('a')?.images.clear()
    using copies = copiesWith(keeper)
    expect(await copies.bring(image, 'c')).toBeUndefined()
    expect(copied).toEqual(['b to c'])
    await eventually(() => expect(contents()).toEqual([nameOf('shop', '1')]))
  })

  it('a push that hangs holds nobody up for long', async () => {
    const keeper = keep({ pushWaitMs: 30 })
    await registry.run({ node: 'a' }, admin)
    await delay(50)
    const gate = Promise.withResolvers<void>()
    agents.gate = gate.promise
    const image = await release('shop', 'v1', '1', 'b')
    agents.has.get('b')?.add(image)
    using copies = copiesWith(keeper)
    expect(await copies.bring(image, 'c')).toBeUndefined()
    expect(copied).toHaveLength(1)
    gate.resolve()
  })

  it('nothing is pushed onto a disk that is nearly full, which is said', async () => {
    agents.freeBytes = 1_000_000
    keep()
    await release('shop', 'v1', '1', 'b')
    await registry.run({ node: 'a' }, admin)
    await delay(100)
    expect(contents()).toEqual([])
    expect((await registry.status({ signal })).problem).toMatch(/less than 1 GiB is free on the disk of a/)
    agents.freeBytes = 1024 ** 4
    await eventually(() => expect(contents()).toHaveLength(1))
  })

  it('a node that cannot be asked is said to be so', async () => {
    await registry.run({ node: 'a' }, admin)
    agents.connected.delete('a')
    expect((await registry.status({ signal })).problem).toMatch(/link to node a was lost/)
    await under.records.commit('system:test', (tx) => tx.delete('nodes', 'a'))
    const { place } = await registry.status({ signal })
    expect(place).toMatchObject({ node: 'a' })
    expect(place?.host).toBeUndefined()
  })
})
