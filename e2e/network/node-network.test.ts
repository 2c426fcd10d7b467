import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type NetworkConfig, twinOf, twinRange } from '@berth/core'
import { createLab, type Lab, type LabHost, NODE_IMAGE, trixieDocker } from '@berth/lab'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { NetworkProcess } from './network-client.ts'
import { eventually, run } from './routed-host.ts'

let lab: Lab
let h1: LabHost
let h2: LabHost
let networks: [NetworkProcess, NetworkProcess]
/** Answers every request with the address that it came from; outside of the cluster's pool. */
let outside: Server
let outsideUrl: string

const blockOf = (host: LabHost): string => lab.containerPool.replace('.0.0/16', `.${host === h1 ? 1 : 2}.0/24`)
const addressIn = (host: LabHost, last: number): string => blockOf(host).replace('.0/24', `.${last}`)
const urlOf = (host: LabHost): string => `http://${addressIn(host, 10)}:8080/`

const configOf = (host: LabHost, change: Partial<NetworkConfig> = {}): NetworkConfig => ({
  pool: lab.containerPool,
  block: blockOf(host),
  peers: [h1, h2].map((each) => ({ node: each.name, block: blockOf(each), via: each.address })),
  domain: 'berth',
  defaultPool: 'production',
  ...change,
})

const server = `require('node:http').createServer((q, s) => s.end(q.socket.remoteAddress.replace('::ffff:', ''))).listen(8080, '0.0.0.0')`

/** A container at `.10` of the host's block that answers every request with the address that it came from. */
const startContainer = (host: LabHost): Promise<string> =>
  run(
    host,
    ...['docker', 'run', '--detach', '--name', 'web', '--network', 'berth', '--ip', addressIn(host, 10)],
    ...[NODE_IMAGE, 'node', '-e', server],
  )

/** What a container of the host is told when it asks `url`. */
const askFromContainer = async (host: LabHost, url: string): Promise<string> =>
  (await host.exec(['docker', 'exec', 'web', 'timeout', '3', 'wget', '-q', '-O-', url])).stdout

const askFromHost = async (host: LabHost, url: string): Promise<string> =>
  (await host.exec(['timeout', '3', 'busybox', 'wget', '-q', '-O-', url])).stdout

beforeAll(async () => {
  // The engines of Debian 12 and of Debian 13, side by side.
  lab = await createLab({
    hosts: [
      { name: 'h1', baseImages: true },
      { name: 'h2', baseImages: true, ...(await trixieDocker()) },
    ],
  })
  ;[h1, h2] = [lab.host('h1'), lab.host('h2')]
  outside = createServer((request, response) => response.end(request.socket.remoteAddress)).listen(0, lab.serverAddress)
  await once(outside, 'listening')
  outsideUrl = `http://${lab.serverAddress}:${(outside.address() as AddressInfo).port}/`
  networks = [new NetworkProcess(h1), new NetworkProcess(h2)]
})

afterAll(async () => {
  outside?.close()
  await Promise.all((networks ?? []).map((network) => network.end()))
  await lab?.[Symbol.asyncDispose]()
})

/** As each test begins: the network is as it is told, with nothing amiss, and `web` runs on both hosts; what the test before has left goes on. */
async function prepare(
  told: (host: LabHost) => NetworkConfig,
  startWeb: (host: LabHost) => Promise<string>,
): Promise<void> {
  await Promise.all(
    lab.hosts.map(async (host, index) => {
      const network = networks[index as 0 | 1]
      const options = { removeAbsentPeers: true }
      expect(await network.call({ ensure: told(host), options })).toEqual({ value: [] })
      expect(await network.call({ check: {} })).toEqual({ value: [] })
      if (!(await run(host, 'docker', 'ps', '--format', '{{.Names}}')).split('\n').includes('web')) await startWeb(host)
      await eventually(() => askFromHost(host, urlOf(host)), addressIn(host, 1))
    }),
  )
}

const removeAll = async (): Promise<void> => {
  for (const host of lab.hosts) await host.exec(['docker', 'rm', '--force', 'web'])
  for (const network of networks) expect(await network.call({ remove: {} })).toEqual({ value: [] })
}

afterEach(async () => {
  for (const host of lab.hosts) await host.startDockerd()
})

