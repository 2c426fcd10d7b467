import {
  bookedAddress,
  compilePolicy,
  decidePacket,
  nodePolicyOf,
  type Packet,
  type PolicyTable,
  type PolicyWorld,
  readProfile,
  renderClosed,
  renderNoTable,
  renderTable,
  renderTableChange,
  twinOf,
} from '@berth/core'
import {
  arbitraryPacket,
  arbitraryWorld,
  outsideAddresses,
  outsideAddresses6,
  testTwins,
  twinPacket,
  worldAddresses,
} from '@berth/core/policy/policy.testing'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Exec, runCommand } from '../network/run-command.ts'
import { waitUntil } from '../testing/wait-until.ts'
import { PacketRange, packetKey } from './packet-range.testing.ts'
import { readCounts, readDrops } from './policy-counts.ts'
import { TestNamespace } from './test-namespace.testing.ts'

let range: PacketRange
beforeAll(async () => {
  const own = [...worldAddresses, '10.77.2.1']
  const twins = own.flatMap((address) => twinOf(testTwins, address) ?? [])
  range = await PacketRange.create([...own, ...outsideAddresses, ...twins, ...outsideAddresses6])
})
afterAll(() => range[Symbol.asyncDispose]())

const endpointOf = (world: PolicyWorld, address: string) => world.endpoints.get(bookedAddress(world, address))

/** Its rules alone are asked: the other end is another node's. */
function passes(packet: Packet, world: PolicyWorld, node: string): boolean {
  const { outbound, inbound } = decidePacket(packet, world)
  const isHere = (address: string): boolean => endpointOf(world, address)?.node === node
  return (!isHere(packet.source) || outbound.allowed) && (!isHere(packet.destination) || inbound.allowed)
}

/** As the log of what node `a` drops has it: by whom, and whose rule. */
function dropKey(packet: Packet, world: PolicyWorld): string[] {
  const { outbound, inbound } = decidePacket(packet, world)
  const isHere = (address: string): boolean => endpointOf(world, address)?.node === 'a'
  const [end, decision, of] =
    isHere(packet.source) && !outbound.allowed
      ? (['out', outbound, packet.source] as const)
      : (['in', inbound, packet.destination] as const)
  if (decision.allowed || !isHere(of)) return []
  const { reason } = decision
  const by = reason.kind === 'rule' ? `${reason.profile} ${reason.number}` : endpointOf(world, of)?.profiles.join('/')
  return [`${endsKey(packet)} ${end} ${by}`]
}

const endsKey = ({ source, destination, protocol, destinationPort }: Packet): string =>
  `${source} ${destination} ${protocol} ${protocol.startsWith('icmp') ? undefined : destinationPort}`

/** What TCP sends again of an earlier table's packets is noted too: these say nothing. */
const earlierEnds = new Set<string>()

/** The kernel names the rule that the simulator names, and has counted it. Equal rules of one list share no count: the first one matches. */
async function expectNoted(sent: readonly Packet[], world: PolicyWorld, table: PolicyTable): Promise<void> {
  const { drops } = await readDrops(exec, table, { now: Date.now() })
  const fresh = sent.filter((packet) => !earlierEnds.has(endsKey(packet)))
  const ends = new Set(fresh.map(endsKey))
  for (const packet of sent) earlierEnds.add(endsKey(packet))
  const noted = drops.flatMap(({ source, destination, protocol, port, by }) => {
    const key = `${source} ${destination} ${protocol} ${port}`
    const rule = by?.profile === undefined ? by?.profiles?.join('/') : `${by.profile} ${by.number}`
    return ends.has(key) ? [`${key} ${by?.end} ${rule}`] : []
  })
  expect(noted.sort()).toEqual([...new Set(fresh.flatMap((packet) => dropKey(packet, world)))].sort())
  const counts = await readCounts(exec, table, {})
  const counted = counts.filter(({ packets }) => packets > 0)
  for (const { by } of drops) expect(counted).toContainEqual(expect.objectContaining(by))
}

const exec: Exec = (file, args, options) => {
  const [program, words] = range.router.inside(file, ...args)
  return runCommand(program, words, options)
}

