import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { addressSet } from './address-set.ts'
import { compilePolicy } from './compile-policy.ts'
import { arbitraryWorld } from './policy.testing.ts'
import { type NodePolicy, nodePolicyOf } from './policy-world.ts'
import type { Profile } from './profile.ts'
import { readProfile } from './read-profile.ts'
import { renderNoTable, renderTable, renderTableChange } from './render-policy.ts'

const profile = (value: unknown): Profile => readProfile(value).profile as Profile
const db = profile({
  name: 'db',
  inbound: ['from db', 'tcp:3306 from db-users', 'icmpv6'],
  outbound: ['allow', 'deny udp:53,60-70 to 10.0.0.0/8'],
})
const web = profile({ name: 'web', inbound: ['from 0.0.0.0/0'] })

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
add set inet berth-policy gateways { type ipv4_addr; }
add set inet berth-policy tag/db { type ipv4_addr; }
add set inet berth-policy tag/db-users { type ipv4_addr; }
add map inet berth-policy from { type ipv4_addr : verdict; }
add map inet berth-policy to { type ipv4_addr : verdict; }
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
add rule inet berth-policy profile-out/db counter accept comment "db out 1"
add rule inet berth-policy profile-out/db meta l4proto udp ip daddr 10.0.0.0/8 th dport { 53, 60-70 } counter drop comment "db out 2"
add rule inet berth-policy profile-in/db ip saddr @tag/db counter accept comment "db in 1"
add rule inet berth-policy profile-in/db meta l4proto tcp ip saddr @tag/db-users th dport 3306 counter accept comment "db in 2"
add rule inet berth-policy profile-out/web counter accept comment "web out 1"
add rule inet berth-policy profile-in/web counter accept comment "web in 1"
add rule inet berth-policy outbound/db jump profile-out/db
add rule inet berth-policy outbound/db counter drop comment "no rule"
add rule inet berth-policy inbound/db jump profile-in/db
add rule inet berth-policy inbound/db counter drop comment "no rule"
add rule inet berth-policy outbound/web/db/gone jump profile-out/web
add rule inet berth-policy outbound/web/db/gone jump profile-out/db
add rule inet berth-policy outbound/web/db/gone counter drop comment "no rule"
add rule inet berth-policy inbound/web/db/gone jump profile-in/web
add rule inet berth-policy inbound/web/db/gone jump profile-in/db
add rule inet berth-policy inbound/web/db/gone counter drop comment "no rule"
add rule inet berth-policy forward-outbound ct state established,related accept
add rule inet berth-policy forward-outbound ip saddr vmap @from
add rule inet berth-policy forward-inbound ct state established,related accept
add rule inet berth-policy forward-inbound meta l4proto tcp ip saddr @gateways accept
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
    ).toBe(`add chain inet berth-policy outbound/web
add chain inet berth-policy inbound/web
delete element inet berth-policy from { 10.77.1.2 : jump outbound/db, 10.77.1.3 : jump outbound/web/db/gone }
delete element inet berth-policy to { 10.77.1.2 : jump inbound/db, 10.77.1.3 : jump inbound/web/db/gone }
flush chain inet berth-policy outbound/web/db/gone
flush chain inet berth-policy inbound/web/db/gone
add rule inet berth-policy outbound/web jump profile-out/web
add rule inet berth-policy outbound/web counter drop comment "no rule"
add rule inet berth-policy inbound/web jump profile-in/web
add rule inet berth-policy inbound/web counter drop comment "no rule"
add element inet berth-policy from { 10.77.1.2 : jump outbound/web, 10.77.1.4 : jump outbound/db }
add element inet berth-policy to { 10.77.1.2 : jump inbound/web, 10.77.1.4 : jump inbound/db }
delete chain inet berth-policy outbound/web/db/gone
delete chain inet berth-policy inbound/web/db/gone
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

  it('does not depend on the order in which things are told', () => {
    const shuffled = <K, V>(map: ReadonlyMap<K, V>): Map<K, V> => new Map([...map].reverse())
    fc.assert(
      fc.property(arbitraryWorld, (world) => {
        const { profiles, endpoints, members, gateways } = nodePolicyOf(world, 'a')
        const other = {
          profiles: shuffled(profiles),
          endpoints: shuffled(endpoints),
          members: shuffled(members),
          gateways,
        }
        const table = compilePolicy({ profiles, endpoints, members, gateways })
        expect(renderTable(compilePolicy(other))).toBe(renderTable(table))
        expect(renderTableChange(table, compilePolicy(other))).toBeUndefined()
      }),
    )
  })
})

it('takes the table away, also where there is none', () => {
  expect(renderNoTable()).toBe('add table inet berth-policy\ndelete table inet berth-policy\n')
})
