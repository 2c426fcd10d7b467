import { expect, it } from 'vitest'
import { readBirdRoutes, readProtocols } from './bird-report.ts'

it('reads what protocols there are, and how sessions are', () => {
  const lines = [
    'Name       Proto      Table      State  Since         Info',
    'own        Static     master4    up     1796083073  ',
    'node.node-b BGP        ---        up     1796083111    Established   ',
    'peer.core  BGP        ---        start  1796083109    Connect       Socket: Connection refused',
    'node.c     BGP        ---        start  1796083109    Idle          Received: Bad peer AS',
    'node.d     BGP        ---        start  1796083109    Active        ',
  ]
  expect(readProtocols(lines)).toEqual([
    { name: 'own', isBgp: false, isUp: true, since: 1_796_083_073_000, state: '' },
    { name: 'node.node-b', isBgp: true, isUp: true, since: 1_796_083_111_000, state: 'Established' },
    {
      ...{ name: 'peer.core', isBgp: true, isUp: false, since: 1_796_083_109_000, state: 'Connect' },
      lastError: 'Socket: Connection refused',
    },
    {
      ...{ name: 'node.c', isBgp: true, isUp: false, since: 1_796_083_109_000, state: 'Idle' },
      lastError: 'Received: Bad peer AS',
    },
    { name: 'node.d', isBgp: true, isUp: false, since: 1_796_083_109_000, state: 'Active' },
  ])
})

it('reads routes with what they were learned from, and those that lead nowhere', () => {
  const lines = [
    'Table master4:',
    '10.77.2.0/24         unicast [node.b 23:57:54.140 from 10.1.2.1] * (100/?) [i]',
    '\tvia 10.1.1.254 on a0',
    '10.77.3.0/24         unreachable [peer.core 23:57:54.140 from 10.1.3.1] * (90/-) [AS65000i]',
  ]
  expect(readBirdRoutes(lines)).toEqual([
    { block: '10.77.2.0/24', from: 'node.b', reachable: true, via: '10.1.1.254', device: 'a0' },
    { block: '10.77.3.0/24', from: 'peer.core', reachable: false },
  ])
})
