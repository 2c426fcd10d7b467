import { ifbOf } from '@berth/core'
import pino from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Exec, runCommand } from '../network/run-command.ts'
import { TestNamespace } from '../policy/test-namespace.testing.ts'
import { waitUntil } from '../testing/wait-until.ts'
import { BandwidthKeeper } from './bandwidth-keeper.ts'
import { streamRate } from './stream-rate.testing.ts'

const log = pino({ level: 'silent' })
const address = '10.77.1.2'
const containerId = 'ab'.repeat(32)
const megabit = 1_000_000
const instance = (inMegabits?: number, outMegabits?: number) => ({
  instance: 'shop.production.web-1',
  address,
  ...(inMegabits === undefined && outMegabits === undefined
    ? {}
    : {
        bandwidth: {
          ...(inMegabits === undefined ? {} : { inBitsPerSecond: inMegabits * megabit }),
          ...(outMegabits === undefined ? {} : { outBitsPerSecond: outMegabits * megabit }),
        },
      }),
})
const id = instance().instance

let host: TestNamespace
let container: TestNamespace
let keeper: BandwidthKeeper
let problems: (string | undefined)[]
/** What the kernel is to be without. */
let refused: string | undefined

const exec: Exec = async (file, args, options) => {
  const asked = [file, ...args].join(' ')
  if (refused !== undefined && asked.startsWith(refused))
    return { code: 2, stdout: '', stderr: 'Operation not supported' }
  // The agent finds the container's process by its number, wherever it is itself.
  if (file === 'nsenter') return await runCommand(file, args, options)
  return await runCommand('nsenter', [`--net=/proc/${host.pid}/ns/net`, file, ...args], options)
}
function open(checkIntervalMs = 60_000): void {
  problems = []
  keeper = new BandwidthKeeper({
    log,
    exec,
    checkIntervalMs,
    dropsIntervalMs: 50,
    onProblem: (problem) => problems.push(problem),
  })
}
const rules = (): string => host.run(['nft', 'list', 'ruleset'])
const qdiscs = (): string => host.run(['tc', 'qdisc', 'show'])
const links = (): string => host.run(['ip', '-brief', 'link'])
const ifb = ifbOf(containerId)

/** Its veth is made as its first process is about to begin: a port of a bridge, or a link with a route of its own. */
function start(how: 'bridge' | 'routed'): void {
  container.connect('eth0', host, 'veth0')
  container.ip(`address add ${address}/${how === 'bridge' ? 24 : 32} dev eth0`)
  if (how === 'bridge') {
    host.ip('link add berth0 type bridge', 'link set berth0 up', 'address add 10.77.1.1/24 dev berth0')
    host.ip('link set veth0 master berth0')
  } else {
    host.ip('address add 10.77.1.1/32 dev lo', `route add ${address}/32 dev veth0`)
    container.ip('route add 10.77.1.1/32 dev eth0')
  }
}

async function run(bandwidth: ReturnType<typeof instance>, how: 'bridge' | 'routed' = 'routed'): Promise<void> {
  keeper.setInstances([bandwidth])
  keeper.start()
  await keeper.ready(bandwidth)
  start(how)
  keeper.watch(id, { containerId, pid: container.pid })
  await waitUntil('its limits are in queues', () => keeper.shaped.includes(id))
}

/** More datagrams at once than a limit of one megabit has room for, to where nobody listens. Each of a socket of its own: the kernel lets few of one wait. */
const flood = (from: TestNamespace, to: string): string =>
  from.run(['bash', '-c', `for n in {1..600}; do printf '%01000d' 0 > /dev/udp/${to}/9; done 2> /dev/null; true`])

beforeEach(async () => {
  refused = undefined
  ;[host, container] = await Promise.all([TestNamespace.create(), TestNamespace.create()])
  open()
})
afterEach(async () => {
  await keeper[Symbol.asyncDispose]()
  await Promise.all([host[Symbol.asyncDispose](), container[Symbol.asyncDispose]()])
})

