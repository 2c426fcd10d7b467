import type { Instance, Node, NodeStatus } from '@berth/core'
import { describe, expect, it } from 'vitest'
import { plainStatus } from '../controllers/pretended-node.testing.ts'
import { openTemporaryRecords } from '../records/open-records.testing.ts'
import { LiveBooks } from './live-books.ts'

const range = '10.90.0.0/16'
const routed: NonNullable<NodeStatus['network']> = { driver: 'routed', range, blocks: [] }
const pool = { name: 'default', range, blockPrefix: 29, blocksPerNode: 1, sites: [], groups: [], natOutgoing: true }

interface Machine {
  readonly block: string
  readonly network?: NonNullable<NodeStatus['network']>
  readonly over?: Partial<Node>
}

/** Each block has addresses for five. */
async function openNodes(machines: Readonly<Record<string, Machine>>) {
  const under = await openTemporaryRecords()
  await under.records.commit('system:test', (tx) => {
    tx.put('addressPools', { ...pool, disabled: false, updatedAt: 0, updatedBy: 'test' })
    const rest = { labels: {}, address: '127.0.0.1', schedulable: true, certificateFingerprint: '', joinedAt: 0 }
    for (const [name, { block, network = routed, over }] of Object.entries(machines)) {
      tx.put('nodes', { name, block, ...rest, ...over })
      tx.put('nodeStatuses', { ...plainStatus, name, network })
    }
  })
  return under
}

const one = { block: '10.90.0.0/29' }
const two = { block: '10.90.0.8/29' }

const at = (node: string, address: string, over: Partial<Instance> = {}): Instance => ({
  ...{ id: `shop.production.web-${address}`, app: 'shop', pool: 'production', entrypoint: 'web', ordinal: 1 },
  ...{ release: 'v1', generation: 1, type: 'service', desired: 'run', restartNonce: 0, createdAt: 1 },
  ...{ createdBy: 'test', node, address, ...over },
})
const fullAt = (node: string, prefix: string, from: number): Instance[] =>
  [0, 1, 2, 3, 4].map((n) => at(node, `${prefix}${from + n}`))

const place = (books: LiveBooks, id: string, node: string) =>
  books.place(id, { entrypoint: 'shop/production/web', cpuMilli: 0, where: [`node = ${node}`] })

