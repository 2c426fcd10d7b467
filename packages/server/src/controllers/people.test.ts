import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ApprovalRules } from '../approvals/approval-rules.ts'
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

describe('an admin’s rule', () => {
  const rules = () => new ApprovalRules(cluster.records)
  const token = (name: string, role: 'deployer' | 'admin') =>
    cluster.records.commit('system:test', (tx) => {
      const rest = { owner: name, hash: name, createdAt: 0, createdBy: 'test' }
      tx.put('tokens', { name, role, ...rest } as never)
    })

  it('asks for more than a berth.yaml, and for whom it names, also over a restart', async () => {
    await rules().add({ name: 'two', pool: 'production', needed: 1, role: 'admin' }, ann!)
    await rules().add({ name: 'three', app: 'shop', needed: 3 }, ann!)
    for (const [name, role] of [
      ['bob', 'deployer'],
      ['eve', 'deployer'],
      ['joe', 'deployer'],
      ['kim', 'admin'],
    ] as const)
      await token(name, role)
    const plan = await cluster.operations.plan({ ...production, ref: 'c2' }, ann!)
    expect(plan.approvals).toMatchObject({ needed: 3, rules: [{ name: 'three' }, { name: 'two', role: 'admin' }] })
    const id = await waiting()
    expect(rolloutOf(id)?.message).toBe(`waits for approval: 0 of 3, 1 more of an admin (berth rollout approve ${id})`)
    await rules().remove('three', ann!)
    await cluster.operations.approveRollout(id, bob!)
    await cluster.operations.approveRollout(id, eve!)
    await cluster.operations.approveRollout(id, { actor: 'token:joe' })
    expect(rolloutOf(id)).toMatchObject({ state: 'paused', message: expect.stringContaining('1 more of an admin') })
    await expect(cluster.operations.resumeRollout(id, ann!)).rejects.toMatchObject({ code: 'approval.required' })
    await cluster.stopServer()
    await cluster.startServer()
    await cluster.connect()
    await cluster.operations.approveRollout(id, { actor: 'token:kim' })
    await endOf(id)
    expect(rolloutOf(id)?.state).toBe('succeeded')
    const back = await cluster.operations.rollback(production, ann!)
    expect(back.state).toBe('running')
    await endOf(back.id)
  })

  it('holds where it says, whatever a release says, and is refused where it makes no sense', async () => {
    await rules().add({ name: 'tests', pool: 'test', needed: 1 }, ann!)
    await rules().add({ name: 'blog', app: 'blog', needed: 1 }, ann!)
    cluster.commits.set('c3', testSpec({ web: { command: ['c3'] } }))
    await cluster.deploy('c3')
    expect(cluster.state.pools.find('shop', 'production')?.release).toBe('v2')
    await rules().add({ name: 'all', needed: 1 }, ann!)
    cluster.commits.set('c4', testSpec({ web: { command: ['c4'] } }))
    await cluster.operations.deploy({ ...production, ref: 'c4', force: false, repository: '/repo' }, ann!)
    const held = () => cluster.state.rollouts.all().find(({ to, state }) => to === 'v3' && state === 'paused')
    await cluster.until('it to wait', () => held() !== undefined)
    expect(held()?.approvals).toMatchObject({ needed: 1, rules: [{ name: 'all' }] })
    for (const [rule, code] of [
      [{ name: 'all', needed: 1 }, 'approval-rule.exists'],
      [{ name: 'none', needed: 0 }, 'approval-rule.invalid'],
      [{ name: 'many', needed: 11 }, 'approval-rule.invalid'],
      [{ name: 'A B', needed: 1 }, 'name.invalid'],
    ] as const)
      await expect(rules().add(rule, ann!)).rejects.toMatchObject({ code })
    await expect(rules().remove('al', ann!)).rejects.toThrow('did you mean all?')
  })
})

describe('a rollout that people have to approve', () => {
  it('begins with the last yes of others, also over a restart of the server', async () => {
    const id = await waiting()
    expect(rolloutOf(id)).toMatchObject({
      ...{ state: 'paused', message: `waits for approval: 0 of 2 (berth rollout approve ${id})` },
    })
    const { operations } = cluster
    await expect(operations.approveRollout(id, ann!)).rejects.toMatchObject({ code: 'approval.own' })
    await operations.approveRollout(id, bob!)
    expect(rolloutOf(id)?.pauses?.[0]?.reason).toBe(`waits for approval: 1 of 2 (berth rollout approve ${id})`)
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
    const reason = 'waited for approval: 2 of 2 (token:bob, token:eve)'
    expect(pauses).toMatchObject([{ reason, until: expect.any(Number) }])
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