/** Containers of both hosts reach each other under their own addresses, and the rest of the world under their host's. */
async function expectTraffic(): Promise<void> {
  await eventually(() => askFromContainer(h1, urlOf(h2)), addressIn(h1, 10))
  await eventually(() => askFromContainer(h2, urlOf(h1)), addressIn(h2, 10))
  for (const host of lab.hosts) expect(await askFromContainer(host, outsideUrl)).toBe(host.address)
}

describe('the network of a node', () => {
  beforeEach(() => prepare(configOf, startContainer))
  afterAll(removeAll)

  it('joins containers without translating addresses, and hides them from the outside', async () => {
    await expectTraffic()
  })

  it('gives packets of the node itself an address of the pool, which every peer knows the way back to', async () => {
    expect(await askFromHost(h1, urlOf(h2))).toBe(addressIn(h1, 1))
  })

  it('changes nothing when asked again', async () => {
    const state = async () =>
      await run(
        h1,
        'sh',
        '-c',
        'iptables-save | grep -v "^#" | sed "s/\\[.*//"; nft list table inet berth; ip route; docker network ls -q',
      )
    const before = await state()
    expect(await networks[0].call({ ensure: configOf(h1) })).toEqual({ value: [] })
    expect(await networks[0].call({ check: {} })).toEqual({ value: [] })
    expect(await state()).toBe(before)
  })

  it('serves the address of DNS to containers and the node, not to its neighbours', async () => {
    const listener = `require('node:net').createServer((s) => s.end('here')).listen(53, '169.254.77.53')`
    const listening = await h1.spawn([process.execPath, '-e', listener])
    const ask = ['timeout', '1', 'busybox', 'nc', '169.254.77.53', '53']
    await eventually(async () => (await h1.exec(['docker', 'exec', 'web', ...ask])).stdout, 'here')
    expect((await h1.exec(ask)).stdout).toBe('here')
    await run(h2, 'ip', 'address', 'delete', '169.254.77.53/32', 'dev', 'lo')
    await run(h2, 'ip', 'route', 'add', '169.254.77.53/32', 'via', h1.address)
    expect((await h2.exec(ask)).stdout).toBe('')
    await run(h1, 'nft', 'flush', 'chain', 'inet', 'berth', 'input')
    expect((await h2.exec(ask)).stdout).toBe('here')
    await run(h2, 'ip', 'route', 'delete', '169.254.77.53/32')
    listening.kill('SIGKILL')
  })

  it('repairs what others removed', async () => {
    await run(h1, 'iptables', '-F', 'DOCKER-USER')
    await run(h1, 'nft', 'delete', 'table', 'inet', 'berth')
    await run(h1, 'ip', 'route', 'delete', blockOf(h2))
    await run(h1, 'ip', 'address', 'flush', 'dev', 'lo', 'scope', 'host', 'to', '169.254.77.53')
    await run(h1, 'sysctl', '-qw', 'net.ipv4.ip_forward=0')
    expect(await askFromContainer(h2, urlOf(h1))).toBe('')
    expect(await networks[0].call({ check: {} })).toEqual({ value: [] })
    await expectTraffic()
    expect(await run(h1, 'ip', 'address', 'show', 'dev', 'lo')).toContain('169.254.77.53/32')
  })

  it('repairs by itself, in time', async () => {
    const checking = new NetworkProcess(h1, 200)
    expect(await checking.call({ ensure: configOf(h1) })).toEqual({ value: [] })
    await run(h1, 'iptables', '-F', 'DOCKER-USER')
    await run(h1, 'ip', 'route', 'delete', blockOf(h2))
    await expectTraffic()
    await checking.end()
  })

  it('survives a dockerd that restarts, and says nothing of one that is dead', async () => {
    const rules = await run(h1, 'iptables', '-S', 'DOCKER-USER')
    await h1.killDockerd('SIGKILL')
    expect(await askFromContainer(h2, urlOf(h1))).toBe(addressIn(h2, 10))
    expect(await networks[0].call({ check: {} })).toEqual({ value: [] })
    expect(await networks[0].call({ ensure: configOf(h1) })).toMatchObject({ code: 'network.engine-unreachable' })
    await h1.startDockerd()
    expect(await run(h1, 'iptables', '-S', 'DOCKER-USER')).toBe(rules)
    await expectTraffic()
  })

  it('comes back after a power cut', async () => {
    await networks[0].end()
    await h1.reboot()
    networks[0] = new NetworkProcess(h1)
    expect(await networks[0].call({ ensure: configOf(h1) })).toEqual({ value: [] })
    await run(h1, 'docker', 'start', 'web')
    await expectTraffic()
  })

  it('makes a network of its own anew when nothing is in it, and refuses when something is', async () => {
    const other = configOf(h1, { block: lab.containerPool.replace('.0.0/16', '.3.0/24') })
    const refusal = await networks[0].call({ ensure: other })
    expect(refusal).toMatchObject({ code: 'network.subnet-differs' })
    expect(refusal.message).toMatch(
      /block is .*\.3\.0\/24, but its Docker network berth holds .*\.1\.0\/24; remove the container web in it/,
    )
    await run(h1, 'docker', 'rm', '--force', 'web')
    expect(await networks[0].call({ ensure: other })).toEqual({ value: [] })
    expect(await run(h1, 'ip', 'address', 'show', 'dev', 'berth0')).toContain('.3.1/24')
    expect(await run(h1, 'iptables', '-S', 'DOCKER-USER')).not.toContain(blockOf(h1))
  })

  it("refuses another's network of the same name", async () => {
    await run(h1, 'docker', 'rm', '--force', 'web')
    expect(await networks[0].call({ remove: {} })).toEqual({ value: [] })
    await run(h1, 'docker', 'network', 'create', 'berth')
    expect(await networks[0].call({ ensure: configOf(h1) })).toMatchObject({
      code: 'network.subnet-differs',
      message: expect.stringContaining('run "docker network rm berth"') as string,
    })
    await run(h1, 'docker', 'network', 'rm', 'berth')
  })

  it('refuses a pool that a network of the host is in, and reports it once the pool is in use', async () => {
    await run(h1, 'ip', 'route', 'add', addressIn(h1, 128).replace(/$/, '/25'), 'via', h2.address)
    expect((await networks[0].call({ check: {} })).value).toEqual([
      expect.stringMatching(/pool .* collides .*\.128\/25 via/),
    ])
    await run(h1, 'docker', 'rm', '--force', 'web')
    expect(await networks[0].call({ remove: {} })).toEqual({ value: [] })
    expect(await networks[0].call({ ensure: configOf(h1) })).toMatchObject({ code: 'network.pool-collides' })
    await run(h1, 'ip', 'route', 'delete', addressIn(h1, 128).replace(/$/, '/25'))
    expect(await networks[0].call({ ensure: configOf(h1) })).toEqual({ value: [] })
  })

  it('keeps the route to a peer that it is not told of, until it is told that it is gone', async () => {
    expect(await networks[0].call({ ensure: configOf(h1, { peers: [] }) })).toEqual({ value: [] })
    await expectTraffic()
    const options = { removeAbsentPeers: true }
    expect(await networks[0].call({ ensure: configOf(h1, { peers: [] }), options })).toEqual({ value: [] })
    expect(await run(h1, 'ip', 'route')).not.toContain(blockOf(h2))
  })

  it('reports a peer that it cannot route, and routes the others', async () => {
    const peers = [
      ...configOf(h1).peers,
      { node: 'far', block: lab.containerPool.replace('.0.0/16', '.9.0/24'), via: '192.0.2.77' },
    ]
    await run(h1, 'ip', 'route', 'add', 'unreachable', '192.0.2.77')
    expect(await networks[0].call({ ensure: configOf(h1, { peers }) })).toEqual({ value: [] })
    expect((await networks[0].call({ check: {} })).value).toEqual([
      expect.stringMatching(/route to node far .*same layer 2|one layer 2/),
    ])
    await expectTraffic()
    await run(h1, 'ip', 'route', 'delete', 'unreachable', '192.0.2.77')
  })
})