describe('limits of bandwidth', () => {
  it.each(['bridge', 'routed'] as const)('hold a real stream each way: %s', async (how) => {
    await run(instance(20, 10), how)
    const into = await streamRate(host, container, address)
    const out = await streamRate(container, host, '10.77.1.1')
    expect(into / megabit).toBeGreaterThan(10)
    expect(into / megabit).toBeLessThan(24)
    expect(out / megabit).toBeGreaterThan(5)
    expect(out / megabit).toBeLessThan(13)
    expect(problems).toEqual([])
  })

  it('hold by address before there is a veth, and then in queues alone', async () => {
    keeper.setInstances([instance(20, 10)])
    keeper.start()
    await keeper.ready(instance(20, 10))
    expect(rules()).toContain(`ip daddr ${address} limit rate over`)
    expect(rules()).toContain(`ip saddr ${address} limit rate over`)
    start('bridge')
    keeper.watch(id, { containerId, pid: container.pid })
    await waitUntil('nothing is held by address', () => !rules().includes(address))
    expect(qdiscs()).toMatch(/tbf be: dev veth0 root .*rate 20Mbit/)
    expect(qdiscs()).toMatch(new RegExp(`tbf be: dev ${ifb} root .*rate 10Mbit`))
  })

  it('count what they have no room for, also for the next agent', async () => {
    await run(instance(1, 1))
    await waitUntil('nothing is held by address', () => !rules().includes(address))
    expect(keeper.dropsOf('shop.production.web-2')).toBeUndefined()
    // Nobody who sends datagrams waits for room.
    flood(host, address)
    flood(container, '10.77.1.1')
    const count = () => keeper.dropsOf(id) ?? { networkInLimitDrops: 0, networkOutLimitDrops: 0 }
    await waitUntil('both are counted', () => count().networkInLimitDrops > 0 && count().networkOutLimitDrops > 0)
    const before = count()
    await keeper[Symbol.asyncDispose]()
    open()
    keeper.setInstances([instance(1, 1)])
    keeper.watch(id, { containerId, pid: container.pid })
    keeper.start()
    await waitUntil('it is counted', () => count().networkInLimitDrops >= before.networkInLimitDrops)
    keeper.forget(id)
    await waitUntil('nothing is told of what is gone', () => keeper.dropsOf(id) === undefined)
  })

  it('are changed and taken away while it runs', async () => {
    await run(instance(20, 10))
    keeper.setInstances([instance(30, 5)])
    await waitUntil('other limits', () => /veth0 root .*rate 30Mbit/.test(qdiscs()) && /rate 5Mbit/.test(qdiscs()))
    keeper.setInstances([instance(30)])
    await waitUntil('no limit of what it sends', () => !links().includes(ifb))
    expect(await streamRate(container, host, '10.77.1.1', 100)).toBeGreaterThan(0)
    keeper.setInstances([instance()])
    await waitUntil('no limit', () => !qdiscs().includes('tbf'))
    expect(await streamRate(container, host, '10.77.1.1', 100)).toBeGreaterThan(0)
    expect(problems).toEqual([])
  })

  it('stay while the agent is away, and the next one changes nothing', async () => {
    await run(instance(20, 10))
    await keeper[Symbol.asyncDispose]()
    const before = [qdiscs(), links()]
    open()
    keeper.setInstances([instance(20, 10)])
    keeper.watch(id, { containerId, pid: container.pid })
    keeper.start()
    await waitUntil('they are taken up', () => keeper.shaped.includes(id))
    await waitUntil('nothing is held by address', () => !rules().includes(address))
    expect([qdiscs(), links()]).toEqual(before)
  })

  it('go with what was ended while the agent was away', async () => {
    await run(instance(20, 10))
    await keeper[Symbol.asyncDispose]()
    host.ip('link del veth0')
    open()
    keeper.start()
    await waitUntil('its device is gone', () => !links().includes(ifb))
  })

  it('are made again when somebody takes them away', async () => {
    open(100)
    await run(instance(20, 10))
    host.run(['tc', 'qdisc', 'del', 'dev', 'veth0', 'root'])
    await waitUntil('what comes to it is limited', () => /veth0 root .*rate 20Mbit/.test(qdiscs()))
    host.run(['tc', 'qdisc', 'del', 'dev', 'veth0', 'ingress'])
    await waitUntil('what it sends is sent on', () =>
      host.run(['tc', 'filter', 'show', 'dev', 'veth0', 'ingress']).includes(ifb),
    )
  })

  it('hold by address where the kernel has no queue for them, which is said', async () => {
    refused = `ip link add ${ifb}`
    keeper.setInstances([instance(20, 10)])
    keeper.start()
    await keeper.ready(instance(20, 10))
    start('bridge')
    keeper.watch(id, { containerId, pid: container.pid })
    await waitUntil('it is said', () => problems.at(-1) !== undefined)
    expect(problems.at(-1)).toMatch(
      /shop\.production\.web-1: what is beyond its limit is dropped .*Operation not supported/,
    )
    // nftables lets a second's worth pass at once, so it takes a while.
    const out = await streamRate(container, host, '10.77.1.1', 3_000)
    expect(out / megabit).toBeLessThan(18)
    expect(out / megabit).toBeGreaterThan(2)
  })

  it('keep an instance from starting where nothing can hold them', async () => {
    refused = 'nft'
    keeper.setInstances([instance(20, 10)])
    await expect(keeper.ready(instance(20, 10))).rejects.toMatchObject({
      code: 'bandwidth.not-in-force',
      retryable: true,
      message: expect.stringContaining('start shop.production.web-1: its limits of bandwidth cannot be put in force'),
    })
    refused = undefined
    await keeper.ready(instance(20, 10))
  })

  it('ask nothing of those without any', async () => {
    refused = 'nft'
    keeper.setInstances([instance()])
    await keeper.ready(instance())
    expect(problems).toEqual([])
  })
})
