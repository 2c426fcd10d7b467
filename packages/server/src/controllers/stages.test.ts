import type { StageSpec } from '@berth/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { receiptView } from '../views/rollout-view.ts'
import { TestCluster, testSpec, webRoute } from './cluster.testing.ts'

const call = { actor: 'token:ann' }
const production = { app: 'shop', pool: 'production' }
const canary: StageSpec = { name: 'canary', instances: 1, gates: [{ type: 'person' }] }
const all: StageSpec = { name: 'all', gates: [{ type: 'health', forMs: 50 }] }

let cluster: TestCluster

beforeEach(async () => {
  cluster = await TestCluster.start()
  const rollout = { surge: 1, unavailable: 0, settleMs: 0, before: [], stages: [canary, all] }
  for (const ref of ['c1', 'c2', 'c3'])
    cluster.commits.set(ref, testSpec({ web: { replicas: 3, command: [ref] } }, { routes: [webRoute], rollout }))
  await cluster.deploy('c1')
})
afterEach(async () => {
  await cluster[Symbol.asyncDispose]()
  expect(cluster.node.stoppedInTraffic).toEqual([])
})

const rolloutOf = (id: string) => cluster.state.rollouts.get(id)
const endOf = (id: string) => cluster.until('the end', () => rolloutOf(id)?.endedAt !== undefined)
const releases = () =>
  cluster.state.instances
    .all()
    .filter(({ desired }) => desired === 'run')
    .map(({ release }) => release)
    .sort()

/** Deploys, and waits until the first stage waits for a person. */
async function held(ref: string): Promise<string> {
  const known = cluster.state.rollouts.size
  await cluster.operations.deploy({ ...production, ref, force: false, repository: '/repo' }, call)
  await cluster.until('a rollout', () => cluster.state.rollouts.size > known)
  const id = cluster.state.pools.find('shop', 'production')?.rollout ?? ''
  await cluster.until('the gate', () => rolloutOf(id)?.message.includes('waits for a person') === true)
  return id
}

const receiptOf = (id: string) => receiptView(cluster.state, rolloutOf(id)!, Date.now())

