import type { AgentConfigPlan, ConfigOrder } from '@berth/api'
import { BerthError, type NodeConfigReport } from '@berth/core'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { nodeStatus } from '../agents/agent-peer.testing.ts'
import { openTemporaryRecords, type RecordsUnderTest } from '../records/open-records.testing.ts'
import type { SourceStore } from '../source/source-store.ts'
import { nodeConfigProblems, nodeConfigView } from '../views/node-config-view.ts'
import { NodeConfigController } from './node-config-controller.ts'
import { NodeConfigs } from './node-configs.ts'

const context = { actor: 'token:ann' }
const { signal } = new AbortController()
const log = pino({ level: 'silent' })
let under: RecordsUnderTest
let agents: PretendedAgents
let configs: NodeConfigs
let controller: NodeConfigController
let now: number

/** Nodes that do what they are told, or fail at it. */
class PretendedAgents {
  readonly orders: string[] = []
  readonly failing = new Set<string>()
  readonly silent = new Set<string>()
  readonly offline = new Set<string>()
  readonly versions = new Map<string, number>()

  isConnected = (node: string): boolean => !this.offline.has(node)
  planConfig = async (node: string): Promise<AgentConfigPlan> => {
    if (this.offline.has(node)) throw new BerthError('node.offline', `node ${node} is not connected`)
    return { changes: [{ key: 'sysctl/a.b', before: '0', after: '1' }], docker: 'none', problems: [], leftAsFound: [] }
  }
  orderConfig = async (node: string, { id, version, config }: ConfigOrder): Promise<void> => {
    this.orders.push(`${node} ${version} ${Object.values(config.sysctls).join()}`.trim())
    if (this.silent.has(node)) return
    const failed = this.failing.has(node)
    if (!failed) this.versions.set(node, version)
    const inForce = { version: this.versions.get(node) ?? 0, order: id, at: 1 }
    await report(
      node,
      failed ? { ...inForce, state: 'undone', why: 'no good', output: ['x'] } : { ...inForce, state: 'applied' },
    )
  }
}

async function report(node: string, config: NodeConfigReport): Promise<void> {
  await under.records.commit(`node:${node}`, (tx) => tx.put('nodeStatuses', { ...nodeStatus(node), config }))
}

async function addNode(name: string, labels: Record<string, string> = {}): Promise<void> {
  await under.records.commit('local:0', (tx) => {
    const node = { labels, block: '10.77.0.0/24', address: '192.0.2.1', schedulable: true, joinedAt: 1 }
    tx.create('nodes', { ...node, name, certificateFingerprint: '' })
    tx.put('nodeStatuses', nodeStatus(name))
    tx.event({ type: 'node.joined', subject: { node: name }, message: name })
  })
}

const startController = () =>
  new NodeConfigController({
    ...{ records: under.records, state: under.state, agents, log, now: () => now },
    isOnline: (node) => !agents.offline.has(node),
  })

beforeEach(async () => {
  now = 1_000_000
  under = await openTemporaryRecords({ now: () => now })
  agents = new PretendedAgents()
  const sources = {
    fetch: async ({ repository, ref }: { repository: string; ref: string }) => ({
      repository,
      commit: ref,
      subject: 's',
    }),
    readFile: async (_: unknown, path: string) => files[path],
  } as unknown as SourceStore
  configs = new NodeConfigs({ records: under.records, sources, agents, now: () => now })
  for (const name of ['a', 'b', 'c']) await addNode(name)
  controller = startController()
})
afterEach(async () => {
  await controller[Symbol.asyncDispose]()
  await under[Symbol.asyncDispose]()
})

let files: Record<string, string> = {}
const text = (value: string, more = '') => `${more}\nrules: [{sysctls: {a.b: ${value}}}]`
const apply = (value: string, more = '', force = false) => configs.apply({ text: text(value, more) }, force, context)
const rollout = () => under.state.configRollouts.newest()[0]
const states = () =>
  under.state.nodeConfigs
    .all()
    .map(({ node, state }) => `${node} ${state}`)
    .sort()
const types = () => under.state.events.all().map(({ type }) => type)

