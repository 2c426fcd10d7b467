import { type AddressReport, blocksOf, containsAddress, type Instance, type NodeStatus, parseBlock } from '@berth/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TestCluster, testSpec } from '../controllers/cluster.testing.ts'
import { addressProblems } from '../views/address-problems.ts'

const call = { actor: 'test' }
const production = { app: 'shop', pool: 'production' }
const range = '10.90.0.0/25'
/** 12 addresses for instances in the first block, 13 in each of the others. */
const firstBlock = '10.90.0.0/28'
const routed: NodeStatus['network'] = { driver: 'routed', range, blocks: [] }

let cluster: TestCluster
let stop: () => void

beforeEach(async () => {
  cluster = await TestCluster.start()
  await cluster.records.commit('system:test', (tx) => {
    const pool = {
      name: 'small',
      range,
      blockPrefix: 28,
      sites: [],
      groups: ['none'],
      natOutgoing: true,
      disabled: false,
    }
    tx.put('addressPools', { ...pool, returnAfterMs: 1_000, updatedAt: 0, updatedBy: 'test' })
    const { block, ...node } = cluster.state.nodes.get('node-a')!
    tx.put('nodes', { ...node, block, schedulable: false })
    tx.put('nodeStatuses', { ...cluster.state.nodeStatuses.get('node-a')!, network: { driver: 'bridge', blocks: [] } })
  })
  stop = followBlocks()
})
afterEach(async () => {
  stop()
  await cluster[Symbol.asyncDispose]()
})

/** As agents do: what the server says of a node's blocks is in force there soon. */
function followBlocks(): () => void {
  return cluster.state.changes.subscribe((change) => {
    if (change.kind !== 'nodes' || change.after === undefined) return
    const { name } = change.after
    const status = cluster.state.nodeStatuses.get(name)
    const blocks = cluster.feed.snapshot(name).network.blocks ?? []
    const known = status?.network?.blocks
    if (status?.network?.driver !== 'routed' || known === undefined || known.join() === blocks.join()) return
    const network = { ...status.network, blocks }
    cluster.records
      .commit('system:test', (tx) => tx.put('nodeStatuses', { ...cluster.state.nodeStatuses.get(name)!, network }))
      // The server may have been stopped meanwhile.
      .catch(() => undefined)
  })
}

async function deploy(replicas: number, extra: object = {}): Promise<void> {
  cluster.commits.set('web', testSpec({ web: { replicas, resources: {}, ...extra } }))
  await cluster.operations.deploy({ ...production, ref: 'web', force: false, repository: '/repo' }, call)
}
const scale = (web: number) => cluster.operations.scale({ ...production, replicas: { web }, dryRun: false }, call)

const all = (): Instance[] => cluster.state.instances.all()
const placed = (): Instance[] => all().filter(({ node }) => node !== undefined)
const nodeOf = (name: string) => cluster.state.nodes.get(name)!
const blocks = (name: string) => blocksOf(nodeOf(name))
const isIn = (block: string, { address }: Instance): boolean => containsAddress(parseBlock(block), address ?? '')
const events = (type: string) => cluster.state.events.all().filter((each) => each.type === type)

