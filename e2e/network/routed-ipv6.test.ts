import { join } from 'node:path'
import { createNetdFiles } from '@berth/agent/dns/netd-files'
import { type NetworkConfig, routedGateway6, routedLinkOf, twinOf, twinRange } from '@berth/core'
import { createLab, type Lab, type LabHost, NODE_IMAGE, trixieDocker } from '@berth/lab'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { eventually, RoutedHosts, run, shown } from './routed-host.ts'

let lab: Lab
let h1: LabHost
let h2: LabHost
const hosts = new RoutedHosts()

const twins = () => [{ range: lab.containerPool, ipv6: 'fd77:1::/64' }]
const twin = (address: string): string => twinOf(twins().map(twinRange), address) ?? ''
const blockOf = (host: LabHost): string => lab.containerPool.replace('.0.0/16', `.${host === h1 ? 1 : 2}.0/24`)
const addressIn = (host: LabHost, last: number): string => blockOf(host).replace('.0/24', `.${last}`)
const twinIn = (host: LabHost, last: number): string => twin(addressIn(host, last))
/** Of an address of the other's block, which an instance of this node keeps. */
const keptLast = 77

interface Told {
  readonly ipv6?: boolean
  /** Who has which single address of another's block. */
  readonly kept?: { readonly at: LabHost; readonly address: string }
}

const configOf = (host: LabHost, { ipv6 = true, kept }: Told = {}): NetworkConfig => {
  const extra = (each: LabHost) => (kept?.at === each ? { addresses: [kept.address] } : {})
  const peers = [h1, h2].map((each) => ({
    ...{ node: each.name, block: blockOf(each), via: each.address },
    ...extra(each),
  }))
  const own = { pool: lab.containerPool, block: blockOf(host), ...extra(host) }
  return { ...own, peers, domain: 'berth', defaultPool: 'production', ...(ipv6 ? { twins: twins() } : {}) }
}

const serve = `require('node:http').createServer((q, s) => s.end(q.socket.remoteAddress.replace('::ffff:', ''))).listen(8080, '::')`
const serve4 = serve.replace("'::'", "'0.0.0.0'")

/** Answers every request with the address that it came from. */
async function startContainer(host: LabHost, name: string, options: readonly string[], program = serve): Promise<void> {
  const argv = ['docker', 'run', '--detach', '--name', name, '--network', 'berth', ...options]
  await run(host, ...argv, NODE_IMAGE, 'node', '-e', program)
  await hosts.notePid(host, name)
}

const askOnce = (url: string): string =>
  `fetch('${url}').then((r) => r.text()).then((t) => console.log(t), (e) => console.log(e.cause?.code ?? e.message))`
const ask = (url: string) => ['timeout', '5', process.execPath, '-e', askOnce(url)]
const askFrom = async (host: LabHost, name: string, address: string): Promise<string> =>
  (await hosts.inside(host, name, ...ask(urlOf(address)))).stdout.trim()
const askFromHost = async (host: LabHost, address: string): Promise<string> =>
  (await host.exec(ask(urlOf(address)))).stdout.trim()
const urlOf = (address: string): string => `http://${address.includes(':') ? `[${address}]` : address}:8080/`

const ensuring = (host: LabHost, told: Told) => ({
  ensure: configOf(host, told),
  options: { removeAbsentPeers: true },
})
const startNetwork = (host: LabHost, driver: 'bridge' | 'routed', told: Told = {}) =>
  hosts.startNetwork(host, driver, ensuring(host, told))
const tell = async (told: Told): Promise<void> => {
  for (const host of lab.hosts) expect(await hosts.network(host).call(ensuring(host, told))).toEqual({ value: [] })
}

beforeAll(async () => {
  // The engines of Debian 12 and of Debian 13, side by side.
  lab = await createLab({
    hosts: [
      { name: 'h1', startDockerd: false, baseImages: true },
      { name: 'h2', startDockerd: false, baseImages: true, ...(await trixieDocker()) },
    ],
  })
  ;[h1, h2] = [lab.host('h1'), lab.host('h2')]
  for (const host of lab.hosts) {
    const other = host === h1 ? h2 : h1
    const addresses = [
      ...[10, 11].map((last) => addressIn(host, last)),
      addressIn(host, keptLast),
      addressIn(other, keptLast),
    ]
    const instances = addresses.map((address, index) => ({
      ...{ instance: `shop.production.web-${index}`, app: 'shop', pool: 'production', address },
    }))
    await createNetdFiles(join(host.dir, 'berth')).writeInstances(instances)
    await hosts.startNetd(host)
    await host.startDockerd()
  }
})

