import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readNodeFacts } from './node-facts.ts'
import { readUplink } from './uplink-facts.ts'

let root: string
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'node-facts-'))
  await mkdir(join(root, 'proc'))
  await mkdir(join(root, 'cgroup'))
  await writeFile(join(root, 'proc/meminfo'), 'MemTotal:       16000000 kB\nMemFree:         1000 kB\n')
})
afterEach(() => rm(root, { recursive: true, force: true }))

const read = () =>
  readNodeFacts({
    procRoot: join(root, 'proc'),
    cgroupRoot: join(root, 'cgroup'),
    osReleasePath: join(root, 'os-release'),
    diskPath: join(root, 'not', 'made', 'yet'),
  })

describe('the facts of a node', () => {
  it('are read from its kernel', async () => {
    await writeFile(join(root, 'os-release'), 'ID=debian\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n')
    const facts = await read()
    expect(facts).toMatchObject({ memoryBytes: 16_000_000 * 1024, os: 'Debian GNU/Linux 12 (bookworm)', cgroup: 'v1' })
    expect(facts.cpuMilli % 1000).toBe(0)
    expect(facts.cpuMilli).toBeGreaterThan(0)
    expect(facts.diskFreeBytes).toBeGreaterThan(0)
    expect(facts.diskBytes).toBeGreaterThanOrEqual(facts.diskFreeBytes)
    expect(facts.kernel).toMatch(/^\d+\.\d+/)
  })

  it('know how fast the interface of the default route is, where its driver does', async () => {
    expect((await read()).uplink).toBeUndefined()
    const route = (name: string, destination: string, metric: number): string =>
      `${name}\t${destination}\t0101A8C0\t0003\t0\t0\t${metric}\t${destination === '00000000' ? '00000000' : '00FFFFFF'}\t0\t0\t0`
    await mkdir(join(root, 'proc/net'))
    const lines = [
      'Iface\tDestination',
      route('wg0', '00000000', 600),
      route('eth0', '00000000', 100),
      route('eth1', '0001A8C0', 0),
    ]
    await writeFile(join(root, 'proc/net/route'), `${lines.join('\n')}\n`)
    const uplink = async () => await readUplink({ procRoot: join(root, 'proc'), sysRoot: join(root, 'sys') })
    expect(await uplink()).toEqual({ name: 'eth0' })
    await mkdir(join(root, 'sys/class/net/eth0'), { recursive: true })
    await writeFile(join(root, 'sys/class/net/eth0/speed'), '-1\n')
    expect(await uplink()).toEqual({ name: 'eth0' })
    await writeFile(join(root, 'sys/class/net/eth0/speed'), '2500\n')
    expect(await uplink()).toEqual({ name: 'eth0', bitsPerSecond: 2_500_000_000 })
  })

  it('know cgroup version 2 by its root, and a hybrid system as version 1', async () => {
    await mkdir(join(root, 'cgroup/unified'))
    await writeFile(join(root, 'cgroup/unified/cgroup.controllers'), 'hugetlb\n')
    expect((await read()).cgroup).toBe('v1')
    await writeFile(join(root, 'cgroup/cgroup.controllers'), 'cpuset cpu io memory pids\n')
    expect((await read()).cgroup).toBe('v2')
  })

  it.each([
    ['ID=alpine\nPRETTY_NAME=Alpine\n', 'Alpine'],
    ['ID=x\n', 'Linux'],
  ])('name the system by %j', async (text, os) => {
    await writeFile(join(root, 'os-release'), text)
    expect((await read()).os).toBe(os)
  })
})
