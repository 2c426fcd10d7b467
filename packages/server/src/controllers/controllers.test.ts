import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TestCluster, testSpec, webRoute } from './cluster.testing.ts'

let cluster: TestCluster
const call = { actor: 'test' }

beforeEach(async () => {
  cluster = await TestCluster.start()
  cluster.commits.set('c1', testSpec({ web: { replicas: 3 } }, { routes: [webRoute] }))
  cluster.commits.set('c2', testSpec({ web: { replicas: 3, command: ['serve', '2'] } }, { routes: [webRoute] }))
})
afterEach(async () => {
  await cluster[Symbol.asyncDispose]()
  expect([...cluster.nodes.values()].flatMap((node) => node.stoppedInTraffic)).toEqual([])
})

const running = () => cluster.state.instances.all().filter((each) => each.desired === 'run')
const production = { app: 'shop', pool: 'production' }

describe('deploying', () => {
  it('builds, releases, places, routes; a second deploy replaces every instance', async () => {
    await cluster.deploy('c1')
    expect(cluster.state.rollouts.all()).toMatchObject([{ state: 'succeeded', to: 'v1' }])
    expect(cluster.traffic.table.routes[0]?.targets[0]?.members).toHaveLength(3)
    expect(new Set(running().map((each) => each.address)).size).toBe(3)
    await cluster.deploy('c2')
    await cluster.until('the old ones to go', () => cluster.state.instances.size === 3)
    expect(running().map((each) => each.release)).toEqual(['v2', 'v2', 'v2'])
    expect(running().map((each) => each.ordinal)).toEqual([4, 5, 6])
    expect(cluster.node.assignments.size).toBe(3)
  })

  it('the same commit again is the same release and rolls nothing out', async () => {
    await cluster.deploy('c1')
    await cluster.deploy('c1')
    expect(cluster.state.releases.size).toBe(1)
    expect(cluster.state.rollouts.size).toBe(1)
    expect(cluster.state.builds.all().every((build) => build.release === 'v1')).toBe(true)
  })

  it('a release whose containers exit is rolled back with the last log lines', async () => {
    await cluster.deploy('c1')
    cluster.broken.add('v2')
    await cluster.deploy('c2')
    const rollout = cluster.state.rollouts.all().find((each) => each.to === 'v2')
    expect(rollout).toMatchObject({ state: 'rolled-back', failure: { logTail: ['boom'] } })
    expect(rollout?.failure?.reason).toContain('exit code 3')
    expect(cluster.state.pools.find('shop', 'production')?.release).toBe('v1')
    await cluster.until(
      'only v1',
      () => cluster.state.instances.size === 3 && running().every((each) => each.release === 'v1'),
    )
  })

  it('is refused while another rollout holds the pool, naming the holder; force takes over', async () => {
    await cluster.deploy('c1')
    cluster.node.gatewayStuck = true
    const first = await cluster.operations.restart(production, { actor: 'token:ana' })
    const deploy = { ...production, ref: 'c2', release: 'v1', force: false }
    await expect(cluster.operations.deploy(deploy, call)).rejects.toMatchObject({
      code: 'rollout.in-progress',
      message: expect.stringContaining('token:ana'),
    })
    const { rollout } = await cluster.operations.deploy({ ...deploy, force: true }, call)
    expect(cluster.state.rollouts.get(first.id)).toMatchObject({ state: 'aborted', message: 'superseded by test' })
    cluster.node.unstickGateway()
    await cluster.until('the takeover', () => cluster.state.rollouts.get(rollout?.id ?? '')?.state === 'succeeded')
    await cluster.until('three', () => cluster.state.instances.size === 3)
  })

  it('waits with stopping an old instance until the gateway has let it go', async () => {
    await cluster.deploy('c1')
    cluster.node.gatewayStuck = true
    await cluster.operations.restart(production, call)
    await cluster.until('a new one', () => running().length === 4)
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(cluster.state.instances.all().filter((each) => each.desired !== 'run')).toEqual([])
  })

  it('refuses a release with a missing secret that could not be seen before the build, and says how to set it', async () => {
    cluster.commits.set('c3', testSpec({ web: { secrets: [{ name: 'DB_PASSWORD', file: 'DB_PASSWORD' }] } }))
    cluster.refuse = new Error('the repository does not answer')
    await cluster.deploy('c3')
    const build = cluster.state.builds.all()[0]
    expect(build).toMatchObject({ state: 'succeeded', error: { code: 'release.not-deployable' } })
    expect(build?.error?.message).toContain('berth secret set shop DB_PASSWORD --environment production')
    expect(cluster.state.pools.size).toBe(0)
  })

  it('refuses a route that another pool has', async () => {
    cluster.commits.set(
      'c3',
      testSpec({ web: {} }, { routes: [webRoute], environments: { staging: { env: {}, entrypoints: {} } } }),
    )
    await cluster.deploy('c1')
    cluster.refuse = new Error('the repository does not answer')
    await cluster.deploy('c3', 'staging')
    expect(cluster.state.builds.all().at(-1)?.error ?? cluster.state.builds.all()[0]?.error).toMatchObject({
      message: expect.stringContaining('route shop.test/ belongs to shop/production'),
    })
  })
})

