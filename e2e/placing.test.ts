import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type {
  ApprovalView,
  CronView,
  GroupView,
  InstanceView,
  NodeView,
  RolloutView,
} from '../packages/api/src/index.ts'
import { webApp } from './support/apps.ts'
import { Cluster } from './support/cluster.ts'
import { startLoad, until } from './support/load.ts'
import { isLongForm } from './support/long-form.ts'

let cluster: Cluster

const agent = `  watcher:
    command: node server.js
    cpu: 0.05
    memory: 64Mi
    ports: [9100]
    placement: {strategy: each, tolerate: [quiet]}
  report:
    type: job
    command: node -e "console.log('reported')"
    schedule: {cron: "* * * * *", history: 3}`

beforeAll(async () => {
  cluster = await Cluster.start({ hosts: 2 })
  const [, second] = cluster.lab.hosts
  if (second === undefined) throw new Error('a lab of two has two hosts')
  await cluster.join(second)
  await cluster.untilOnline(2)
})
afterAll(() => cluster[Symbol.asyncDispose]())

const nodesOf = async (entrypoint: string): Promise<string[]> =>
  (await cluster.client.list('listInstances', { query: { app: 'shop', entrypoint } })).items
    .filter((each) => each.ready && each.desired === 'run')
    .map((each) => each.node ?? '')
    .sort()
const cron = async (): Promise<CronView> =>
  await cluster.client.call('getCron', { params: { app: 'shop', pool: 'production', entrypoint: 'report' } })

describe('where things run', () => {
  it('a service on every node is on both and has no count, one that is counted spreads', async () => {
    const files = webApp({ replicas: 2, entrypointExtra: agent })
    const repository = await cluster.repository('shop', files)
    await cluster.mustBerth(['deploy', 'shop', '--repository', repository.path])
    expect(await nodesOf('watcher')).toEqual(['h1', 'h2'])
    expect(await nodesOf('web')).toEqual(['h1', 'h2'])
    const refused = await cluster.berth(['scale', 'shop/watcher', '3'])
    expect(refused.stderr).toContain('watcher runs on every node that matches')
  })

  it('a taint keeps others away, a drained node is left, and both are taken back', async () => {
    await cluster.mustBerth(['node', 'taint', 'h2', 'quiet'])
    await cluster.mustBerth(['scale', 'shop/web', '3'])
    await until('three', async () => (await nodesOf('web')).join() === 'h1,h1,h2')
    const load = startLoad(`${cluster.gatewayUrl}/`, { host: 'shop.test', connections: 2 })
    await cluster.mustBerth(['node', 'drain', 'h2'])
    await until('it is left', async () => (await nodesOf('web')).join() === 'h1,h1,h1')
    await until('by what belongs to it as well', async () => (await nodesOf('watcher')).join() === 'h1')
    expect((await load.stop()).failures).toEqual([])
    const [, second] = (await cluster.mustBerth(['node', 'ls', '-o', 'json'])).json<NodeView[]>()
    expect(second).toMatchObject({
      taints: [{ key: 'quiet' }],
      drain: { limit: 1, by: expect.stringMatching(/^local:/) },
    })
    await cluster.mustBerth(['node', 'undrain', 'h2'])
    await until('what belongs there is back', async () => (await nodesOf('watcher')).join() === 'h1,h2')
    await cluster.mustBerth(['node', 'taint', 'h2', 'quiet-'])
  })

  it('a pool moves to another node group under load, and back', async () => {
    await cluster.mustBerth(['group', 'create', 'fast', '--quota-memory', '2Gi'])
    await cluster.mustBerth(['node', 'drain', 'h2'])
    await until('it is empty', async () => (await nodesOf('watcher')).join() === 'h1')
    await until('nothing is left', async () => {
      const answer = await cluster.berth(['node', 'group', 'h2', 'fast'])
      return answer.code === 0
    })
    await cluster.mustBerth(['node', 'undrain', 'h2'])
    const load = startLoad(`${cluster.gatewayUrl}/`, { host: 'shop.test', connections: 2 })
    await cluster.mustBerth(['pool', 'move', 'shop', 'fast'])
    expect(await nodesOf('web')).toEqual(['h2', 'h2', 'h2'])
    expect(await nodesOf('watcher')).toEqual(['h2'])
    const groups = (await cluster.mustBerth(['group', 'ls', '-o', 'json'])).json<GroupView[]>()
    expect(groups.map(({ name, nodes }) => [name, nodes])).toEqual([
      ['default', 1],
      ['fast', 1],
    ])
    const full = await cluster.berth(['scale', 'shop/web', '30'])
    expect(full.stderr).toContain('group fast:')
    await cluster.mustBerth(['pool', 'move', 'shop', '--as-written'])
    expect(await nodesOf('web')).toEqual(['h1', 'h1', 'h1'])
    expect((await load.stop()).failures).toEqual([])
  })

  it('much memory waits for somebody to say yes', async () => {
    await cluster.mustBerth(['group', 'set', 'default', '--approve-above', '100Mi', '--approvers', 'ana'])
    await cluster.mustBerth(['restart', 'shop', '--detach'])
    const [rollout] = (await cluster.mustBerth(['rollouts', '-o', 'json'])).json<RolloutView[]>()
    expect(rollout).toMatchObject({ state: 'paused', message: expect.stringContaining('web asks for 128Mi of memory') })
    const waiting = (await cluster.mustBerth(['approve', '-o', 'json'])).json<ApprovalView[]>()
    expect(waiting).toMatchObject([{ entrypoint: 'web', group: 'default', state: 'waiting' }])
    await cluster.mustBerth(['approve', 'shop/web'])
    await cluster.mustBerth(['rollout', 'watch', rollout?.id ?? ''])
    await cluster.mustBerth(['group', 'set', 'default', '--approve-above', 'none'])
  })
})

