import { readFileSync } from 'node:fs'
import type { CoreReport } from '@berth/api'
import type { Assignment } from '@berth/core'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { type ContainerCgroup, openCgroup } from './cores/container-cgroup.ts'
import { findCgroups } from './metrics/container-cgroups.ts'
import { TestNode } from './testing/test-node.ts'
import { waitUntil } from './testing/wait-until.ts'

/** What an agent tells the kernel of grants, on a real Docker and real cgroups. Two cores are needed. */
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 })
const roots = { cgroupRoot: '/sys/fs/cgroup', procRoot: '/proc' }
const mebibyte = 2 ** 20
let node: TestNode

beforeAll(async () => {
  node = await TestNode.start()
})
afterAll(async () => await node?.[Symbol.asyncDispose]())
afterEach((context) => {
  if (context.task.result?.state === 'fail') process.stderr.write(node.log.slice(-6000))
})

const hostConfig = ({ instance }: Assignment) => JSON.parse(node.host.docker('inspect', instance))[0].HostConfig
const cgroup = ({ instance }: Assignment): ContainerCgroup => openCgroup(roots, node.host.pidOf(instance))
const settings = (assignment: Assignment) => cgroup(assignment).settings()
const inForce = (assignment: Assignment, wanted: Partial<ReturnType<typeof settings>>) =>
  waitUntil(`${assignment.instance} to have ${JSON.stringify(wanted)}`, () => {
    const has = settings(assignment) as Record<string, unknown>
    return Object.entries(wanted).every(([name, value]) => has[name] === value)
  })

describe('an instance that owns cores', () => {
  it('has them as cpuset, weight and limit, and keeps them over every restart', async () => {
    const assignment = node.assign({ cores: '0,1:200', burst: 'quota', cpuMilli: 1200 })
    await node.server.ready(assignment.instance)
    const wanted = { cpuset: '0-1', shares: 1229, quotaMilli: 1200, memoryBytes: assignment.memoryBytes }
    expect(settings(assignment)).toMatchObject(wanted)
    expect(settings(assignment).carryMilli ?? 1200).toBe(1200)
    expect(hostConfig(assignment)).toMatchObject({ CpusetCpus: '0-1', CpuShares: 1229, CpuQuota: 120_000 })

    const log = () => node.log.split('\n').filter((line) => line.includes('update-grant')).length
    expect(log()).toBe(0)

    node.server.change(assignment.instance, { cores: '1:500', cpuMilli: 500 })
    await inForce(assignment, { cpuset: '1', quotaMilli: 500 })

    node.server.change(assignment.instance, { cores: '1:800', burst: 'share', cpuMilli: 800 })
    const changed = { ...wanted, cpuset: '1', shares: 819, quotaMilli: 0 }
    const pid = node.host.pidOf(assignment.instance)
    await inForce(assignment, changed)
    expect(node.host.pidOf(assignment.instance)).toBe(pid)
    await waitUntil('Docker to keep it', () => hostConfig(assignment).CpusetCpus === '1')

    node.server.change(assignment.instance, { restartNonce: 1 })
    await waitUntil('the restart', () => ![0, pid].includes(node.host.pidOf(assignment.instance)))
    expect(settings(assignment)).toMatchObject(changed)

    await node.killAgent()
    await node.startAgent()
    expect(settings(assignment)).toMatchObject(changed)

    await node.host.killDockerd('SIGKILL')
    await node.host.startDockerd()
    expect(settings(assignment)).toMatchObject(changed)
    node.server.change(assignment.instance, { cores: '0', cpuMilli: 1000 })
    await inForce(assignment, { ...changed, cpuset: '0', shares: 1024 })
    await node.stopInstance(assignment)
  })

  it('has back what somebody else has changed of it', async () => {
    const assignment = node.assign({ cores: '1', cpuMilli: 1000 })
    await node.server.ready(assignment.instance)
    cgroup(assignment).write({ cpuset: '0', shares: 77, quotaMilli: 100 })
    await node.killAgent()
    await node.startAgent()
    await inForce(assignment, { cpuset: '1', shares: 1024, quotaMilli: 0 })
    await node.stopInstance(assignment)
  })

  it('is not made where its cores are not', async () => {
    const assignment = node.assign({ cores: '0,4095:200', cpuMilli: 1200 })
    const refused = await node.server.status(
      assignment.instance,
      'refused',
      (each) => each.messageCode === 'cores-missing',
    )
    expect(refused.message).toContain('this node has 0-')
    await node.stopInstance(assignment)
  })
})

