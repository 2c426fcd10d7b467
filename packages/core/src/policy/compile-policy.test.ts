import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { addressSet } from './address-set.ts'
import { compilePolicy } from './compile-policy.ts'
import { matchText } from './compile-rule.ts'
import { arbitraryProfile, arbitraryWorld } from './policy.testing.ts'
import { type NodePolicy, nodePolicyOf } from './policy-world.ts'
import type { PolicyRule, Profile } from './profile.ts'
import { readProfile } from './read-profile.ts'
import { renderNoTable, renderTable, renderTableChange } from './render-policy.ts'

const profile = (value: unknown): Profile => readProfile(value).profile as Profile
const db = profile({
  name: 'db',
  inbound: ['from db', 'tcp:3306 from db-users', 'icmpv6'],
  outbound: ['allow', 'deny udp:53,60-70 to 10.0.0.0/8'],
})
const web = profile({ name: 'web', inbound: ['from 0.0.0.0/0'] })

/** As the kernel tells rules apart. */
const ruleKey = (rule: PolicyRule): string => `${rule.action} ${matchText(rule)}`

const policy: NodePolicy = {
  profiles: new Map([
    ['web', web],
    ['db', db],
  ]),
  endpoints: new Map([
    ['10.77.1.3', ['web', 'db', 'gone']],
    ['10.77.1.2', ['db']],
  ]),
  members: new Map([
    ['db', addressSet(['10.77.1.3', '10.77.1.2'])],
    ['db-users', addressSet(['10.77.2.9'])],
  ]),
  gateways: addressSet(['10.77.9.1']),
}

