import {
  blocksOf,
  containsAddress,
  type Instance,
  isOwnAddress,
  type NodeStatus,
  parseBlock,
  specDefaults,
} from '@berth/core'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { TestCluster, testSpec } from '../controllers/cluster.testing.ts'
import type { RecordTransaction } from '../records/index.ts'
import { addressPoolView } from '../views/address-pool-view.ts'
import { addressProblems } from '../views/address-problems.ts'
import { addressesLentBy, addressesOfNode } from './list-addresses.ts'
import { addressPoolsOf } from './pools-of.ts'
import { showAddress } from './show-address.ts'

const call = { actor: 'test' }
const production = { app: 'shop', pool: 'production' }
const range = '10.90.0.0/25'
const routed: NonNullable<NodeStatus['network']> = { driver: 'routed', range, blocks: [] }
/** 12 addresses for instances in each: of the sixteen three are nobody's, and one is for containers that are started by hand. */
const blocks = { r1: '10.90.0.0/28', r2: '10.90.0.16/28', r3: '10.90.0.32/28' }

let cluster: TestCluster
let faults: string[]

beforeEach(async () => {
  cluster = await TestCluster.start()
  faults = []
  await cluster.records.commit('system:test', (tx) => {
    const pool = { name: 'small', range, blockPrefix: 28, blocksPerNode: 1, sites: [], groups: ['none'] }
    tx.put('addressPools', { ...pool, natOutgoing: true, disabled: false, updatedAt: 0, updatedBy: 'test' })
    tx.put('nodes', { ...cluster.state.nodes.get('node-a')!, schedulable: false })
    tx.put('nodeStatuses', { ...cluster.state.nodeStatuses.get('node-a')!, network: { driver: 'bridge', blocks: [] } })
  })
  watch()
})
afterEach(() => cluster[Symbol.asyncDispose]())

const all = (): Instance[] => cluster.state.instances.all()
const placed = (): Instance[] => all().filter(({ node }) => node !== undefined)
const borrowed = (): Instance[] => all().filter(({ borrowedFrom }) => borrowedFrom !== undefined)
const isIn = (block: string, { address }: Instance): boolean => containsAddress(parseBlock(block), address ?? '')
const add = (name: keyof typeof blocks, network = routed) => cluster.addNode(name, blocks[name], { network })
const told = (node: string) => cluster.feed.snapshot(node).network

/** What may never be, at any revision. */
function watch(): void {
  const note = (what: string): void => {
    if (!faults.includes(what)) faults.push(what)
  }
  cluster.state.changes.subscribe(() => {
    const owners = new Map<string, string>()
    for (const { id, address = '', node = '', borrowedFrom } of placed()) {
      if (owners.has(address)) note(`${address} is of ${owners.get(address)} and of ${id}`)
      owners.set(address, id)
      const own = blocksOf(cluster.state.nodes.get(node)!).some((block) => containsAddress(parseBlock(block), address))
      if (own === (borrowedFrom !== undefined)) note(`${id} on ${node} has ${address}, borrowed of ${borrowedFrom}`)
      for (const block of Object.values(blocks))
        if (isOwnAddress(parseBlock(block), address)) note(`${address} is for containers that are started by hand`)
    }
  })
}

async function deploy(replicas: number, where: string[] = [], extra: object = {}, app = 'shop'): Promise<void> {
  cluster.commits.set(
    app,
    testSpec({ web: { replicas, resources: {}, placement: { ...specDefaults.placement, where }, ...extra } }),
  )
  await cluster.operations.deploy({ app, pool: 'production', ref: app, force: false, repository: '/repo' }, call)
}
const scale = (web: number) => cluster.operations.scale({ ...production, replicas: { web }, dryRun: false }, call)

