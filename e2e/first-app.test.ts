import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { InstanceView, PlanView, RolloutView, RouteTrafficView } from '../packages/api/src/index.ts'
import { webApp } from './support/apps.ts'
import { Cluster, type Repository } from './support/cluster.ts'
import { startLoad, until } from './support/load.ts'

let cluster: Cluster
let shop: Repository

beforeAll(async () => {
  cluster = await Cluster.start()
  shop = await cluster.repository('shop', webApp({ replicas: 2, version: '1' }))
})
afterAll(() => cluster[Symbol.asyncDispose]())

const get = async (path = '/'): Promise<{ status: number; body: string }> => {
  const { stdout } = await cluster.first.exec([
    'curl',
    '-s',
    '-m',
    '10',
    '-w',
    '\n%{http_code}',
    '-H',
    'Host: shop.test',
    `http://127.0.0.1${path}`,
  ])
  const lines = stdout.split('\n')
  return { status: Number(lines.pop()), body: lines.join('\n') }
}
const ps = async (app = 'shop'): Promise<InstanceView[]> =>
  (await cluster.mustBerth(['ps', app, '-o', 'json'])).json<InstanceView[]>().filter((each) => each.desired === 'run')
const lastRollout = async (): Promise<RolloutView | undefined> =>
  (await cluster.mustBerth(['rollouts', 'shop', '-o', 'json'])).json<RolloutView[]>()[0]

