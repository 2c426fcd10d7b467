import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { twinOf, twinRange } from '../network/twin-address.ts'
import { addressSet, changeAddresses, noAddresses } from './address-set.ts'
import {
  addressSet6,
  changedAddresses6,
  countAddresses6,
  isSameSet6,
  joinSets6,
  noAddresses6,
  textsOf6,
  twinsOf,
} from './address-set6.ts'
import { compilePolicy } from './compile-policy.ts'
import { decidePacket, type Packet } from './decide-packet.ts'
import { arbitraryPacket, arbitraryWorld, testTwins, twinPacket } from './policy.testing.ts'
import { policyDocument6, readPolicy } from './policy-document.ts'
import type { NodePolicy, PolicyWorld } from './policy-world.ts'
import type { PolicyRule, Profile } from './profile.ts'
import { readProfile } from './read-profile.ts'
import { renderTable, renderTableChange } from './render-policy.ts'

const profile = (value: unknown): Profile => readProfile(value).profile as Profile
const db = profile({
  name: 'db',
  inbound: ['tcp:3306 from db-users', 'icmpv6:128', 'from 10.0.0.0/8', 'deny from fd00::/8'],
  outbound: [],
})
const policy: NodePolicy = {
  profiles: new Map([['db', db]]),
  endpoints: new Map([
    ['10.77.1.2', ['db']],
    ['10.78.1.2', ['db']],
  ]),
  members: new Map([['db-users', addressSet(['10.77.2.9', '10.78.0.1'])]]),
  gateways: addressSet(['10.77.9.1', '192.0.2.1']),
  ipv6: { twins: testTwins, members: new Map([['db-users', addressSet6(['2001:db8::5'])]]) },
}

describe('the table of a node with IPv6', () => {
  it('has chains, sets and maps of both versions, and one counter for a rule of both', () => {
    const text = renderTable(compilePolicy(policy))
    const lines = text.split('\n').filter((line) => line.includes('6') && !/dropped|add counter/.test(line))
    expect(lines.join('\n')).toMatchInlineSnapshot(`
      "add set inet berth-policy gateways6 { type ipv6_addr; }
      add set inet berth-policy tag6/db-users { type ipv6_addr; }
      add map inet berth-policy from6 { type ipv6_addr : verdict; }
      add map inet berth-policy to6 { type ipv6_addr : verdict; }
      add chain inet berth-policy profile6-out/db
      add chain inet berth-policy profile6-in/db
      add chain inet berth-policy outbound6/db
      add chain inet berth-policy inbound6/db
      add rule inet berth-policy profile-in/db meta l4proto tcp ip saddr @tag/db-users th dport 3306 counter name "rule-in/db/e2ef3910" accept comment "db in 1"
      add rule inet berth-policy profile-in/db ip saddr 10.0.0.0/8 counter name "rule-in/db/7690dbb0" accept comment "db in 3"
      add rule inet berth-policy profile6-in/db meta l4proto tcp ip6 saddr @tag6/db-users th dport 3306 counter name "rule-in/db/e2ef3910" accept comment "db in 1"
      add rule inet berth-policy profile6-in/db meta l4proto 58 icmpv6 type 128 counter name "rule-in/db/3ae9ce01" accept comment "db in 2"
      add rule inet berth-policy outbound6/db jump profile6-out/db
      add rule inet berth-policy inbound6/db jump profile6-in/db
      add rule inet berth-policy forward-outbound meta l4proto 58 icmpv6 type { 2, 133, 134, 135, 136 } accept
      add rule inet berth-policy forward-outbound ip6 saddr vmap @from6
      add rule inet berth-policy forward-inbound meta l4proto 58 icmpv6 type { 2, 133, 134, 135, 136 } accept
      add rule inet berth-policy forward-inbound meta l4proto { tcp, udp } ip6 saddr @gateways6 accept
      add rule inet berth-policy forward-inbound ip6 daddr vmap @to6
      add rule inet berth-policy input-outbound meta l4proto 58 icmpv6 type { 2, 133, 134, 135, 136 } accept
      add rule inet berth-policy input-outbound ip daddr 169.254.77.53 meta l4proto { tcp, udp } th dport 53 accept
      add rule inet berth-policy input-outbound ip6 saddr vmap @from6
      add element inet berth-policy from6 { fd77:1::a4d:102 : jump outbound6/db }
      add element inet berth-policy to6 { fd77:1::a4d:102 : jump inbound6/db }
      add element inet berth-policy gateways6 { fd77:1:0:0:0:0:a4d:901 }
      add element inet berth-policy tag6/db-users { fd77:1:0:0:0:0:a4d:209, 2001:db8:0:0:0:0:0:5 }"
    `)
    const { ipv6: _, ...without } = policy
    const plain = renderTable(compilePolicy(without))
    expect(plain).not.toContain('ip6')
    // What IPv4 has is the same.
    for (const line of plain.split('\n').filter((each) => each.startsWith('add rule') && !each.includes('bound ')))
      expect(text).toContain(line)
  })

  it('comes and goes by changes', () => {
    const { ipv6: _, ...without } = policy
    const [plain, both] = [compilePolicy(without), compilePolicy(policy)]
    expect(renderTableChange(plain, both)).toContain('add map inet berth-policy from6')
    expect(renderTableChange(both, plain)).toContain('delete map inet berth-policy from6')
    expect(renderTableChange(both, compilePolicy({ ...policy }))).toBeUndefined()
  })

  it('is told as texts and read again', () => {
    const { ipv6 } = policy
    if (ipv6 === undefined) throw new Error('no IPv6')
    const document = { profiles: [], members: {}, gateways: [], ipv6: policyDocument6(ipv6) }
    expect(document.ipv6).toEqual({
      pools: [{ range: '10.77.0.0/16', ipv6: 'fd77:1::/96' }],
      members: { 'db-users': ['2001:db8::5'] },
    })
    expect(readPolicy(document).ipv6).toEqual(ipv6)
    expect(readPolicy({ profiles: [], members: {}, gateways: [] })).not.toHaveProperty('ipv6')
  })
})

