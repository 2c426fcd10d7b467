import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { FailoverAddress } from './failover-address.ts'
import { checkFailoverAddress, failoverWay, freeRouter, isWithin } from './failover-address.ts'
import { candidatesFor, type FailoverNode, planFailover, preferredFor } from './failover-plan.ts'

const gateway = (number: number, change: Partial<FailoverNode> = {}): FailoverNode => ({
  ...{ name: `g${number}`, address: `10.9.0.${number}`, labels: { gateway: 'true' }, joinedAt: number },
  ...change,
})
const failover = (router: number, change: Partial<FailoverAddress> = {}): FailoverAddress => ({
  ...{ address: `192.0.2.${router}`, router, createdAt: router, createdBy: 'ann' },
  ...change,
})

const nodes = fc
  .uniqueArray(
    fc.record({
      number: fc.integer({ min: 1, max: 250 }),
      isGateway: fc.boolean(),
      site: fc.constantFrom('paris', 'rome'),
      isDraining: fc.boolean(),
    }),
    { selector: ({ number }) => number, maxLength: 12 },
  )
  .map((all) =>
    all.map(({ number, isGateway, site, isDraining }) =>
      gateway(number, {
        labels: { site, ...(isGateway ? { gateway: 'true' } : {}) },
        ...(isDraining ? { drain: { since: 1 } } : {}),
      }),
    ),
  )
const addresses = fc
  .uniqueArray(
    fc.record({
      router: fc.integer({ min: 1, max: 64 }),
      site: fc.constantFrom(undefined, 'paris', 'rome'),
      by: fc.constantFrom(undefined, 'vrrp' as const, 'bgp' as const),
    }),
    { selector: ({ router }) => router, maxLength: 10 },
  )
  .map((all) =>
    all.map(({ router, site, by }) =>
      failover(router, { ...(site === undefined ? {} : { site }), ...(by === undefined ? {} : { by }) }),
    ),
  )
const modes = fc.constantFrom('static' as const, 'bgp' as const, 'cloud' as const)

describe('who holds which failover address', () => {
  it('is one gateway alone, whichever of them are well', () => {
    fc.assert(
      fc.property(nodes, addresses, modes, fc.func(fc.boolean()), (given, wanted, mode, isWell) => {
        const plan = planFailover({ mode, addresses: wanted, nodes: given })
        for (const each of wanted) {
          const way = failoverWay(each, mode)
          const candidates = candidatesFor(each, given)
          const told = [...plan].flatMap(([node, { addresses: all }]) =>
            all.flatMap((entry) => (entry.address === each.address ? { node, entry } : [])),
          )
          expect(told.map(({ node }) => node).sort()).toEqual(
            way === undefined ? [] : candidates.map(({ name }) => name).sort(),
          )
          const byVrrp = told.flatMap(({ node, entry }) => (entry.by === 'vrrp' ? { node, entry } : []))
          expect(byVrrp.length).toBe(way === 'vrrp' ? told.length : 0)
          const well = byVrrp.filter(({ node }) => isWell(node))
          const highest = Math.max(...well.map(({ entry }) => entry.priority))
          expect(well.filter(({ entry }) => entry.priority === highest).length).toBe(Math.min(well.length, 1))
          for (const { node, entry } of byVrrp) {
            const others = candidates.filter(({ name }) => name !== node).map(({ address }) => address)
            expect(entry.peers).toEqual(others)
            expect(entry.priority).toBeGreaterThan(0)
            expect(entry.priority).toBeLessThan(255)
          }
        }
      }),
    )
  })

  it('is another for each address, as long as there are gateways enough', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 20 }), (gateways, count) => {
        const given = Array.from({ length: gateways }, (_, index) => gateway(index + 1))
        const wanted = Array.from({ length: count }, (_, index) => failover(index + 1))
        const plan = planFailover({ mode: 'static', addresses: wanted, nodes: given })
        const preferred = wanted.map(({ address }) => preferredFor(plan, address))
        const load = given.map(({ name }) => preferred.filter((each) => each === name).length)
        expect(Math.max(...load) - Math.min(...load)).toBeLessThanOrEqual(1)
      }),
    )
  })

  it('stays where it is when an address is added, whatever the order of nodes', () => {
    fc.assert(
      fc.property(nodes, fc.integer({ min: 1, max: 8 }), (given, count) => {
        const wanted = Array.from({ length: count }, (_, index) => failover(index + 1))
        const before = planFailover({ mode: 'static', addresses: wanted, nodes: given })
        const after = planFailover({ mode: 'static', addresses: [...wanted, failover(60)], nodes: given.toReversed() })
        for (const { address } of wanted) expect(preferredFor(after, address)).toBe(preferredFor(before, address))
      }),
    )
  })

  it('is none that is being drained, unless all are; of a site, one of the site', () => {
    const draining = gateway(1, { drain: { since: 1 } })
    expect(candidatesFor({}, [draining, gateway(2)]).map(({ name }) => name)).toEqual(['g2'])
    expect(candidatesFor({}, [draining]).map(({ name }) => name)).toEqual(['g1'])
    const paris = gateway(3, { labels: { gateway: 'true', site: 'paris' } })
    expect(candidatesFor({ site: 'paris' }, [gateway(2), paris])).toEqual([paris])
    expect(candidatesFor({}, [gateway(4, { labels: { gateway: 'false' } })])).toEqual([])
  })
})