/** Each connection once: a packet of one that has been seen is no first packet. */
function unknownOf(packets: readonly Packet[], known: Set<string>): Packet[] {
  return packets.filter((packet) => {
    const back = { ...packet, source: packet.destination, destination: packet.source }
    const reverse = { ...back, sourcePort: packet.destinationPort ?? 0, destinationPort: packet.sourcePort ?? 0 }
    const keys = [packetKey(packet), packetKey(reverse), `${packet.protocol} ${packet.source} ${packet.sourcePort}`]
    if (keys.some((key) => known.has(key))) return false
    for (const key of keys) known.add(key)
    return true
  })
}

describe('the kernel', () => {
  it('decides as the simulator does', { timeout: 60_000 }, async () => {
    const counts = { passed: 0, dropped: 0 }
    const known = new Set<string>()
    const packet = arbitraryPacket(['tcp', 'tcp', 'tcp', 'udp', 'udp', 'udp', 'icmp'])
    const packets = fc.array(fc.oneof(packet, packet.map(twinPacket)), { minLength: 60, maxLength: 60 })
    const holds = async (world: PolicyWorld, some: readonly Packet[]): Promise<void> => {
      const table = compilePolicy(nodePolicyOf(world, 'a'))
      const sent = unknownOf(some, known)
      const expected = new Set(sent.filter((packet) => passes(packet, world, 'a')).map(packetKey))
      range.router.nft(renderTable(table))
      // What was kept back before may be sent again by TCP, and be let in by these rules.
      const keys = new Set(sent.map(packetKey))
      const arrived = (await range.send(sent, expected)).intersection(keys)
      counts.passed += arrived.size
      counts.dropped += sent.length - arrived.size
      expect([...arrived].sort()).toEqual([...expected].sort())
      await expectNoted(sent, world, table)
    }
    // Worlds differ much in how many packets they let pass; five times as many as are usually enough are always enough.
    for (let round = 0; round < 5 && Math.min(counts.passed, counts.dropped) <= 100; round++)
      await fc.assert(fc.asyncProperty(arbitraryWorld, packets, holds), { numRuns: 12, endOnFailure: true })
    expect(counts.passed).toBeGreaterThan(100)
    expect(counts.dropped).toBeGreaterThan(100)
  })

  it('has after a change what it would have from the start', async () => {
    const tableOf = (world: PolicyWorld) => compilePolicy(nodePolicyOf(world, 'a'))
    await fc.assert(
      fc.property(arbitraryWorld, arbitraryWorld, arbitraryWorld, (first, second, third) => {
        range.router.nft(renderTable(tableOf(first)))
        for (const [from, to] of [
          [first, second],
          [second, third],
        ] as const) {
          const change = renderTableChange(tableOf(from), tableOf(to))
          if (change !== undefined) range.router.nft(change)
        }
        const changed = listing()
        range.router.nft(renderTable(tableOf(third)))
        expect(changed).toEqual(listing())
      }),
      { numRuns: 12, endOnFailure: true },
    )
  })

  it('never keeps neighbours of IPv6 from finding each other', async () => {
    const closed = readProfile({ name: 'closed', inbound: [], outbound: [] }).profile
    if (closed === undefined) throw new Error('no profile')
    const world: PolicyWorld = {
      profiles: new Map([['closed', closed]]),
      endpoints: new Map([['10.77.1.2', { node: 'a', profiles: ['closed'] }]]),
      ...{ nodes: new Map(), twins: testTwins },
    }
    await using node = await TestNamespace.create()
    await using container = await TestNamespace.create()
    container.connect('eth0', node, 'berth-test')
    node.ip6('address add fd77:1::10.77.1.1/120 dev berth-test nodad')
    container.ip6('address add fd77:1::10.77.1.2/120 dev eth0 nodad')
    node.nft(renderTable(compilePolicy(nodePolicyOf(world, 'a'))))
    // The node asks where the container is, and gets an answer, though nothing is allowed that the container sends.
    node.run(['busybox', 'ping6', '-c', '1', '-W', '10', 'fd77:1::10.77.1.2'])
    expect(() => container.run(['busybox', 'ping6', '-c', '1', '-W', '1', 'fd77:1::10.77.1.1'])).toThrow()
    const drops = node.run(['nft', 'list', 'set', 'inet', 'berth-policy', 'dropped-others6'])
    expect(drops).toContain('fd77:1::a4d:102 . fd77:1::a4d:101 . ipv6-icmp')
  })

  it('keeps who waits for rules from everybody, by both versions of IP, and others from nobody', async () => {
    const waits = '10.77.1.2'
    const isTwin = (address: string): boolean => address === twinOf(testTwins, waits)
    const udp = { protocol: 'udp', sourcePort: 7001, destinationPort: 443 } as const
    const pairs = [
      [waits, '192.0.2.9'],
      ['10.77.2.3', waits],
      ['10.77.2.3', '192.0.2.9'],
      [waits, '10.77.1.3'],
    ]
    const plain = pairs.map(([source = '', destination = '']): Packet => ({ ...udp, source, destination }))
    const sent = [...plain, ...plain.map(twinPacket)]
    const free = sent.filter(({ source, destination }) =>
      [source, destination].every((each) => each !== waits && !isTwin(each)),
    )
    expect(free).toHaveLength(2)
    range.router.nft(`${renderNoTable()}${renderClosed([waits], [twinOf(testTwins, waits) ?? ''])}`)
    const expected = free.map(packetKey)
    expect([...(await range.send(sent, new Set(expected)))].sort()).toEqual([...expected].sort())
    range.router.nft(renderClosed([], []))
    const all = sent.map(packetKey)
    expect([...(await range.send(sent, new Set(all)))].sort()).toEqual([...all].sort())
  })

  it('leaves names and what its node sends to who waits for rules', async () => {
    await using node = await TestNamespace.create()
    await using container = await TestNamespace.create()
    container.connect('eth0', node, 'berth-test')
    node.ip('address add 10.77.1.1/24 dev berth-test', 'address add 169.254.77.53/32 dev lo')
    container.ip('address add 10.77.1.2/24 dev eth0', 'route add 169.254.77.53 via 10.77.1.1')
    node.nft(renderClosed(['10.77.1.2'], []))
    node.nft(`add table ip seen
add set ip seen asked { type ipv4_addr . inet_service; flags dynamic; }
add chain ip seen arrival { type filter hook input priority 10; policy accept; }
add rule ip seen arrival udp dport { 53, 54 } update @asked { ip daddr . udp dport }
`)
    node.run(['busybox', 'ping', '-c', '1', '-W', '10', '10.77.1.2'])
    expect(() => container.run(['busybox', 'ping', '-c', '1', '-W', '1', '10.77.1.1'])).toThrow()
    const ask = `const s = require('node:dgram').createSocket('udp4'); s.send('?', 54, '169.254.77.53', () =>
      s.send('?', 53, '10.77.1.1', () => s.send('?', 53, '169.254.77.53', () => s.close())))`
    container.run([process.execPath, '-e', ask])
    const asked = (): string => node.run(['nft', 'list', 'set', 'ip', 'seen', 'asked'])
    await waitUntil('the question', () => asked().includes('169.254.77.53 . 53'))
    expect(asked()).not.toMatch(/10\.77\.1\.1 \.|\. 54/)
  })

  it('takes the table away', () => {
    range.router.nft(renderNoTable())
    range.router.nft(renderNoTable())
    expect(range.router.run(['nft', 'list', 'tables'])).toBe('')
  })
})