describe('a rollout in stages', () => {
  it('waits for a person, also over a restart of the server, and leaves a receipt', async () => {
    const id = await held('c2')
    expect(releases()).toEqual(['v1', 'v1', 'v2'])
    await cluster.stopServer()
    await cluster.startServer()
    await cluster.connect()
    await cluster.operations.pauseRollout(id, call)
    await cluster.operations.resumeRollout(id, call)
    expect(releases()).toEqual(['v1', 'v1', 'v2'])
    await cluster.operations.continueRollout(id, call)
    await endOf(id)
    expect(releases()).toEqual(['v2', 'v2', 'v2'])
    expect(receiptOf(id)).toMatchObject({
      ...{ rollout: id, app: 'shop', from: 'v1', to: 'v2', commit: 'c2', subject: 'change c2', by: 'token:ann' },
      ...{ state: 'succeeded', plan: { web: { before: 3, after: 3 } } },
      stages: [
        { name: 'canary', served: { web: 1 }, gates: [{ type: 'person', verdict: 'passed', by: 'token:ann' }] },
        { name: 'all', served: { web: 3 }, gates: [{ type: 'health', verdict: 'passed', message: 'health for 50ms' }] },
      ],
      pauses: [{ reason: 'paused by token:ann', until: expect.any(Number) }],
    })
    expect(receiptOf(id).stages.every(({ tookMs }) => tookMs !== undefined && tookMs > 0)).toBe(true)
  })

  it('says what cannot be done, and does nothing', async () => {
    const id = await held('c2')
    await cluster.operations.continueRollout(id, call)
    await expect(cluster.operations.continueRollout(id, call)).rejects.toMatchObject({ code: 'rollout.no-such-step' })
    await endOf(id)
    for (const move of ['pauseRollout', 'continueRollout', 'skipStage', 'abortRollout'] as const)
      await expect(cluster.operations[move](id, call)).rejects.toMatchObject({ code: 'rollout.wrong-state' })
    const { id: restart } = await cluster.operations.restart(production, call)
    await expect(cluster.operations.skipStage(restart, call)).rejects.toThrow('it has no stages')
    await endOf(restart)
    expect(receiptOf(restart).stages).toMatchObject([{ name: 'all', served: { web: 3 } }])
    const [first] = cluster.state.rollouts.all().sort((a, b) => a.createdAt - b.createdAt)
    await expect(cluster.operations.rollbackRollout(first?.id ?? '', call)).rejects.toMatchObject({
      code: 'rollout.nothing-before',
    })
  })

  it('says of each word what it is for where it does not fit', async () => {
    const id = await held('c2')
    const { operations } = cluster
    await expect(operations.resumeRollout(id, call)).rejects.toThrow('it is running; to have it stand still')
    await operations.pauseRollout(id, call)
    await expect(operations.pauseRollout(id, call)).rejects.toThrow(`to go on: berth rollout resume ${id}`)
    cluster.node.disconnect()
    await operations.abortRollout(id, call)
    for (const move of ['abortRollout', 'pauseRollout', 'resumeRollout', 'skipStage', 'continueRollout'] as const)
      await expect(operations[move](id, call)).rejects.toThrow('it is going back already')
    await cluster.connect()
    await endOf(id)
    await expect(operations.abortRollout(id, call)).rejects.toThrow('it has ended (aborted)')
    const again = await held('c2')
    await operations.continueRollout(again, call)
    await endOf(again)
    await expect(operations.abortRollout(again, call)).rejects.toThrow(
      `it has succeeded; to go back to v1: berth rollout rollback ${again}`,
    )
  })

  it('is skipped stage by stage, and rolled back after its end without stages', async () => {
    const id = await held('c2')
    await cluster.operations.skipStage(id, call)
    await endOf(id)
    expect(receiptOf(id).stages[0]).toMatchObject({ skippedBy: 'token:ann', gates: [{ verdict: 'waiting' }] })
    const back = await cluster.operations.rollbackRollout(id, call)
    expect(back).toMatchObject({ reason: 'rollback', from: 'v2', to: 'v1' })
    await endOf(back.id)
    expect(releases()).toEqual(['v1', 'v1', 'v1'])
  })

  it('is rolled back while it waits, whatever else holds the pool', async () => {
    const id = await held('c2')
    await cluster.operations.rollbackRollout(id, call)
    await endOf(id)
    expect([rolloutOf(id)?.state, ...releases()]).toEqual(['aborted', 'v1', 'v1', 'v1'])
    const first = await held('c2')
    await cluster.operations.continueRollout(first, call)
    await endOf(first)
    const other = await held('c3')
    const back = await cluster.operations.rollbackRollout(first, call)
    await endOf(back.id)
    expect(rolloutOf(other)).toMatchObject({ state: 'aborted', message: 'superseded by token:ann' })
    expect(releases()).toEqual(['v1', 'v1', 'v1'])
  })

  it('goes back as a whole when what comes after the canary fails', async () => {
    const id = await held('c2')
    cluster.broken.add('v2')
    await cluster.operations.continueRollout(id, call)
    await endOf(id)
    expect([rolloutOf(id)?.state, ...releases()]).toEqual(['rolled-back', 'v1', 'v1', 'v1'])
    expect(receiptOf(id)).toMatchObject({ state: 'rolled-back', failure: { instance: expect.any(String) } })
  })

  it('goes site by site where it says so, and is refused where no node is', async () => {
    for (const [name, block] of [
      ['node-b', '10.77.2.0/24'],
      ['node-c', '10.77.3.0/24'],
    ] as const)
      await cluster.addNode(name, block)
    await cluster.records.commit('system:test', (tx) => {
      for (const node of cluster.state.nodes.values())
        tx.put('nodes', { ...node, labels: { ...node.labels, site: node.name === 'node-b' ? 'paris' : 'lyon' } })
    })
    const sited = (...stages: StageSpec[]) => {
      const rollout = { surge: 1, unavailable: 0, settleMs: 0, before: [], stages: [...stages, all] }
      const web = { replicas: 6, command: [stages[0]?.name ?? 'none'] }
      return testSpec({ web }, { routes: [webRoute], rollout })
    }
    cluster.commits.set('c4', sited())
    await cluster.deploy('c4')
    const places = (release: string) =>
      cluster.state.instances
        .all()
        .filter((each) => each.desired === 'run' && each.release === release)
        .map(({ node = '' }) => node)
        .sort()
    const before = places('v2')
    expect(before).toContain('node-b')
    expect(new Set(before).size).toBeGreaterThan(1)
    cluster.commits.set('c5', sited({ name: 'paris', sites: ['paris'], gates: [{ type: 'person' }] }))
    const id = await held('c5')
    expect(places('v3')).toEqual(before.filter((node) => node === 'node-b'))
    expect(places('v2')).toEqual(before.filter((node) => node !== 'node-b'))
    await cluster.operations.continueRollout(id, call)
    await endOf(id)
    expect(rolloutOf(id)).toMatchObject({ state: 'succeeded', stages: [{ sites: ['paris'] }, {}] })
    expect(places('v3')).toHaveLength(6)
    cluster.commits.set('c6', sited({ name: 'pariss', sites: ['pariss'], gates: [] }))
    const refused = cluster.operations.deploy({ ...production, ref: 'c6', force: false, repository: '/repo' }, call)
    await expect(refused).rejects.toThrow('did you mean paris?')
  })

  it('goes back without a build, and without an image being asked for, pulled or copied', async () => {
    const id = await held('c2')
    await cluster.operations.continueRollout(id, call)
    await endOf(id)
    const builds = cluster.state.builds.size
    const asked: string[] = []
    cluster.noBuilder = true
    cluster.imageAgents = {
      // Where an image is goes by what ran there: nobody is asked, and nothing is brought.
      holdersOf: () => new Set(cluster.nodes.keys()),
      isConnected: () => true,
      hasImage: async (node) => {
        asked.push(`asked ${node}`)
        return true
      },
      bringImage: async (image) => {
        asked.push(`brought ${image}`)
        return 'there is no registry'
      },
    }
    const back = await cluster.operations.rollback(production, call)
    await endOf(back.id)
    expect([rolloutOf(back.id)?.state, ...releases()]).toEqual(['succeeded', 'v1', 'v1', 'v1'])
    expect([asked, cluster.state.builds.size]).toEqual([[], builds])
  })
})
