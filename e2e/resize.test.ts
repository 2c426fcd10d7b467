import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { AppView, InstanceView } from '../packages/api/src/index.ts'
import { webApp } from './support/apps.ts'
import { Cluster } from './support/cluster.ts'
import { startLoad, until } from './support/load.ts'

/** CPU and memory of what runs are changed: the same process, other limits, read back from the kernel by the program itself. */
let cluster: Cluster

const bound = `
  fast:
    command: node server.js
    cpu: 0.3
    memory: 128Mi
    ports: [9100]
    placement: {group: fast}`

beforeAll(async () => {
  cluster = await Cluster.start({ hosts: 2 })
  const [, second] = cluster.lab.hosts
  if (second === undefined) throw new Error('a lab of two has two hosts')
  await cluster.join(second)
  await cluster.untilOnline(2)
  await cluster.mustBerth(['group', 'create', 'fast', '--cpu', 'bound'])
  await cluster.mustBerth(['node', 'group', 'h2', 'fast'])
  const repository = await cluster.repository('shop', webApp({ replicas: 2, entrypointExtra: bound }))
  await cluster.mustBerth(['deploy', 'shop', '--repository', repository.path])
})
afterAll(() => cluster[Symbol.asyncDispose]())

const of = async (entrypoint: string): Promise<InstanceView[]> =>
  (await cluster.client.list('listInstances', { query: { app: 'shop', entrypoint } })).items
    .filter((each) => each.desired === 'run')
    .sort((a, b) => (a.id < b.id ? -1 : 1))

interface Process {
  readonly pid: string
  readonly memory: number
  readonly quota: number
  readonly cpuset: string
  readonly told: string
}

const read = `const {readFileSync: r} = require('node:fs'); const at = '/sys/fs/cgroup/'
const n = (p) => { try { return r(at + p, 'utf8').trim() } catch { return undefined } }
console.log(JSON.stringify({
  memory: Number(n('memory/memory.limit_in_bytes') ?? n('memory.max')),
  quota: Number(n('cpu/cpu.cfs_quota_us') ?? n('cpu.max').split(' ')[0].replace('max', '-1')),
  cpuset: n('cpuset/cpuset.cpus') ?? n('cpuset.cpus'),
  told: process.env.BERTH_CPU + ' ' + process.env.BERTH_MEMORY,
}))`

/** What its own cgroup says inside, and which process it is outside. */
async function processOf(instance: InstanceView): Promise<Process> {
  const { stdout } = await cluster.mustBerth(['exec', instance.id, '--', 'node', '-e', read])
  const host = cluster.lab.hosts.find((each) => each.name === instance.node)
  if (host === undefined) throw new Error(`no host ${instance.node}`)
  const inspect = ['docker', 'inspect', '-f', '{{.State.Pid}} {{.State.StartedAt}}', instance.id]
  const { stdout: pid } = await host.exec(inspect)
  expect(pid).toMatch(/^[1-9]\d* /)
  return { ...JSON.parse(stdout), pid: pid.trim() }
}

const processes = async (entrypoint: string): Promise<Process[]> =>
  await Promise.all((await of(entrypoint)).map(processOf))
const mebibyte = 2 ** 20

