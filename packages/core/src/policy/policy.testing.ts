import fc from 'fast-check'
import { canonicalAddress } from '../network/address6.ts'
import { type TwinRange, twinOf, twinRange } from '../network/twin-address.ts'
import type { Packet } from './decide-packet.ts'
import { parseNet } from './policy-net.ts'
import type { PolicyWorld } from './policy-world.ts'
import type { PolicyPeer, PolicyRule, PortRange, Profile } from './profile.ts'
import { joinRanges } from './read-ports.ts'

/** Few names and numbers, so that they meet. */
const names = ['db', 'web', 'app-1', 'Ops_x', 'default']
const tags = ['db', 'web', 'db-users', 'nobody', 'a.b']
const ports = [53, 80, 443, 3306, 8080]
const nets = [
  ...['10.0.0.0/8', '10.77.1.0/24', '10.77.1.4/30', '10.77.2.3', '0.0.0.0/0', '192.0.2.0/24'],
  ...['2001:db8::/32', 'fd77:1::/64', 'fd77:1::10.77.1.0/120', 'fd77:1::10.77.2.3', '::/0'],
]
export const worldAddresses = ['10.77.1.2', '10.77.1.3', '10.77.1.4', '10.77.2.2', '10.77.2.3', '10.77.2.4']
/** Those of nobody. */
export const outsideAddresses = ['192.0.2.9', '10.9.9.9']
/** Of nobody, of IPv6; the second is in the pool's prefix and no twin. */
export const outsideAddresses6 = ['2001:db8::9', 'fd77:1::10.9.9.9'].map((address) => canonicalAddress(address) ?? '')
/** All of the world above have twins. */
export const testTwins: readonly TwinRange[] = [twinRange({ range: '10.77.0.0/16', ipv6: 'fd77:1::/64' })]

const optional = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined, freq: 2 })

const withoutAbsent = <T extends object>(value: T): T =>
  Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as T

const net = (versions: readonly number[]): fc.Arbitrary<PolicyPeer['net']> => {
  const parsed = nets.flatMap((text) => {
    const result = parseNet(text)
    return result.ok && versions.includes(result.value.family) ? [result.value] : []
  })
  return fc.constantFrom(...parsed)
}

const range: fc.Arbitrary<PortRange> = fc
  .tuple(fc.constantFrom(...ports), fc.constantFrom(0, 0, 1, 30, 1000))
  .map(([first, more]) => ({ first, last: first + more }))
const ranges = fc.array(range, { minLength: 1, maxLength: 3 }).map(joinRanges)

const peer = (hasPorts: boolean, versions: readonly number[]): fc.Arbitrary<PolicyPeer> =>
  fc
    .record({
      tag: optional(fc.constantFrom(...tags)),
      net: fc.option(net(versions), { nil: undefined, freq: 1 }),
      ports: hasPorts ? optional(ranges) : fc.constant(undefined),
    })
    .map((each) => withoutAbsent(each) as PolicyPeer)

const action = fc.constantFrom<'allow' | 'deny'>('allow', 'allow', 'deny')

/** Nets of one rule are of one version. */
const version = fc.constantFrom<readonly number[]>([4], [4], [6])
const plainRule = version.chain((versions) =>
  fc.record({ action, source: peer(false, versions), destination: peer(false, versions) }),
)
const portRule = version.chain((versions) =>
  fc.record({
    action,
    protocol: fc.constantFrom<'tcp' | 'udp'>('tcp', 'udp'),
    source: peer(true, versions),
    destination: peer(true, versions),
  }),
)
const icmpRule = fc
  .record({
    action,
    protocol: fc.constant<'icmp'>('icmp'),
    source: peer(false, [4]),
    destination: peer(false, [4]),
    icmpType: optional(fc.constantFrom(8, 0, 13)),
    code: optional(fc.constantFrom(0, 1)),
  })
  .map(
    ({ code, ...rule }) =>
      withoutAbsent({ ...rule, icmpCode: rule.icmpType === undefined ? undefined : code }) as PolicyRule,
  )