const isDropSet = (value: unknown): value is { readonly name: string } =>
  typeof value === 'object' && value !== null && 'name' in value && String(value.name).startsWith('dropped-')

interface Listed {
  readonly rule?: { readonly chain: string; readonly expr: unknown }
  readonly [kind: string]: unknown
}

/** The rules of each chain in their order, everything else in one order. */
function listing(): string[] {
  const text = range.router.run(['nft', '-s', '-j', 'list', 'table', 'inet', 'berth-policy'])
  const { nftables } = JSON.parse(text) as { nftables: Listed[] }
  const rules = Map.groupBy(
    nftables.flatMap(({ rule }) => rule ?? []),
    ({ chain }) => chain,
  )
  const chains = [...rules].map(([chain, list]) => `${chain}: ${JSON.stringify(list.map(({ expr }) => expr))}`)
  const others = nftables.filter(({ rule }) => rule === undefined).map((each) => JSON.stringify(each, sortedElements))
  return [...chains, ...others].sort()
}

/** What has been counted and noted is no part of it. */
const sortedElements = (key: string, value: unknown): unknown => {
  if (key === 'handle' || key === 'packets' || key === 'bytes') return undefined
  if (isDropSet(value)) return value.name
  return key === 'elem' && Array.isArray(value) ? value.map((each) => JSON.stringify(each)).sort() : value
}
