import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TestCluster, testSpec } from '../controllers/cluster.testing.ts'
import { frozenUntil } from './freeze-times.ts'
import { Freezes } from './freezes.ts'

const call = { actor: 'token:ann' }
const production = { app: 'shop', pool: 'production' }
const base = { createdAt: 0, createdBy: 'token:ann', reason: 'holidays' }
const hourMs = 3_600_000

describe('a freeze', () => {
  const at = (text: string): number => Date.parse(text)
  const again = {
    name: 'weekend',
    when: { type: 'again', cron: '0 18 * * 5', zone: 'Asia/Shanghai', forMs: 62 * hourMs },
    ...base,
  } as const
  it.each([
    ['2026-11-27T09:59:59Z', undefined],
    ['2026-11-27T10:00:00Z', '2026-11-30T00:00:00.000Z'],
    ['2026-11-29T23:59:59Z', '2026-11-30T00:00:00.000Z'],
    ['2026-11-30T00:00:00Z', undefined],
  ])('that begins again and again, by the clocks of its zone: at %s until %s', (now, until) => {
    const found = frozenUntil(again, at(now))
    expect(found === undefined ? undefined : new Date(found).toISOString()).toBe(until)
  })

  it('that is there once holds from its begin until before its end', () => {
    const once = { name: 'eve', when: { type: 'once', from: 100, until: 200 }, ...base } as const
    expect([99, 100, 199, 200].map((now) => frozenUntil(once, now))).toEqual([undefined, 200, 200, undefined])
  })
})

describe('deploys', () => {
  let cluster: TestCluster
  let freezes: Freezes
  const year = { from: Date.now() - hourMs, until: Date.now() + hourMs }

  beforeEach(async () => {
    cluster = await TestCluster.start()
    freezes = new Freezes(cluster.records)
    for (const ref of ['c1', 'c2']) cluster.commits.set(ref, testSpec({ web: { replicas: 2, command: [ref] } }))
    await cluster.deploy('c1')
  })
  afterEach(() => cluster[Symbol.asyncDispose]())

  const deploy = (over: { readonly release?: string; readonly overrideFreeze?: string } = {}) =>
    cluster.operations.deploy({ ...production, ref: 'c2', force: false, repository: '/repo', ...over }, call)

  it.each([
    ['the cluster’s', {}],
    ['the app’s', { app: 'shop' }],
    ['the pool’s', { app: 'shop', pool: 'production' }],
    ['that of all production pools', { pool: 'production' }],
  ])('wait for a freeze: %s', async (_, of) => {
    await freezes.add({ name: 'eve', reason: 'holidays', ...year, ...of }, call)
    for (const how of [{}, { release: 'v1' }])
      await expect(deploy(how)).rejects.toMatchObject({
        code: 'freeze.active',
        message: expect.stringContaining('(holidays)'),
      })
    await freezes.remove('eve', call)
    expect((await deploy()).build).toBeDefined()
  })

  it('of others go on, and so do restarts and rollbacks', async () => {
    await cluster.deploy('c2')
    await freezes.add({ name: 'other', reason: 'x', ...year, app: 'billing' }, call)
    await freezes.add({ name: 'past', reason: 'x', from: 1, until: 2 }, call)
    const end = (id: string) => cluster.until('the end', () => cluster.state.rollouts.get(id)?.endedAt !== undefined)
    await end((await deploy({ release: 'v1' })).rollout?.id ?? '')
    await freezes.add({ name: 'eve', reason: 'x', ...year }, call)
    await end((await cluster.operations.restart(production, call)).id)
    await end((await cluster.operations.rollback(production, call)).id)
    expect(cluster.state.pools.find('shop', 'production')?.release).toBe('v2')
  })

  it('go on with a reason, which is kept; a build that ends meanwhile is refused without', async () => {
    let open = (): void => {}
    cluster.buildGate = new Promise((resolve) => {
      open = resolve
    })
    const { build } = await deploy()
    await freezes.add({ name: 'eve', reason: 'holidays', ...year }, call)
    open()
    await cluster.until('the build', () => cluster.state.builds.get(build?.id ?? '')?.endedAt !== undefined)
    expect(cluster.state.builds.get(build?.id ?? '')).toMatchObject({
      state: 'succeeded',
      error: { code: 'freeze.active' },
    })
    const { rollout } = await deploy({ release: 'v2', overrideFreeze: 'payments are down' })
    expect(cluster.state.rollouts.get(rollout?.id ?? '')?.frozen).toEqual({
      freezes: ['eve'],
      reason: 'payments are down',
    })
  })

  it.each([
    [{ name: 'Eve', ...year }, 'name.invalid'],
    [{ name: 'eve' }, 'freeze.invalid'],
    [{ name: 'eve', from: 1 }, 'freeze.invalid'],
    [{ name: 'eve', from: 2, until: 1 }, 'freeze.invalid'],
    [{ name: 'eve', ...year, cron: '0 0 * * *', forMs: hourMs }, 'freeze.invalid'],
    [{ name: 'eve', cron: '61 0 * * *', forMs: hourMs }, 'freeze.invalid'],
    [{ name: 'eve', cron: '0 0 * * *', zone: 'Mars/Base', forMs: hourMs }, 'freeze.invalid'],
    [{ name: 'eve', cron: '0 0 * * *', forMs: 1 }, 'freeze.invalid'],
    [{ name: 'eve', ...year, reason: ' ' }, 'freeze.invalid'],
  ])('freeze %j is refused: %s', async (wanted, code) => {
    await expect(freezes.add({ reason: 'x', ...wanted }, call)).rejects.toMatchObject({ code })
  })

  it('freezes have names of their own', async () => {
    await freezes.add({ name: 'eve', reason: 'x', ...year }, call)
    await expect(freezes.add({ name: 'eve', reason: 'x', ...year }, call)).rejects.toMatchObject({
      code: 'freeze.exists',
    })
    await expect(freezes.remove('evee', call)).rejects.toThrow('did you mean eve?')
  })
})