afterAll(async () => {
  await hosts.end()
  await lab?.[Symbol.asyncDispose]()
})

/** As each test but the first begins: `web` runs on both, and nothing else. */
async function prepare(host: LabHost): Promise<void> {
  const names = (await run(host, 'docker', 'ps', '--all', '--format', '{{.Names}}')).split('\n').filter(Boolean)
  const others = names.filter((name) => name !== 'web')
  if (others.length > 0) await run(host, 'docker', 'rm', '--force', ...others)
  if (!names.includes('web')) await startContainer(host, 'web', ['--ip', addressIn(host, 10)])
  await hosts.notePid(host, 'web')
}

async function expectTraffic(): Promise<void> {
  for (const [from, to] of [
    [h1, h2],
    [h2, h1],
  ] as const) {
    await eventually(() => askFrom(from, 'web', twinIn(to, 10)), twinIn(from, 10))
    await eventually(() => askFrom(from, 'web', addressIn(to, 10)), addressIn(from, 10))
  }
}

it('is switched on while containers run: these go on, and have IPv6 when they start again', async () => {
  for (const host of lab.hosts) {
    expect(await startNetwork(host, 'routed', { ipv6: false })).toEqual({ value: [] })
    await startContainer(host, 'before', ['--ip', addressIn(host, 11)], serve4)
  }
  const id = await run(h1, 'docker', 'network', 'inspect', '--format', '{{.Id}}', 'berth')
  await tell({})
  expect(await run(h1, 'docker', 'network', 'inspect', '--format', '{{.Id}}', 'berth')).toBe(id)
  await eventually(() => askFrom(h1, 'before', addressIn(h2, 11)), addressIn(h1, 11))
  for (const host of lab.hosts) {
    expect(await shown(host, 'before', 'GlobalIPv6Address')).toBe('')
    await run(host, 'docker', 'restart', '--time', '0', 'before')
    await hosts.notePid(host, 'before')
    expect(await shown(host, 'before', 'GlobalIPv6Address')).toBe(twinIn(host, 11))
    await startContainer(host, 'web', ['--ip', addressIn(host, 10)])
    await eventually(() => askFrom(host, 'before', twinIn(host, 10)), twinIn(host, 11))
  }
  await expectTraffic()
})

