import type { NodeLan } from '@berth/core'
import pino from 'pino'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { TestHost, testImage } from '../../testing/test-host.ts'
import { waitUntil } from '../../testing/wait-until.ts'
import { type Exec, runCommand } from '../run-command.ts'
import { LanHost } from './lan-host.ts'
import { LanKeeper } from './lan-keeper.ts'

/** The networks of a machine's own, on a real Docker, in a real layer 2: `eth1` is on it, and so is a machine `other`. */
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })
let host: TestHost
let wanted: readonly NodeLan[] | undefined
let frozen: boolean
let keeper: LanKeeper
let changes: number

const exec: Exec = (file, args, options) => {
  const [command, argv] = host.inside(file, ...args)
  return runCommand(command, argv, options)
}
const lan: NodeLan = {
  ...{ name: 'lan', mode: 'macvlan', parent: 'eth1', subnet: '192.168.73.0/24', gateway: '192.168.73.1' },
  ...{ range: '192.168.73.64/26', slice: '192.168.73.64/29' },
}
const networks = (): string[] => host.docker('network', 'ls', '--format', '{{.Name}}').split('\n')
const addressOf = (container: string, network = 'lan'): string =>
  host.docker('inspect', '--format', `{{(index .NetworkSettings.Networks "${network}").IPAddress}}`, container)
const start = (name: string, network = 'lan'): string => {
  const serve = 'echo $HOSTNAME > /tmp/index.html; httpd -f -p 80 -h /tmp'
  host.docker('run', '-d', '--name', name, '--hostname', name, '--network', network, testImage, 'sh', '-c', serve)
  return addressOf(name, network)
}
const remove = (name: string): string => host.docker('rm', '-f', name)

beforeAll(async () => {
  host = await TestHost.start()
})
afterAll(async () => await host?.[Symbol.asyncDispose]())

beforeEach(() => {
  host.run('ip', 'link', 'add', 'eth1', 'type', 'veth', 'peer', 'name', 'other')
  host.run('ip', 'address', 'add', '192.168.73.1/24', 'dev', 'other')
  for (const link of ['eth1', 'other']) host.run('ip', 'link', 'set', link, 'up')
  ;[wanted, frozen, changes] = [[lan], false, 0]
  keeper = new LanKeeper({
    ...{ socketPath: host.dockerSocket, exec, log: pino({ level: 'silent' }) },
    wanted: () => wanted,
    mayRemove: () => !frozen,
    onChange: () => {
      changes += 1
    },
  })
})
afterEach(async () => {
  ;[wanted, frozen] = [[], false]
  await keeper.check()
  await keeper[Symbol.asyncDispose]()
  expect(networks()).not.toContain('lan')
  host.run('ip', 'link', 'delete', 'eth1')
})