describe('what a node is worth', () => {
  it('is measured on it and on another one', async () => {
    const measured = await cluster.mustBerth(['node', 'speed', 'h2', '--measure', '-o', 'json'])
    expect(measured.stderr).toMatch(/a core of h2 is worth [0-9.]+ beside h1/)
    // Both are the same machine, on which others work as well.
    const [node] = measured.json<NodeView[]>()
    expect(node?.speedMilli ?? 1000).toBeGreaterThan(200)
    expect(node?.speedMilli ?? 1000).toBeLessThan(5000)
    await cluster.mustBerth(['node', 'speed', 'h2', '1'])
  })
})

describe('a job by the clock', () => {
  it.skipIf(!isLongForm)(
    'runs once at each due time, also when the server is killed in between (long form: it waits for two minutes to begin)',
    async () => {
      const due = async (): Promise<number[]> =>
        (await cron()).runs.filter((run) => run.by === undefined).map((run) => run.dueAt)
      await until('a run', async () => (await cron()).runs.some((run) => run.state === 'succeeded'), 90_000)
      const before = await due()
      process.kill(await cluster.pidOf('server'), 'SIGKILL')
      await until('the next one', async () => (await due()).some((at) => at > Math.max(...before)), 90_000)
      const runs = await due()
      expect(new Set(runs).size).toBe(runs.length)
      expect(runs.every((at) => at % 60_000 === 0)).toBe(true)
      const jobs = (
        await cluster.client.list('listInstances', { query: { app: 'shop', entrypoint: 'report', all: 'true' } })
      ).items
      const dues = jobs.flatMap((job: InstanceView) => job.dueAt ?? [])
      expect(new Set(dues).size).toBe(dues.length)
      expect(jobs.length).toBeLessThanOrEqual(4)
    },
  )

  it('runs when it is asked for, shows what it says, and is listed', async () => {
    const run = await cluster.mustBerth(['cron', 'run', 'shop/report'])
    expect(run.stdout).toBe('reported\n')
    // As a minute begins the clock's own run is under way.
    const line = /shop\/report +production +\* \* \* \* \* +UTC +in \d+s +succeeded/
    await until('it to be listed', async () => line.test((await cluster.mustBerth(['cron', 'ls'])).stdout))
    const history = await cluster.mustBerth(['cron', 'history', 'shop/report'])
    expect(history.stdout).toMatch(/succeeded .* 0 .*asked for by local:/)
  })
})
