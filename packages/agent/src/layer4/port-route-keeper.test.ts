import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  compilePolicy,
  type Member,
  nodePolicyOf,
  type PortRoute,
  type RouteTable,
  readProfile,
  renderTable,
} from '@berth/core'
import pino from 'pino'
import { Registry } from 'prom-client'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { type Exec, runCommand } from '../network/run-command.ts'
import { TestNamespace } from '../policy/test-namespace.testing.ts'
import { waitUntil } from '../testing/wait-until.ts'
import { registerPortMetrics } from './port-counts.ts'
import { PortRouteKeeper } from './port-route-keeper.ts'
import { type Answers, StreamPeer } from './stream-peer.testing.ts'

// Programs are started for it, and machines under load take their time; every wait has a deadline of its own.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 })
const log = pino({ level: 'silent' })
const gateway = '192.0.2.1'
const [here, there, there2] = ['10.77.1.2', '10.77.2.2', '10.77.2.3']
const place = {
  own: ['10.77.1.0/24', 'fd77:1::a4d:100/120'],
  pools: ['10.77.0.0/16', 'fd77:1::a4d:0/112'],
  ...{ gateway: '10.77.1.1', gateway6: 'fd77:1::a4d:101' },
}

/** The gateway's node with an instance of its own; another node with two; and a client outside. */
let host: TestNamespace
let node: TestNamespace
let client: TestNamespace
let instances: Map<string, TestNamespace>
let keeper: PortRouteKeeper
let directory: string
let problems: (string | undefined)[]
/** Of all tests, and of the one that runs. */
let servers: StreamPeer[]
let peers: StreamPeer[]
let version = 0

const exec: Exec = (file, args, options) =>
  runCommand('nsenter', [`--net=/proc/${host.pid}/ns/net`, file, ...args], options)

function open(pace = { lookMs: 100, drainLookMs: 50, goneMs: 1_000 }): void {
  problems = []
  const procNet = `/proc/${host.pid}/net`
  const onProblem = (problem: string | undefined) => problems.push(problem)
  keeper = new PortRouteKeeper({ directory, log, exec, procNet, pace, place: () => place, onProblem })
}

/** Answers what comes with its name and who asked, until it is closed. */
async function serve(namespace: TestNamespace, name: string, port = 8080): Promise<StreamPeer> {
  const peer = await StreamPeer.serve(namespace, name, port)
  peers.push(peer)
  return peer
}
async function ask(namespace: TestNamespace, protocol: 'tcp' | 'udp', to: string, port: number): Promise<StreamPeer> {
  const peer = await StreamPeer.ask(namespace, protocol, to, port)
  peers.push(peer)
  return peer
}
/** One connection, one question. */
async function answerOf(to = gateway, port = 9000, protocol: 'tcp' | 'udp' = 'tcp', from = client): Promise<Answers> {
  if (protocol === 'tcp') return answerByTcp(to, port, from)
  const peer = await ask(from, protocol, to, port)
  const answer = await peer.say('hello')
  await peer.close()
  return answer
}

function answerByTcp(to: string, port: number, from: TestNamespace): Answers {
  const began = Date.now()
  const line = 'echo hello | busybox nc -w 6 "$1" "$2" 2> /dev/null || true'
  const text = from.run(['sh', '-c', line, 'sh', to, String(port)])
  return text === ''
    ? { name: '', from: '', isOver: Date.now() - began < 5_500 }
    : { isOver: false, ...JSON.parse(text) }
}

const member = (address: string, state: Member['state'] = 'active', weight = 1): Member => ({
  ...{ instance: `at ${address}`, address, port: 8080, weight, state },
  address6: `fd77:1::a4d:${Number(address.split('.')[2])}0${address.split('.')[3]}`,
})
const route = (members: readonly Member[], more: Partial<PortRoute> = {}): PortRoute => ({
  ...{ id: 'shop', protocol: 'tcp', port: 9000, targets: [{ pool: 'shop/production/db', weight: 1, members }] },
  ...more,
})
const table = (...ports: PortRoute[]): RouteTable => {
  version += 1
  return { version, routes: [], certificates: [], ports }
}
const rules = (): string => host.run(['nft', 'list', 'ruleset'])