describe('a network of the machine’s own', () => {
  it('gives containers addresses of the node’s slice, where others of that layer 2 reach them', async () => {
    await keeper.check()
    expect([keeper.problems, changes]).toEqual([{}, 1])
    expect(networks()).toContain('lan')
    const [first, second] = [start('one'), start('two')]
    for (const address of [first, second]) expect(address).toMatch(/^192\.168\.73\.(6[4-9]|7[01])$/)
    expect(first).not.toBe(second)
    for (const address of [first, second])
      await waitUntil(`an answer at ${address}`, () => host.get(`${address}/`) !== undefined)
    await keeper.check()
    expect(changes).toBe(1)
    remove('one')
    remove('two')
  })

  it('is made anew when its slice is another one, but not under containers; and goes when they have', async () => {
    await keeper.check()
    start('one')
    wanted = [{ ...lan, slice: '192.168.73.72/29' }]
    await keeper.check()
    expect(keeper.problems.lan).toBe(
      'network lan: it gives addresses of 192.168.73.64/29, not of 192.168.73.72/29; the container one in it must go first',
    )
    remove('one')
    await keeper.check()
    expect(keeper.problems).toEqual({})
    expect(start('one')).toMatch(/^192\.168\.73\.7[2-9]$/)
    wanted = []
    await keeper.check()
    expect(keeper.problems.lan).toContain('is not for this node any more; the container one in it must go first')
    remove('one')
    frozen = true
    await keeper.check()
    expect(networks()).toContain('lan')
    frozen = false
    await keeper.check()
    expect(networks()).not.toContain('lan')
  })

  it('is a problem where its interface is not there, or down, or the node has one of its addresses', async () => {
    wanted = [{ ...lan, parent: 'eth7' }]
    await keeper.check()
    expect(keeper.problems.lan).toContain('this node has no interface eth7')
    host.run('ip', 'link', 'set', 'eth1', 'down')
    wanted = [lan]
    await keeper.check()
    expect(keeper.problems.lan).toContain('eth1 of this node is down; take it up (ip link set eth1 up)')
    host.run('ip', 'link', 'set', 'eth1', 'up')
    host.run('ip', 'address', 'add', '192.168.73.90/24', 'dev', 'eth1')
    await keeper.check()
    expect(keeper.problems.lan).toContain('this node itself has 192.168.73.90, which is one of 192.168.73.64/26')
    expect(networks()).not.toContain('lan')
    host.run('ip', 'address', 'del', '192.168.73.90/24', 'dev', 'eth1')
    await keeper.check()
    expect([keeper.problems, networks().includes('lan')]).toEqual([{}, true])
  })

  it('leaves alone what somebody has made by hand under its name, and what it was not told of', async () => {
    host.docker('network', 'create', 'lan')
    await keeper.check()
    expect(keeper.problems.lan).toContain('somebody has made by hand; remove it (docker network rm lan)')
    wanted = undefined
    await keeper.check()
    wanted = []
    await keeper.check()
    expect(networks()).toContain('lan')
    host.docker('network', 'rm', 'lan')
  })
})

describe('a VLAN', () => {
  const tagged: NodeLan = { ...lan, vlan: 120 }
  const facts: Readonly<Record<string, string>> = {
    '-json address show dev eth1': '[{"mtu":1500,"flags":["UP"],"addr_info":[]}]',
    '-json -4 address show': '[{"addr_info":[{"local":"192.168.73.2"}]}]',
  }
  const pretended =
    (done: string[], failing?: string): Exec =>
    async (_, args) => {
      const line = args.join(' ')
      if (facts[line] !== undefined) return { code: 0, stdout: facts[line], stderr: '' }
      if (line.startsWith('-json link show')) return { code: 1, stdout: '', stderr: 'does not exist' }
      done.push(line)
      return failing === undefined ? { code: 0, stdout: '', stderr: '' } : { code: 2, stdout: '', stderr: failing }
    }

  it('has a link of its own on the interface', async () => {
    const done: string[] = []
    await new LanHost(pretended(done)).prepare(tagged)
    expect(done).toEqual([
      'link add link eth1 name eth1.120 type vlan id 120',
      'link set dev eth1.120 alias berth',
      'link set dev eth1.120 up',
    ])
  })

  it('is a problem that says what is missing where the kernel knows none', async () => {
    const kernel = pretended([], 'Error: Unknown device type.')
    await expect(new LanHost(kernel).prepare(tagged)).rejects.toMatchObject({
      code: 'lan.no-vlans',
      message: expect.stringContaining('modprobe 8021q'),
    })
    const busy = pretended([], 'RTNETLINK answers: Device or resource busy')
    await expect(new LanHost(busy).prepare(tagged)).rejects.toThrow('type vlan id 120: RTNETLINK answers: Device or')
  })

  it('comes with the node’s own kernel, or says that it has none', async () => {
    wanted = [tagged]
    await keeper.check()
    const problem = keeper.problems.lan
    if (problem === undefined)
      expect(host.run('ip', '-d', 'link', 'show', 'eth1.120')).toContain('vlan protocol 802.1Q id 120')
    else expect(problem).toContain('knows no VLANs (802.1q)')
    wanted = []
    await keeper.check()
    expect(() => host.run('ip', 'link', 'show', 'eth1.120')).toThrow('does not exist')
  })
})
