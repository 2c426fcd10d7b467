import { formatBlock, type NetworkConfig, parseBlock } from '@berth/core'
import { describe, expect, it } from 'vitest'
import type { HostRoute } from './host-state.ts'
import { findCollision, ownBlocks, planNetwork, planRoutes } from './network-plan.ts'

const config: NetworkConfig = {
  pool: '10.77.0.0/16',
  block: '10.77.1.0/24',
  peers: [
    { node: 'a', block: '10.77.1.0/24', via: '192.168.0.1' },
    { node: 'b', block: '10.77.2.0/24', via: '192.168.0.2' },
    { node: 'c', block: '10.77.3.0/24', via: '192.168.0.3' },
  ],
  domain: 'berth',
  defaultPool: 'production',
}
const plan = planNetwork(config)

const ours = (dst: string, gateway: string): HostRoute => ({
  dst,
  gateway,
  dev: 'eth0',
  protocol: '77',
  prefsrc: '10.77.1.1',
})
const lan: HostRoute = { dst: '192.168.0.0/24', dev: 'eth0', protocol: 'kernel', scope: 'link' }
const uplink: HostRoute = { dst: 'default', gateway: '192.168.0.254', dev: 'eth0' }
const both = [ours('10.77.2.0/24', '192.168.0.2'), ours('10.77.3.0/24', '192.168.0.3')]

describe('planNetwork', () => {
  it('leaves the node itself out of its peers', () => {
    expect(plan.gateway).toBe('10.77.1.1')
    expect(plan.peers.map((peer) => peer.node)).toEqual(['b', 'c'])
  })

  it.each<[string, Partial<NetworkConfig>, string]>([
    ['a block outside of the pool', { block: '10.78.1.0/24' }, 'network.invalid-block'],
    ['a malformed block', { block: '10.77.1.0' }, 'network.invalid-block'],
    ['a malformed pool', { pool: '10.77.0.0/40' }, 'network.invalid-block'],
    [
      'a name instead of an address',
      { peers: [{ node: 'b', block: '10.77.2.0/24', via: 'b.lan' }] },
      'network.invalid-address',
    ],
    [
      'an option instead of an address',
      { peers: [{ node: 'b', block: '10.77.2.0/24', via: '-4' }] },
      'network.invalid-address',
    ],
    [
      'a peer inside of the own block',
      { peers: [{ node: 'b', block: '10.77.1.128/25', via: '192.168.0.2' }] },
      'network.block-overlap',
    ],
    [
      'two peers with one block',
      {
        peers: [
          { node: 'b', block: '10.77.2.0/24', via: '192.168.0.2' },
          { node: 'c', block: '10.77.2.0/24', via: '192.168.0.3' },
        ],
      },
      'network.block-overlap',
    ],
    [
      'a further block that a peer has',
      { blocks: ['10.77.9.0/24'], peers: [{ node: 'b', block: '10.77.9.0/25', via: '192.168.0.2' }] },
      'network.block-overlap',
    ],
    [
      'a block of a peer in a further one of another',
      {
        peers: [
          { node: 'b', block: '10.77.2.0/24', blocks: ['10.77.8.0/23'], via: '192.168.0.2' },
          { node: 'c', block: '10.77.3.0/24', blocks: ['10.77.9.0/24'], via: '192.168.0.3' },
        ],
      },
      'network.block-overlap',
    ],
  ])('refuses %s', (_, change, code) => {
    expect(() => planNetwork({ ...config, ...change })).toThrow(expect.objectContaining({ code }))
  })
})

describe('findCollision', () => {
  it.each<[string, HostRoute, boolean]>([
    ['the default route', uplink, false],
    ['the network of the host', lan, false],
    ['our bridge', { dst: '10.77.1.0/24', dev: 'berth0', protocol: 'kernel', scope: 'link' }, false],
    ['our routes', ours('10.77.2.0/24', '192.168.0.2'), false],
    [
      'a wider route to elsewhere',
      { dst: '10.0.0.0/8', gateway: '192.168.0.9', dev: 'eth0', protocol: 'static' },
      false,
    ],
    [
      'a wider network that the host is in',
      { dst: '10.0.0.0/8', dev: 'eth1', protocol: 'kernel', scope: 'link' },
      true,
    ],
    ['the same block', { dst: '10.77.0.0/16', gateway: '192.168.0.9', protocol: 'static' }, true],
    ['a part of the pool', { dst: '10.77.200.0/24', dev: 'br-1', protocol: 'kernel', scope: 'link' }, true],
    ['one address of the pool', { dst: '10.77.5.6', gateway: '192.168.0.9' }, true],
  ])('%s: %s', (_, route, collides) => {
    expect(findCollision(parseBlock(config.pool), [lan, uplink, route]) !== undefined).toBe(collides)
  })
})