describe('a failover address', () => {
  it('is held in the way of the cluster’s routes unless another is said', () => {
    expect(failoverWay({}, 'static')).toBe('vrrp')
    expect(failoverWay({}, 'bgp')).toBe('bgp')
    expect(failoverWay({ by: 'vrrp' }, 'bgp')).toBe('vrrp')
    expect(failoverWay({ by: 'bgp' }, 'static')).toBeUndefined()
    expect(failoverWay({ by: 'vrrp' }, 'cloud')).toBeUndefined()
  })

  it('is told in one form, and refused where no gateway can have it', () => {
    expect(checkFailoverAddress('192.0.2.10')).toBe('192.0.2.10')
    expect(checkFailoverAddress('2001:DB8:0::10')).toBe('2001:db8::10')
    for (const text of ['192.0.2.10/32', 'gateway', '', '192.0.2.256', '2001:db8::10/128', '192.0.2.1; reboot'])
      expect(() => checkFailoverAddress(text)).toThrow('is no address; write e.g. 192.0.2.10')
    for (const text of [
      '0.0.0.1',
      '127.0.0.1',
      '169.254.1.1',
      '224.0.0.18',
      '255.255.255.255',
      '::1',
      'fe80::1',
      'ff02::1',
    ])
      expect(() => checkFailoverAddress(text)).toThrow('no gateway can have')
  })

  it('has a number that no other has', () => {
    expect(freeRouter([])).toBe(1)
    expect(freeRouter([{ router: 1 }, { router: 3 }])).toBe(2)
    const all = Array.from({ length: 64 }, (_, index) => ({ router: index + 1 }))
    expect(() => freeRouter(all)).toThrow('there are 64 failover addresses already')
  })

  it('is looked for in ranges of its family', () => {
    expect(isWithin('10.77.3.4', '10.77.0.0/16')).toBe(true)
    expect(isWithin('10.78.0.1', '10.77.0.0/16')).toBe(false)
    expect(isWithin('10.9.0.1', '10.9.0.1')).toBe(true)
    expect(isWithin('192.0.2.10', '0.0.0.0/0')).toBe(true)
    expect(isWithin('2001:db8::1', '2001:db8::/64')).toBe(true)
    expect(isWithin('2001:db8:1::1', '2001:db8::/64')).toBe(false)
    expect(isWithin('2001:db8::1', '10.77.0.0/16')).toBe(false)
  })
})
