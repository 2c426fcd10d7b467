import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { EventView, InstanceView, RebalanceView } from '../packages/api/src/index.ts'
import type { LabHost } from '../packages/lab/src/index.ts'
import { webApp, webSource } from './support/apps.ts'
import { Cluster } from './support/cluster.ts'
import { startLoad, until } from './support/load.ts'

/** What already runs gives way: to even nodes out, for a gang, for somebody more important. Read back from Docker. */
let cluster: Cluster
let second: LabHost

/** Takes its time to end, so that the server can be killed meanwhile. */
const slow = `process.on('SIGTERM', () => setTimeout(() => process.exit(0), 2500)); setInterval(() => {}, 1000)`

const yaml = (app: string, entrypoint: string, extra = ''): string => `app: ${app}
build: {base: berth/node:local}
entrypoints:
  ${entrypoint}
${extra}`

const low = `low: {command: node slow.js, cpu: 1, memory: 64Mi, replicas: 2, preemptible: true, placement: {group: fast}}`
const high = `high: {command: node slow.js, cpu: 1, memory: 64Mi, priority: 100, preempt: true, placement: {group: fast}}`
const ring = `ring: {command: node server.js, cpu: 1, memory: 64Mi, replicas: 3, gang: true, ports: [8080]}`

beforeAll(async () => {
  cluster = await Cluster.start({ hosts: 2 })
  second = cluster.lab.host('h2')
  const files = webApp({ replicas: 4 })
  const written = files['berth.yaml']?.replace('cpu: 0.1', 'cpu: 0.3') ?? ''
  const repository = await cluster.repository('shop', { ...files, 'berth.yaml': written })
  await cluster.mustBerth(['deploy', 'shop', '--repository', repository.path])
})
afterAll(() => cluster[Symbol.asyncDispose]())

const of = async (app: string): Promise<InstanceView[]> =>
  (await cluster.client.list('listInstances', { query: { app } })).items
    .filter((each) => each.desired === 'run')
    .sort((a, b) => (a.id < b.id ? -1 : 1))
const serving = async (app: string): Promise<InstanceView[]> => (await of(app)).filter((each) => each.ready)
const nodesOf = async (app: string): Promise<string> =>
  (await serving(app))
    .map((each) => each.node ?? '')
    .sort()
    .join()
const events = async (type: string): Promise<EventView[]> =>
  (await cluster.client.list('listEvents', { query: { limit: 1000 } })).items.filter((each) => each.type === type)

/** Every container that there is, running or not. */
async function containers(app: string): Promise<string[]> {
  const lists = await Promise.all(
    cluster.lab.hosts.map((host) => host.exec(['docker', 'ps', '-a', '--format', '{{.Names}}'])),
  )
  return lists.flatMap(({ stdout }) => stdout.split('\n').filter((name) => name.includes(`${app}.production.`)))
}

async function cpusetOf({ id }: InstanceView): Promise<string> {
  const { stdout } = await second.exec(['docker', 'inspect', '-f', '{{.HostConfig.CpusetCpus}}', id])
  return stdout.trim()
}

/** Looks until it is told to stop, and gives all that was seen. */
function watch<T>(look: () => Promise<T>): { stop: () => Promise<T[]> } {
  const seen: T[] = []
  const stopped = new AbortController()
  const looking = (async () => {
    while (!stopped.signal.aborted) {
      seen.push(await look())
      await delay(50)
    }
  })()
  return {
    stop: async () => {
      stopped.abort()
      await looking
      return seen
    },
  }
}

/** While nodes are evened out nobody is missed, no more move at a time than may, and every request is answered. */
async function evenOut(work: () => Promise<unknown>): Promise<void> {
  const load = startLoad(`${cluster.gatewayUrl}/`, { host: 'shop.test', connections: 2 })
  const count = watch(async () => (await serving('shop')).length)
  const moves = watch(async () => {
    const view = await cluster.client.call('getRebalance', { params: { name: 'default' } }).catch(() => undefined)
    return view?.moves.length ?? 0
  })
  await work()
  await until('all to be at rest', async () => (await of('shop')).length === 4 && (await serving('shop')).length === 4)
  expect(Math.min(...(await count.stop()))).toBeGreaterThanOrEqual(4)
  expect(Math.max(...(await moves.stop()))).toBe(1)
  const report = await load.stop()
  expect(report.failures).toEqual([])
  expect(report.requests).toBeGreaterThan(20)
  expect(await nodesOf('shop')).toBe('h1,h1,h2,h2')
  expect((await cluster.mustBerth(['rebalance', '--dry-run'])).stdout).toBe('no move pays\n')
}