beforeAll(async () => {
  peers = []
  const made = await Promise.all([1, 2, 3, 4, 5, 6].map(() => TestNamespace.create()))
  const [first, second, third] = made.slice(3) as [TestNamespace, TestNamespace, TestNamespace]
  ;[host, node, client] = made as [TestNamespace, TestNamespace, TestNamespace]
  instances = new Map([
    [here, first],
    [there, second],
    [there2, third],
  ])
  for (const each of [host, node]) {
    each.sysctl('net.ipv4.ip_forward=1')
    each.sysctl('net.ipv6.conf.all.forwarding=1')
    each.ip('link add berth0 type bridge', 'link set berth0 up')
  }
  host.ip('address add 10.77.1.1/24 dev berth0', 'address add fd77:1::a4d:101/120 dev berth0 nodad')
  node.ip('address add 10.77.2.1/24 dev berth0', 'address add fd77:1::a4d:201/120 dev berth0 nodad')
  for (const [address, namespace] of instances) {
    const [, , block, last] = address.split('.')
    const on = block === '1' ? host : node
    namespace.connect('eth0', on, `veth${last}`)
    on.ip(`link set veth${last} master berth0`)
    namespace.ip(`address add ${address}/24 dev eth0`, `route add default via 10.77.${block}.1`)
    namespace.ip(
      `address add fd77:1::a4d:${block}0${last}/120 dev eth0 nodad`,
      `route add default via fd77:1::a4d:${block}01`,
    )
  }
  client.connect('eth0', host, 'eth0')
  client.ip('address add 192.0.2.9/24 dev eth0', 'address add 2001:db8::9/64 dev eth0 nodad')
  host.ip('address add 192.0.2.1/24 dev eth0', 'address add 2001:db8::1/64 dev eth0 nodad')
  host.connect('nodes', node, 'nodes')
  host.ip('address add 198.51.100.1/24 dev nodes', 'address add 2001:db8:1::1/64 dev nodes nodad')
  node.ip('address add 198.51.100.2/24 dev nodes', 'address add 2001:db8:1::2/64 dev nodes nodad')
  host.ip('route add 10.77.2.0/24 via 198.51.100.2', 'route add fd77:1::a4d:200/120 via 2001:db8:1::2')
  node.ip('route add 10.77.1.0/24 via 198.51.100.1', 'route add fd77:1::a4d:100/120 via 2001:db8:1::1')
  for (const [address, namespace] of instances) await serve(namespace, address)
  servers = peers
})
afterAll(async () => {
  for (const each of servers) await each.close()
  for (const each of [host, node, client, ...instances.values()]) await each[Symbol.asyncDispose]()
})

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'berth-layer4-'))
  peers = []
  open()
})
afterEach(async () => {
  for (const each of peers) await each.close()
  for (const each of [host, node]) each.run(['nft', 'flush', 'ruleset'])
  host.run(['sh', '-c', 'conntrack -F 2> /dev/null'])
  await rm(directory, { recursive: true, force: true })
})

