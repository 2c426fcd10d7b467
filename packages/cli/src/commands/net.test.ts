import type { NodeRoutesView, RoutingView } from '@berth/api'
import { describe, expect, it } from 'vitest'
import { changeOf } from './net.ts'
import { routeListing, routeRows, routingText, sessionListing, sessionRows } from './net-text.ts'
import { labelOf } from './words.ts'

describe('what is set', () => {
  it.each([
    [{ routes: 'bgp' }, { mode: 'bgp' }],
    [
      { as: '4200000000', meshUpTo: '20', reflectors: '3' },
      { as: 4_200_000_000, meshUpTo: 20, reflectors: 3 },
    ],
    [{ searchDomains: ['corp.example', 'lab'] }, { searchDomains: ['corp.example', 'lab'] }],
    [{ searchDomains: ['none'] }, { searchDomains: [] }],
    [{ consulDomain: 'consul' }, { consulDomain: 'consul' }],
    [{ consulDomain: 'none' }, { consulDomain: '' }],
    [{ site: ['paris=64601', 'rome=none'] }, { sites: { paris: 64_601, rome: null } }],
  ])('%j', (options, body) => expect(changeOf(options)).toEqual(body))

  it.each([
    [{}, 'say what to set'],
    [{ routes: 'ospf' }, '--routes ospf: use static, bgp or cloud'],
    [{ site: ['paris'] }, '--site paris: write e.g. paris=64601'],
    [{ site: ['paris=x'] }, '--site paris=x: write'],
  ])('mistakes: %j', (options, message) => expect(() => changeOf(options)).toThrow(message))

  it('names a label', () => {
    expect(labelOf('rack=r=7')).toEqual({ name: 'rack', value: 'r=7' })
    expect(() => labelOf('rack')).toThrow('write e.g. rack=r7')
  })
})

const view: RoutingView = {
  ...{ mode: 'bgp', as: 64_512, sites: { paris: 64_601 }, meshUpTo: 50, reflectors: 2, mesh: true, without: ['c'] },
  peers: [{ name: 'core', address: '10.0.0.1', as: 65_000, label: { name: 'rack', value: 'r7' }, hasPassword: true }],
  reflectorsOf: { '': ['a'], paris: ['b', 'd'] },
  tables: [],
  searchDomains: ['corp.example', 'lab'],
}

it('says how nodes learn routes', () => {
  expect(routingText(view)).toBe(
    [
      'routes      bgp: learned from each other',
      'AS          64512, paris 64601',
      'sessions    every node with every other, up to 50',
      'reflectors  a; b, d (paris)',
      'short names of the app, then in corp.example, lab',
      'no address  c: nothing is routed to nodes without IPv4',
      '',
      'ROUTER  ADDRESS   AS     NODES    PASSWORD',
      'core    10.0.0.1  65000  rack=r7  yes',
    ].join('\n'),
  )
})

const routes: NodeRoutesView = {
  ...{ node: 'a', mode: 'bgp', running: true },
  sessions: [
    { with: 'node', name: 'b', address: '10.0.0.2', as: 64_512, up: true, since: 0, learned: 1 },
    {
      with: 'peer',
      name: 'core',
      address: '10.0.0.1',
      as: 65_000,
      up: false,
      since: 0,
      learned: 0,
      why: 'Bad peer AS',
    },
  ],
  routes: [
    { block: '10.77.2.0/24', owner: 'b', kind: 'bgp', from: 'b', reachable: true, via: '10.0.0.2', device: 'eth0' },
    { block: '10.77.3.0/24', kind: 'bgp', from: 'router core', reachable: false },
  ],
}

it('shows where routes lead, and from whom they were learned', () => {
  expect(routeRows([routes]).map((row) => routeListing.row(row))).toEqual([
    ['a', '10.77.2.0/24', 'b', 'bgp', '10.0.0.2 on eth0', 'b'],
    ['a', '10.77.3.0/24', '', 'bgp', 'unreachable', 'router core'],
  ])
})

it('shows sessions, and why one is down', () => {
  expect(sessionRows([routes]).map((row) => sessionListing(120_000).row(row))).toEqual([
    ['a', 'b', '10.0.0.2', '64512', 'up', '2m0s', '1', ''],
    ['a', 'router core', '10.0.0.1', '65000', 'down', '2m0s', '0', 'Bad peer AS'],
  ])
})