describe('the simulator', () => {
  /** Those whose words hold for both versions. */
  const isOfBoth = ({ protocol, source, destination }: PolicyRule): boolean =>
    source.net === undefined && destination.net === undefined && protocol !== 'icmp' && protocol !== 'icmpv6'

  it('says of twins what it says of addresses, of rules without networks', () => {
    fc.assert(
      fc.property(arbitraryWorld, arbitraryPacket(['tcp', 'udp']), (found, packet) => {
        const profiles = new Map(
          [...found.profiles].map(([name, each]): [string, Profile] => [
            name,
            { ...each, inbound: each.inbound.filter(isOfBoth), outbound: each.outbound.filter(isOfBoth) },
          ]),
        )
        const world: PolicyWorld = { ...found, profiles, externals: new Map(), twins: testTwins }
        expect(decidePacket(twinPacket(packet), world)).toEqual(decidePacket(packet, world))
      }),
    )
  })

  const world: PolicyWorld = {
    profiles: new Map([
      ['db', db],
      ['closed', profile({ name: 'closed', inbound: [], outbound: [] })],
    ]),
    endpoints: new Map([
      ['10.77.1.2', { node: 'a', profiles: ['db'] }],
      ['10.77.1.3', { node: 'a', profiles: ['closed'] }],
    ]),
    nodes: new Map(),
    twins: testTwins,
    externals: new Map([['2001:db8::5', ['db-users']]]),
  }
  const [own, closed] = ['fd77:1::a4d:102', 'fd77:1::a4d:103']
  const tcp = (source: string): Packet => ({ source, destination: own, protocol: 'tcp', destinationPort: 3306 })
  const icmp = (source: string, destination: string, icmpType: number): Packet => ({
    ...{ source, destination, protocol: 'icmpv6', icmpType },
  })

  it.each<[string, Packet, boolean, string]>([
    ['a tag of an external service', tcp('2001:db8::5'), true, 'db 1'],
    ['a network of IPv6', tcp('fd00::1'), false, 'db 4'],
    ['no network of IPv4', tcp('2001:db8::6'), false, 'no-rule'],
    ['an echo', icmp('2001:db8::6', own, 128), true, 'db 2'],
    ['an echo that nobody allows', icmp('2001:db8::6', closed, 128), false, 'no-rule'],
    ['that a packet was too big', icmp('2001:db8::6', closed, 2), true, 'neighbour'],
    ['a question for a neighbour', icmp('2001:db8::6', closed, 135), true, 'neighbour'],
    ['an address of nobody', tcp('fd77:1::1'), false, 'db 4'],
  ])('decides about %s', (_, packet, allowed, why) => {
    const { inbound } = decidePacket(packet, world)
    const { reason } = inbound
    expect([inbound.allowed, reason.kind === 'rule' ? `${reason.profile} ${reason.number}` : reason.kind]).toEqual([
      ...[allowed, why],
    ])
  })
})

describe('a set of IPv6 addresses', () => {
  const ranges = [
    ...testTwins,
    twinRange({ range: '10.78.0.0/24', ipv6: 'fd77:1::/64' }),
    twinRange({ range: '10.80.0.0/24', ipv6: 'fd99::/64' }),
  ]
  const address = fc
    .tuple(fc.constantFrom('10.77.0', '10.78.0', '10.79.0', '10.80.0'), fc.nat({ max: 20 }))
    .map(([net, last]) => `${net}.${last}`)
  const some = fc.array(address, { maxLength: 40 })

  it('has the twin of each that has one', () => {
    fc.assert(
      fc.property(some, (addresses) => {
        const twins = addresses.flatMap((each) => twinOf(ranges, each) ?? [])
        const set = twinsOf(addressSet(addresses), ranges)
        expect(isSameSet6(set, addressSet6(twins))).toBe(true)
        expect(new Set(textsOf6(set))).toEqual(new Set(twins))
        expect(countAddresses6(set)).toBe(new Set(twins).size)
      }),
    )
  })

  it('knows what makes one of another', () => {
    const setOf = (addresses: readonly string[]) => twinsOf(addressSet(addresses), ranges)
    fc.assert(
      fc.property(some, some, (a, b) => {
        const [before, after] = [setOf(a), setOf(b)]
        const { added, removed } = changedAddresses6(before, after)
        const kept = textsOf6(before).filter((each) => !isSameSet6(addressSet6([each]), noAddresses6))
        const gone = new Set(textsOf6(addressSet6(removed)))
        const rest = kept.filter((each) => !gone.has(each))
        expect(isSameSet6(joinSets6(addressSet6(rest), addressSet6(added)), after)).toBe(true)
        expect(added.length + removed.length === 0).toBe(isSameSet6(before, after))
        expect(new Set(textsOf6(joinSets6(before, after)))).toEqual(new Set([...textsOf6(before), ...textsOf6(after)]))
      }),
    )
  })

  it('is a part of the set that it is of, not a copy', () => {
    const all = changeAddresses(noAddresses, { added: [0x0a4d0001, 0x0a4d0002], removed: [] })
    expect([...twinsOf(all, testTwins).values()][0]?.buffer).toBe(all.buffer)
  })
})
