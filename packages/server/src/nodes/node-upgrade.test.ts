import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import type { NodeStatus } from '@berth/core'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { nodeStatus } from '../agents/agent-peer.testing.ts'
import { openTemporaryRecords, type RecordsUnderTest } from '../records/open-records.testing.ts'
import { nodeView } from '../views/node-view.ts'
import { NodeUpgrade } from './node-upgrade.ts'
import { Nodes } from './nodes.ts'

const context = { actor: 'token:ann' }
const signal = AbortSignal.timeout(30_000)
let under: RecordsUnderTest
let dir: string
let sent: { node: string; version: string; sha256: string; bytes: number }[]

beforeEach(async () => {
  under = await openTemporaryRecords()
  dir = await mkdtemp(join(tmpdir(), 'berth-node-upgrade-'))
  await writeFile(join(dir, 'berth'), 'the executable')
  sent = []
})
afterEach(async () => {
  await under[Symbol.asyncDispose]()
  await rm(dir, { recursive: true })
})

const agents = {
  sendExecutable: async (node: string, offered: { version: string; sha256: string }, body: Readable) => {
    let bytes = 0
    for await (const chunk of body) bytes += (chunk as Buffer).length
    sent.push({ node, ...offered, bytes })
    return node !== 'same'
  },
}
const upgrade = (version: string, executable: string | undefined = join(dir, 'berth')) =>
  new NodeUpgrade({ records: under.records, nodes: new Nodes(under.records), agents, version, executable })

async function addNode(name: string, status: Partial<NodeStatus>): Promise<void> {
  await under.records.commit('local:0', (tx) => {
    const node = { labels: {}, block: '10.77.0.0/24', address: '192.0.2.1', schedulable: true, joinedAt: 1 }
    tx.create('nodes', { ...node, name, certificateFingerprint: '' })
    tx.put('nodeStatuses', { ...nodeStatus(name), ...status })
    tx.event({ type: 'node.joined', subject: { node: name }, message: name })
  })
}

it("sends a node the server's executable, with its hash, and says who wanted it", async () => {
  await addNode('a', { agentVersion: '0.1.0' })
  expect(await upgrade('0.2.0').start('a', context, signal)).toMatchObject({
    from: '0.1.0',
    to: '0.2.0',
    started: true,
  })
  expect(sent).toEqual([{ node: 'a', version: '0.2.0', sha256: expect.stringMatching(/^[0-9a-f]{64}$/), bytes: 14 }])
  const [event] = under.state.events.all().filter(({ type }) => type === 'node.upgrade')
  expect(event).toMatchObject({ actor: 'token:ann', message: 'a goes from version 0.1.0 to 0.2.0' })
})

it('notes nothing when the node has it already, and refuses what is too far apart, unknown, or not to be had', async () => {
  await addNode('same', { agentVersion: '0.2.0' })
  expect(await upgrade('0.2.0').start('same', context, signal)).toMatchObject({ started: false })
  expect(under.state.events.all().filter(({ type }) => type === 'node.upgrade')).toEqual([])
  await addNode('old', { agentVersion: '0.1.0' })
  await expect(upgrade('1.0.0').start('old', context, signal)).rejects.toMatchObject({ code: 'upgrade.too-far-apart' })
  await expect(upgrade('0.2.0').start('none', context, signal)).rejects.toMatchObject({ code: 'node.not-found' })
  const sources = new NodeUpgrade({ records: under.records, nodes: new Nodes(under.records), agents, version: '0.2.0' })
  await expect(sources.start('old', context, signal)).rejects.toMatchObject({ code: 'upgrade.no-executable' })
})

it('shows by a node’s problems that its version is more than one minor version away, or that it was rolled back', async () => {
  await addNode('a', { agentVersion: '0.1.0', problems: [] })
  const view = (version: string) => {
    const node = under.state.nodes.get('a')
    if (node === undefined) throw new Error('node a was made')
    const views = { state: under.state, version, isOnline: () => true } as unknown as Parameters<typeof nodeView>[0]
    return nodeView(views, node).problems
  }
  expect(view('0.2.0')).toEqual([])
  expect(view('0.3.0')).toEqual([expect.stringContaining('berth node upgrade a')])
  expect(view('1.0.0')).toEqual([expect.stringContaining('too far apart')])
  await under.records.commit('node:a', (tx) => {
    const back = { state: 'rolled-back' as const, from: '0.1.0', to: '0.2.0', at: 1, why: 'it did not stay up' }
    tx.put('nodeStatuses', { ...nodeStatus('a'), agentVersion: '0.1.0', problems: [], upgrade: back })
  })
  expect(view('0.2.0')).toEqual(['its upgrade to 0.2.0 was rolled back: it did not stay up'])
})
