import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseBlock } from '../network/address-block.ts'
import { twinOf } from '../network/twin-address.ts'
import { decidePacket, neighbourTypes, type Packet } from './decide-packet.ts'
import { reachBetween, reachProtocols, type Spans, usualSourcePort } from './packet-reach.ts'
import {
  arbitraryPacket,
  arbitraryWorld,
  outsideAddresses as known,
  outsideAddresses6 as known6,
  testTwins,
  twinPacket,
  worldAddresses,
} from './policy.testing.ts'
import { type MatrixParty, policyMatrix } from './policy-matrix.ts'
import type { PolicyWorld } from './policy-world.ts'
import { readProfile } from './read-profile.ts'

const has = (spans: Spans, value: number): boolean => spans.some(({ first, last }) => first <= value && value <= last)
const numberOf = ({ protocol, destinationPort = 0, icmpType = 0, icmpCode = 0 }: Packet): number =>
  protocol.startsWith('icmp') ? icmpType * 256 + icmpCode : destinationPort
/** All of them have twins then. */
const arbitraryWorld6 = arbitraryWorld.map((world) => ({ ...world, twins: testTwins }))
const twins = worldAddresses.map((address) => twinOf(testTwins, address) ?? '')

describe('reachBetween', () => {
  it('lets through what the simulator lets through, and nothing else', () => {
    fc.assert(
      fc.property(arbitraryWorld, arbitraryPacket(['tcp', 'udp', 'icmp', 'gre']), (world, found) => {
        const packet = found.protocol === 'icmp' ? found : { ...found, sourcePort: usualSourcePort }
        const reach = reachBetween(packet.source, packet.destination, world)
        const spans = reach[reachProtocols.find((each) => each === packet.protocol) ?? 'other']
        expect(has(spans, numberOf(packet))).toBe(decidePacket(packet, world).allowed)
      }),
      { numRuns: 1_000 },
    )
  })
})

describe('reachBetween, of IPv6', () => {
  it('lets through what the simulator lets through, and nothing else', () => {
    const types = fc.constantFrom(128, 1, 129, ...neighbourTypes)
    fc.assert(
      fc.property(arbitraryWorld6, arbitraryPacket(['tcp', 'udp', 'icmp', 'gre']), types, (world, found, icmpType) => {
        const twin = twinPacket(found)
        const packet = twin.protocol === 'icmpv6' ? { ...twin, icmpType } : { ...twin, sourcePort: usualSourcePort }
        fc.pre(!(packet.protocol === 'icmpv6' && neighbourTypes.includes(icmpType)))
        const reach = reachBetween(packet.source, packet.destination, world)
        const name = packet.protocol === 'icmpv6' ? 'icmp' : packet.protocol
        const spans = reach[reachProtocols.find((each) => each === name) ?? 'other']
        expect(has(spans, numberOf(packet))).toBe(decidePacket(packet, world).allowed)
      }),
      { numRuns: 1_000 },
    )
  })
})

const party = (name: string, ...addresses: string[]): MatrixParty => ({ name, kind: 'instances', addresses })
const outside: MatrixParty = { name: '', kind: 'outside', addresses: [] }

