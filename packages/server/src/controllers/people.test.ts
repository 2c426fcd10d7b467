import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TestCluster, testSpec } from './cluster.testing.ts'

const production = { app: 'shop', pool: 'production' }
const [ann, bob, eve] = ['token:ann', 'token:bob', 'token:eve'].map((actor) => ({ actor }))

let cluster: TestCluster

beforeEach(async () => {
  cluster = await TestCluster.start()
  const rollout = { surge: 1, unavailable: 0, settleMs: 0, before: [], approvals: 2 }
  cluster.commits.set('c1', testSpec({ web: { command: ['c1'] } }))
  cluster.commits.set('c2', testSpec({ web: { command: ['c2'] } }, { rollout }))
  await cluster.deploy('c1')
})
afterEach(() => cluster[Symbol.asyncDispose]())

/** Ann's; it waits for two others. */
async function waiting(): Promise<string> {
  await cluster.operations.deploy({ ...production, ref: 'c2', force: false, repository: '/repo' }, ann!)
  await cluster.until('a rollout', () => cluster.state.pools.find('shop', 'production')?.rollout !== undefined)
  return cluster.state.pools.find('shop', 'production')?.rollout ?? ''
}

const rolloutOf = (id: string) => cluster.state.rollouts.get(id)
const endOf = (id: string) => cluster.until('the end', () => rolloutOf(id)?.endedAt !== undefined)

describe('a rollout that people have to approve', () => {
  it('begins with the last yes of others, also over a restart of the server', async () => {
    const id = await waiting()
    expect(rolloutOf(id)).toMatchObject({
      ...{ state: 'paused', message: `waits for approval: 0 of 2 (berth rollout approve ${id})` },
    })
    const { operations } = cluster
    await expect(operations.approveRollout(id, ann!)).rejects.toMatchObject({ code: 'approval.own' })
    await operations.approveRollout(id, bob!)
    await expect(operations.approveRollout(id, bob!)).rejects.toMatchObject({ code: 'approval.twice' })
    for (const move of ['resumeRollout', 'continueRollout'] as const)
      await expect(operations[move](id, bob!)).rejects.toMatchObject({ code: 'approval.required' })
    expect(cluster.state.instances.all().map(({ release }) => release)).toEqual(['v1'])
    await cluster.stopServer()
    await cluster.startServer()
    await cluster.connect()
    await cluster.operations.approveRollout(id, eve!)
    await endOf(id)
    const { state, approvals, pauses } = rolloutOf(id)!
    expect([state, approvals?.given.map(({ by }) => by)]).toEqual(['succeeded', ['token:bob', 'token:eve']])
    expect(pauses).toMatchObject([{ reason: expect.stringContaining('waits for approval'), until: expect.any(Number) }])
    await expect(cluster.operations.approveRollout(id, bob!)).rejects.toMatchObject({ code: 'rollout.no-such-step' })
  })

  it('is given up like any other, and going back asks nobody', async () => {
    const id = await waiting()
    await cluster.operations.abortRollout(id, ann!)
    await endOf(id)
    expect(rolloutOf(id)?.state).toBe('aborted')
    const next = await waiting()
    for (const who of [bob, eve]) await cluster.operations.approveRollout(next, who!)
    await endOf(next)
    const back = await cluster.operations.rollback(production, ann!)
    expect(back.state).toBe('running')
    await endOf(back.id)
    expect(cluster.state.pools.find('shop', 'production')?.release).toBe('v1')
  })
})