describe('what people do to a pool', () => {
  it('scale survives a deploy until the yaml changes its own number', async () => {
    await cluster.deploy('c1')
    await cluster.operations.scale({ ...production, replicas: { web: 5 }, dryRun: false }, call)
    await cluster.until('five', () => cluster.traffic.table.routes[0]?.targets[0]?.members.length === 5)
    await cluster.deploy('c2')
    expect(running()).toHaveLength(5)
    cluster.commits.set('c3', testSpec({ web: { replicas: 2 } }, { routes: [webRoute] }))
    await cluster.deploy('c3')
    expect(running()).toHaveLength(2)
  })

  it('rollback goes to the release that served before, and back again', async () => {
    await cluster.deploy('c1')
    await cluster.deploy('c2')
    for (const [from, to] of [
      ['v2', 'v1'],
      ['v1', 'v2'],
    ]) {
      const rollout = await cluster.operations.rollback(production, call)
      expect(rollout).toMatchObject({ reason: 'rollback', from, to })
      await cluster.until('the rollback', () => cluster.state.rollouts.get(rollout.id)?.state === 'succeeded')
    }
  })

  it('a job runs to its end with its own command; removing the app leaves nothing', async () => {
    await cluster.deploy('c1')
    const job = await cluster.operations.runJob({ ...production, command: ['echo', 'hi'] }, call)
    await cluster.until('the job', () => cluster.state.statuses.get(job.id)?.phase === 'ended')
    expect(cluster.node.assignments.get(job.id)).toMatchObject({ type: 'job', command: ['echo', 'hi'] })
    await cluster.operations.removeApp('shop', call)
    await cluster.until('nothing', () => cluster.state.apps.size === 0)
    expect(
      cluster.state.instances.size +
        cluster.state.releases.size +
        cluster.state.pools.size +
        cluster.state.statuses.size,
    ).toBe(0)
    expect(cluster.traffic.table.routes).toEqual([])
  })

  it('what finds no place says why, and is placed when there is room', async () => {
    cluster.commits.set(
      'big',
      testSpec({ web: { replicas: 2, resources: { cpuMilli: 3000 }, readyTimeoutMs: 20_000 } }),
    )
    await cluster.operations.deploy({ ...production, ref: 'big', force: false, repository: '/repo' }, call)
    await cluster.until('one waits', () => cluster.state.instances.unplaced().length === 1)
    expect(cluster.state.instances.unplaced()[0]?.unplaced).toBe('1 node: 1 too little CPU (most free: node-a, 1 of 3)')
    await cluster.addNode('node-b', '10.77.2.0/24')
    await cluster.until('placed', () => cluster.state.instances.unplaced().length === 0)
  })

  it('a hundred instances take several commits and end up with addresses of their own', async () => {
    cluster.commits.set('many', testSpec({ web: { replicas: 100, resources: {} } }))
    await cluster.deploy('many')
    expect(new Set(running().map((each) => each.address)).size).toBe(100)
  })

  it('plans without doing anything', async () => {
    await cluster.deploy('c1')
    const revision = cluster.state.revision
    const plan = await cluster.operations.plan({ ...production, ref: 'c2' }, call)
    expect(plan).toMatchObject({
      from: 'v1',
      to: 'c2',
      changes: true,
      entrypoints: [{ name: 'web', action: 'update', replace: 3 }],
    })
    expect(plan.diff.map((each) => each.path).join()).toContain('command')
    expect((await cluster.operations.plan({ ...production }, call)).changes).toBe(false)
    expect(cluster.state.revision).toBe(revision)
  })

  it('says what is there when a name is wrong', async () => {
    await cluster.deploy('c1')
    await expect(cluster.operations.restart({ app: 'shop', pool: 'prod' }, call)).rejects.toThrow(
      'no pool shop/prod; there are: production',
    )
    await expect(
      cluster.operations.scale({ ...production, replicas: { wbe: 1 }, dryRun: false }, call),
    ).rejects.toThrow('it has web')
    await expect(
      cluster.operations.deploy({ ...production, release: 'v9', ref: '', force: false }, call),
    ).rejects.toThrow('the last ones are v1')
  })
})
