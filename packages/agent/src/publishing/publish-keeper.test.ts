import { spawn } from 'node:child_process'
import pino from 'pino'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type Exec, runCommand } from '../network/run-command.ts'
import { TestNamespace } from '../policy/test-namespace.testing.ts'
import { waitUntil } from '../testing/wait-until.ts'
import { PublishKeeper } from './publish-keeper.ts'

// Programs are started for it, and machines under load take their time; every wait has a deadline of its own.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 })
const log = pino({ level: 'silent' })
const [first, second] = ['10.77.1.2', '10.77.1.3']
const instance = (address: string, ...ports: readonly [hostPort: number, port: number][]) => ({
  instance: `at ${address}`,
  address,
  desired: 'run' as const,
  published: ports.map(([hostPort, port]) => ({ hostPort, port, protocol: 'tcp' as const })),
})

let host: TestNamespace
let client: TestNamespace
let containers: [TestNamespace, TestNamespace]
let keeper: PublishKeeper
let problems: (string | undefined)[]

const exec: Exec = (file, args, options) =>
  runCommand('nsenter', [`--net=/proc/${host.pid}/ns/net`, file, ...args], options)

function open(checkIntervalMs = 60_000): void {
  problems = []
  const procNet = `/proc/${host.pid}/net`
  const options = { log, exec, procNet, checkIntervalMs, blocks: () => ['10.77.1.0/24', 'fd77:1::a4d:100/120'] }
  keeper = new PublishKeeper({ ...options, onProblem: (problem) => problems.push(problem) })
}

/** Answers each connection with who it comes from, until its namespace's test has ended. */
function serve(namespace: TestNamespace, port: number, at = '0.0.0.0'): void {
  const source = `require('node:net').createServer((socket) => socket.end(socket.remoteAddress)).listen(${port}, '${at}')
setTimeout(() => process.exit(), 600000); process.stdin.on('end', () => process.exit()).resume()`
  const [file, args] = namespace.inside(process.execPath, '-e', source)
  servers.push(spawn(file, args, { stdio: ['pipe', 'ignore', 'inherit'] }))
}
let servers: ReturnType<typeof spawn>[] = []

/** What is answered; empty: nobody. */
function ask(namespace: TestNamespace, address: string, port: number): string {
  return namespace.run([
    'sh',
    '-c',
    'busybox nc -w 3 "$1" "$2" < /dev/null 2> /dev/null || true',
    'sh',
    address,
    String(port),
  ])
}
const rules = (): string => host.run(['nft', 'list', 'ruleset'])

beforeEach(async () => {
  const made = await Promise.all([1, 2, 3, 4].map(() => TestNamespace.create()))
  ;[host, client] = made as [TestNamespace, TestNamespace]
  containers = made.slice(2) as [TestNamespace, TestNamespace]
  host.ip('link add berth0 type bridge', 'link set berth0 up', 'address add 10.77.1.1/24 dev berth0')
  host.sysctl('net.ipv4.ip_forward=1')
  for (const [index, each] of containers.entries()) {
    each.connect('eth0', host, `veth${index}`)
    each.ip(`address add 10.77.1.${index + 2}/24 dev eth0`, 'route add default via 10.77.1.1')
    host.ip(`link set veth${index} master berth0`)
  }
  client.connect('eth0', host, 'eth0')
  client.ip('address add 192.0.2.9/24 dev eth0')
  host.ip('address add 192.0.2.1/24 dev eth0')
  for (const each of containers) serve(each, 8080)
  open()
})
afterEach(async () => {
  await keeper[Symbol.asyncDispose]()
  for (const each of servers) each.stdin?.end()
  servers = []
  for (const each of [host, client, ...containers]) await each[Symbol.asyncDispose]()
})

