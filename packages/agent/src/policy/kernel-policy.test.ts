import {
  compilePolicy,
  decidePacket,
  nodePolicyOf,
  type Packet,
  type PolicyWorld,
  renderNoTable,
  renderTable,
  renderTableChange,
} from '@berth/core'
import { arbitraryPacket, arbitraryWorld, outsideAddresses, worldAddresses } from '@berth/core/policy/policy.testing'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { PacketRange, packetKey } from './packet-range.testing.ts'

let range: PacketRange
beforeAll(async () => {
  range = await PacketRange.create([...worldAddresses, ...outsideAddresses, '10.77.2.1'])
})
afterAll(() => range[Symbol.asyncDispose]())

/** Its rules alone are asked: the other end is another node's. */
function passes(packet: Packet, world: PolicyWorld, node: string): boolean {
  const { outbound, inbound } = decidePacket(packet, world)
  const isHere = (address: string): boolean => world.endpoints.get(address)?.node === node
  return (!isHere(packet.source) || outbound.allowed) && (!isHere(packet.destination) || inbound.allowed)
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
    const packets = fc.array(arbitraryPacket(['tcp', 'tcp', 'tcp', 'udp', 'udp', 'udp', 'icmp']), {
      minLength: 60,
      maxLength: 60,
    })
    const holds = async (world: PolicyWorld, some: readonly Packet[]): Promise<void> => {
      const sent = unknownOf(some, known)
      const expected = new Set(sent.filter((packet) => passes(packet, world, 'a')).map(packetKey))
      range.router.nft(renderTable(compilePolicy(nodePolicyOf(world, 'a'))))
      // What was kept back before may be sent again by TCP, and be let in by these rules.
      const keys = new Set(sent.map(packetKey))
      const arrived = (await range.send(sent, expected)).intersection(keys)
      counts.passed += arrived.size
      counts.dropped += sent.length - arrived.size
      expect([...arrived].sort()).toEqual([...expected].sort())
    }
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

  it('takes the table away', () => {
    range.router.nft(renderNoTable())
    range.router.nft(renderNoTable())
    expect(range.router.run(['nft', 'list', 'tables'])).toBe('')
  })
})

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

const sortedElements = (key: string, value: unknown): unknown => {
  if (key === 'handle') return undefined
  return key === 'elem' && Array.isArray(value) ? value.map((each) => JSON.stringify(each)).sort() : value
}
