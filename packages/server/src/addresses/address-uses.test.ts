import { type AddressRelease, type AddressReport, BerthError, type ContainerAddress } from '@berth/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TestCluster, testSpec } from '../controllers/cluster.testing.ts'
import { AddressPools } from './address-pools.ts'
import { AddressUses } from './address-uses.ts'

const call = { signal: new AbortController().signal }
const range = '10.77.0.0/16'
let cluster: TestCluster
let uses: AddressUses
/** What nodes answer; by default what the store says they run. */
let said: Map<string, Partial<AddressReport> | BerthError>
let released: AddressRelease['released']
let looks: number

const containersOf = (node: string): ContainerAddress[] =>
  cluster.state.instances.byNode(node).map(({ id, address = '' }) => ({
    ...{ id, name: id, instance: id, isRunning: true, address, createdAt: 1 },
  }))

function answer(node: string, path: string): AddressReport | AddressRelease {
  if (path === '/v1/network/addresses/release') return { released, later: [] }
  looks += 1
  const own = said.get(node)
  if (own instanceof BerthError) throw own
  return { driver: 'routed', containers: containersOf(node), left: [], unlinked: [], ...own }
}

beforeEach(async () => {
  cluster = await TestCluster.start()
  await cluster.addNode('node-b', '10.77.2.0/24', { network: { driver: 'routed' } })
  cluster.commits.set('c1', testSpec({ web: { replicas: 2 } }))
  await cluster.deploy('c1')
  ;[said, released, looks] = [new Map(), [], 0]
  const agents = {
    isOnline: () => false,
    request: async <T>(node: string, { path }: { readonly path: string }) => answer(node, path) as T,
  }
  const pools = new AddressPools({ records: cluster.records, range, agents })
  uses = new AddressUses({ state: cluster.state, pools, agents, domain: 'berth', settleMs: 5 })
})
afterEach(async () => {
  uses[Symbol.dispose]()
  await cluster[Symbol.asyncDispose]()
})

const firstInstance = () => {
  const [one] = cluster.state.instances.all()
  if (one?.address === undefined || one.node === undefined) throw new Error('an instance is to be placed')
  return { id: one.id, address: one.address, node: one.node }
}
const byHand = { id: 'm', name: 'mine', isRunning: true, address: '10.77.2.240', createdAt: 7 }

describe('addresses in use', () => {
  it('are those of instances and nodes, and of containers that were started by hand', async () => {
    said.set('node-b', { containers: [...containersOf('node-b'), byHand] })
    const { items, silent, after } = await uses.list({}, call)
    expect([silent, after]).toEqual([[], undefined])
    const instances = items.filter(({ kind }) => kind === 'instance')
    expect(instances.map(({ instance }) => instance).sort()).toEqual(
      cluster.state.instances
        .all()
        .map(({ id }) => id)
        .sort(),
    )
    expect(instances[0]).toMatchObject({ app: 'shop', state: 'running', pool: 'default' })
    expect(items.filter(({ node, kind }) => node === 'node-b' && kind !== 'instance')).toEqual([
      { address: '10.77.2.1', node: 'node-b', block: '10.77.2.0/24', pool: 'default', kind: 'gateway' },
      {
        address: '10.77.2.239',
        last: '10.77.2.254',
        node: 'node-b',
        block: '10.77.2.0/24',
        pool: 'default',
        kind: 'kept',
      },
      {
        ...{ address: '10.77.2.240', node: 'node-b', block: '10.77.2.0/24', pool: 'default', kind: 'by-hand' },
        ...{ container: 'mine', state: 'running', since: 7 },
      },
    ])
    expect((await uses.list({ app: 'shop' }, call)).items).toHaveLength(2)
    expect((await uses.list({ node: 'node-a' }, call)).items.every(({ node }) => node === 'node-a')).toBe(true)
  })

  it('come in parts, node by node, and every one once', async () => {
    const whole = (await uses.list({}, call)).items
    const parts: string[] = []
    let after: string | undefined
    for (let n = 0; n < 5; n++) {
      const part = await uses.list({ limit: 1, ...(after === undefined ? {} : { after }) }, call)
      parts.push(...part.items.map(({ address }) => address))
      after = part.after
      if (after === undefined) break
    }
    expect(parts).toEqual(whole.map(({ address }) => address))
  })

  it('are told without what silent nodes would say', async () => {
    said.set('node-b', new BerthError('request.not-found', 'GET … is not known'))
    const { items, silent } = await uses.list({}, call)
    expect(items.filter(({ kind }) => kind === 'instance')).toHaveLength(2)
    expect(silent).toEqual([{ node: 'node-b', message: expect.stringContaining('is of a version before') }])
  })

  it.each([
    [{ node: 'nowhere' }, 'node.not-found'],
    [{ pool: 'nowhere' }, 'address-pool.not-found'],
    [{ app: 'nowhere' }, 'app.not-found'],
  ])('refuse %j', async (query, code) => {
    await expect(uses.list(query, call)).rejects.toMatchObject({ code })
  })
})