describe('on a node whose cores are shared', () => {
  it('the same processes have other limits; a dry run only says so; no request fails', async () => {
    const before = await processes('web')
    expect(before.map((each) => [each.memory, each.quota])).toEqual([
      [128 * mebibyte, 10_000],
      [128 * mebibyte, 10_000],
    ])
    const args = ['resize', 'shop/web', '--cpu', '0.3', '--memory', '256Mi']
    const dry = await cluster.mustBerth([...args, '--dry-run'])
    expect(dry.stdout).toContain('~ web-1 on h1: in place: cpu 0.1 → 0.3, memory 128Mi → 256Mi')
    expect(await processes('web')).toEqual(before)
    const load = startLoad(`${cluster.gatewayUrl}/`, { host: 'shop.test', connections: 2 })
    await cluster.mustBerth(args)
    expect((await load.stop()).failures).toEqual([])
    const after = await processes('web')
    expect(after).toEqual(before.map((each) => ({ ...each, memory: 256 * mebibyte, quota: 30_000 })))
    expect((await cluster.mustBerth(['ps', 'shop/web', '-o', 'wide'])).stdout).toContain('256Mi')
    const app = (await cluster.mustBerth(['inspect', 'shop', '-o', 'json'])).json<AppView>()
    expect(app.pools[0]?.entrypoints.find((each) => each.name === 'web')).toMatchObject({
      cpuMilli: 300,
      written: { cpuMilli: 100, memoryBytes: 128 * mebibyte },
    })
  })

  it('memory in use is not taken away; once it is free it is', async () => {
    const [first] = await of('web')
    const hold = `globalThis.b = Buffer.alloc(180 << 20, 1)
      setInterval(() => { if (require('node:fs').existsSync('/tmp/enough')) process.exit() }, 50)`
    const held = cluster.berth(['exec', first?.id ?? '', '--', 'node', '-e', hold])
    const used = async () =>
      (await cluster.client.call('getMetrics', { query: { instance: first?.id ?? '' } })).items
        .flatMap((each) => each.samples.slice(-1))
        .some((sample) => sample.memoryBytes > 170 * mebibyte)
    await until('the memory to be in use', used)
    const refused = await cluster.berth(['resize', 'shop/web', '--memory', '128Mi'])
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('keeps what it had') })
    expect((await cluster.berth(['ps', 'shop/web', '-o', 'wide'])).stdout).toContain('128Mi (still 256Mi)')
    await cluster.mustBerth(['exec', first?.id ?? '', '--', 'touch', '/tmp/enough'])
    expect(await held).toMatchObject({ code: 0 })
    await until(
      'it to be given back',
      async () => (await processes('web')).every((each) => each.memory === 128 * mebibyte),
      120_000,
    )
    expect((await of('web')).every((each) => each.granted === undefined)).toBe(true)
  })

  it('an agent that is killed, and a server that is killed half-way, end in the same', async () => {
    const before = await processes('web')
    await cluster.mustBerth(['resize', 'shop/web', '--cpu', '0.4', '--detach'])
    process.kill(await cluster.pidOf('server'), 'SIGKILL')
    process.kill(await cluster.pidOf('agent'), 'SIGKILL')
    await until(
      'both to have it',
      async () => (await of('web')).every((each) => each.cpuMilli === 400 && each.granted === undefined && each.ready),
      120_000,
    )
    // Ready is what was said before, perhaps: who just started has a link and has looked at it in a moment.
    const after = await until('both to answer', () => processes('web'))
    expect(after).toEqual(before.map((each) => ({ ...each, quota: 40_000 })))
  })

  it('what is wrong is told in words', async () => {
    for (const [args, code, message] of [
      [['--cpu', '0'], 2, '0 cores is too little'],
      [['--cpu', '-1'], 2, 'cannot be negative'],
      [['--cpu', 'NaN'], 2, 'is not an amount of CPU'],
      [['--memory', '0Mi'], 2, '0 is too little'],
      [['--memory', '1'], 2, 'needs a unit'],
      [['--cpu', '64'], 1, 'more than any node has'],
      [['--memory', '1Ki'], 1, 'at least 6Mi'],
      [[], 1, 'say how much'],
    ] as const) {
      const result = await cluster.berth(['resize', 'shop/web', ...args])
      expect([args, result.code, result.stderr]).toEqual([args, code, expect.stringContaining(message)])
    }
    expect((await cluster.berth(['resize', 'shop', '--cpu', '1'])).stderr).toContain('of which entrypoint')
  })

  it('--as-written goes back to the yaml', async () => {
    const before = await processes('web')
    await cluster.mustBerth(['resize', 'shop/web', '--as-written'])
    expect(await processes('web')).toEqual(before.map((each) => ({ ...each, quota: 10_000, memory: 128 * mebibyte })))
  })
})

describe('on a node whose cores are owned', () => {
  it('the core that it has stays, another is added and given back', async () => {
    const [before] = await processes('fast')
    expect(before).toMatchObject({ cpuset: '0', quota: -1 })
    const shown = await cluster.mustBerth(['resize', 'shop/fast', '--cpu', '1.3'])
    expect(shown.stdout).toMatch(/cores 0:300 → 1,0:300/)
    const [more] = await processes('fast')
    expect(more).toEqual({ ...before, cpuset: '0-1' })
    const finer = await cluster.berth(['resize', 'shop/fast', '--cpu', '1.25'])
    expect(finer.stderr).toContain('the nearest are 1.2 and 1.3')
    const alone = await cluster.mustBerth(['resize', 'shop/fast', '--instance', 'fast-1', '--cpu', '0.5'])
    expect(alone.stdout).toContain('in place')
    expect((await processes('fast'))[0]).toEqual({ ...before, cpuset: '0' })
  })
})