describe('nodes are evened out', () => {
  it('by themselves when one joins, where the group says so', async () => {
    await cluster.mustBerth(['group', 'set', 'default', '--rebalance-on-join', '1'])
    expect(await nodesOf('shop')).toBe('h1,h1,h1,h1')
    await evenOut(async () => {
      await cluster.join(second)
      await until('it is filled', async () => (await nodesOf('shop')) === 'h1,h1,h2,h2', 60_000)
    })
    expect((await events('rebalance.started')).map((each) => each.message)).toEqual([
      'node group default is rebalanced: h2 joined',
    ])
    await cluster.mustBerth(['group', 'set', 'default', '--rebalance-on-join', 'none'])
  })

  it('on request, as it was shown before; once more there is nothing to do', async () => {
    await cluster.mustBerth(['node', 'drain', 'h2'])
    await until('it is left', async () => (await nodesOf('shop')) === 'h1,h1,h1,h1')
    // What leaves takes up its room until it has ended.
    await until(
      'it is empty',
      async () => (await cluster.client.list('listInstances', { query: { node: 'h2' } })).items.length === 0,
    )
    await cluster.mustBerth(['node', 'undrain', 'h2'])
    const shown = (await cluster.mustBerth(['rebalance', '--dry-run'])).stdout.trim().split('\n')
    expect(shown).toHaveLength(2)
    for (const line of shown)
      expect(line).toMatch(/^shop\.production\.web-\d+: h1 → h2 \(the fuller of both \d+ % → \d+ %\)$/)
    expect(await nodesOf('shop')).toBe('h1,h1,h1,h1')
    const before = (await events('instance.moves')).length
    await evenOut(async () => {
      const done = await cluster.mustBerth(['rebalance', '--disruption', '1'])
      expect(done.stderr.match(/^shop\.production\.web-\d+: h1 → h2$/gm)).toHaveLength(2)
      expect(done.stdout).toBe('default: no other move pays; 2 moved\n')
    })
    const again = (await cluster.mustBerth(['rebalance', '-o', 'json'])).json<RebalanceView>()
    expect(again).toMatchObject({ state: 'ended', done: 0 })
    expect((await events('instance.moves')).length - before).toBe(2)
  })
})

describe('a gang', () => {
  it('has no container anywhere while one finds no place, says why, and starts once there is room', async () => {
    const files = { 'server.js': webSource('1'), 'berth.yaml': yaml('mesh', ring) }
    const repository = await cluster.repository('mesh', files)
    const rollout = await cluster.mustBerth(['deploy', 'mesh', '--repository', repository.path, '--detach'])
    const reason =
      /^ring-1: all 3 or none: 2 would find a place, then 2 nodes: 2 too little CPU \(most free: h[12], 0\.4 of 1\)$/m
    // What has just left a node takes up its room for a moment more.
    await until('the reason', async () => {
      const { stderr } = await cluster.berth(['ps', 'mesh'])
      if (!reason.test(stderr)) throw new Error(stderr)
      return true
    })
    expect((await of('mesh')).map((each) => each.node)).toEqual([undefined, undefined, undefined])
    expect(await containers('mesh')).toEqual([])
    await cluster.mustBerth(['scale', 'shop/web', '1'])
    await until('all three', async () => (await serving('mesh')).length === 3)
    expect((await containers('mesh')).sort()).toEqual((await of('mesh')).map((each) => each.id))
    expect(rollout.code).toBe(0)
    await cluster.mustBerth(['scale', 'mesh/ring', '0'])
  })
})