describe('planRoutes', () => {
  const steps = (routes: HostRoute[], removeAbsent = false) => planRoutes(plan, routes, removeAbsent).steps

  it('sets what is missing', () => {
    expect(steps([lan, uplink])).toEqual([
      { op: 'set', node: 'b', block: '10.77.2.0/24', via: '192.168.0.2', source: '10.77.1.1' },
      { op: 'set', node: 'c', block: '10.77.3.0/24', via: '192.168.0.3', source: '10.77.1.1' },
    ])
  })

  it('has nothing to do afterwards', () => expect(steps([lan, uplink, ...both])).toEqual([]))

  it.each<[string, HostRoute]>([
    ['another way', ours('10.77.2.0/24', '192.168.0.22')],
    ['another source', { ...ours('10.77.2.0/24', '192.168.0.2'), prefsrc: '10.77.9.1' }],
    ['no source', { dst: '10.77.2.0/24', gateway: '192.168.0.2', protocol: '77' }],
  ])('changes a route with %s', (_, route) => {
    expect(steps([route, both[1] as HostRoute])).toEqual([expect.objectContaining({ op: 'set', node: 'b' })])
  })

  it('keeps a route of ours that it is not told of, unless told to remove it or it is in the way', () => {
    const absent = ours('10.77.4.0/24', '192.168.0.4')
    expect(steps([...both, absent])).toEqual([])
    expect(steps([...both, absent], true)).toEqual([{ op: 'remove', block: '10.77.4.0/24' }])
    expect(steps([...both, ours('10.77.2.128/25', '192.168.0.4')])).toEqual([{ op: 'remove', block: '10.77.2.128/25' }])
    expect(steps([...both, ours('10.77.1.0/24', '192.168.0.4')])).toEqual([{ op: 'remove', block: '10.77.1.0/24' }])
  })

  it("never touches another's route, and says so when it is in the way", () => {
    const foreign: HostRoute = { dst: '10.77.2.0/24', gateway: '192.168.0.9', dev: 'eth1', protocol: 'static' }
    const result = planRoutes(plan, [foreign, both[1] as HostRoute], true)
    expect(result.steps).toEqual([])
    expect(result.problems).toEqual([
      'route to node b (10.77.2.0/24): the host has a route of its own there (10.77.2.0/24 via 192.168.0.9 dev eth1); remove it',
    ])
  })

  it('makes none where they are learned, and takes away those that are not needed any more', () => {
    const learning = (routes: HostRoute[], learned: string[]) => planRoutes(plan, routes, true, new Set(learned))
    expect(learning([lan, uplink], [])).toEqual({ steps: [], problems: [] })
    expect(learning(both, []).steps).toEqual([])
    expect(learning(both, ['10.77.2.0/24']).steps).toEqual([{ op: 'remove', block: '10.77.2.0/24' }])
    const absent = ours('10.77.4.0/24', '192.168.0.4')
    expect(learning([...both, absent], ['10.77.4.0/24']).steps).toEqual([{ op: 'remove', block: '10.77.4.0/24' }])
    expect(learning([absent], []).steps).toEqual([{ op: 'remove', block: '10.77.4.0/24' }])
    const foreign: HostRoute = { dst: '10.77.2.0/24', gateway: '192.168.0.9', dev: 'eth1', protocol: 'static' }
    expect(learning([foreign], ['10.77.2.0/24'])).toEqual({ steps: [], problems: [] })
  })
})

