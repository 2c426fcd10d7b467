import type { RouteTable } from '@berth/core'
import { describe, expect, it } from 'vitest'
import { MemberVersions } from './member-versions.ts'

const tableOf = (version: number, instances: readonly string[]): RouteTable => ({
  version,
  certificates: [],
  routes: [
    {
      ...{ id: 'r', host: 'shop.test', path: '/', tls: 'off', timeoutMs: 1, maxBodyBytes: 1, stripPath: false },
      allowEmpty: false,
      targets: [
        {
          ...{ pool: 'shop/production/web', weight: 1 },
          members: instances.map((instance) => ({
            instance,
            address: 'x',
            port: 1,
            weight: 1,
            state: 'active' as const,
          })),
        },
      ],
    },
  ],
})

describe('since when an instance is active', () => {
  it('is told by its records, and decided by the table in which it was first seen', () => {
    const members = new MemberVersions()
    members.enter(tableOf(900, ['a']), () => 120)
    // The gateways have the table that a leader made at 130.
    expect(members.madeAt('a')).toBe(120)
    expect(members.activeSince('a')).toBe(900)
    expect(members.activeAfter(130)).toEqual(['a'])
    expect(members.activeAfter(900)).toEqual([])
  })

  it('is never told later than the table that shows it', () => {
    const members = new MemberVersions()
    members.enter(tableOf(5, ['a', 'b']), (instance) => (instance === 'a' ? 7 : undefined))
    expect([members.madeAt('a'), members.madeAt('b')]).toEqual([5, 5])
  })

  it('is forgotten when it is active no more, and new when it comes back', () => {
    const members = new MemberVersions()
    members.enter(tableOf(5, ['a']), () => 3)
    expect(members.enter(tableOf(6, []), () => undefined)).toEqual({ entered: [], left: ['a'] })
    expect(members.madeAt('a')).toBeUndefined()
    expect(members.inactiveSince('a')).toBe(6)
    members.enter(tableOf(8, ['a']), () => 7)
    expect(members.madeAt('a')).toBe(7)
  })

  it('stays active while one of its routes leads to it', () => {
    const members = new MemberVersions()
    const [one, two] = [tableOf(5, ['a', 'b']), tableOf(5, ['b'])]
    const both = { ...one, routes: [...one.routes, ...two.routes] }
    expect(members.enter(both, () => 3).entered).toEqual(['a', 'b'])
    expect(members.enter({ ...two, version: 6 }, () => undefined)).toEqual({ entered: [], left: ['a'] })
    // The same members in a route that was made anew.
    expect(members.enter(tableOf(7, ['b']), () => undefined)).toEqual({ entered: [], left: [] })
    expect(members.activeSince('b')).toBe(5)
  })
})