describe('published ports', () => {
  it('lead to their instance from outside, from the node and from its other instances, until they are withdrawn', async () => {
    keeper.setInstances([instance(first, [9000, 8080]), instance(second, [9001, 8080])])
    keeper.start()
    await waitUntil('an answer', () => ask(client, '192.0.2.1', 9000) === '192.0.2.9')
    await waitUntil('an answer of the other', () => ask(client, '192.0.2.1', 9001) === '192.0.2.9')
    await waitUntil('an answer for the node', () => ask(host, '192.0.2.1', 9000) === '192.0.2.1')
    await waitUntil('an answer for a neighbour', () => ask(containers[1], '192.0.2.1', 9000) === '10.77.1.1')
    expect(ask(client, '192.0.2.1', 8080)).toBe('')
    keeper.setInstances([instance(first), instance(second, [9001, 8080])])
    await waitUntil('no answer', () => ask(client, '192.0.2.1', 9000) === '')
    await waitUntil('the other still', () => ask(client, '192.0.2.1', 9001) === '192.0.2.9')
    keeper.setInstances([{ ...instance(second, [9001, 8080]), desired: 'stop' }])
    await waitUntil('nothing is left', () => !rules().includes('berth_publish'))
    expect(problems).toEqual([])
  })

  it('lead there by IPv6 as well, where instances have it', async () => {
    const prefix = 'fd77:1::a4d:1'
    host.sysctl('net.ipv6.conf.all.forwarding=1')
    host.ip(`address add ${prefix}01/120 dev berth0 nodad`, 'address add 2001:db8::1/64 dev eth0 nodad')
    client.ip('address add 2001:db8::9/64 dev eth0 nodad')
    for (const [index, each] of containers.entries()) {
      each.ip(`address add ${prefix}0${index + 2}/120 dev eth0 nodad`, `route add default via ${prefix}01`)
      serve(each, 8081, '::')
    }
    keeper.setInstances([{ ...instance(first, [9000, 8081]), address6: `${prefix}02` }])
    keeper.start()
    await waitUntil('an answer', () => ask(client, '2001:db8::1', 9000) === '2001:db8::9')
    await waitUntil('an answer for the node', () => ask(host, '2001:db8::1', 9000) === '2001:db8::1')
    await waitUntil('an answer for a neighbour', () => ask(containers[1], '2001:db8::1', 9000) === `${prefix}01`)
    expect(ask(client, '192.0.2.1', 9000)).toBe('::ffff:192.0.2.9')
    expect(ask(client, '2001:db8::1', 8081)).toBe('')
    expect(problems).toEqual([])
  })

  it('are made again when somebody has taken them away, and outlive their keeper', async () => {
    await keeper[Symbol.asyncDispose]()
    open(50)
    keeper.setInstances([instance(first, [9000, 8080])])
    keeper.start()
    await waitUntil('its rules', () => rules().includes('dport 9000'))
    host.run(['nft', 'flush', 'ruleset'])
    await waitUntil('its rules again', () => rules().includes('dport 9000'))
    await keeper[Symbol.asyncDispose]()
    expect(rules()).toContain('dport 9000')
    open()
    keeper.start()
    await waitUntil('what nobody wants any more is gone', () => !rules().includes('berth_publish'))
  })

  it('are left to a program of the node that listens there, and said so', async () => {
    serve(host, 9000)
    await waitUntil('the program', () => ask(client, '192.0.2.1', 9000) === '192.0.2.9')
    await keeper[Symbol.asyncDispose]()
    open(50)
    keeper.setInstances([instance(first, [9000, 8080], [9001, 8080])])
    keeper.start()
    await waitUntil('the other one', () => rules().includes('dport 9001'))
    expect(rules()).not.toContain('dport 9000')
    await waitUntil('the word', () => problems.length > 0)
    expect(problems).toEqual([expect.stringContaining(`9000/tcp does not lead to at ${first}: a program of this node`)])
    servers.at(-1)?.stdin?.end()
    await waitUntil('it is free', () => rules().includes('dport 9000'))
    await waitUntil('that it is well', () => problems.at(-1) === undefined)
  })

  it('may be at one address of the node, and are not at the others', async () => {
    host.ip('address add 192.0.2.2/24 dev eth0')
    const at = (hostAddress: string, hostPort: number) => ({
      hostAddress,
      hostPort,
      port: 8080,
      protocol: 'tcp' as const,
    })
    const published = [at('192.0.2.2', 9000), at('192.0.2.7', 9002)]
    keeper.setInstances([{ ...instance(first), published }])
    keeper.start()
    await waitUntil('an answer', () => ask(client, '192.0.2.2', 9000) === '192.0.2.9')
    expect(ask(client, '192.0.2.1', 9000)).toBe('')
    await waitUntil('an answer for the node', () => ask(host, '192.0.2.2', 9000) !== '')
    expect(ask(host, '192.0.2.1', 9000)).toBe('')
    await waitUntil('the word', () => problems.length > 0)
    expect(problems).toEqual([
      expect.stringContaining('9002/tcp at 192.0.2.7 leads to nothing: this node has no address'),
    ])
  })

  it('may be the node’s own only: its loopback address leads there, and nobody else gets to it by that', async () => {
    host.ip('link set lo up')
    const local = { hostAddress: '127.0.0.1', hostPort: 9000, port: 8080, protocol: 'tcp' as const }
    keeper.setInstances([{ ...instance(first), published: [local] }, instance(second)])
    keeper.start()
    await waitUntil('an answer for the node', () => ask(host, '127.0.0.1', 9000) === '10.77.1.1')
    for (const [who, address] of [
      [client, '192.0.2.1'],
      [host, '192.0.2.1'],
      [containers[1], '10.77.1.1'],
    ] as const)
      expect(ask(who, address, 9000)).toBe('')
    // A program that trusts whoever comes by loopback is not reached by containers, although the kernel would let them now.
    serve(host, 7000)
    await waitUntil('the program', () => ask(host, '127.0.0.1', 7000) === '127.0.0.1')
    containers[0].ip('address del 127.0.0.1/8 dev lo', 'route add 127.0.0.1 via 10.77.1.1')
    containers[0].sysctl('net.ipv4.conf.all.route_localnet=1')
    expect(ask(containers[0], '127.0.0.1', 7000)).toBe('')
    expect(rules()).toContain('iifname "berth0" ip daddr 127.0.0.0/8 drop')
    expect(problems).toEqual([])
    const isOpen = () => host.run(['sysctl', '-n', 'net.ipv4.conf.berth0.route_localnet']).trim() === '1'
    expect(isOpen()).toBe(true)
    keeper.setInstances([instance(first), instance(second)])
    await waitUntil('the kernel to let nothing through again', () => !isOpen())
    expect(ask(containers[0], '127.0.0.1', 7000)).toBe('')
    // Also when the agent has ended in between.
    keeper.setInstances([{ ...instance(first), published: [local] }])
    await waitUntil('an answer again', () => ask(host, '127.0.0.1', 9000) === '10.77.1.1')
    await keeper[Symbol.asyncDispose]()
    expect([isOpen(), rules().includes('no-loopback')]).toEqual([true, true])
    open()
    keeper.start()
    await waitUntil('nothing to be let through', () => !isOpen() && !rules().includes('berth_publish'))
  })

  it('at a loopback address are left to a program that listens there', async () => {
    host.ip('link set lo up')
    serve(host, 9000, '127.0.0.1')
    await waitUntil('the program', () => ask(host, '127.0.0.1', 9000) === '127.0.0.1')
    const local = { hostAddress: '127.0.0.1', hostPort: 9000, port: 8080, protocol: 'tcp' as const }
    const all = { hostPort: 9000, port: 8080, protocol: 'tcp' as const }
    keeper.setInstances([
      { ...instance(first), published: [local] },
      { ...instance(second), published: [all] },
    ])
    keeper.start()
    await waitUntil('the word', () => problems.length > 0)
    expect(problems).toEqual([expect.stringContaining('9000/tcp at 127.0.0.1 does not lead to')])
    await waitUntil('an answer at the others', () => ask(client, '192.0.2.1', 9000) === '192.0.2.9')
    expect(ask(host, '127.0.0.1', 9000)).toBe('127.0.0.1')
  })
})