describe('single addresses of others’ blocks', () => {
  /** `b` has one of this node’s and one of `c`’s; this node has one of `b`’s. */
  const moved = planNetwork({
    ...config,
    addresses: ['10.77.2.9'],
    peers: config.peers.map((peer) => (peer.node === 'b' ? { ...peer, addresses: ['10.77.1.7', '10.77.3.8'] } : peer)),
  })
  const toB = (dst: string) => ours(dst, '192.168.0.2')

  it('are known as those of this node, and those of its own block that are elsewhere', () => {
    expect(moved.addresses.map(formatBlock)).toEqual(['10.77.2.9/32'])
    expect(moved.away.map(formatBlock)).toEqual(['10.77.1.7/32'])
  })

  it('are reached by the node that has them, and are not touched again', () => {
    const { steps } = planRoutes(moved, both, true)
    expect(steps).toEqual([
      { op: 'set', node: 'b', block: '10.77.1.7/32', via: '192.168.0.2', source: '10.77.1.1' },
      { op: 'set', node: 'b', block: '10.77.3.8/32', via: '192.168.0.2', source: '10.77.1.1' },
    ])
    expect(planRoutes(moved, [...both, toB('10.77.1.7'), toB('10.77.3.8')], true)).toEqual({ steps: [], problems: [] })
  })

  it('are reached by their block again when they are not elsewhere any more, whatever else is unsure', () => {
    const { steps } = planRoutes(plan, [...both, toB('10.77.1.7'), toB('10.77.3.8')], false)
    expect(steps).toEqual([
      { op: 'remove', block: '10.77.1.7/32' },
      { op: 'remove', block: '10.77.3.8/32' },
    ])
  })

  it('have another way after they have moved', () => {
    expect(planRoutes(moved, [...both, ours('10.77.1.7', '192.168.0.3'), toB('10.77.3.8')], true).steps).toEqual([
      { op: 'set', node: 'b', block: '10.77.1.7/32', via: '192.168.0.2', source: '10.77.1.1' },
    ])
  })

  it('are let alone while a container that is on its way out has them here, and where routes are learned', () => {
    const leaving: HostRoute = { dst: '10.77.1.7', dev: 'berth-0a4d0107', protocol: '78', scope: 'link' }
    const { steps, problems } = planRoutes(moved, [...both, leaving, toB('10.77.3.8')], true)
    expect([steps, problems]).toEqual([[], []])
    const learned = new Set(['10.77.1.7/32', '10.77.2.0/24', '10.77.3.0/24'])
    expect(planRoutes(moved, [toB('10.77.1.7')], true, learned).steps).toEqual([
      { op: 'remove', block: '10.77.1.7/32' },
    ])
  })

  it('are never reached by another while this node is told that it has them', () => {
    const twice = planNetwork({
      ...config,
      addresses: ['10.77.1.7'],
      peers: config.peers.map((peer) => ({ ...peer, addresses: ['10.77.1.7'] })),
    })
    expect(twice.away).toEqual([])
    expect(planRoutes(twice, both, true).steps).toEqual([])
  })
})

describe('further blocks', () => {
  const wider = planNetwork({
    ...config,
    blocks: ['10.77.8.0/28'],
    peers: [
      { node: 'b', block: '10.77.2.0/24', blocks: ['10.77.9.0/28', '10.77.9.16/28'], via: '192.168.0.2' },
      { node: 'c', block: '10.77.3.0/24', addresses: ['10.77.8.4'], via: '192.168.0.3' },
    ],
  })

  it('are the node’s own, and those of its peers are reached by them', () => {
    expect(ownBlocks(wider).map(formatBlock)).toEqual(['10.77.1.0/24', '10.77.8.0/28'])
    expect(wider.away.map(formatBlock)).toEqual(['10.77.8.4/32'])
    const { steps } = planRoutes(wider, [lan, uplink], false)
    expect(steps.map((step) => `${step.block} ${step.op === 'set' ? step.via : ''}`)).toEqual([
      ...['10.77.2.0/24 192.168.0.2', '10.77.9.0/28 192.168.0.2', '10.77.9.16/28 192.168.0.2'],
      ...['10.77.3.0/24 192.168.0.3', '10.77.8.4/32 192.168.0.3'],
    ])
  })

  it('have their routes replaced when another node has them, and taken away only when all is known', () => {
    const old = [...both, ours('10.77.9.0/28', '192.168.0.3'), ours('10.77.7.0/28', '192.168.0.2')]
    const stepsOf = (isWhole: boolean) =>
      planRoutes(wider, old, isWhole).steps.flatMap((step) =>
        step.block.endsWith('/28') ? `${step.op} ${step.block}` : [],
      )
    expect(stepsOf(false)).toEqual(['set 10.77.9.0/28', 'set 10.77.9.16/28'])
    expect(stepsOf(true)).toEqual(['remove 10.77.7.0/28', 'set 10.77.9.0/28', 'set 10.77.9.16/28'])
    const inTheWay = [ours('10.77.9.0/27', '192.168.0.3')]
    expect(planRoutes(wider, inTheWay, false).steps[0]).toEqual({ op: 'remove', block: '10.77.9.0/27' })
  })
})