describe('one address', () => {
  it('of an instance has its names; free again, its last owner', async () => {
    const { id, address, node } = firstInstance()
    const shown = await uses.show(address, call)
    expect(shown).toMatchObject({ kind: 'instance', instance: id, node, pool: 'default', state: 'running' })
    expect(shown.names).toEqual([
      expect.stringMatching(/^web-\d\.production\.shop\.berth$/),
      'web.production.shop.berth',
    ])
    await cluster.records.commit('system:test', (tx) => tx.delete('instances', id))
    said.set(node, { containers: [] })
    expect(await uses.show(address, call)).toMatchObject({ kind: 'free', last: { instance: id, node } })
  })

  it.each([
    ['10.77.2.1', 'gateway', /of node node-b in its own block/],
    ['10.77.2.0', 'reserved', /gives it to nobody/],
    ['10.77.2.255', 'reserved', /gives it to nobody/],
    ['10.77.2.77', 'free', /^free, in the block 10\.77\.2\.0\/24 of node-b$/],
    ['10.77.2.250', 'free', /kept for containers that are started by hand/],
    ['10.77.2.240', 'by-hand', /of the container mine on node-b/],
    ['10.77.9.9', 'unassigned', /no node has a block of the pool default/],
    ['10.99.0.1', 'outside', /in no address pool/],
    ['127.0.0.1', 'node', /of node node-a itself/],
  ])('%s is %s', async (address, kind, message) => {
    said.set('node-b', { containers: [byHand] })
    expect(await uses.show(address, call)).toMatchObject({ kind, message: expect.stringMatching(message) })
  })

  it('of a container says which profiles it names, and that it is closed while one is not there', async () => {
    const named = [{ address: '10.77.2.240', profiles: ['ghost'] }]
    await cluster.addNode('node-b', '10.77.2.0/24', { network: { driver: 'routed' }, byHand: named })
    said.set('node-b', { containers: [byHand] })
    expect(await uses.show('10.77.2.240', call)).toMatchObject({
      ...{ kind: 'by-hand', profiles: ['ghost'] },
      message:
        'of the container mine on node-b, which was started by hand (closed: there is no profile ghost, which it names)',
    })
    const { items } = await uses.list({ node: 'node-b' }, call)
    expect(items.find(({ kind }) => kind === 'by-hand')).toMatchObject({ container: 'mine', profiles: ['ghost'] })
  })

  it('that is none is refused', async () => {
    await expect(uses.show('10.77.2', call)).rejects.toMatchObject({ code: 'network.invalid-address' })
  })
})

describe('a check', () => {
  it('finds nothing where nothing differs, at one look', async () => {
    expect(await uses.check({}, call)).toEqual({
      ...{ findings: [], silent: [], compared: { nodes: 2, instances: 2, containers: 2 } },
    })
    expect(looks).toBe(2)
  })

  it('tells what differs twice, and not what is on its way', async () => {
    const { id, node } = firstInstance()
    said.set(node, { containers: [] })
    expect((await uses.check({}, call)).findings).toMatchObject([{ kind: 'not-there', instance: id, leak: false }])
    let asked = 0
    said.set(node, {
      get containers() {
        return asked++ === 0 ? [] : containersOf(node)
      },
    })
    expect((await uses.check({ node }, call)).findings).toEqual([])
  })

  it('has nodes take away what is left over, and says what stays', async () => {
    const [left, other] = [
      { kind: 'endpoint', name: 'x', address: '10.77.2.9' } as const,
      { kind: 'link', name: 'berth-0a4d0208', address: '10.77.2.8' } as const,
    ]
    said.set('node-b', { left: [left, other] })
    released = [left]
    expect((await uses.check({}, call)).findings.map((each) => [each.leak, each.released])).toEqual([
      [true, false],
      [true, false],
    ])
    expect(
      (await uses.release({ node: 'node-b' }, call)).findings.map((each) => [each.address, each.released]),
    ).toEqual([
      ['10.77.2.9', true],
      ['10.77.2.8', false],
    ])
  })

  it('names nodes that do not answer, and those whose Docker does not', async () => {
    said.set('node-a', new BerthError('node.offline', 'node node-a is offline'))
    said.set('node-b', { engineProblem: 'Docker is down', containers: [] })
    const { findings, silent, compared } = await uses.check({}, call)
    expect([findings, compared.nodes]).toEqual([[], 1])
    expect(silent).toEqual([
      { node: 'node-a', message: 'node node-a is offline' },
      { node: 'node-b', message: 'its containers were not compared: Docker is down' },
    ])
    await expect(uses.check({ node: 'nowhere' }, call)).rejects.toMatchObject({ code: 'node.not-found' })
  })
})