describe('a route of a port', () => {
  it('shares connections by weight over instances of all nodes, which see the client where they can answer it', async () => {
    await keeper.apply(table(route([member(here, 'active', 2), member(there), member(there2)])))
    const got: Answers[] = []
    for (let turn = 0; turn < 8; turn++) got.push(await answerOf())
    expect(got.map(({ name }) => name).toSorted()).toEqual([here, here, here, here, there, there, there2, there2])
    expect(got.find(({ name }) => name === here)?.from).toBe('192.0.2.9')
    expect(got.find(({ name }) => name === there)?.from).toBe('10.77.1.1')
    await waitUntil('all are counted', async () => {
      await keeper.look()
      const counted = keeper.counts.filter(({ counts }) => counts === 'connections')
      return counted.reduce((sum, { value }) => sum + value, 0) === 8
    })
    const registry = new Registry()
    registerPortMetrics(registry, { portCounts: keeper.counts, openConnections: keeper.open })
    const labels = `route="shop",pool="shop/production/db",instance="at ${here}"`
    expect(await registry.metrics()).toContain(`berth_gateway_connections_total{${labels}} 4\n`)
    const bytes = keeper.counts
      .filter(({ counts, instance }) => counts !== 'connections' && instance === undefined)
      .map(({ value }) => value)
    expect(Math.min(...bytes)).toBeGreaterThan(8 * 'hello'.length)
    // And by each instance, both ways.
    const of = (counts: string, address: string) =>
      keeper.counts.find((each) => each.counts === counts && each.instance === `at ${address}`)
    expect(of('in', here)?.packets).toBeGreaterThan(of('in', there)?.packets ?? Number.POSITIVE_INFINITY)
    expect(of('out', there2)?.value).toBeGreaterThan(2 * there2.length)
    // The node itself, and an instance of it, are served as well.
    expect((await answerOf(gateway, 9000, 'tcp', host)).name).not.toBe('')
    const [local] = instances.values()
    for (let turn = 0; turn < 4; turn++) expect((await answerOf(gateway, 9000, 'tcp', local)).name).not.toBe('')
    expect(problems).toEqual([])
  })

  it('leads there by IPv6, and by UDP', async () => {
    await keeper.apply(
      table(route([member(there)]), route([member(here), member(there)], { id: 'dns', protocol: 'udp', port: 53 })),
    )
    expect(await answerOf('2001:db8::1')).toMatchObject({ name: there, from: 'fd77:1::a4d:101' })
    const names = new Set<string>()
    for (let turn = 0; turn < 4; turn++) names.add((await answerOf('2001:db8::1', 53, 'udp')).name)
    for (let turn = 0; turn < 4; turn++) names.add((await answerOf(gateway, 53, 'udp')).name)
    expect([...names].sort()).toEqual([here, there])
  })

  it('leaves connections with their member while it drains, and counts them; new ones go elsewhere', async () => {
    await keeper.apply(table(route([member(here)])))
    const old = await ask(client, 'tcp', gateway, 9000)
    expect((await old.say('one')).name).toBe(here)
    await keeper.apply(table(route([member(here, 'draining'), member(there)])))
    expect(keeper.inflight).toEqual({ [`${here}:8080`]: 1 })
    expect(keeper.open).toEqual([{ route: 'shop', instance: `at ${here}`, connections: 1 }])
    for (let turn = 0; turn < 3; turn++) expect((await answerOf()).name).toBe(there)
    expect((await old.say('two')).name).toBe(here)
    await old.close()
    await waitUntil('it has drained', async () => {
      await keeper.look()
      return keeper.inflight[`${here}:8080`] === undefined
    })
  })

  it('takes what is left from a member that is gone: conversations by UDP move, connections break at once', async () => {
    const dns = { id: 'dns', protocol: 'udp', port: 53 } as const
    await keeper.apply(table(route([member(there)]), route([member(there)], dns)))
    const udp = await ask(client, 'udp', gateway, 53)
    const tcp = await ask(client, 'tcp', gateway, 9000)
    expect([(await udp.say('one')).name, (await tcp.say('one')).name]).toEqual([there, there])
    await keeper.apply(table(route([member(here)]), route([member(here)], dns)))
    expect((await udp.say('two')).name).toBe(here)
    // Its last words would still have come through.
    expect((await tcp.say('two')).name).toBe(there)
    await waitUntil('it breaks', async () => {
      await keeper.look()
      return (await tcp.say('three')).isOver
    })
    expect((await answerOf()).name).toBe(here)
  })

  it('keeps the last members where none is left, or refuses at once where that is wished', async () => {
    const refusing = { id: 'b', port: 9001, allowEmpty: true }
    await keeper.apply(table(route([member(here)]), route([member(here)], refusing)))
    expect((await answerOf(gateway, 9001)).name).toBe(here)
    await keeper.apply(table(route([]), route([], refusing)))
    expect((await answerOf()).name).toBe(here)
    expect(await answerOf(gateway, 9001)).toMatchObject({ isOver: true })
  })

  it('that is sticky keeps a client with its member while that is in traffic, by TCP and UDP, over tables, agents and new members', async () => {
    const members = [member(here), member(there), member(there2)]
    const dns = { id: 'dns', protocol: 'udp', port: 53, stickyMs: 3_600_000 } as const
    const sticky = { stickyMs: 3_600_000 }
    const asks = `Promise.all([11, 12, 13, 14, 15, 16].map((n) => new Promise((resolve) => {
      const socket = require('node:net').connect({ host: '${gateway}', port: 9000, localAddress: '192.0.2.' + n })
      socket.on('error', () => resolve('')).on('data', (data) => resolve(JSON.parse(data).name) ?? socket.destroy())
      socket.write('hello')
    }))).then((names) => console.log(JSON.stringify(names)))`
    client.ip(...[11, 12, 13, 14, 15, 16].map((n) => `address add 192.0.2.${n}/24 dev eth0`))
    /** Where clients of six addresses come. */
    const all = (): string[] => JSON.parse(client.run([process.execPath, '-e', asks]))
    // The first come while there is one; those who come later do not move them.
    await keeper.apply(table(route([member(here)], sticky), route([member(here)], dns)))
    expect(new Set(all())).toEqual(new Set([here]))
    const one = await answerOf(gateway, 53, 'udp')
    await keeper.apply(table(route(members, sticky), route(members, dns)))
    expect(new Set(all())).toEqual(new Set([here]))
    expect((await answerOf(gateway, 53, 'udp')).name).toBe(one.name)
    const six = new Set<string>()
    for (let turn = 0; turn < 3; turn++) six.add((await answerOf('2001:db8::1')).name)
    expect(six.size).toBe(1)
    // Theirs leaves: they are shared out, and stay there when it is back, also with another agent.
    await keeper.apply(table(route([member(here, 'draining'), ...members.slice(1)], sticky), route(members, dns)))
    const moved = all()
    expect(moved).not.toContain(here)
    expect(new Set(moved).size).toBe(2)
    open()
    await keeper.start()
    await keeper.apply(table(route(members, sticky), route(members, dns)))
    expect(all()).toEqual(moved)
    await waitUntil('all are counted', async () => {
      await keeper.look()
      const counted = keeper.counts.filter(({ counts, route: id }) => counts === 'connections' && id === 'shop')
      return counted.reduce((sum, { value }) => sum + value, 0) >= 24
    })
    expect(problems).toEqual([])
    // What somebody has put there instead is replaced as a whole.
    host.nft(
      'table inet berth_routes\ndelete table inet berth_routes\ntable inet berth_routes {\n chain prerouting {\n type filter hook prerouting priority 0;\n }\n}\n',
    )
    await waitUntil('it is healed', async () => {
      await keeper.look()
      return rules().includes('kept-udp53-v4')
    })
    expect(all()).not.toContain('')
  })

  it('is for allowed addresses alone where it says so', async () => {
    await keeper.apply(table(route([member(here)], { allow: ['192.0.2.0/29', '2001:db8::/64'] })))
    expect(await answerOf()).toMatchObject({ isOver: true })
    expect((await answerOf('2001:db8::1')).name).toBe(here)
    await keeper.apply(table(route([member(here)], { allow: ['192.0.2.8/29'] })))
    expect((await answerOf()).name).toBe(here)
    expect(await answerOf('2001:db8::1')).toMatchObject({ isOver: true })
  })

  it('passes security profiles that let nobody else in, beside the gateway and elsewhere', async () => {
    const closed = readProfile({ name: 'closed', inbound: [], outbound: [] }).profile
    if (closed === undefined) throw new Error('no profile')
    const endpoints = new Map(
      [here, there].map((each) => [each, { node: each === here ? 'a' : 'b', profiles: ['closed'] }]),
    )
    const nodes = new Map([['10.77.1.1', { name: 'a', isGateway: true }]])
    const world = { profiles: new Map([['closed', closed]]), endpoints, nodes }
    host.nft(renderTable(compilePolicy(nodePolicyOf(world, 'a'))))
    node.nft(renderTable(compilePolicy(nodePolicyOf(world, 'b'))))
    client.ip('route add 10.77.0.0/16 via 192.0.2.1')
    const dns = { id: 'dns', protocol: 'udp', port: 53 } as const
    await keeper.apply(table(route([member(here), member(there)]), route([member(there)], dns)))
    expect([(await answerOf()).name, (await answerOf()).name].sort()).toEqual([here, there])
    expect((await answerOf(gateway, 53, 'udp')).name).toBe(there)
    expect((await answerOf(here, 8080)).name).toBe('')
  })

  it('outlives its keeper, is healed where somebody flushes it, comes back after a reboot, and goes when it is taken away', async () => {
    await keeper.apply(table(route([member(here)])))
    open()
    expect((await answerOf()).name).toBe(here)
    host.run(['nft', 'flush', 'ruleset'])
    expect(await answerOf()).toMatchObject({ isOver: true })
    await keeper.start()
    expect((await answerOf()).name).toBe(here)
    host.run(['nft', 'flush', 'ruleset'])
    await waitUntil('it is healed', async () => {
      await keeper.look()
      return rules().includes('berth_routes')
    })
    expect((await answerOf()).name).toBe(here)
    await keeper.remove()
    expect(rules()).not.toContain('berth_routes')
    open()
    await keeper.start()
    expect(rules()).not.toContain('berth_routes')
  })

  it('is left to a program of the node that listens there, and says so', async () => {
    const program = await serve(host, 'program', 9000)
    await keeper.apply(table(route([member(here)]), route([member(here)], { id: 'b', port: 9001 })))
    expect([(await answerOf()).name, (await answerOf(gateway, 9001)).name]).toEqual(['program', here])
    expect(problems.at(-1)).toContain(
      'port 9000/tcp does not lead to shop/production/db: a program of this node listens there',
    )
    await program.close()
    await waitUntil('it is free', async () => {
      await keeper.look()
      return problems.at(-1) === undefined
    })
    expect((await answerOf()).name).toBe(here)
  })
})
