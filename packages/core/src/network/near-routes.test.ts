import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { SitePreference } from '../model/route-options.ts'
import { nearTable } from './near-routes.ts'
import type { Member, Route, RouteTarget } from './route-table.ts'

const member = (place: number, site: string | undefined, isActive = true): Member => ({
  ...{ instance: `shop.production.web-${place}`, address: `10.77.0.${place}`, port: 80, weight: 1 },
  state: isActive ? 'active' : 'draining',
  ...(site === undefined ? {} : { site }),
})

const routeOf = (targets: readonly RouteTarget[], sites?: SitePreference): Route => ({
  ...{ id: 'shop/production/web shop.test/', host: 'shop.test', path: '/', tls: 'on', timeoutMs: 60_000 },
  targets,
  ...(sites === undefined ? {} : { options: { sites } }),
})

const near = (route: Route, site: string | undefined): Route => {
  const [found] = nearTable({ version: 1, routes: [route], certificates: [] }, site).routes
  if (found === undefined) throw new Error('the route is gone')
  return found
}

const placesOf = (targets: readonly RouteTarget[] = []): string[] =>
  targets.flatMap(({ members }) => members.map(({ instance }) => instance)).sort()

/** Of all requests, how many a target gets. */
function fractions({ targets, far }: Pick<Route, 'targets' | 'far'>): number[] {
  const part = (list: readonly RouteTarget[], whole: number): number[] => {
    const total = list.reduce((sum, { weight }) => sum + weight, 0)
    return list.map(({ weight }) => (total === 0 ? 0 : (whole * weight) / total))
  }
  const share = (far?.share ?? 0) / 1000
  const away = part(far?.targets ?? [], share)
  return part(targets, 1 - share).map((each, index) => each + (away[index] ?? 0))
}

const target = fc
  .record({
    weight: fc.integer({ min: 1, max: 20 }),
    members: fc.array(fc.tuple(fc.constantFrom('a', 'b', undefined), fc.boolean()), { minLength: 1, maxLength: 6 }),
    wanted: fc.record({ a: fc.nat(8), b: fc.nat(8) }),
  })
  .map(({ weight, members, wanted }) => ({
    ...{ pool: 'shop/production/web', weight, wanted },
    members: members.map(([site, isActive], place) => member(place + 1, site, isActive)),
  }))

describe('routes of a gateway in a site', () => {
  it('lead to whom they led, release by release as before', () => {
    fc.assert(
      fc.property(fc.array(target, { minLength: 1, maxLength: 2 }), fc.constantFrom('a', 'b', 'c'), (targets, site) => {
        const found = near(routeOf(targets), site)
        expect([...placesOf(found.targets), ...placesOf(found.far?.targets)].sort()).toEqual(placesOf(targets))
        expect(JSON.stringify(found)).not.toContain('"site')
        const total = targets.reduce((sum, { weight }) => sum + weight, 0)
        for (const [index, fraction] of fractions(found).entries())
          expect(fraction).toBeCloseTo((targets[index]?.weight ?? 0) / total, 2)
        // Nobody is sent to where nobody is, as long as somebody is somewhere.
        const isEmpty = ({ members }: RouteTarget) => !members.some(({ state }) => state === 'active')
        if (found.far === undefined || targets.every(isEmpty)) return
        const gets = found.targets.filter(({ weight }) => weight > 0)
        if (gets.length > 0 && found.far.share < 1000) expect(gets.every(isEmpty)).toBe(false)
        if (found.far.share > 0) expect(found.far.targets.filter(({ weight }) => weight > 0).every(isEmpty)).toBe(false)
      }),
    )
  })

  it('are the same as before where no site is known', () => {
    const route = routeOf([{ pool: 'shop/production/web', weight: 1, members: [member(1, undefined)] }])
    expect(near(route, 'a')).toBe(route)
  })

  const spread = (ready: number, wanted: number): RouteTarget => ({
    ...{ pool: 'shop/production/web', weight: 1, wanted: { a: wanted, b: 2 } },
    members: [...Array.from({ length: ready }, (_, place) => member(place + 1, 'a')), member(8, 'b'), member(9, 'b')],
  })

  it.each([
    ['all is well', 4, 4, {}, 0],
    ['three of four are ready', 3, 4, {}, 0],
    ['half of those that are enough are ready', 7, 20, {}, 500],
    ['a person wants it earlier', 3, 4, { spillBelow: 1 }, 250],
    ['one of a hundred is ready', 1, 100, {}, 986],
  ])('send elsewhere what cannot be served near: %s', (_, ready, wanted, sites, share) => {
    expect(near(routeOf([spread(ready, wanted)], sites), 'a').far?.share).toBe(share)
  })

  it('lead everywhere where nobody is near, where no site is, and where that is wished', () => {
    const all = placesOf([spread(2, 2)])
    for (const [sites, site] of [
      [{}, 'c'],
      [{}, undefined],
      [{ prefer: 'any' }, 'a'],
    ] as const) {
      const found = near(routeOf([spread(2, 2)], sites), site)
      expect(placesOf(found.targets)).toEqual(all)
      expect(found.far).toBeUndefined()
    }
  })

  it('send home what may change something, from everywhere else', () => {
    const route = routeOf([spread(2, 2)], { writes: 'b' })
    const home = ['shop.production.web-8', 'shop.production.web-9']
    expect(placesOf(near(route, 'a').writes?.targets)).toEqual(home)
    expect(placesOf(near(route, undefined).writes?.targets)).toEqual(home)
    expect(near(route, 'b').writes).toBeUndefined()
  })
})
