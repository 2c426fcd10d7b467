import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { NodeLan } from '@berth/core'
import pino from 'pino'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { TestNamespace } from '../../policy/test-namespace.testing.ts'
import { TestHost, testImage } from '../../testing/test-host.ts'
import { waitUntil } from '../../testing/wait-until.ts'
import { type Exec, runCommand } from '../run-command.ts'
import { LanHost } from './lan-host.ts'
import { LanKeeper } from './lan-keeper.ts'

/** The networks of a machine's own, on a real Docker, in a real layer 2: `eth1` is on it, and so is a machine `other`. */
const execute = promisify(execFile)
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })
let host: TestHost
let wanted: readonly NodeLan[] | undefined
let frozen: boolean
let keeper: LanKeeper
let changes: number
/** Whether a server answers. */
let reached: () => boolean

const exec: Exec = (file, args, options) => {
  const [command, argv] = host.inside(file, ...args)
  return runCommand(command, argv, options)
}
const lan: NodeLan = {
  ...{ name: 'lan', mode: 'macvlan', parent: 'eth1', subnet: '192.168.73.0/24', gateway: '192.168.73.1' },
  ...{ range: '192.168.73.64/26', slice: '192.168.73.64/29' },
}
/** With `@if3` behind the name of one whose other end is elsewhere. */
const exists = (link: string): boolean =>
  host
    .run('ip', '-br', 'link')
    .split('\n')
    .some((line) => line.split(/[@ ]/)[0] === link)
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
  ;[wanted, frozen, changes, reached] = [[lan], false, 0, () => true]
  keeper = new LanKeeper({
    ...{ socketPath: host.dockerSocket, exec, log: pino({ level: 'silent' }) },
    wanted: () => wanted,
    isRouted: () => false,
    mayRemove: () => !frozen,
    directory: join(host.dir, 'flat'),
    isReached: async () => reached(),
    ...{ settleMs: 1_000, retryMs: 0 },
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
  if (exists('eth1')) host.run('ip', 'link', 'delete', 'eth1')
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
    host.run('ip', 'link', 'add', 'hub', 'type', 'bridge')
    host.run('ip', 'link', 'set', 'eth1', 'master', 'hub')
    await keeper.check()
    expect(keeper.problems.lan).toContain('eth1 of this node is a part of hub, so no macvlan can be on it')
    host.run('ip', 'link', 'delete', 'hub')
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

describe('a flat network', () => {
  const flat: NodeLan = { ...lan, mode: 'flat', range: '192.168.73.64/26' }
  const addresses = (link: string): string[] =>
    host.run('ip', '-4', '-br', 'address', 'show', 'dev', link).trim().split(/\s+/).slice(2)
  const routes = (): string[] => host.run('ip', '-4', 'route').trim().split(/\s*\n/).sort()
  const pings = (address: string): boolean => {
    try {
      return router.run(['busybox', 'ping', '-c', '1', '-W', '2', address]) !== ''
    } catch {
      return false
    }
  }
  let router: TestNamespace
  let before: string[]

  beforeEach(async () => {
    router = await TestNamespace.create()
    host.run('ip', 'link', 'set', 'other', 'netns', String(router.pid))
    router.ip('address add 192.168.73.1/24 dev other', 'link set dev other up')
    for (const address of ['192.168.73.2/24', '192.168.73.3/24'])
      host.run('ip', 'address', 'add', address, 'dev', 'eth1')
    host.run('ip', 'route', 'add', 'default', 'via', '192.168.73.1', 'metric', '50', 'src', '192.168.73.3')
    host.run('ip', 'route', 'add', '10.12.0.0/16', 'via', '192.168.73.1', 'proto', '77')
    before = routes()
    wanted = [flat]
  })
  afterEach(async () => {
    wanted = []
    await keeper.check()
    expect([addresses('eth1'), exists('flat-eth1'), routes()]).toEqual([
      ['192.168.73.2/24', '192.168.73.3/24'],
      false,
      before,
    ])
    expect(pings('192.168.73.2')).toBe(true)
    host.run('ip', 'link', 'delete', 'eth1')
    await router[Symbol.asyncDispose]()
  })

  it('has containers beside the machine, which keeps its addresses, its routes and its connections', async () => {
    const macOf = (link: string) => host.run('ip', '-br', 'link', 'show', 'dev', link).trim().split(/\s+/)[2]
    const mac = macOf('eth1')
    const pinging = execute(...router.inside('busybox', 'ping', '-i', '0.02', '-c', '100', '-W', '1', '192.168.73.3'))
    await keeper.check()
    expect(keeper.problems).toEqual({})
    expect((await pinging).stdout.match(/(\d+) packets received/)?.[1]).toBe('100')
    expect([addresses('eth1'), addresses('flat-eth1')]).toEqual([[], ['192.168.73.2/24', '192.168.73.3/24']])
    expect(macOf('flat-eth1')).toBe(mac)
    expect(routes()).toEqual(before.map((each) => each.replace('dev eth1', 'dev flat-eth1')))
    // As the agent has it, for rules between containers of one node: Docker's own rules see what crosses the bridge.
    host.run('sysctl', '-q', '-w', 'net.bridge.bridge-nf-call-iptables=1')
    const address = start('one')
    expect(address).toMatch(/^192\.168\.73\.(6[4-9]|7[01])$/)
    expect(host.docker('exec', 'one', 'ip', 'route')).toMatch(/^default via 192\.168\.73\.1 /)
    expect(pings(address)).toBe(true)
    await waitUntil('an answer to the node', () => host.get(`${address}/`) !== undefined)
    const seen = router.run(['busybox', 'wget', '-Y', 'off', '-q', '-O', '-', `http://${address}/`])
    expect(seen.trim()).toBe('one')
    await keeper.check()
    expect(changes).toBe(1)
    wanted = []
    await keeper.check()
    expect(keeper.problems.lan).toContain('the container one in it must go first')
    expect(pings(address)).toBe(true)
    remove('one')
  })

  it('is undone where the machine is not reached so, and tried again later', async () => {
    reached = () => !exists('flat-eth1')
    await keeper.check()
    expect(keeper.problems.lan).toContain(
      'a server, 192.168.73.1 did not answer any more, as before; its addresses are back',
    )
    expect([addresses('eth1'), routes()]).toEqual([['192.168.73.2/24', '192.168.73.3/24'], before])
    reached = () => true
    host.run(
      'nft',
      'add table arp deaf; add chain arp deaf in { type filter hook input priority 0; }; add rule arp deaf in iifname "flat-eth1" drop',
    )
    await keeper.check()
    expect(keeper.problems.lan).toContain('192.168.73.1 did not answer any more')
    expect([addresses('eth1'), routes(), networks().includes('lan')]).toEqual([
      ['192.168.73.2/24', '192.168.73.3/24'],
      before,
      false,
    ])
    host.run('nft', 'delete table arp deaf')
    await keeper.check()
    expect([keeper.problems, addresses('eth1')]).toEqual([{}, []])
  })

  it('asks a router after the move that was slow to answer before it', async () => {
    const drop = 'add rule arp deaf in drop'
    router.run(['nft', `add table arp deaf; add chain arp deaf in { type filter hook input priority 0; }; ${drop}`])
    const slow = delay(500).then(() => router.run(['nft', 'delete table arp deaf']))
    await keeper.check()
    await slow
    expect([keeper.problems, addresses('eth1')]).toEqual([{}, []])
    const journal = JSON.parse(readFileSync(join(host.dir, 'flat', 'flat-eth1.json'), 'utf8'))
    expect(journal.gateways).toEqual(['192.168.73.1'])
  })

  it('is looked at again after a death in the middle of it, and needs a server the first time only', async () => {
    await keeper.check()
    const path = join(host.dir, 'flat', 'flat-eth1.json')
    const journal = JSON.parse(readFileSync(path, 'utf8'))
    expect(journal).toMatchObject({ state: 'moved', link: 'eth1', server: true, gateways: ['192.168.73.1'] })
    writeFileSync(path, JSON.stringify({ ...journal, state: 'moving' }))
    await keeper.check()
    expect(JSON.parse(readFileSync(path, 'utf8')).state).toBe('moved')
    writeFileSync(path, JSON.stringify({ ...journal, state: 'moving' }))
    reached = () => false
    await keeper.check()
    expect(keeper.problems.lan).toContain('did not answer any more')
    expect(addresses('eth1')).toEqual(['192.168.73.2/24', '192.168.73.3/24'])
    await keeper.check()
    expect(keeper.problems.lan).toContain('none is now')
    // It was reached so once: that its router answers is enough, with all servers dead.
    writeFileSync(path, JSON.stringify({ ...journal, server: false }))
    await keeper.check()
    expect([keeper.problems, addresses('eth1')]).toEqual([{}, []])
    expect(pings(start('one'))).toBe(true)
    remove('one')
  })

  it('is made again after a reboot, whatever Docker has made of its bridge before', async () => {
    await keeper.check()
    await host.killDockerd('SIGKILL')
    host.run('ip', 'link', 'delete', 'flat-eth1')
    for (const address of ['192.168.73.2/24', '192.168.73.3/24'])
      host.run('ip', 'address', 'add', address, 'dev', 'eth1')
    host.run('ip', 'route', 'add', 'default', 'via', '192.168.73.1', 'metric', '50', 'src', '192.168.73.3')
    host.run('ip', 'route', 'add', '10.12.0.0/16', 'via', '192.168.73.1', 'proto', '77')
    await host.startDockerd()
    // A bridge of its own, with the machine's address, and no port.
    expect([addresses('flat-eth1'), pings('192.168.73.2')]).toEqual([['192.168.73.2/24'], true])
    reached = () => false
    await keeper.check()
    expect([keeper.problems, addresses('eth1')]).toEqual([{}, []])
    expect(routes()).toEqual(before.map((each) => each.replace('dev eth1', 'dev flat-eth1')))
    expect(pings(start('one'))).toBe(true)
    remove('one')
  })

  it('is refused where the addresses would be lost', async () => {
    const refused = async (message: string) => {
      await keeper.check()
      expect(keeper.problems.lan).toContain(message)
      expect(exists('flat-eth1')).toBe(false)
    }
    host.run('ip', 'address', 'change', '192.168.73.3/24', 'dev', 'eth1', 'valid_lft', '3600', 'preferred_lft', '3600')
    await refused('has 192.168.73.3 for a time only (DHCP)')
    host.run(
      'ip',
      'address',
      'change',
      '192.168.73.3/24',
      'dev',
      'eth1',
      'valid_lft',
      'forever',
      'preferred_lft',
      'forever',
    )
    host.run('ip', '-6', 'address', 'add', '2001:db8::3/64', 'dev', 'eth1')
    await refused('has an address of IPv6 (2001:db8::3)')
    host.run('ip', '-6', 'address', 'del', '2001:db8::3/64', 'dev', 'eth1')
    wanted = [
      {
        ...flat,
        subnet: '192.168.74.0/24',
        gateway: '192.168.74.1',
        range: '192.168.74.64/26',
        slice: '192.168.74.64/29',
      },
    ]
    await refused('has no address of 192.168.74.0/24')
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