describe('a node whose addresses are nearly used up', () => {
  it('gets a further block of its pool, gives addresses of both, and is reached at both', async () => {
    await cluster.addNode('r1', firstBlock, { network: routed })
    const lines: object[] = []
    cluster.feed.subscribe('node-a', (line) => lines.push(line))
    await deploy(10)
    await cluster.until('ten', () => placed().length === 10)
    expect(blocks('r1')).toEqual([firstBlock])
    await scale(20)
    await cluster.until('twenty', () => placed().length === 20)
    expect(blocks('r1')).toEqual([firstBlock, '10.90.0.16/28'])
    expect(new Set(all().map(({ address }) => address)).size).toBe(20)
    expect(all().filter((each) => isIn(firstBlock, each))).toHaveLength(12)
    expect(all().filter((each) => isIn('10.90.0.16/28', each))).toHaveLength(8)
    expect(cluster.feed.snapshot('r1').network).toMatchObject({ block: firstBlock, blocks: ['10.90.0.16/28'] })
    expect(cluster.feed.snapshot('node-a').network.peers).toContainEqual(
      expect.objectContaining({ node: 'r1', block: firstBlock, blocks: ['10.90.0.16/28'] }),
    )
    await cluster.until('the word', () => JSON.stringify(lines).includes('"blocks":["10.90.0.16/28"]'))
    expect(addressProblems(cluster.state, nodeOf('r1'))).toEqual([])
    expect(events('node.block-added').map(({ message }) => message)).toEqual(['r1 got the further block 10.90.0.16/28'])
  })

  it('gets as many as its pool says, then says that it has none left', async () => {
    await cluster.addNode('r1', firstBlock, { network: routed })
    await deploy(60)
    await cluster.until('all that there is', () => placed().length === 12 + 3 * 13)
    expect(blocks('r1')).toHaveLength(4)
    await cluster.until('the reason', () =>
      all().some(({ unplaced }) => unplaced?.includes('addresses used up') === true),
    )
    expect(addressProblems(cluster.state, nodeOf('r1'))).toEqual([
      expect.stringMatching(
        /^its addresses are used up \(51 of 51 in 10\.90\.0\.0\/28, .*its pool gives it no further block/,
      ),
    ])
    await cluster.records.commit('system:test', (tx) =>
      tx.put('addressPools', { ...cluster.state.addressPools.get('small')!, blocksPerNode: 5 }),
    )
    await cluster.until('the rest', () => placed().length === 60)
    expect(blocks('r1')).toHaveLength(5)
  })

  it('gets one for a gang that needs more than it has free', async () => {
    await cluster.addNode('r1', firstBlock, { network: routed })
    await deploy(30, { gang: true, readyTimeoutMs: 60_000 })
    await cluster.until('all of them', () => placed().length === 30)
    expect(blocks('r1')).toHaveLength(3)
  })

  it.each<[string, NodeStatus['network'], NodeStatus['network']]>([
    ['with a bridge', { driver: 'bridge', blocks: [] }, routed],
    ['whose agent knows of one block', { driver: 'routed', range }, routed],
    ['beside an agent that knows of one block', routed, { driver: 'bridge' }],
  ])('gets none %s', async (_, network, other) => {
    await cluster.addNode('r1', firstBlock, { network: network! })
    await cluster.addNode('other', '10.77.9.0/24', { network: other! })
    await cluster.records.commit('system:test', (tx) => tx.put('nodes', { ...nodeOf('other'), schedulable: false }))
    await deploy(20)
    const room = network?.driver === 'routed' ? 12 : 13
    await cluster.until('the reason', () =>
      all().some(({ unplaced }) => unplaced?.includes('addresses used up') === true),
    )
    expect(placed()).toHaveLength(room)
    expect(blocks('r1')).toEqual([firstBlock])
  })
})

const filled = async (): Promise<void> => {
  await cluster.addNode('r1', firstBlock, { network: routed })
  await deploy(20)
  await cluster.until('twenty', () => placed().length === 20)
  expect(blocks('r1')).toHaveLength(2)
}
const container = (address: string) => ({ ...{ id: 'c', name: 'stray', isRunning: true, createdAt: 1 }, address })

describe('a block that is empty', () => {
  it('is given back after its time, and everybody hears of it', async () => {
    await filled()
    await scale(4)
    await cluster.until('four', () => all().length === 4)
    // Those that are left may be of either.
    await scale(0)
    await cluster.until('none', () => all().length === 0)
    await cluster.until('the return', () => blocks('r1').length === 1)
    expect(nodeOf('r1')).not.toHaveProperty('furtherBlocks')
    expect(cluster.feed.snapshot('r1').network.blocks).toBeUndefined()
    expect(cluster.feed.snapshot('node-a').network.peers.find(({ node }) => node === 'r1')).not.toHaveProperty('blocks')
    expect(events('node.block-returned')).toHaveLength(1)
    // And is there for the next.
    await cluster.addNode('r2', '10.90.0.32/28', { network: routed })
    await scale(30)
    await cluster.until('thirty', () => placed().length === 30)
    const given = [...blocks('r1'), ...blocks('r2')]
    expect(given).toContain('10.90.0.16/28')
    expect(new Set(given).size).toBe(given.length)
  })

  it('stays while a container of the node has an address of it, and while the node is silent', async () => {
    await filled()
    let report: AddressReport | Error = new Error('silent')
    cluster.askForAddresses = async () => {
      if (report instanceof Error) throw report
      return report
    }
    await scale(0)
    const isLeaving = () => nodeOf('r1').furtherBlocks?.[0]?.leavingSince !== undefined
    await cluster.until('it to be asked', isLeaving)
    const stays = async () => {
      await new Promise((resolve) => setTimeout(resolve, 150))
      expect(isLeaving()).toBe(true)
    }
    await stays()
    const nothing: AddressReport = { driver: 'routed', containers: [], left: [], unlinked: [] }
    for (const found of [
      { ...nothing, containers: [container('10.90.0.20')] },
      { ...nothing, left: [{ kind: 'link' as const, name: 'berth-0a5a0014', address: '10.90.0.20' }] },
      { ...nothing, engineProblem: 'dockerd is dead' },
    ]) {
      report = found
      await stays()
    }
    report = { ...nothing, containers: [container('10.90.0.3')] }
    await cluster.until('the return', () => blocks('r1').length === 1)
  })

  it('is kept when it is needed again before it is gone', async () => {
    await filled()
    cluster.askForAddresses = async () => {
      throw new Error('silent')
    }
    await scale(0)
    await cluster.until('it to leave', () => nodeOf('r1').furtherBlocks?.[0]?.leavingSince !== undefined)
    const { since } = nodeOf('r1').furtherBlocks?.[0] ?? {}
    await scale(20)
    await cluster.until('twenty again', () => placed().length === 20)
    expect(nodeOf('r1').furtherBlocks).toEqual([{ block: '10.90.0.16/28', since }])
    expect(events('node.block-added')).toHaveLength(1)
  })

  it('goes on going under the next server, and not while an address of it is kept', async () => {
    await filled()
    const block = '10.90.0.16/28'
    const keep = { address: '10.90.0.20', app: 'away', pool: 'production', entrypoint: 'db', slot: 1, since: 1 }
    await cluster.records.commit('system:test', (tx) => tx.put('keptAddresses', keep))
    await scale(0)
    await cluster.until('none', () => all().length === 0)
    await new Promise((resolve) => setTimeout(resolve, 1_300))
    expect(nodeOf('r1').furtherBlocks).toEqual([{ block, since: expect.any(Number) }])
    cluster.askForAddresses = async () => {
      throw new Error('silent')
    }
    await cluster.records.commit('system:test', (tx) => tx.delete('keptAddresses', keep.address))
    await cluster.until('it to leave', () => nodeOf('r1').furtherBlocks?.[0]?.leavingSince !== undefined)
    await cluster.stopServer()
    cluster.askForAddresses = async () => ({ driver: 'routed', containers: [], left: [], unlinked: [] })
    await cluster.startServer()
    await cluster.until('the return', () => blocks('r1').length === 1)
  })

  it('goes at once where the node has a bridge now', async () => {
    await filled()
    await scale(0)
    await cluster.until('none', () => all().length === 0)
    await cluster.records.commit('system:test', (tx) => {
      tx.put('nodeStatuses', { ...cluster.state.nodeStatuses.get('r1')!, network: { driver: 'bridge', blocks: [] } })
      tx.put('addressPools', { ...cluster.state.addressPools.get('small')!, returnAfterMs: 86_400_000 })
    })
    await cluster.until('the return', () => blocks('r1').length === 1)
  })
})

/** What may never be, at any revision. */
function watchForFaults(): string[] {
  const faults: string[] = []
  const note = (what: string): void => {
    if (!faults.includes(what)) faults.push(what)
  }
  cluster.state.changes.subscribe(() => {
    const owners = new Map<string, string>()
    for (const node of cluster.state.nodes.values())
      for (const block of blocksOf(node)) {
        if (owners.has(block)) note(`${block} is of ${owners.get(block)} and of ${node.name}`)
        owners.set(block, node.name)
      }
    const taken = new Set<string>()
    for (const instance of placed()) {
      const { address = '', node = '', id } = instance
      if (taken.has(address)) note(`${address} is given twice`)
      taken.add(address)
      if (!blocks(node).some((block) => isIn(block, instance))) note(`${id} has ${address}, which is none of ${node}’s`)
    }
  })
  return faults
}

it('no block is of two nodes and none goes with an address in use, as instances, blocks and servers come and go', {
  timeout: 120_000,
}, async () => {
  const watches = [watchForFaults()]
  await cluster.addNode('r1', firstBlock, { network: routed })
  await cluster.addNode('r2', '10.90.0.16/28', { network: routed })
  await deploy(1)
  await cluster.until('the first', () => placed().length === 1)
  let seed = 7
  const random = (below: number): number => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31
    return Math.floor((seed / 2 ** 31) * below)
  }
  let most = 0
  for (let round = 0; round < 14; round++) {
    const isSilent = random(3) === 0
    cluster.askForAddresses = async () => {
      if (isSilent) throw new Error('silent')
      return { driver: 'routed', containers: [], left: [], unlinked: [] }
    }
    const wanted = [0, 3, 20, 45, 70][random(5)] ?? 0
    await scale(wanted)
    if (random(2) === 0) await cluster.until('all', () => placed().length === wanted && all().length === wanted)
    most = Math.max(most, blocks('r1').length + blocks('r2').length)
    cluster.aheadMs += random(2) * 1_500
    if (round % 5 === 4) {
      await cluster.stopServer()
      await cluster.startServer()
      stop()
      stop = followBlocks()
      watches.push(watchForFaults())
      for (const name of cluster.nodes.keys()) await cluster.connect(name)
    }
  }
  cluster.askForAddresses = async () => ({ driver: 'routed', containers: [], left: [], unlinked: [] })
  await scale(0)
  await cluster.until('none', () => all().length === 0)
  await cluster.until('all that is empty to be given back', () => blocks('r1').length + blocks('r2').length === 2)
  expect(most).toBeGreaterThan(4)
  expect(watches.flat()).toEqual([])
})