describe('who is on which core, and how busy it is', () => {
  it('is told by the agent', async () => {
    const busy = ['sh', '-c', 'while :; do :; done & while :; do :; done & wait']
    const assignment = node.assign({ cores: '0:300', burst: 'quota', cpuMilli: 300, command: busy, ports: [] })
    await node.server.ready(assignment.instance)
    let report: CoreReport | undefined
    const own = () => report?.instances.find(({ instance }) => instance === assignment.instance)
    await waitUntil('the limit to be felt', async () => {
      report = (await node.server.request('GET', '/v1/metrics/cores')).body as CoreReport
      return (own()?.throttledPeriodsMilli ?? 0) > 0
    })
    expect(own()).toMatchObject({ cores: '0:300', burst: 'quota', cpuset: '0', promisedMilli: 300, quotaMilli: 300 })
    expect(own()?.throttledMilli).toBeGreaterThan(0)
    expect(report?.cores.map(({ core }) => core)).toEqual(node.server.node?.cores?.numa.flat())
    expect(report?.cores.find(({ core }) => core === 0)).toMatchObject({ unbound: false })
    expect(report?.cores.find(({ core }) => core === 0)?.busyMilli).toBeGreaterThan(100)
    await node.stopInstance(assignment)
  })
})

describe('instances without cores of their own', () => {
  it('run on what nobody owns, wherever that is at the moment', async () => {
    const floating = node.assign({ cpuMilli: 500 })
    await node.server.ready(floating.instance)
    const all = settings(floating).cpuset ?? ''
    expect(hostConfig(floating).CpusetCpus).toBe('')
    expect(settings(floating)).toMatchObject({ shares: 512, quotaMilli: 500 })

    const owner = node.assign({ cores: '0', cpuMilli: 1000 })
    await node.server.ready(owner.instance)
    const without = all.replace(/^0-1$/, '1').replace(/^0-/, '1-')
    await inForce(floating, { cpuset: without, shares: 10, quotaMilli: 500 })
    const late = node.assign({ cpuMilli: 250 })
    await node.server.ready(late.instance)
    expect(settings(late)).toMatchObject({ cpuset: without, shares: 10, quotaMilli: 250 })

    await node.stopInstance(owner)
    await inForce(floating, { cpuset: all, shares: 512 })
    await inForce(late, { cpuset: all, shares: 256 })
    for (const each of [floating, late]) await node.stopInstance(each)
  })

  it('and all containers together weigh as much as the cores', async () => {
    const owner = node.assign({ cores: '0', cpuMilli: 1000 })
    await node.server.ready(owner.instance)
    const weights = cgroup(owner).parents.map((each) => each.shares())
    expect(weights.length).toBeGreaterThan(0)
    expect(Math.min(...weights)).toBeGreaterThanOrEqual(2048)
    await node.stopInstance(owner)
  })
})

describe('memory', () => {
  it('is not lowered below what is used; the rest of the grant is given, and the instance says so', async () => {
    const eater = 'x=$(head -c 40000000 /dev/zero | tr "\\0" x); echo full; httpd -f -p 8080 & wait'
    const assignment = node.assign({ command: ['sh', '-c', eater], memoryBytes: 256 * mebibyte })
    await node.server.ready(assignment.instance)
    await waitUntil('it to be in use', () => cgroup(assignment).memoryInUse() > 38 * mebibyte)
    node.server.change(assignment.instance, { memoryBytes: 16 * mebibyte, cpuMilli: 300 })
    const refused = await node.server.status(
      assignment.instance,
      'refused',
      (each) => each.messageCode === 'memory-in-use',
    )
    expect(refused).toMatchObject({ ready: true, phase: 'running' })
    expect(refused.message).toMatch(/to 16 MiB: it uses \d+ MiB now/)
    expect(settings(assignment)).toMatchObject({ memoryBytes: 256 * mebibyte, quotaMilli: 300 })

    node.server.change(assignment.instance, { memoryBytes: 128 * mebibyte })
    await inForce(assignment, { memoryBytes: 128 * mebibyte })
    await node.server.status(assignment.instance, 'content', (each) => each.ready && each.messageCode === undefined)
    expect(hostConfig(assignment).MemorySwap).toBe(128 * mebibyte)
    const swap = swapLimit(node.host.pidOf(assignment.instance))
    if (swap !== undefined) expect(swap).toBe(128 * mebibyte)
    await node.stopInstance(assignment)
  })
})

/** Memory and swap together; undefined where the kernel does not count swap. */
function swapLimit(pid: number): number | undefined {
  const cgroups = findCgroups(roots, pid)
  if (cgroups.version === 2) return undefined
  try {
    return Number(readFileSync(`${cgroups.directory('memory')}/memory.memsw.limit_in_bytes`, 'utf8'))
  } catch {
    return undefined
  }
}