describe('a routed network whose pool has IPv6', () => {
  beforeEach(async () => {
    await Promise.all(lab.hosts.map(prepare))
    for (const host of lab.hosts) await eventually(() => askFromHost(host, twinIn(host, 10)), twinIn(host, 1))
  })

  it('joins containers by both, and gives packets of the node the twin of its address', async () => {
    await expectTraffic()
    expect(await askFromHost(h1, twinIn(h2, 10))).toBe(twinIn(h1, 1))
  })

  it('is there before the first instruction, and shown by Docker', async () => {
    for (const host of lab.hosts) {
      const other = host === h1 ? h2 : h1
      const look = `require('node:http').get('${urlOf(twinIn(other, 10))}', (r) => r.pipe(process.stdout)).on('error', (e) => console.log(e.code))`
      const options = ['--rm', '--network', 'berth', '--ip', addressIn(host, 11), NODE_IMAGE, 'node', '-e', look]
      expect(await run(host, 'docker', 'run', ...options)).toBe(twinIn(host, 11))
      const wanted = { GlobalIPv6Address: twinIn(host, 10), GlobalIPv6PrefixLen: '128', IPv6Gateway: routedGateway6 }
      for (const [field, value] of Object.entries(wanted)) expect(await shown(host, 'web', field)).toBe(value)
      expect(await run(host, 'docker', 'network', 'inspect', 'berth')).toContain(`"${twinIn(host, 10)}/128"`)
    }
    for (const host of lab.hosts) {
      // Docker speaks of its address once more as it goes.
      await run(host, 'docker', 'rm', '--force', 'web')
      expect(await run(host, 'ip', '-6', 'route')).not.toContain(twinIn(host, 10))
    }
  })

  it('gives a container that is started by hand the twin of what it has, and says what cannot be asked for', async () => {
    for (const host of lab.hosts) {
      await startContainer(host, 'mine', [])
      const address = twin(await shown(host, 'mine', 'IPAddress'))
      expect(await shown(host, 'mine', 'GlobalIPv6Address')).toBe(address)
      await eventually(() => askFrom(host, 'mine', twinIn(host, 10)), address)
      const attempt = async (...argv: string[]) => (await host.exec(['docker', ...argv])).stderr
      const asked = ['run', '--rm', '--network', 'berth', '--ip6', twinIn(host, 11), NODE_IMAGE, 'true']
      expect(await attempt(...asked)).toMatch(/only when connecting to networks with user configured subnets/)
      const made = ['network', 'create', '--driver', 'berth', '--ipam-driver', 'berth', '--ipv6', 'other']
      expect(await attempt(...made, '--subnet', lab.containerPool, '--subnet', 'fd77:1::/112')).toMatch(
        /IPv6 that is asked for \(containers have it by themselves/,
      )
    }
  })

  it('keeps a container from using the address of another', async () => {
    const stolen = twinIn(h1, 99)
    expect((await hosts.inside(h1, 'web', 'ip', 'address', 'add', `${stolen}/128`, 'dev', 'eth0', 'nodad')).code).toBe(
      0,
    )
    const pingAs = async (source: string) =>
      (await hosts.inside(h1, 'web', 'busybox', 'ping', '-6', '-c1', '-W1', '-I', source, twinIn(h1, 1))).code
    expect(await pingAs(twinIn(h1, 10))).toBe(0)
    expect(await pingAs(stolen)).not.toBe(0)
    await hosts.inside(h1, 'web', 'ip', 'address', 'delete', `${stolen}/128`, 'dev', 'eth0')
  })

  it('leads to an address of another’s block that an instance keeps, and back to the block when it has gone', async () => {
    const address = addressIn(h2, keptLast)
    await tell({ kept: { at: h1, address } })
    await startContainer(h1, 'kept', ['--ip', address])
    await eventually(() => askFrom(h2, 'web', twin(address)), twinIn(h2, 10))
    await eventually(() => askFrom(h1, 'kept', twinIn(h2, 10)), twin(address))
    expect(await askFromHost(h2, twin(address))).toBe(twinIn(h2, 1))
    await run(h1, 'docker', 'rm', '--force', 'kept')
    await tell({ kept: { at: h2, address } })
    await startContainer(h2, 'kept', ['--ip', address])
    await eventually(() => askFrom(h1, 'web', twin(address)), twinIn(h1, 10))
    await run(h2, 'docker', 'rm', '--force', 'kept')
    await tell({})
    expect(await run(h1, 'ip', '-6', 'route')).not.toContain(`${twin(address)} `)
  })

  it('has published ports at the node’s addresses of IPv6, which follow their container', async () => {
    for (const [index, host] of lab.hosts.entries())
      await run(host, 'ip', 'address', 'replace', `2001:db8::${index + 1}/64`, 'dev', 'eth0', 'nodad')
    for (const [index, host] of lab.hosts.entries()) {
      const [other, own, others] = [host === h1 ? h2 : h1, `2001:db8::${index + 1}`, `2001:db8::${2 - index}`]
      const ports = ['--publish', '18080:8080', '--publish', `[${own}]:18081:8080`]
      await startContainer(host, 'shop', ['--ip', addressIn(host, 11), ...ports])
      const at = (port: number) => async () => (await other.exec(ask(`http://[${own}]:${port}/`))).stdout.trim()
      await eventually(at(18080), others)
      await eventually(at(18081), others)
      expect((await other.exec(ask(`http://${host.address}:18080/`))).stdout.trim()).toBe(other.address)
      expect((await other.exec(ask(`http://${host.address}:18081/`))).stdout.trim()).toBe('ECONNREFUSED')
      expect((await hosts.inside(host, 'web', ...ask(`http://[${own}]:18080/`))).stdout.trim()).toBe(twinIn(host, 10))
      await hosts.killNetd(host)
      await eventually(at(18080), others)
      await hosts.startNetd(host)
      await run(host, 'docker', 'rm', '--force', 'shop')
      expect(await at(18080)()).toBe('ECONNREFUSED')
    }
  })

  it('is repaired where others removed it, and changes nothing when asked again', async () => {
    const state = () =>
      run(
        h1,
        ...['sh', '-c'],
        'ip6tables -S DOCKER-USER; ip -6 route | grep -v fe80::/64; ip -6 -o address show dev lo; nft list table inet berth; ip -6 neigh show nud permanent',
      )
    const before = await state()
    expect(await hosts.network(h1).call({ check: {} })).toEqual({ value: [] })
    expect(await state()).toBe(before)
    await run(h1, 'ip', '-6', 'route', 'flush', 'proto', '78')
    await run(h1, 'ip', '-6', 'route', 'flush', 'proto', '77')
    await run(h1, 'ip6tables', '-F', 'DOCKER-USER')
    await run(h1, 'nft', 'delete', 'table', 'inet', 'berth')
    await run(h1, 'ip', 'address', 'delete', `${twinIn(h1, 1)}/128`, 'dev', 'lo')
    await run(h1, 'ip', 'address', 'delete', `${routedGateway6}/64`, 'dev', routedLinkOf(addressIn(h1, 10)))
    await run(h1, 'sysctl', '-qw', 'net.ipv6.conf.all.forwarding=0')
    expect(await hosts.network(h1).call({ check: {} })).toEqual({ value: [] })
    await expectTraffic()
    const sorted = (text: string) => text.split('\n').toSorted()
    expect(sorted(await state())).toEqual(sorted(before))
    await run(h1, 'sysctl', '-qw', 'net.ipv6.conf.lo.disable_ipv6=1')
    expect((await hosts.network(h1).call({ check: {} })).value).toEqual([
      expect.stringMatching(/it is turned off on lo/),
    ])
    await run(h1, 'sysctl', '-qw', 'net.ipv6.conf.lo.disable_ipv6=0')
    expect(await hosts.network(h1).call({ check: {} })).toEqual({ value: [] })
    await expectTraffic()
  })

  it('goes on while netd and dockerd are dead, and is there when they are back', async () => {
    for (const host of lab.hosts) {
      await hosts.killNetd(host)
      await host.killDockerd('SIGKILL')
    }
    await expectTraffic()
    for (const host of lab.hosts) {
      await hosts.startNetd(host)
      await host.startDockerd()
      expect(await shown(host, 'web', 'GlobalIPv6Address')).toBe(twinIn(host, 10))
      await run(host, 'docker', 'restart', '--time', '0', 'web')
      await hosts.notePid(host, 'web')
      expect(await shown(host, 'web', 'GlobalIPv6Address')).toBe(twinIn(host, 10))
    }
    await expectTraffic()
  })

  it('comes back after a power cut, also before the agent does', async () => {
    await run(h1, 'docker', 'rm', '--force', 'web')
    await startContainer(h1, 'web', ['--ip', addressIn(h1, 10)])
    await startContainer(h1, 'mine', ['--restart', 'always', '--ip', addressIn(h1, 250)])
    await hosts.endNetwork(h1)
    await h1.reboot({ startDockerd: false })
    await hosts.startNetd(h1)
    await h1.startDockerd()
    await eventually(() => askFromHost(h1, twinIn(h1, 250)), twinIn(h1, 1))
    expect(await startNetwork(h1, 'routed')).toEqual({ value: [] })
    await run(h1, 'docker', 'start', 'web')
    await hosts.notePid(h1, 'web')
    await expectTraffic()
  })

  it('is a bridge’s when the driver is another, which answers for an address of its block that is elsewhere; and back', async () => {
    const kept = { at: h2, address: addressIn(h1, keptLast) }
    await run(h1, 'docker', 'rm', '--force', 'web')
    expect(await startNetwork(h1, 'bridge', { kept })).toEqual({ value: [] })
    expect(await hosts.network(h2).call({ ensure: configOf(h2, { kept }) })).toEqual({ value: [] })
    await startContainer(h1, 'web', ['--ip', addressIn(h1, 10), '--ip6', twinIn(h1, 10)])
    await startContainer(h2, 'kept', ['--ip', kept.address])
    await expectTraffic()
    await eventually(() => askFrom(h1, 'web', twin(kept.address)), twinIn(h1, 10))
    await eventually(() => askFrom(h2, 'kept', twinIn(h1, 10)), twin(kept.address))
    expect(await run(h1, 'ip', '-6', 'address', 'show', 'dev', 'lo')).not.toContain('fd77:1::')
    await run(h1, 'docker', 'rm', '--force', 'web')
    await run(h2, 'docker', 'rm', '--force', 'kept')
    expect(await startNetwork(h1, 'routed')).toEqual({ value: [] })
    await tell({})
    await startContainer(h1, 'web', ['--ip', addressIn(h1, 10)])
    await expectTraffic()
  })
})

it('is left without a trace', async () => {
  for (const host of lab.hosts) {
    await run(host, 'docker', 'rm', '--force', 'web')
    expect(await hosts.network(host).call({ remove: {} })).toEqual({ value: [] })
    const left = await run(host, 'sh', '-c', 'ip -6 route; ip -6 address; ip6tables -S')
    for (const each of ['fd77:1::', 'fe80::be:', 'unreachable', '-j ACCEPT -m comment'])
      expect(left).not.toContain(each)
  }
})
