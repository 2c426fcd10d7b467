import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Node } from '@berth/core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Authority, openAuthority } from '../authority/authority.ts'
import { createRequest } from '../authority/certificate-request.testing.ts'
import { Enrolment } from '../authority/enrolment.ts'
import { openTemporaryRecords, type RecordsUnderTest } from '../records/open-records.testing.ts'
import { AddressPools } from './address-pools.ts'

const admin = { actor: 'token:ann' }
const range = '10.77.0.0/22'
let directory: string
let authority: Authority
let under: RecordsUnderTest
let pools: AddressPools
let enrolment: Enrolment
/** What nodes answer when they are asked about a range. */
let routes: Record<string, string | undefined>

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'berth-pools-'))
  authority = await openAuthority(directory)
})
afterAll(async () => await rm(directory, { recursive: true, force: true }))
beforeEach(async () => {
  under = await openTemporaryRecords()
  routes = {}
  const agents = {
    isOnline: (node: string) => node in routes,
    request: async <T>(node: string) => (routes[node] === undefined ? {} : { route: routes[node] }) as T,
  }
  pools = new AddressPools({ records: under.records, range, agents })
  enrolment = new Enrolment({ records: under.records, authority, addressPool: range })
})
afterEach(async () => {
  await under[Symbol.asyncDispose]()
})

const join_ = async (name: string, labels: Record<string, string> = {}): Promise<Node> => {
  const { token } = await enrolment.createToken({ ttlMs: 60_000 }, admin)
  const { requestPem: certificateRequestPem } = await createRequest(name)
  const address = `192.0.2.${name.charCodeAt(0)}`
  const request = { ...{ token, name, labels, certificateRequestPem }, address, from: '192.0.2.1' }
  return (await enrolment.join(request)).node
}
const paris = { name: 'paris', range: '10.80.0.0/24', blockSize: 26, sites: ['paris'] }

describe('address pools', () => {
  it('are one, of the cluster’s own range, until another is added; a node of its site gets a block of that', async () => {
    expect(pools.all()).toMatchObject([{ name: 'default', range, blockPrefix: 24, disabled: false }])
    await pools.add(paris, admin)
    expect((await join_('a')).block).toBe('10.77.0.0/24')
    expect((await join_('b', { site: 'paris' })).block).toBe('10.80.0.0/26')
    expect((await join_('c', { site: 'rome' })).block).toBe('10.77.1.0/24')
    expect(pools.nodesOf(pools.require('paris'))).toEqual(['b'])
    expect(under.state.events.all().map(({ message }) => message)).toContain(
      'address pool paris (10.80.0.0/24): blocks of /26 for nodes of paris',
    )
  })

  it('change for who comes, and leave everything to those who are there', async () => {
    await pools.add(paris, admin)
    const before = await join_('a', { site: 'paris' })
    await pools.update('paris', { disabled: true }, admin)
    expect((await join_('b', { site: 'paris' })).block).toBe('10.77.0.0/24')
    await pools.update('paris', { disabled: false, sites: ['rome'], natOutgoing: false }, admin)
    expect((await join_('c', { site: 'paris' })).block).toBe('10.77.1.0/24')
    expect((await join_('d', { site: 'rome' })).block).toBe('10.80.0.64/26')
    expect(under.state.nodes.get('a')).toEqual(before)
  })

  it('of which a node has a block stay; the cluster’s own stays always, and gives out nothing if told so', async () => {
    await pools.add(paris, admin)
    await join_('a', { site: 'paris' })
    await expect(pools.remove('paris', admin)).rejects.toMatchObject({ code: 'address-pool.in-use' })
    await expect(pools.remove('paris', admin)).rejects.toThrow('node a has a block of it')
    await under.records.commit('system:test', (tx) => tx.delete('nodes', 'a'))
    await pools.remove('paris', admin)
    expect(pools.all().map(({ name }) => name)).toEqual(['default'])
    await expect(pools.remove('default', admin)).rejects.toMatchObject({ code: 'address-pool.default' })
    await pools.update('default', { disabled: true }, admin)
    await expect(join_('b')).rejects.toMatchObject({ code: 'address-pool.none' })
    expect(pools.all()).toMatchObject([{ name: 'default', range, disabled: true }])
  })

  it.each([
    ['another pool', { range: '10.77.2.0/24' }, 'address-pool.overlap', 'the pool default (10.77.0.0/22)'],
    ['a node’s address', { range: '192.0.2.0/24' }, 'address-pool.collides', 'the address of node a'],
    [
      'a node’s network',
      { range: '10.81.0.0/24' },
      'address-pool.collides',
      'a network of node a (10.81.0.0/20 dev eth1)',
    ],
    ['its own name', { name: 'default' }, 'address-pool.exists', 'choose another name'],
    ['a group that is none', { groups: ['fast'] }, 'group.not-found', 'there is no node group fast'],
    ['what is no range', { range: '10.80.0.7/24' }, 'network.invalid-block', 'the block around it is 10.80.0.0/24'],
    ['what is too small', { range: '10.80.0.0/27' }, 'address-pool.too-small', 'no room for one block of /26'],
    ['a bad name', { name: 'Paris 1' }, 'name.invalid', ''],
  ])('are refused for %s', async (_, change, code, text) => {
    const node = { name: 'a', labels: {}, block: '10.77.0.0/24', address: '192.0.2.1', schedulable: true, joinedAt: 1 }
    await under.records.commit('system:test', (tx) => tx.put('nodes', node as unknown as Node))
    routes = { a: 'range' in change && change.range === '10.81.0.0/24' ? '10.81.0.0/20 dev eth1' : undefined }
    const attempt = pools.add({ ...paris, ...change }, admin)
    await expect(attempt).rejects.toMatchObject({ code, message: expect.stringContaining(text) })
    expect(pools.all()).toHaveLength(1)
  })

  it('that are not there are said, with what is near', async () => {
    await pools.add(paris, admin)
    await expect(pools.update('pariss', { disabled: true }, admin)).rejects.toThrow('did you mean paris?')
  })

  it('never overlap and give no block twice, whoever asks at once', async () => {
    const ranges = ['10.80.0.0/24', '10.80.0.0/25', '10.80.0.128/25', '10.80.0.0/23']
    const added = await Promise.allSettled(
      ranges.map((each, index) => pools.add({ ...paris, name: `p${index}`, range: each }, admin)),
    )
    expect(added.some(({ status }) => status === 'fulfilled')).toBe(true)
    const names = ['a', 'b', 'c', 'd', 'e']
    const joined = await Promise.allSettled(names.map((name) => join_(name, { site: 'paris' })))
    const blocks = joined.flatMap((each) => (each.status === 'fulfilled' ? [each.value.block] : []))
    expect(new Set(blocks).size).toBe(blocks.length)
    expect(blocks.length).toBeGreaterThan(0)
    const kept = pools.all().map(({ range: each }) => each)
    expect(kept.filter((each) => each.startsWith('10.80.'))).toHaveLength(
      added.filter(({ status }) => status === 'fulfilled').length,
    )
  })
})