async function until(what: string, isSo: () => boolean): Promise<void> {
  const deadline = performance.now() + 60_000
  while (!isSo()) {
    if (performance.now() > deadline) throw new Error(`${what}: ${JSON.stringify(rollout())} ${states()}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
const ended = (state: string) => until(state, () => rollout()?.state === state)

describe('a version of the node configuration', () => {
  it('comes to the nodes one after the other, with who, and what each has been told', async () => {
    const { version } = await apply('1')
    expect(version).toBe(1)
    await ended('done')
    expect(agents.orders).toEqual(['a 1 1', 'b 1 1', 'c 1 1'])
    expect(under.state.configVersions.find(1)).toMatchObject({ createdBy: 'token:ann', source: { path: 'nodes.yaml' } })
    expect(types().filter((type) => type === 'configuration.applied')).toHaveLength(3)
  })

  it('stops at the first failure, with the reason, and leaves the others alone', async () => {
    await apply('1')
    await ended('done')
    agents.failing.add('b')
    await apply('2')
    await ended('stopped')
    expect(agents.orders.slice(3)).toEqual(['a 2 2', 'b 2 2'])
    expect(rollout()?.message).toBe('stopped: b: no good')
    const node = under.state.nodes.get('b')
    const view = node && nodeConfigView(under.state, node)
    expect(view).toMatchObject({ version: 1, wanted: 2, state: 'undone', why: 'no good', output: ['x'] })
    expect(nodeConfigProblems(view)).toEqual(['version 2 of the node configuration was undone: no good'])
  })

  it('is undone everywhere where the document says so', async () => {
    await apply('1')
    await ended('done')
    agents.failing.add('c')
    await apply('2', 'rollout: {onFailure: undo}')
    await ended('undone')
    expect(agents.orders.slice(3)).toEqual(['a 2 2', 'b 2 2', 'c 2 2', 'a 1 1', 'b 1 1'])
    expect(states()).toEqual(['a returned', 'b returned', 'c undone'])
  })

  it('goes to a node that was offline when it is back, and to one that joins', async () => {
    agents.offline.add('b')
    await apply('1')
    await ended('done')
    expect(agents.orders).toEqual(['a 1 1', 'c 1 1'])
    agents.offline.delete('b')
    controller.nodeChanged('b')
    await until('b', () => states().includes('b applied'))
    await addNode('d')
    await until('d', () => states().includes('d applied'))
  })

  it('goes on under another server with what was under way', async () => {
    agents.silent.add('a')
    await apply('1')
    await until('the order', () => agents.orders.length > 0)
    await controller[Symbol.asyncDispose]()
    agents.silent.clear()
    controller = startController()
    await ended('done')
    const orders = agents.orders.filter((each) => each.startsWith('a'))
    expect(new Set(orders)).toEqual(new Set(['a 1 1']))
  })

  it('gives a node up that is not heard of, and takes it back when it has it all the same', async () => {
    agents.silent.add('a')
    await apply('1')
    await until('the order', () => agents.orders.length > 0)
    const order = under.state.nodeConfigs.get('a')?.order ?? ''
    agents.offline.add('a')
    now += 3_600_000
    controller.nodeChanged('a')
    await ended('stopped')
    expect(rollout()?.message).toBe('stopped: a: its agent was not reached')
    agents.offline.clear()
    agents.silent.clear()
    agents.versions.set('a', 1)
    await report('a', { version: 1, order, state: 'applied', at: 1 })
    await until('the way back', () => states().includes('a returned'))
    expect(agents.orders.at(-1)).toBe('a 0')
  })

  it('corrects drift only where the document says so', async () => {
    await apply('1')
    await ended('done')
    const order = under.state.nodeConfigs.get('a')?.order ?? ''
    const drift = [{ key: 'sysctl/a.b', before: '7', after: '1' }]
    await report('a', { version: 1, order, state: 'applied', at: 1, drift })
    await controller.idle()
    expect(agents.orders).toHaveLength(3)
    await apply('1', 'enforce: true')
    await ended('done')
    await report('a', {
      version: 2,
      order: under.state.nodeConfigs.get('a')?.order ?? '',
      state: 'applied',
      at: 1,
      drift,
    })
    await until('the correction', () => agents.orders.length === 7)
  })
})

describe('what people do with versions', () => {
  it('goes back to the last one that came to all nodes and says something else, or to nothing', async () => {
    await expect(configs.rollback(undefined, context)).rejects.toMatchObject({ code: 'configuration.none-before' })
    for (const value of ['1', '2']) {
      await apply(value)
      await ended('done')
    }
    expect(await configs.rollback(undefined, context)).toMatchObject({ version: 3 })
    await ended('done')
    expect(under.state.configVersions.find(3)).toMatchObject({ source: { rollbackTo: 1 } })
    expect(agents.orders.slice(-3)).toEqual(['a 3 1', 'b 3 1', 'c 3 1'])
    await configs.rollback(0, context)
    await ended('done')
    expect(agents.orders.slice(-3)).toEqual(['a 4', 'b 4', 'c 4'])
    await expect(configs.rollback(9, context)).rejects.toMatchObject({ code: 'configuration.version-not-found' })
  })

  it('is not applied over one that is on its way, unless by force; stopping begins nothing else', async () => {
    agents.silent.add('a')
    await apply('1')
    await until('the order', () => agents.orders.length > 0)
    await expect(apply('2')).rejects.toMatchObject({ code: 'configuration.in-progress' })
    await configs.stop(context)
    await expect(configs.stop(context)).rejects.toMatchObject({ code: 'configuration.not-running' })
    agents.silent.clear()
    await apply('2', '', true)
    await ended('done')
    expect(agents.orders.slice(-3).map((each) => each.slice(-1))).toEqual(['2', '2', '2'])
  })

  it('shows what each node says that would change there', async () => {
    agents.offline.add('b')
    const { version, nodes } = await configs.plan({ text: text('1') }, signal)
    expect(version).toBe(1)
    expect(nodes.map(({ node, changes, unknown }) => [node, changes.length, unknown])).toEqual([
      ['a', 1, undefined],
      ['b', 0, 'node b is not connected'],
      ['c', 1, undefined],
    ])
    expect(under.state.configVersions.size).toBe(0)
  })

  it('reads document and files from a repository, tells every mistake, and remembers where it came from', async () => {
    files = { 'conf/nodes.yaml': 'rules: [{files: {/etc/x: {from: files/x}}}]' }
    const source = { repository: '/srv/nodes', ref: 'c1', path: 'conf/nodes.yaml' }
    await expect(configs.apply(source, false, context)).rejects.toMatchObject({
      code: 'configuration.invalid',
      message: expect.stringContaining('there is no file files/x beside this document'),
    })
    files['conf/files/x'] = 'hello'
    await configs.apply(source, false, context)
    expect(under.state.configVersions.find(1)).toMatchObject({
      source: { repository: '/srv/nodes', commit: 'c1', path: 'conf/nodes.yaml' },
      spec: { rules: [{ config: { files: { '/etc/x': { content: 'hello' } } } }] },
    })
    await ended('done')
    expect(await configs.apply({ ref: 'c2' }, false, context)).toMatchObject({ version: 2 })
    await expect(configs.apply({ ...source, path: 'none.yaml' }, true, context)).rejects.toMatchObject({
      code: 'configuration.no-document',
    })
  })
})