describe('the road of a commit', () => {
  it('deploys a commit and serves it behind the gateway', async () => {
    const result = await cluster.mustBerth(['deploy'], { cwd: shop.path })
    expect(result.stderr).toContain('v1 serves')
    expect(result.stdout).toContain('http://shop.test')
    expect(JSON.parse((await get()).body)).toMatchObject({ version: '1', release: 'v1' })
    expect(await ps()).toMatchObject([
      { name: 'web-1', ready: true },
      { name: 'web-2', ready: true },
    ])
  })

  it('gives an instance its environment, address, grant and the run standard', async () => {
    const env = JSON.parse((await get('/env')).body)
    expect(env).toMatchObject({ BERTH_APP: 'shop', BERTH_ENVIRONMENT: 'production', BERTH_CPU: '0.1', PORT: '8080' })
    const [container] = await cluster.containers()
    const inspected = JSON.parse((await cluster.first.exec(['docker', 'inspect', container?.name ?? ''])).stdout)[0]
    expect(inspected.HostConfig).toMatchObject({
      Memory: 128 * 1024 ** 2,
      MemorySwap: 128 * 1024 ** 2,
      SecurityOpt: expect.arrayContaining(['no-new-privileges']),
      CapDrop: ['ALL'],
      RestartPolicy: { Name: 'no' },
    })
    expect(inspected.HostConfig.CpuQuota / inspected.HostConfig.CpuPeriod).toBeCloseTo(0.1)
    expect(Object.values(inspected.NetworkSettings.Networks)).toMatchObject([{ IPAddress: (await ps())[0]?.address }])
  })

  it('the same commit again builds and rolls out nothing', async () => {
    const before = await cluster.containers()
    const result = await cluster.mustBerth(['deploy'], { cwd: shop.path })
    expect(result.stderr).toContain('nothing to do')
    expect(await cluster.containers()).toEqual(before)
  })

  it('plans with a diff and says so in its exit code', async () => {
    await shop.commit(webApp({ replicas: 2, version: '2', entrypointExtra: '    env: {COLOR: green}' }))
    const plan = await cluster.berth(['plan', '-o', 'json'], { cwd: shop.path })
    expect(plan.code, plan.stderr).toBe(1)
    expect(plan.json<PlanView>()).toMatchObject({
      from: 'v1',
      entrypoints: [{ name: 'web', replace: 2 }],
      problems: [],
    })
    expect(plan.stdout).toContain('COLOR')
    expect((await cluster.berth(['plan', '--release', 'v1'], { cwd: shop.path })).code).toBe(0)
    expect((await cluster.berth(['plan', '--release', 'v99'], { cwd: shop.path })).code).toBe(255)
  })

  it('replaces instances under load without losing a request', async () => {
    const fromMs = String(Date.now())
    const load = startLoad(`${cluster.gatewayUrl}/`, { host: 'shop.test', connections: 8, pauseMs: 0 })
    await cluster.mustBerth(['deploy'], { cwd: shop.path })
    const top = (await cluster.mustBerth(['top', 'routes', 'shop', '-o', 'json'])).json<RouteTrafficView[]>()
    expect(top[0]?.perSecond).toBeGreaterThan(0)
    const report = await load.stop()
    expect(report.failures).toEqual([])
    await until('every request to be known, by release, and none to be lost', async () => {
      const params = { app: 'shop', pool: 'production' }
      const { all, generations } = await cluster.client.call('getPoolTraffic', { params, query: { fromMs } })
      expect([all.lost, all.errors5xx]).toEqual([0, 0])
      const served = generations.filter((each) => each.requests > 0).map((each) => each.release)
      return all.requests >= report.requests && served.join() === 'v1,v2'
    })
    expect(report.requests).toBeGreaterThan(200)
    expect(JSON.parse((await get()).body)).toMatchObject({ version: '2', release: 'v2' })
    expect((await ps()).map((each) => each.name).sort()).toEqual(['web-3', 'web-4'])
  })

  it('waits for a request that is under way before it stops an instance', async () => {
    const slow = get('/slow')
    await cluster.mustBerth(['restart', 'shop'])
    expect((await slow).status).toBe(200)
  })

  it('rolls a release back that never gets ready, with its last lines', async () => {
    await shop.commit({ 'server.js': "console.error('no such table: users'); process.exit(3)" }, 'break it')
    const load = startLoad(`${cluster.gatewayUrl}/`, { host: 'shop.test', connections: 4 })
    const result = await cluster.berth(['deploy'], { cwd: shop.path })
    expect((await load.stop()).failures).toEqual([])
    expect(result.code, result.stderr).toBe(3)
    expect(result.stderr).toMatch(/rolled-back[\s\S]*exit code 3[\s\S]*no such table: users/)
    expect(JSON.parse((await get()).body)).toMatchObject({ version: '2' })
    expect((await lastRollout())?.state).toBe('rolled-back')
  })

  it('rolls back to the release before, with no build', async () => {
    const builds = (await cluster.mustBerth(['builds', '-o', 'json'])).json<unknown[]>().length
    await cluster.mustBerth(['rollback', 'shop'])
    expect(JSON.parse((await get()).body)).toMatchObject({ version: '1', release: 'v1' })
    expect((await cluster.mustBerth(['builds', '-o', 'json'])).json<unknown[]>()).toHaveLength(builds)
  })
})