describe('an instance on a node without an address', () => {
  it('gets one of the node that has most left, which gives it to nobody else', async () => {
    const three = { block: '10.90.0.16/29' }
    await using under = await openNodes({ one, two, three })
    const { records, state } = under
    await records.commit('system:test', (tx) => {
      for (const each of fullAt('one', '10.90.0.', 2)) tx.put('instances', each)
      tx.put('instances', at('two', '10.90.0.10'))
    })
    using books = new LiveBooks({ state, isOnline: () => true, addressPool: range })
    const first = place(books, 'a', 'one')
    expect(first).toMatchObject({
      placed: true,
      record: { node: 'one', address: '10.90.0.18', borrowedFrom: 'three' },
    })
    const given = ['b', 'c', 'd', 'e'].map((id) => place(books, id, 'three'))
    expect(given.map((each) => each.placed && each.record.address)).toEqual(
      ['19', '20', '21', '22'].map((last) => `10.90.0.${last}`),
    )
    // The first of the others is lent: it borrows in turn.
    expect(place(books, 'f', 'three')).toMatchObject({ record: { node: 'three', borrowedFrom: 'two' } })
    books.restore(['a'])
    expect(place(books, 'g', 'three')).toMatchObject({ record: { address: '10.90.0.18' } })
    expect(place(books, 'g2', 'three')).not.toHaveProperty('record.address', '10.90.0.18')
  })

  it('is counted where it is and not where its address is of, from its record as well', async () => {
    await using under = await openNodes({ one, two })
    const { records, state } = under
    await records.commit('system:test', (tx) => {
      for (const each of fullAt('one', '10.90.0.', 2)) tx.put('instances', each)
      tx.put('instances', at('one', '10.90.0.10', { borrowedFrom: 'two' }))
    })
    using books = new LiveBooks({ state, isOnline: () => true, addressPool: range })
    for (const id of ['a', 'b', 'c', 'd']) expect(place(books, id, 'two')).not.toHaveProperty('record.borrowedFrom')
    expect(place(books, 'e', 'two')).toEqual({
      placed: false,
      message:
        '2 nodes: 1 without node = two, 1 addresses used up; no node of the address pool default has one to lend to two',
    })
    await records.commit('system:test', (tx) => tx.delete('instances', 'shop.production.web-10.90.0.10'))
    expect(place(books, 'e', 'two')).toMatchObject({ record: { node: 'two', address: '10.90.0.10' } })
    expect(place(books, 'f', 'one')).toMatchObject({ placed: false })
  })

  it.each<[string, Machine, Machine]>([
    ['with a bridge', { ...one, network: { driver: 'bridge', blocks: [] } }, two],
    ['that is to get a bridge', { ...one, network: { ...routed, wanted: 'bridge' } }, two],
    ['beside one with a bridge', one, { ...two, network: { driver: 'bridge', blocks: [] } }],
    ['beside one of another pool', one, { block: '10.99.0.0/29' }],
  ])('gets none %s', async (_, mine, other) => {
    await using under = await openNodes({ one: mine, two: other })
    const { records, state } = under
    await records.commit('system:test', (tx) => {
      for (const each of fullAt('one', '10.90.0.', 2)) tx.put('instances', each)
    })
    using books = new LiveBooks({ state, isOnline: () => true, addressPool: range })
    const refused = place(books, 'a', 'one')
    expect(refused).toMatchObject({ placed: false, message: expect.stringContaining('addresses used up') })
  })

  it('gets none of a node that is silent, and the last of all of one that is being drained', async () => {
    const three = { block: '10.90.0.16/29', over: { drain: { since: 0, by: 'test', limit: 1 }, schedulable: false } }
    await using under = await openNodes({ one, two, three })
    const { records, state } = under
    await records.commit('system:test', (tx) => {
      for (const each of fullAt('one', '10.90.0.', 2)) tx.put('instances', each)
      for (const each of fullAt('two', '10.90.0.', 10).slice(1)) tx.put('instances', each)
    })
    let silent = 'three'
    using books = new LiveBooks({ state, isOnline: (node) => node !== silent, addressPool: range })
    expect(place(books, 'a', 'one')).toMatchObject({ record: { borrowedFrom: 'two' } })
    expect(place(books, 'b', 'one')).toMatchObject({ placed: false })
    silent = 'nobody'
    expect(place(books, 'b', 'one')).toMatchObject({ record: { borrowedFrom: 'three' } })
  })

  it('gets none while routes are entries of a provider’s table, nor beside a server of another version, and is told so', async () => {
    await using under = await openNodes({ one, two })
    const { records, state } = under
    const settings = { as: 64_512, sites: {}, meshUpTo: 50, reflectors: 2, peers: [] }
    await records.commit('system:test', (tx) => {
      for (const each of fullAt('one', '10.90.0.', 2)) tx.put('instances', each)
      tx.put('routings', { name: 'cluster', mode: 'cloud', ...settings, updatedAt: 0, updatedBy: 'test' })
    })
    using books = new LiveBooks({ state, isOnline: () => true, addressPool: range })
    expect(place(books, 'a', 'one')).toEqual({
      placed: false,
      message:
        '2 nodes: 1 without node = one, 1 addresses used up; none is borrowed of another node, since entries of a provider’s table lead to whole blocks (berth net set --routes)',
    })
    await records.commit('system:test', (tx) => {
      tx.put('routings', { name: 'cluster', mode: 'bgp', ...settings, updatedAt: 0, updatedBy: 'test' })
      const member = { run: 'r', protocol: 1, startedAt: 0, api: [], agents: [] }
      tx.put('members', { ...member, name: 'a', version: '0.4.0' } as never)
      tx.put('members', { ...member, name: 'b', version: '0.5.0' } as never)
    })
    expect(place(books, 'a', 'one')).toMatchObject({ message: expect.stringContaining('servers of two versions') })
    await records.commit('system:test', (tx) => tx.delete('members', 'a'))
    expect(place(books, 'a', 'one')).toMatchObject({ record: { node: 'one', borrowedFrom: 'two' } })
  })

  it('waits for a further block where its node gets one', async () => {
    await using under = await openNodes({ one, two })
    const { records, state } = under
    await records.commit('system:test', (tx) => {
      tx.put('addressPools', { ...pool, blocksPerNode: 2, disabled: false, updatedAt: 0, updatedBy: 'test' })
      for (const each of fullAt('one', '10.90.0.', 2)) tx.put('instances', each)
    })
    using books = new LiveBooks({ state, isOnline: () => true, addressPool: range })
    const starved: string[] = []
    books.onStarved((node) => starved.push(node))
    expect(place(books, 'a', 'one')).toMatchObject({ placed: false, message: expect.stringContaining('another block') })
    expect(starved).toEqual(['one'])
  })
})