const rule6 = fc
  .record({
    action,
    protocol: fc.constant<'icmpv6'>('icmpv6'),
    source: peer(false, [6]),
    destination: peer(false, [6]),
    icmpType: optional(fc.constantFrom(128, 1, 135)),
  })
  .map((each) => withoutAbsent(each) as PolicyRule)

export const arbitraryRule: fc.Arbitrary<PolicyRule> = fc.oneof(
  { weight: 3, arbitrary: plainRule },
  { weight: 5, arbitrary: portRule },
  { weight: 2, arbitrary: icmpRule },
  { weight: 1, arbitrary: rule6 },
)
const rules = fc.array(arbitraryRule, { maxLength: 4 })

const profile = (name: string): fc.Arbitrary<Profile> =>
  fc.record({
    name: fc.constant(name),
    tags: fc.subarray(tags.filter((tag) => tag !== 'nobody')).map((some) => [...some].sort()),
    inbound: rules,
    outbound: fc.oneof(rules, fc.constant<PolicyRule[]>([{ action: 'allow', source: {}, destination: {} }])),
  })
export const arbitraryProfile = fc.constantFrom(...names).chain(profile)

const allOutside = [...outsideAddresses, ...outsideAddresses6]

/** Six instances on two nodes, `a` (10.77.1.0/24) and `b`; `missing` is a profile that does not exist. */
export const arbitraryWorld: fc.Arbitrary<PolicyWorld> = fc
  .record({
    profiles: fc.tuple(...names.map(profile)),
    endpoints: fc.array(fc.uniqueArray(fc.constantFrom(...names, ...names, 'missing'), { maxLength: 3 }), {
      minLength: worldAddresses.length,
      maxLength: worldAddresses.length,
    }),
    isGateway: fc.boolean(),
    externals: fc.tuple(...allOutside.map(() => fc.subarray(tags, { maxLength: 2 }))),
    hasTwins: fc.boolean(),
  })
  .map(({ profiles, endpoints, isGateway, externals, hasTwins }) => ({
    ...(hasTwins ? { twins: testTwins } : {}),
    externals: new Map(allOutside.map((address, index) => [address, externals[index] ?? []])),
    profiles: new Map(profiles.map((each) => [each.name, each])),
    endpoints: new Map(
      worldAddresses.map((address, index) => [
        address,
        { node: address.startsWith('10.77.1.') ? 'a' : 'b', profiles: endpoints[index] ?? [] },
      ]),
    ),
    nodes: new Map([
      ['10.77.1.1', { name: 'a', isGateway: false }],
      ['10.77.2.1', { name: 'b', isGateway }],
    ]),
  }))

const somebody = fc.constantFrom(...worldAddresses, ...worldAddresses, ...outsideAddresses, '10.77.2.1')
const port = fc.oneof(fc.constantFrom(...ports, ...ports.map((each) => each + 1)), fc.integer({ min: 1, max: 65_535 }))

/** The first packet of a connection; `protocols`: which are possible. */
export const arbitraryPacket = (protocols: readonly string[] = ['tcp', 'udp', 'icmp']): fc.Arbitrary<Packet> =>
  fc
    .record({
      source: somebody,
      destination: somebody,
      protocol: fc.constantFrom(...protocols),
      sourcePort: port,
      destinationPort: port,
    })
    .filter(({ source, destination }) => source !== destination)
    .map(({ sourcePort, destinationPort, ...packet }) =>
      packet.protocol === 'icmp' ? { ...packet, icmpType: 8, icmpCode: 0 } : { ...packet, sourcePort, destinationPort },
    )

/** The same packet between the twins of both; addresses of nobody become others of nobody. */
export function twinPacket(packet: Packet): Packet {
  const twin = (address: string): string =>
    twinOf(testTwins, address) ?? outsideAddresses6[outsideAddresses.indexOf(address)] ?? address
  const ends = { source: twin(packet.source), destination: twin(packet.destination) }
  return packet.protocol === 'icmp'
    ? { ...ends, protocol: 'icmpv6', icmpType: 128, icmpCode: 0 }
    : { ...packet, ...ends }
}
