import type { ProfileView } from '@berth/api'
import { parseProfile } from '@berth/api/policy/parse-profile'
import { formatRule, profileDocument } from '@berth/core'
import { arbitraryProfile } from '@berth/core/policy/policy.testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createStyle } from '../output/style.ts'
import { endsOf, explanationText } from './net-explain.ts'
import { type CounterRow, counterListing, counterNotes } from './profile-counters.ts'
import { profileText } from './profiles.ts'

it('shows a profile as `apply` takes it', () => {
  fc.assert(
    fc.property(arbitraryProfile, (profile) => {
      const rest = { version: 3, instances: 2, warnings: [], updatedAt: 0, updatedBy: 'ann' }
      const words = { inbound: profile.inbound.map(formatRule), outbound: profile.outbound.map(formatRule) }
      const document = profileDocument(profile) as unknown as ProfileView['document']
      const text = profileText({ name: profile.name, tags: [...profile.tags], ...words, document, ...rest })
      expect(parseProfile(text)).toEqual({ profile, problems: [] })
    }),
  )
})

describe('counters', () => {
  const nodes = [
    { node: 'a', packets: 1, bytes: 1_024 },
    { node: 'b', packets: 2, bytes: 1_024 },
  ]
  const rules: CounterRow[] = [
    { end: 'in', number: 1, rule: 'tcp:3306 from db-users', packets: 12, bytes: 720, nodes: [] },
    { end: 'in', profiles: ['db', 'web'], packets: 3, bytes: 2_048, nodes },
  ]

  it('are shown by rule, and what no rule took', () => {
    expect(rules.map(counterListing.row)).toEqual([
      ['inbound', '1', 'tcp:3306 from db-users', '12', '720B'],
      ['inbound', '-', '(no rule of db, web: dropped)', '3', '2Ki'],
    ])
    expect(rules.map((each) => counterListing.wideRow?.(each))).toEqual([['-'], ['a=1 b=2']])
  })

  it('say since when, and whom they lack', () => {
    const nodes = [{ node: 'a', since: 0 }]
    const silent = [{ node: 'b', message: 'node b is offline' }]
    expect(counterNotes({ profile: 'db', rules: [], nodes, silent }, 120_000)).toEqual([
      'counted by a for 2m0s',
      'b is not counted: node b is offline',
    ])
    expect(counterNotes({ profile: 'db', rules: [], nodes: [], silent: [] }, 0)).toEqual([
      'no node has it in force: nothing is counted',
    ])
  })
})

describe('net explain', () => {
  it.each([
    [['shop/web', 'shop/db'], { from: 'shop/web', to: 'shop/db' }],
    [['shop/web', '→', 'shop/db:3306'], { from: 'shop/web', to: 'shop/db', port: 3306 }],
    [['shop/web', '->', '10.77.1.2:80'], { from: 'shop/web', to: '10.77.1.2', port: 80 }],
    [['shop/web', 'fd77:1::a4d:305'], { from: 'shop/web', to: 'fd77:1::a4d:305' }],
    [['shop/web', '[fd77:1::a4d:305]:80'], { from: 'shop/web', to: 'fd77:1::a4d:305', port: 80 }],
  ])('reads %j', (words, ends) => expect(endsOf(words)).toEqual(ends))

  it.each([[['a']], [['a', '→']], [['a', 'b', 'c']]])('refuses %j', (words) =>
    expect(() => endsOf(words)).toThrow(/name who sends/),
  )

  it.each(['b:0', 'b:99999', '10.77.1.2:65536'])('refuses the port of %s', (to) =>
    expect(() => endsOf(['a', to])).toThrow(/from 1 to 65535/),
  )

  it('says who decides', () => {
    const text = explanationText(
      {
        ...{ allowed: false, protocol: 'tcp', port: 3306 },
        from: { name: 'shop.production.web-1', address: '10.77.1.2', node: 'n1', profiles: ['web'] },
        to: { name: '192.0.2.1', address: '192.0.2.1', profiles: [] },
        outbound: { allowed: false, reason: 'no-rule', message: 'no outbound rule of profile web allows it' },
        inbound: { allowed: true, reason: 'no-instance', message: '192.0.2.1 is no instance' },
      },
      createStyle(false),
    )
    expect(text).toBe(`dropped: tcp:3306 from shop.production.web-1 (10.77.1.2, n1) [web] to 192.0.2.1
  drops   outbound  no outbound rule of profile web allows it
  passes  inbound   192.0.2.1 is no instance`)
  })
})