describe('policyMatrix', () => {
  it('says of a cell what holds for each two addresses in it', () => {
    const parties = [
      party('one', ...worldAddresses.slice(0, 3)),
      party('two', ...worldAddresses.slice(3)),
      { name: 'external', kind: 'external', addresses: known } as const,
    ]
    fc.assert(
      fc.property(arbitraryWorld, arbitraryPacket(), (world, found) => {
        const at = (address: string) => parties.findIndex(({ addresses }) => addresses.includes(address))
        const [row, column] = [at(found.source), at(found.destination)]
        fc.pre(row >= 0 && column >= 0)
        const packet = found.protocol === 'icmp' ? found : { ...found, sourcePort: usualSourcePort }
        const { allowed } = decidePacket(packet, world)
        const cell = policyMatrix(parties, parties, world)[row]?.[column]
        if (row === 2 && column === 2) expect(cell?.verdict).toBe('unasked')
        else if (cell?.verdict === 'all') expect(allowed).toBe(true)
        else if (cell?.verdict === 'none') expect(allowed).toBe(false)
        else expect(cell?.allows.length).toBeGreaterThan(0)
      }),
      { numRuns: 300 },
    )
  })

  it('says of what is outside what holds for every address of nobody', () => {
    const parties = [party('one', ...worldAddresses), outside]
    const inside = ['10.77.1.0/24', '10.77.2.0/24'].map(parseBlock)
    const stranger = fc.constantFrom('192.0.2.77', '10.200.0.1', '203.0.113.9', '8.8.4.4')
    fc.assert(
      fc.property(arbitraryWorld, stranger, fc.constantFrom(...worldAddresses), fc.boolean(), (world, a, b, isOut) => {
        const cells = policyMatrix(parties, parties, world, inside)
        const { verdict } = (isOut ? cells[0]?.[1] : cells[1]?.[0]) ?? {}
        const [source, destination] = isOut ? [b, a] : [a, b]
        const packet = { source, destination, protocol: 'tcp', sourcePort: usualSourcePort, destinationPort: 443 }
        const { allowed } = decidePacket(packet, world)
        expect(verdict === 'some' || allowed === (verdict === 'all')).toBe(true)
      }),
      { numRuns: 300 },
    )
  })

  it('says the same of IPv6, by twins, and of every address of nobody', () => {
    const parties = [party('one', ...twins.slice(0, 3)), party('two', ...twins.slice(3)), outside]
    const inside = ['10.77.1.0/24', '10.77.2.0/24'].map(parseBlock)
    const strangers = ['2001:db8::77', '2a00::1', 'fd77:1::1:2', ...known6]
    const anybody = fc.constantFrom(...twins, ...twins, ...strangers)
    fc.assert(
      fc.property(arbitraryWorld6, anybody, anybody, fc.constantFrom(443, 3306), (given, source, destination, port) => {
        // Those of the test that bear tags are external services, and not what is outside.
        const world = { ...given, externals: new Map<string, string[]>() }
        const at = (address: string) =>
          Math.max(0, [twins.slice(0, 3), twins.slice(3)].findIndex((each) => each.includes(address)) + 1)
        const index = (address: string) => (at(address) === 0 ? 2 : at(address) - 1)
        fc.pre(source !== destination && !(index(source) === 2 && index(destination) === 2))
        const packet = { source, destination, protocol: 'tcp', sourcePort: usualSourcePort, destinationPort: port }
        const { allowed } = decidePacket(packet, world)
        const { verdict, allows = [] } =
          policyMatrix(parties, parties, world, inside, 6)[index(source)]?.[index(destination)] ?? {}
        expect(verdict === 'some' || allowed === (verdict === 'all')).toBe(true)
        expect(allows.some((each) => /^icmp(:|$)/.test(each))).toBe(false)
      }),
      { numRuns: 300 },
    )
  })

  it('names what passes, in the words of rules', () => {
    const read = (document: unknown) => {
      const { profile } = readProfile(document)
      if (profile === undefined) throw new Error('no profile')
      return [profile.name, profile] as const
    }
    const world: PolicyWorld = {
      profiles: new Map([
        read({ name: 'web', inbound: ['deny tcp:25', 'tcp', 'icmp:8'], outbound: ['tcp:3306,8000-8100', 'udp:53'] }),
        read({ name: 'db', inbound: ['tcp:3306 from web'], outbound: ['to 192.0.2.0/24'] }),
      ]),
      endpoints: new Map([
        ['10.77.1.2', { node: 'a', profiles: ['web'] }],
        ['10.77.1.3', { node: 'a', profiles: ['db'] }],
        ['10.77.1.4', { node: 'a', profiles: [] }],
      ]),
      externals: new Map([['192.0.2.7', ['old']]]),
      nodes: new Map(),
    }
    const external: MatrixParty = { name: 'old', kind: 'external', addresses: ['192.0.2.7'] }
    const parties = [party('web', '10.77.1.2'), party('db', '10.77.1.3'), party('mixed', '10.77.1.3', '10.77.1.4')]
    const cells = policyMatrix([...parties, external, outside], [...parties, external, outside], world)
    const say = ({ verdict, allows, isMixed }: (typeof cells)[number][number]): string =>
      `${verdict}${isMixed ? ' mixed' : ''}${allows.length === 0 ? '' : ` ${allows.join(' ')}`}`
    expect(cells.map((row) => row.map(say))).toEqual([
      [
        'some tcp:3306,8000-8100',
        'some tcp:3306',
        'some mixed tcp:3306,8000-8100 udp:53',
        'some tcp:3306,8000-8100 udp:53',
        'some tcp:3306,8000-8100 udp:53',
      ],
      ['none', 'none', 'none', 'all', 'some mixed any'],
      ['some mixed tcp:1-24,26-65535 icmp:8', 'none', 'some mixed any', 'all', 'some mixed any'],
      ['some tcp:1-24,26-65535 icmp:8', 'none', 'some mixed any', 'unasked', 'unasked'],
      ['some tcp:1-24,26-65535 icmp:8', 'none', 'some mixed any', 'unasked', 'unasked'],
    ])
  })

  it('of sixty entrypoints with a profile each takes a moment', () => {
    const profiles = Array.from({ length: 60 }, (_, n) => {
      const { profile } = readProfile({
        name: `p${n}`,
        inbound: [`tcp:${n + 1} from p${(n + 1) % 60}`, `from 10.${n}.0.0/16`],
      })
      return [`p${n}`, profile] as const
    })
    const addresses = profiles.map(([name], n) => [`10.77.${n}.2`, { node: 'a', profiles: [name] }] as const)
    const world: PolicyWorld = {
      profiles: new Map(
        profiles.flatMap(([name, profile]) => (profile === undefined ? [] : [[name, profile] as const])),
      ),
      endpoints: new Map(addresses),
      nodes: new Map(),
    }
    const parties = [...addresses.map(([address], n) => party(`e${n}`, address)), outside]
    const cells = policyMatrix(parties, parties, world)
    expect(cells[1]?.[0]).toEqual({ verdict: 'some', allows: ['tcp:1'], isMixed: false })
    expect(cells[5]?.[0]?.verdict).toBe('none')
    expect(cells[60]?.[3]).toEqual({ verdict: 'some', allows: ['any'], isMixed: true })
  })
})