it('what finds no address on its node is given one of another’s block, is told to all, and gives it back when it ends', async () => {
  await add('r1')
  await add('r2')
  await deploy(15, ['node = r1'])
  await cluster.until('fifteen', () => placed().length === 15)
  expect(placed().every(({ node }) => node === 'r1')).toBe(true)
  const loans = borrowed()
  expect(loans).toHaveLength(3)
  expect(loans.every((each) => each.borrowedFrom === 'r2' && isIn(blocks.r2, each))).toBe(true)
  const addresses = loans.map(({ address = '' }) => address).sort()
  expect([told('r1').addresses, told('r2').addresses]).toEqual([addresses, undefined])
  expect(told('node-a').peers).toContainEqual(expect.objectContaining({ node: 'r1', addresses }))

  const { state } = cluster
  const pools = addressPoolsOf(state, '10.77.0.0/16')
  const small = pools.find(({ name }) => name === 'small')!
  const [r1, r2] = [state.nodes.get('r1')!, state.nodes.get('r2')!]
  const rows = addressesOfNode(state, pools, r1, undefined).filter(({ lender }) => lender !== undefined)
  expect(rows.map(({ address, node, lender, block }) => [address, node, lender, block])).toEqual(
    addresses.map((address) => [address, 'r1', 'r2', undefined]),
  )
  expect(addressesLentBy(state, pools, r2)).toEqual(rows)
  expect(addressesLentBy(state, pools, r1)).toEqual([])
  expect(addressPoolView(state, small, ['r1', 'r2']).nodes).toMatchObject([{ borrowed: 3 }, { lent: 3 }])
  const options = {
    state,
    pools,
    history: { of: () => undefined },
    domain: 'berth',
    containerAt: async () => undefined,
  }
  expect(await showAddress(addresses[0]!, options)).toMatchObject({
    message: expect.stringMatching(/ on r1, which had none left and has borrowed it of r2$/),
    ...{ node: 'r2', block: blocks.r2, lender: 'r2', borrower: 'r1' },
  })
  expect(addressProblems(state, r1)).toEqual([
    expect.stringMatching(/^its addresses are used up \(12 of 12 .*borrows single addresses .*\(3 now\)/),
  ])
  expect(addressProblems(state, r2)).toEqual([])

  // Nine are left of the other's.
  await cluster.until('the rollout', () => state.pools.find('shop', 'production')?.release !== undefined)
  const plan = await cluster.operations.plan({ ...production, replicas: { web: 24 } }, call)
  expect([plan.problems, plan.placements]).toMatchObject([[], [{ nodes: [{ node: 'r1', count: 9 }], missing: 0 }]])
  const tooMany = await cluster.operations.plan({ ...production, replicas: { web: 25 } }, call)
  expect(tooMany.problems).toEqual([expect.stringMatching(/^web: 1 of 25 find no place: .*1 addresses used up/)])

  await scale(12)
  await cluster.until('twelve', () => all().length === 12)
  const left = borrowed().map(({ address }) => address)
  expect(told('r1').addresses ?? []).toEqual(left.sort())
  await scale(0)
  await cluster.until('none', () => all().length === 0)
  expect(told('r1').addresses).toBeUndefined()
  expect(faults).toEqual([])
})

it('one that is lent is given to nobody by the lender, which borrows in turn', async () => {
  for (const name of ['r1', 'r2', 'r3'] as const) await add(name)
  await deploy(18, ['node = r1'])
  await cluster.until('eighteen', () => placed().length === 18)
  await deploy(16, ['node = r2'], {}, 'mail')
  await cluster.until('all', () => placed().length === 34)
  expect(borrowed().length).toBeGreaterThanOrEqual(6)
  await deploy(3, ['node = r3'], {}, 'last')
  await cluster.until('the last two', () => placed().length === 36)
  await cluster.until('the reason', () =>
    all().some(
      ({ unplaced }) => unplaced?.includes('no node of the address pool small has one to lend to r3') === true,
    ),
  )
  await scale(17)
  await cluster.until('the one that waited', () => placed().length === 36 && all().length === 36)
  expect(faults).toEqual([])
})

it('a gang borrows what it lacks, or starts not at all', async () => {
  await add('r1')
  await add('r2')
  await deploy(25, ['node = r1'], { gang: true, readyTimeoutMs: 60_000 })
  await cluster.until('the reason', () => all().some(({ unplaced }) => unplaced?.includes('all 25 or none') === true))
  expect(placed()).toEqual([])
  await deploy(24, ['node = r1'], { gang: true, readyTimeoutMs: 60_000 }, 'mail')
  await cluster.until('all of them', () => placed().length === 24)
  expect(borrowed()).toHaveLength(12)
  expect(faults).toEqual([])
})

it('a further block comes first, and what was borrowed stays until it ends', async () => {
  await add('r1')
  await add('r2')
  await deploy(14, ['node = r1'])
  await cluster.until('fourteen', () => placed().length === 14)
  const loans = borrowed().map(({ id }) => id)
  expect(loans).toHaveLength(2)
  const unfollow = cluster.state.changes.subscribe((change) => {
    if (change.kind !== 'nodes' || change.id !== 'r1') return
    const network = { ...routed, blocks: blocksOf(change.after!).slice(1) }
    void cluster.records.commit('system:test', (tx) =>
      tx.put('nodeStatuses', { ...cluster.state.nodeStatuses.get('r1')!, network }),
    )
  })
  await cluster.records.commit('system:test', (tx) =>
    tx.put('addressPools', { ...cluster.state.addressPools.get('small')!, blocksPerNode: 2 }),
  )
  await scale(20)
  await cluster.until('twenty', () => placed().length === 20)
  unfollow()
  expect(blocksOf(cluster.state.nodes.get('r1')!)).toEqual([blocks.r1, blocks.r3])
  expect(borrowed().map(({ id }) => id)).toEqual(loans)
  expect(faults).toEqual([])
})

it('a lender that falls silent or goes takes nothing with it, and whoever has its block next passes over what is lent', async () => {
  await add('r1')
  await add('r2')
  await deploy(15, ['node = r1'])
  await cluster.until('fifteen', () => placed().length === 15)
  const addresses = borrowed().map(({ address = '' }) => address)
  await cluster.setOnline('r2', false)
  await scale(17)
  await cluster.until('the reason', () =>
    all().some(({ unplaced }) => unplaced?.includes('has one to lend to r1') === true),
  )
  await cluster.records.commit('system:test', (tx) => {
    for (const kind of ['nodes', 'nodeStatuses', 'fences'] as const) tx.delete(kind, 'r2')
  })
  const { state } = cluster
  const pools = addressPoolsOf(state, '10.77.0.0/16')
  expect(told('node-a').peers).toContainEqual(expect.objectContaining({ node: 'r1', addresses: addresses.sort() }))
  const rows = addressesOfNode(state, pools, state.nodes.get('r1')!, undefined)
  expect(rows.filter(({ lender }) => lender === 'r2')).toHaveLength(3)
  await scale(15)
  await cluster.until('fifteen again', () => all().length === 15)
  await cluster.stopServer()
  await cluster.startServer()
  watch()
  await cluster.connect('r1')
  await cluster.addNode('r4', blocks.r2, { network: routed })
  await deploy(9, ['node = r4'], {}, 'mail')
  await cluster.until('those of its own', () => all().filter(({ node }) => node === 'r4').length === 9)
  await cluster.until('all others', () => placed().length === 24)
  const given = all().flatMap(({ address }) => address ?? [])
  expect(new Set(given).size).toBe(24)
  expect(borrowed().map(({ address }) => address)).toEqual(expect.arrayContaining(addresses))
  expect(faults).toEqual([])
})

/** What another server commits while the first decision to borrow is on its way to the store. */
function meanwhile(act: (tx: RecordTransaction, borrowed: string) => void): void {
  const { records } = cluster
  const attempt = records.attempt.bind(records)
  records.attempt = async (tx, options) => {
    const values = tx.build().operations.flatMap((each) => (each.type === 'put' ? [JSON.parse(each.value)] : []))
    const { address } = values.find(({ borrowedFrom }) => borrowedFrom !== undefined) ?? {}
    if (address !== undefined) {
      records.attempt = attempt
      await records.commit('system:test', (other) => act(other, address))
    }
    return await attempt(tx, options)
  }
}

it('what the lender has given meanwhile is not borrowed', async () => {
  await add('r1')
  await add('r2')
  let taken = ''
  meanwhile((tx, address) => {
    taken = address
    tx.put('instances', { ...placed()[0]!, id: 'mail.production.web-1', app: 'mail', node: 'r2', address })
    tx.put('fences', { node: 'r2', lastAddress: address, updatedAt: 0 })
  })
  await deploy(14, ['node = r1'])
  await cluster.until('all', () => placed().length === 15)
  expect(taken).not.toBe('')
  expect(borrowed()).toHaveLength(2)
  expect(borrowed().map(({ address }) => address)).not.toContain(taken)
  expect(faults).toEqual([])
})

it('nothing is borrowed of a node that is gone when the decision is written, and whose block another has', async () => {
  await add('r1')
  await add('r2')
  let taken = ''
  meanwhile((tx, address) => {
    taken = address
    tx.delete('nodes', 'r2')
    tx.put('nodes', { ...cluster.state.nodes.get('r2')!, name: 'r4' })
    tx.put('nodeStatuses', { ...cluster.state.nodeStatuses.get('r2')!, name: 'r4' })
    tx.put('instances', { ...placed()[0]!, id: 'mail.production.web-1', app: 'mail', node: 'r4', address })
    tx.put('fences', { node: 'r4', lastAddress: address, updatedAt: 0 })
  })
  await deploy(14, ['node = r1'])
  await cluster.until('all', () => placed().length === 15)
  expect(taken).not.toBe('')
  expect(borrowed().map(({ borrowedFrom }) => borrowedFrom)).toEqual(['r4', 'r4'])
  expect(faults).toEqual([])
})

it('no address is given twice by two servers that decide at once and end at any moment', {
  timeout: 120_000,
}, async () => {
  for (const name of ['r1', 'r2', 'r3'] as const) await add(name)
  await deploy(1)
  await deploy(1, ['node = r1'], {}, 'mail')
  await cluster.until('the first', () => placed().length === 2)
  let seed = 11
  const random = (below: number): number => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31
    return Math.floor((seed / 2 ** 31) * below)
  }
  let rival: AsyncDisposable | undefined = await cluster.startRival()
  let most = 0
  for (let round = 0; round < 24; round++) {
    const shop = [0, 5, 14, 20][random(4)] ?? 0
    await scale(shop)
    const replicas = { web: [0, 8, 15, 16][random(4)] ?? 0 }
    await cluster.operations.scale({ app: 'mail', pool: 'production', replicas, dryRun: false }, call)
    const wanted = shop + replicas.web
    if (random(2) === 0) await cluster.until('all', () => placed().length === wanted && all().length === wanted)
    most = Math.max(most, borrowed().length)
    if (round % 3 === 2) {
      await rival?.[Symbol.asyncDispose]()
      rival = undefined
      await cluster.stopServer()
      await cluster.startServer()
      watch()
      for (const name of cluster.nodes.keys()) await cluster.connect(name)
      rival = await cluster.startRival()
    }
  }
  await rival?.[Symbol.asyncDispose]()
  await scale(0)
  await cluster.operations.scale({ app: 'mail', pool: 'production', replicas: { web: 0 }, dryRun: false }, call)
  await cluster.until('none', () => all().length === 0)
  expect(cluster.state.instances.borrowers()).toEqual([])
  expect(most).toBeGreaterThan(2)
  expect(faults).toEqual([])
})
