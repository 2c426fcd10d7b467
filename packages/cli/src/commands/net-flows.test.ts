import type { DropView, FlowView, NetEnd, ProfilePlan } from '@berth/api'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DropNews, dropLine, dropListing, flowListing } from './net-flows.ts'
import { planText } from './net-plan.ts'

const web: NetEnd = {
  ...{ kind: 'instance', name: 'shop.production.web-1', address: '10.77.1.2', node: 'a' },
  entrypoint: 'shop/production/web',
}
const db: NetEnd = {
  ...{ kind: 'instance', name: 'shop.production.db-1', address: '10.77.2.2', node: 'b' },
  entrypoint: 'shop/production/db',
}
const passes = { allowed: true, reason: 'rule', message: 'it passes' } as const
const flow: FlowView = {
  ...{ from: web, to: db, protocol: 'tcp', port: 3306, sourcePort: 4000, state: 'ESTABLISHED', answered: true },
  ...{ allowed: true, outbound: passes, inbound: passes },
}
const drop: DropView = {
  ...{ from: web, to: db, protocol: 'tcp', port: 3307, packets: 3, bytes: 180, at: 1_000, node: 'b', end: 'in' },
  message: 'no inbound rule of profile db allows it',
}

describe('flows', () => {
  it('say both names and what the rules say', () => {
    const cut = { ...flow, allowed: false, inbound: { ...passes, allowed: false, message: 'denied' } }
    const ping: FlowView = {
      from: web,
      to: db,
      protocol: 'icmp',
      answered: false,
      allowed: true,
      outbound: passes,
      inbound: passes,
    }
    expect([flow, cut, ping].map(flowListing.row)).toEqual([
      ['shop.production.web-1', 'shop.production.db-1', 'tcp:3306', 'established', 'pass'],
      ['shop.production.web-1', 'shop.production.db-1', 'tcp:3306', 'established', 'drop: denied'],
      ['shop.production.web-1', 'shop.production.db-1', 'icmp', '-', 'pass'],
    ])
    expect(flowListing.wideRow?.(flow).slice(0, 5)).toEqual(['10.77.1.2:4000', '10.77.2.2', '-', 'a → b', '-'])
  })
})

describe('drops', () => {
  it('say who, to whom, and why', () => {
    expect(dropListing(61_000).row(drop)).toEqual([
      ...['1m0s', 'shop.production.web-1', 'shop.production.db-1', 'tcp:3307', '3'],
      'no inbound rule of profile db allows it',
    ])
    expect(dropLine(drop)).toBe(
      '1970-01-01T00:00:01.000Z  shop.production.web-1 → shop.production.db-1 tcp:3307  3 packets  no inbound rule of profile db allows it',
    )
  })

  it('are followed without one being said twice or lost', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 5 }), { minLength: 1 }), (more) => {
        const news = new DropNews()
        let packets = 0
        let said = 0
        for (const each of more) {
          packets += each
          if (packets === 0) continue
          for (const fresh of news.take([{ ...drop, packets }])) said += fresh.packets
        }
        expect(said).toBe(packets)
      }),
    )
    const news = new DropNews()
    expect(news.take([{ ...drop, packets: 5 }])).toHaveLength(1)
    expect(news.take([{ ...drop, packets: 2 }])[0]?.packets).toBe(2)
    expect(news.notes(['a', 'b'])).toEqual(['a', 'b'])
    expect(news.notes(['a', 'c'])).toEqual(['c'])
  })
})

describe('a plan', () => {
  const none: ProfilePlan = {
    ...{ profiles: ['db'], flows: 12, cutFlows: 0, cut: [], openedFlows: 0, opened: [], more: 0, silent: [] },
  }
  const group = { from: 'shop/production/web', to: 'shop/production/db', protocol: 'tcp', port: 3306, flows: 2 }

  it('says what would be cut, and what that means', () => {
    expect(planText(none)).toBe('12 connections were looked at: nothing changes for any of them')
    const cut = [{ ...group, message: 'no inbound rule of profile db allows it', examples: [] }]
    expect(planText({ ...none, cutFlows: 2, cut })).toBe(
      [
        '12 connections were looked at: 2 could not be made any more',
        '  shop/production/web → shop/production/db tcp:3306 (2)  no inbound rule of profile db allows it',
        'They stand until they end; made anew they are dropped.',
      ].join('\n'),
    )
    expect(planText({ ...none, openedFlows: 2, opened: cut })).toContain('2 that rules drop now would pass')
  })
})