describe('who may displace others', () => {
  const displaced = async (): Promise<string[]> => (await events('instance.displaced')).map((each) => each.message)
  const settled = async (): Promise<{ low: string[]; waiting: string[]; high: string[] }> => ({
    low: (await serving('batch')).map((each) => each.node ?? ''),
    waiting: (await of('batch')).flatMap((each) => (each.node === undefined ? (each.message ?? '') : [])),
    high: (await serving('urgent')).map((each) => each.node ?? ''),
  })
  const end = {
    low: ['h2'],
    waiting: [expect.stringMatching(/^displaced by urgent\/high: /)],
    high: ['h2'],
  }
  const displacedOnce = async () => {
    const { low: still, waiting, high: there } = await settled()
    return still.length === 1 && there.length === 1 && waiting[0]?.startsWith('displaced by') === true
  }

  beforeAll(async () => {
    await cluster.mustBerth(['group', 'create', 'fast', '--cpu', 'bound'])
    await cluster.mustBerth(['node', 'drain', 'h2'])
    await until('it is empty', async () => (await cluster.berth(['node', 'group', 'h2', 'fast'])).code === 0)
    await cluster.mustBerth(['node', 'undrain', 'h2'])
    const bounds = 'rollout: {surge: 1, unavailable: 1}\n'
    const batch = { 'slow.js': slow, 'berth.yaml': yaml('batch', low, bounds) }
    const { path } = await cluster.repository('batch', batch)
    await cluster.mustBerth(['deploy', 'batch', '--repository', path])
  })

  it('is shown by a plan, runs on the cores that were given up, and that is the end of it', async () => {
    const before = await serving('batch')
    const cores = new Map(await Promise.all(before.map(async (each) => [each.id, await cpusetOf(each)] as const)))
    expect([...cores.values()].sort()).toEqual(['0', '1'])
    const { path } = await cluster.repository('urgent', { 'slow.js': slow, 'berth.yaml': yaml('urgent', high) })
    const plan = await cluster.berth(['plan', 'urgent', '--repository', path])
    const [, victim = ''] = /^ {2}(batch\.production\.low-\d) leaves h2 for high$/m.exec(plan.stdout) ?? []
    expect([...cores.keys()]).toContain(victim)
    expect(await settled()).toMatchObject({ low: ['h2', 'h2'], waiting: [] })

    await cluster.mustBerth(['deploy', 'urgent', '--repository', path])
    const [first] = await serving('urgent')
    if (first === undefined) throw new Error('what was deployed serves')
    expect(await cpusetOf(first)).toBe(cores.get(victim))
    const [still] = await serving('batch')
    expect(still === undefined ? undefined : await cpusetOf(still)).toBe(cores.get(still?.id ?? ''))
    expect(await displaced()).toEqual([
      `${victim} (priority 0) makes room for urgent.production.high-1 (priority 100) on h2`,
    ])
    await until('it is told', displacedOnce)
    expect(await settled()).toEqual(end)
    const states = watch(async () =>
      JSON.stringify([await of('batch'), await of('urgent')].flat().map((each) => [each.id, each.node, each.ready])),
    )
    await delay(4000)
    expect(new Set(await states.stop()).size).toBe(1)
    expect(await displaced()).toHaveLength(1)
  })

  it('leaves as many as their bounds say', async () => {
    await cluster.mustBerth(['scale', 'urgent/high', '2'])
    await until('the second to wait, and why', async () => {
      const waiting = (await of('urgent')).find((each) => each.node === undefined && each.message !== undefined)
      if (!/^2 nodes: 1 not in group fast, 1 too little CPU/.test(waiting?.message ?? ''))
        throw new Error(waiting?.message)
      return true
    })
    expect(await settled()).toEqual(end)
    expect(await displaced()).toHaveLength(1)
  })

  it('ends in the same when the server is killed in between', async () => {
    await cluster.mustBerth(['scale', 'urgent/high', '0'])
    await until('both are back', async () => (await serving('batch')).length === 2)
    await cluster.mustBerth(['scale', 'urgent/high', '1'])
    await until('one has to leave', async () => (await displaced()).length === 2)
    process.kill(await cluster.pidOf('server'), 'SIGKILL')
    await until('the same end', displacedOnce, 60_000)
    expect(await settled()).toEqual(end)
    expect(await displaced()).toHaveLength(2)
    const cores = await Promise.all([...(await serving('batch')), ...(await serving('urgent'))].map(cpusetOf))
    expect(cores.sort()).toEqual(['0', '1'])
  })
})