describe('what people do with a running app', () => {
  it('scales up and down; what serves is what is wanted', async () => {
    await cluster.mustBerth(['scale', 'shop/web', '4'])
    await until('four in traffic', async () => (await ps()).filter((each) => each.inTraffic).length === 4)
    await cluster.mustBerth(['scale', 'shop', 'web=2'])
    await until('two', async () => (await ps()).length === 2)
  })

  it('shows logs of all instances, with a prefix and by a word', async () => {
    await until('the others to be gone', async () => (await cluster.containers()).length === 2)
    const logs = await cluster.mustBerth(['logs', 'shop', '--grep', 'listens'])
    expect(logs.stdout.trim().split('\n')).toHaveLength(2)
    expect(logs.stdout).toMatch(/^web-\d+ +version 1 listens$/m)
  })

  it('runs commands in an instance and keeps their exit codes', async () => {
    const [first] = await ps()
    const shell = await cluster.berth(['exec', first?.name ?? '', '--', 'sh', '-c', 'echo out; echo err >&2; exit 42'])
    expect(shell).toMatchObject({ code: 42, stdout: 'out\n', stderr: 'err\n' })
    const piped = await cluster.berth(['exec', '-i', first?.name ?? '', 'cat'], { input: 'through\n' })
    expect(piped).toMatchObject({ code: 0, stdout: 'through\n' })
  })

  it('runs a one-off job with the environment of an entrypoint', async () => {
    const job = await cluster.berth(['run', 'shop/web', '--', 'sh', '-c', 'echo in $BERTH_APP; exit 5'])
    expect(job.stdout).toBe('in shop\n')
    expect(job.code).toBe(5)
  })

  it('restarts one instance in place: same name and address, another process', async () => {
    const [before] = await cluster.containers()
    await cluster.mustBerth(['restart', `shop/${before?.name.split('.').at(-1)}`])
    const after = await until('a new process', async () => {
      const now = (await cluster.containers()).find((each) => each.name === before?.name)
      return now !== undefined && now.pid > 0 && now.pid !== before?.pid && now.address !== '' && now
    })
    expect(after.address).toBe(before?.address)
    await until('ready again', async () => (await ps()).every((each) => each.ready))
  })

  it('keeps a secret out of everything but its file', async () => {
    const value = 'correct-horse-battery'
    await cluster.mustBerth(['secret', 'set', 'shop', 'DB_PASSWORD'], { input: `${value}\n` })
    await shop.commit(webApp({ replicas: 2, version: '3', entrypointExtra: '    secrets: [DB_PASSWORD]' }))
    await cluster.mustBerth(['deploy'], { cwd: shop.path })
    const [first] = await ps()
    const inside = await cluster.mustBerth(['exec', first?.name ?? '', 'cat', '/run/secrets/DB_PASSWORD'])
    expect(inside.stdout).toBe(value)
    const inspected = await cluster.first.exec(['docker', 'inspect', first?.id ?? ''])
    const files = await cluster.first.exec(['grep', '-rlF', value, '/var/lib/berth', '/var/lib/docker/containers'])
    expect(inspected.stdout).not.toContain(value)
    expect(files.stdout).toBe('')
    expect((await cluster.mustBerth(['secret', 'ls', 'shop', '-o', 'json'])).stdout).not.toContain(value)
  })

  it('tells an instance its neighbours by name', async () => {
    const db = webApp({ app: 'db', replicas: 1, version: 'db' })
    const repository = await cluster.repository('db', db)
    await cluster.mustBerth(['deploy', 'db', '--repository', repository.path])
    const [first] = await ps()
    const answer = await cluster.mustBerth([
      'exec',
      first?.name ?? '',
      'wget',
      '-q',
      '-O',
      '-',
      'http://web.db.berth:8080/',
    ])
    expect(JSON.parse(answer.stdout)).toMatchObject({ version: 'db' })
  })

  it('every change is an event with its actor', async () => {
    const events = (await cluster.mustBerth(['events', 'shop', '-n', '500', '-o', 'json'])).json<
      { type: string; actor: string }[]
    >()
    const types = events.map((each) => each.type)
    expect(types).toEqual(
      expect.arrayContaining([
        'build.queued',
        'rollout.started',
        'rollout.succeeded',
        'rollout.rolled-back',
        'pool.scaled',
        'secret.set',
      ]),
    )
    expect(events.find((each) => each.type === 'pool.scaled')?.actor).toBe('local:0')
  })

  it('removes an app and leaves no container of it', async () => {
    expect((await cluster.berth(['rm', 'db'])).code).toBe(2)
    await cluster.mustBerth(['rm', 'db', '-y'])
    await until('its end', async () => !(await cluster.mustBerth(['apps', '-o', 'name'])).stdout.includes('db'))
    expect((await cluster.first.exec(['docker', 'ps', '-aq', '--filter', 'label=berth.app=db'])).stdout).toBe('')
  })
})