describe('compilePolicy', () => {
  it('gives one batch that replaces the table', () => {
    expect(renderTable(compilePolicy(policy))).toBe(`add table inet berth-policy
delete table inet berth-policy
add table inet berth-policy
add set inet berth-policy dropped-ports { type ipv4_addr . ipv4_addr . inet_proto . inet_service . mark; flags dynamic,timeout; size 4096; timeout 10m; }
add set inet berth-policy dropped-others { type ipv4_addr . ipv4_addr . inet_proto . mark; flags dynamic,timeout; size 4096; timeout 10m; }
add set inet berth-policy dropped-ports6 { type ipv6_addr . ipv6_addr . inet_proto . inet_service . mark; flags dynamic,timeout; size 4096; timeout 10m; }
add set inet berth-policy dropped-others6 { type ipv6_addr . ipv6_addr . inet_proto . mark; flags dynamic,timeout; size 4096; timeout 10m; }
add counter inet berth-policy rule-in/db/1b78b80c
add counter inet berth-policy rule-in/db/e2ef3910
add counter inet berth-policy rule-out/db/c088c434
add counter inet berth-policy rule-out/db/e1e7033c
add counter inet berth-policy rule-in/web/c088c434
add counter inet berth-policy rule-out/web/c088c434
add counter inet berth-policy no-rule-out/db
add counter inet berth-policy no-rule-in/db
add counter inet berth-policy no-rule-out/web/db/gone
add counter inet berth-policy no-rule-in/web/db/gone
add set inet berth-policy gateways { type ipv4_addr; }
add set inet berth-policy tag/db { type ipv4_addr; }
add set inet berth-policy tag/db-users { type ipv4_addr; }
add map inet berth-policy from { type ipv4_addr : verdict; }
add map inet berth-policy to { type ipv4_addr : verdict; }
add chain inet berth-policy dropped
add chain inet berth-policy profile-out/db
add chain inet berth-policy profile-in/db
add chain inet berth-policy profile-out/web
add chain inet berth-policy profile-in/web
add chain inet berth-policy outbound/db
add chain inet berth-policy inbound/db
add chain inet berth-policy outbound/web/db/gone
add chain inet berth-policy inbound/web/db/gone
add chain inet berth-policy forward-outbound { type filter hook forward priority -20; policy accept; }
add chain inet berth-policy forward-inbound { type filter hook forward priority -10; policy accept; }
add chain inet berth-policy input-outbound { type filter hook input priority -20; policy accept; }
add rule inet berth-policy dropped meta l4proto { tcp, udp } update @dropped-ports { ip saddr . ip daddr . meta l4proto . th dport . meta mark counter }
add rule inet berth-policy dropped meta l4proto != { tcp, udp } update @dropped-others { ip saddr . ip daddr . meta l4proto . meta mark counter }
add rule inet berth-policy dropped drop
add rule inet berth-policy profile-out/db counter name "rule-out/db/c088c434" accept comment "db out 1"
add rule inet berth-policy profile-out/db meta l4proto udp ip daddr 10.0.0.0/8 th dport { 53, 60-70 } counter name "rule-out/db/e1e7033c" meta mark set 0x2061092e goto dropped comment "db out 2"
add rule inet berth-policy profile-in/db ip saddr @tag/db counter name "rule-in/db/1b78b80c" accept comment "db in 1"
add rule inet berth-policy profile-in/db meta l4proto tcp ip saddr @tag/db-users th dport 3306 counter name "rule-in/db/e2ef3910" accept comment "db in 2"
add rule inet berth-policy profile-out/web counter name "rule-out/web/c088c434" accept comment "web out 1"
add rule inet berth-policy profile-in/web counter name "rule-in/web/c088c434" accept comment "web in 1"
add rule inet berth-policy outbound/db jump profile-out/db
add rule inet berth-policy outbound/db counter name "no-rule-out/db" meta mark set 0x38f6db25 goto dropped comment "no rule"
add rule inet berth-policy inbound/db jump profile-in/db
add rule inet berth-policy inbound/db counter name "no-rule-in/db" meta mark set 0xe86edfbb goto dropped comment "no rule"
add rule inet berth-policy outbound/web/db/gone jump profile-out/web
add rule inet berth-policy outbound/web/db/gone jump profile-out/db
add rule inet berth-policy outbound/web/db/gone counter name "no-rule-out/web/db/gone" meta mark set 0xff12314b goto dropped comment "no rule"
add rule inet berth-policy inbound/web/db/gone jump profile-in/web
add rule inet berth-policy inbound/web/db/gone jump profile-in/db
add rule inet berth-policy inbound/web/db/gone counter name "no-rule-in/web/db/gone" meta mark set 0x41be608a goto dropped comment "no rule"
add rule inet berth-policy forward-outbound ct state established,related accept
add rule inet berth-policy forward-outbound ip saddr vmap @from
add rule inet berth-policy forward-inbound ct state established,related accept
add rule inet berth-policy forward-inbound ct mark & 134217728 == 134217728 accept
add rule inet berth-policy forward-inbound meta l4proto { tcp, udp } ip saddr @gateways accept
add rule inet berth-policy forward-inbound ip daddr vmap @to
add rule inet berth-policy input-outbound ct state established,related accept
add rule inet berth-policy input-outbound ip daddr 169.254.77.53 meta l4proto { tcp, udp } th dport 53 accept
add rule inet berth-policy input-outbound ip saddr vmap @from
add element inet berth-policy from { 10.77.1.2 : jump outbound/db, 10.77.1.3 : jump outbound/web/db/gone }
add element inet berth-policy to { 10.77.1.2 : jump inbound/db, 10.77.1.3 : jump inbound/web/db/gone }
add element inet berth-policy gateways { 10.77.9.1 }
add element inet berth-policy tag/db { 10.77.1.2, 10.77.1.3 }
add element inet berth-policy tag/db-users { 10.77.2.9 }
`)
  })

  it('changes members by elements alone, instances by elements and their chains', () => {
    const before = compilePolicy(policy)
    const members = new Map(policy.members).set('db-users', addressSet(['10.77.2.8', '10.77.2.10']))
    const moved = compilePolicy({ ...policy, members })
    expect(renderTableChange(before, moved)).toBe(`delete element inet berth-policy tag/db-users { 10.77.2.9 }
add element inet berth-policy tag/db-users { 10.77.2.8, 10.77.2.10 }
`)
    const endpoints = new Map([
      ['10.77.1.2', ['web']],
      ['10.77.1.4', ['db']],
    ])
    expect(
      renderTableChange(before, compilePolicy({ ...policy, endpoints })),
    ).toBe(`add counter inet berth-policy no-rule-out/web
add counter inet berth-policy no-rule-in/web
add chain inet berth-policy outbound/web
add chain inet berth-policy inbound/web
delete element inet berth-policy from { 10.77.1.2 : jump outbound/db, 10.77.1.3 : jump outbound/web/db/gone }
delete element inet berth-policy to { 10.77.1.2 : jump inbound/db, 10.77.1.3 : jump inbound/web/db/gone }
flush chain inet berth-policy outbound/web/db/gone
flush chain inet berth-policy inbound/web/db/gone
add rule inet berth-policy outbound/web jump profile-out/web
add rule inet berth-policy outbound/web counter name "no-rule-out/web" meta mark set 0xe568cebc goto dropped comment "no rule"
add rule inet berth-policy inbound/web jump profile-in/web
add rule inet berth-policy inbound/web counter name "no-rule-in/web" meta mark set 0x2059cf0e goto dropped comment "no rule"
add element inet berth-policy from { 10.77.1.2 : jump outbound/web, 10.77.1.4 : jump outbound/db }
add element inet berth-policy to { 10.77.1.2 : jump inbound/web, 10.77.1.4 : jump inbound/db }
delete chain inet berth-policy outbound/web/db/gone
delete chain inet berth-policy inbound/web/db/gone
delete counter inet berth-policy no-rule-out/web/db/gone
delete counter inet berth-policy no-rule-in/web/db/gone
`)
    expect(
      renderTableChange(
        before,
        compilePolicy({
          ...policy,
          profiles: new Map([
            ['db', db],
            ['web', web],
          ]),
        }),
      ),
    ).toBeUndefined()
  })

  it('gives a rule a counter of its own, which it keeps when others come before it or go', () => {
    const namesOf = (one: Profile): string[] => {
      const ipv6 = { twins: [], members: new Map() }
      const table = compilePolicy({ ...policy, profiles: new Map([[one.name, one]]), endpoints: new Map(), ipv6 })
      const inbound = [...table.counters].flatMap(([name, counted]) =>
        counted.kind === 'rule' && counted.end === 'in' ? [{ name, number: counted.number }] : [],
      )
      return inbound.sort((a, b) => a.number - b.number).map(({ name }) => name)
    }
    const all = fc.tuple(arbitraryProfile, fc.array(fc.nat({ max: 3 }), { maxLength: 6 }))
    fc.assert(
      fc.property(all, ([one, order]) => {
        const { inbound } = one
        const names = namesOf({ ...one, inbound })
        expect(new Set(names).size).toBe(inbound.length)
        const distinct = [...new Map(inbound.map((rule) => [ruleKey(rule), rule])).values()]
        const before = new Map(distinct.map((rule, index) => [rule, namesOf({ ...one, inbound: distinct })[index]]))
        const some = [...new Set(order.flatMap((index) => distinct[index] ?? []))]
        expect(namesOf({ ...one, inbound: some })).toEqual(some.map((rule) => before.get(rule)))
      }),
    )
  })

  it('does not depend on the order in which things are told', () => {
    const shuffled = <K, V>(map: ReadonlyMap<K, V>): Map<K, V> => new Map([...map].reverse())
    fc.assert(
      fc.property(arbitraryWorld, (world) => {
        const { profiles, endpoints, members, gateways, ...ipv6 } = nodePolicyOf(world, 'a')
        const other = {
          ...ipv6,
          profiles: shuffled(profiles),
          endpoints: shuffled(endpoints),
          members: shuffled(members),
          gateways,
        }
        const table = compilePolicy({ profiles, endpoints, members, gateways, ...ipv6 })
        expect(renderTable(compilePolicy(other))).toBe(renderTable(table))
        expect(renderTableChange(table, compilePolicy(other))).toBeUndefined()
      }),
    )
  })
})

it('takes the table away, also where there is none', () => {
  expect(renderNoTable()).toBe('add table inet berth-policy\ndelete table inet berth-policy\n')
})
