import type { FailoverAddressView } from '@berth/api'
import { expect, it } from 'vitest'
import { failoverText, holdersText } from './gateway.ts'

const view: FailoverAddressView = {
  ...{ address: '192.0.2.10', by: 'vrrp', chosen: false, createdAt: 1, createdBy: 'ann' },
  nodes: [
    { name: 'g1', state: 'holds', since: 1_000, preferred: false },
    { name: 'g2', state: 'problem', message: 'no network of this node contains 192.0.2.10', preferred: true },
  ],
  problems: ['only g1 may have it: nobody takes it over'],
}

it('tells of a failover address who has it since when, what hinders others, and what is wrong', () => {
  expect(failoverText(view, 61_000)).toBe(
    [
      'address   192.0.2.10',
      'by        VRRP: one gateway holds it, as routes are',
      'gateways  all',
      'node      g1  has it since 1m0s',
      'node      g2  problem  preferred  no network of this node contains 192.0.2.10',
      'problem   only g1 may have it: nobody takes it over',
    ].join('\n'),
  )
  expect(holdersText(view, 61_000)).toBe('g1 (since 1m0s)')
  expect(holdersText({ ...view, nodes: [] })).toBe('nobody')
  expect(failoverText({ ...view, by: 'bgp', chosen: true, site: 'paris' })).toContain(
    'BGP: gateways that are well announce it\ngateways  of paris',
  )
})