describe('the network of a node whose pool has IPv6', () => {
  const twins = () => [twinRange({ range: lab.containerPool, ipv6: 'fd77:1::/64' })]
  const with6 = (host: LabHost): NetworkConfig =>
    configOf(host, { twins: [{ range: lab.containerPool, ipv6: 'fd77:1::/64' }] })
  const address6In = (host: LabHost, last: number): string => twinOf(twins(), addressIn(host, last)) ?? ''
  const url6Of = (host: LabHost): string => `http://[${address6In(host, 10)}]:8080/`
  const server6 = server.replace('0.0.0.0', '::')

  const askOnce = (url: string): string =>
    `fetch('${url}').then((r) => r.text()).then((t) => console.log(t), (e) => console.log(e.cause?.code ?? e.message))`
  const askFromContainer6 = async (host: LabHost, url: string): Promise<string> =>
    (await host.exec(['docker', 'exec', 'web', 'timeout', '5', 'node', '-e', askOnce(url)])).stdout.trim()
  const askFromHost6 = async (host: LabHost, url: string): Promise<string> =>
    (await host.exec(['timeout', '5', process.execPath, '-e', askOnce(url)])).stdout.trim()

  const startContainer6 = (host: LabHost): Promise<string> =>
    run(
      host,
      ...['docker', 'run', '--detach', '--name', 'web', '--network', 'berth'],
      ...['--ip', addressIn(host, 10), '--ip6', address6In(host, 10), NODE_IMAGE, 'node', '-e', server6],
    )

  beforeEach(() => prepare(with6, startContainer6))
  afterAll(removeAll)

  const expectTraffic6 = async (): Promise<void> => {
    await eventually(() => askFromContainer6(h1, url6Of(h2)), address6In(h1, 10))
    await eventually(() => askFromContainer6(h2, url6Of(h1)), address6In(h2, 10))
  }

  it('joins containers by both, and gives packets of the node the twin of its address', async () => {
    await expectTraffic6()
    await expectTraffic()
    for (const host of lab.hosts) await eventually(() => askFromHost6(host, url6Of(host)), address6In(host, 1))
    expect(await askFromHost6(h1, url6Of(h2))).toBe(address6In(h1, 1))
    // Before the first instruction.
    for (const host of lab.hosts) {
      const other = host === h1 ? h2 : h1
      const ask = `require('node:http').get('${url6Of(other)}', (r) => r.pipe(process.stdout)).on('error', (e) => console.log(e.code))`
      const addresses = ['--ip', addressIn(host, 11), '--ip6', address6In(host, 11)]
      const said = await run(
        host,
        ...['docker', 'run', '--rm', '--network', 'berth'],
        ...addresses,
        NODE_IMAGE,
        'node',
        '-e',
        ask,
      )
      expect(said).toBe(address6In(host, 11))
    }
  })

  it('changes nothing when asked again, and repairs what others removed', async () => {
    await expectTraffic6()
    const state = async () =>
      await run(
        h1,
        ...[
          'sh',
          '-c',
          'ip6tables-save | grep -v "^#" | sed "s/\\[.*//"; ip -6 route | grep proto.77; ip -6 -o address show scope global',
        ],
      )
    const before = await state()
    expect(before).toContain('fd77:1::')
    expect(await networks[0].call({ ensure: with6(h1) })).toEqual({ value: [] })
    expect(await state()).toBe(before)
    await run(h1, 'ip6tables', '-F', 'DOCKER-USER')
    await run(h1, 'ip', '-6', 'route', 'flush', 'proto', '77')
    await run(h1, 'ip', '-6', 'address', 'flush', 'dev', 'eth0', 'to', 'fe80::be:0:0/96')
    await run(h1, 'sysctl', '-qw', 'net.ipv6.conf.all.forwarding=0')
    expect(await askFromContainer6(h1, url6Of(h2))).not.toBe(address6In(h1, 10))
    expect(await networks[0].call({ check: {} })).toEqual({ value: [] })
    await expectTraffic6()
    expect(await state()).toBe(before)
    // What the host's owner has turned off stays so.
    await run(h1, 'sysctl', '-qw', 'net.ipv6.conf.eth0.disable_ipv6=1')
    expect((await networks[0].call({ check: {} })).value).toEqual([expect.stringMatching(/turned off on eth0/)])
    await run(h1, 'sysctl', '-qw', 'net.ipv6.conf.eth0.disable_ipv6=0')
    await eventually(async () => JSON.stringify((await networks[0].call({ check: {} })).value), '[]')
    await expectTraffic6()
  })

  it('is made of one without when nothing is in it, and says what is in the way', async () => {
    for (const host of lab.hosts) await run(host, 'docker', 'rm', '--force', 'web')
    for (const network of networks) expect(await network.call({ remove: {} })).toEqual({ value: [] })
    expect(await run(h1, 'ip', '-6', 'address', 'show', 'dev', 'eth0')).not.toContain('fe80::be:')
    expect(await run(h1, 'ip', '-6', 'route')).not.toContain('fd77:1::')
    expect(await networks[0].call({ ensure: configOf(h1) })).toEqual({ value: [] })
    await startContainer(h1)
    const refusal = await networks[0].call({ ensure: with6(h1) })
    expect(refusal).toMatchObject({ code: 'network.subnet-differs' })
    expect(refusal.message).toMatch(/has no IPv6 addresses of fd77:1::.*\/120; remove the container web in it/)
  })
})
