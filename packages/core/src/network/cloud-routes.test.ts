import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type CloudRoute,
  type CloudRoutePlan,
  planCloudRoutes,
  routesOfTable,
  type WantedRoute,
} from './cloud-routes.ts'

const owner = 'berth:1'
const block = fc.integer({ min: 0, max: 7 }).map((index) => `10.77.${index}.0/24`)
const address = fc.integer({ min: 1, max: 4 }).map((index) => `10.0.0.${index}`)
const wantedRoutes = fc.uniqueArray(
  fc.record({ node: fc.constantFrom('a', 'b', 'c'), destination: block, nextHop: address }),
  { selector: ({ destination }) => destination },
)
const foundRoutes = fc.uniqueArray(
  fc.record({ destination: block, nextHop: address, owner: fc.constantFrom(owner, 'terraform', undefined) }),
  { selector: ({ destination }) => destination },
) as fc.Arbitrary<CloudRoute[]>

function apply(found: readonly CloudRoute[], { put, remove }: Pick<CloudRoutePlan, 'put' | 'remove'>): CloudRoute[] {
  const put_ = new Map(put.map(({ destination, nextHop }) => [destination, { destination, nextHop, owner }]))
  const others = found.filter(({ destination }) => !remove.includes(destination) && !put_.has(destination))
  return [...others, ...put_.values()]
}

describe('entries of a provider’s table', () => {
  it('change so that a second look changes nothing, and nobody else’s is touched', () => {
    fc.assert(
      fc.property(wantedRoutes, foundRoutes, (wanted, found) => {
        const plan = planCloudRoutes({ wanted, found, owner })
        const after = apply(found, plan)
        const again = planCloudRoutes({ wanted, found: after, owner })
        expect([...again.put, ...again.remove]).toEqual([])
        expect(again.inForce.length + again.foreign.length).toBe(wanted.length)
        const others = (routes: readonly CloudRoute[]) => routes.filter((each) => each.owner !== owner)
        expect(new Set(others(after))).toEqual(new Set(others(found)))
      }),
    )
  })

  it('are never all taken away, and each that is wanted is in one state', () => {
    fc.assert(
      fc.property(wantedRoutes, foundRoutes, (wanted, found) => {
        const { put, remove, inForce, pending, foreign, kept } = planCloudRoutes({ wanted, found, owner })
        expect(put.length + inForce.length + pending.length + foreign.length).toBe(wanted.length)
        if (wanted.length === 0) expect(remove).toEqual([])
        if (wanted.length > 0) expect(kept).toEqual([])
      }),
    )
  })

  it('that were just made or taken away are not asked for again while the table does not show it', () => {
    const wanted: WantedRoute[] = [{ node: 'a', destination: '10.77.0.0/24', nextHop: '10.0.0.1' }]
    const found = [{ destination: '10.77.1.0/24', nextHop: '10.0.0.2', owner }]
    const recent = [{ destination: '10.77.0.0/24', nextHop: '10.0.0.1' }, { destination: '10.77.1.0/24' }]
    expect(planCloudRoutes({ wanted, found, owner, recent })).toMatchObject({ put: [], remove: [], pending: wanted })
    const moved = [{ destination: '10.77.0.0/24', nextHop: '10.0.0.9' }]
    expect(planCloudRoutes({ wanted, found, owner, recent: moved })).toMatchObject({ put: wanted })
  })

  it('are those of the nodes of its site that have an IPv4 address', () => {
    const node = (name: string, site: string | undefined, nextHop = '10.0.0.1') => ({
      ...{ name, block: `10.77.${name.length}.0/24`, address: nextHop },
      labels: site === undefined ? {} : { site },
    })
    const nodes = [node('a', 'paris'), node('bb', undefined), node('ccc', 'paris', '2001:db8::1')]
    expect(routesOfTable(nodes, 'paris').map((each) => each.node)).toEqual(['a'])
    expect(routesOfTable(nodes, undefined).map((each) => each.node)).toEqual(['a', 'bb'])
  })
})
