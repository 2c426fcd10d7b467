import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { keepMembers } from './last-known-good.ts'
import { nearTable } from './near-routes.ts'
import { renderPortRoutes } from './render-port-routes.ts'
import type { Member, PortRoute } from './route-table.ts'
import { findRouteTableProblems } from './route-table-problems.ts'

const place = {
  own: ['10.77.0.0/28', 'fd77::/124'],
  pools: ['10.77.0.0/16', 'fd77::/64'],
  gateway: '10.77.0.1',
  gateway6: 'fd77::1',
}

const arbitraryMember = (n: number): fc.Arbitrary<Member> =>
  fc
    .record({ weight: fc.integer({ min: 0, max: 3 }), isActive: fc.boolean(), has6: fc.boolean() })
    .map(({ weight, isActive, has6 }) => ({
      ...{ instance: `i-${n}`, address: `10.77.0.${n}`, port: 8080, weight, state: isActive ? 'active' : 'draining' },
      ...(has6 ? { address6: `fd77::${n}` } : {}),
    }))
const arbitraryRoute = (port: number): fc.Arbitrary<PortRoute> =>
  fc
    .record({
      protocol: fc.constantFrom('tcp' as const, 'udp' as const),
      allowEmpty: fc.boolean(),
      members: fc.tuple(...[2, 3, 17, 18].map(arbitraryMember)),
      weights: fc.tuple(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 0, max: 5 })),
      allow: fc.option(fc.constantFrom(['192.0.2.0/24'], ['192.0.2.0/24', '2001:db8::/32']), { nil: undefined }),
    })
    .map(({ members, weights, allow, ...more }) => ({
      ...{ id: `route ${port}`, port, ...more, ...(allow === undefined ? {} : { allow }) },
      targets: weights.map((weight, index) => ({
        pool: `p${index}`,
        weight,
        members: members.slice(index * 2, index * 2 + 2),
      })),
    }))

/** How many of the turns of one family each member has, as the kernel would read the text. */
function turnsIn(ruleset: string, { protocol, port }: PortRoute, family: 4 | 6): Map<string, number> {
  const chain = (name: string): string =>
    ruleset.match(new RegExp(`chain ${name} {\\n([^}]*(?:{[^}]*}[^}]*)*?)\\n  }`))?.[1] ?? ''
  const turns = [...chain(`${protocol}${port}-v${family}`).matchAll(/goto (\S+?)[, ]|goto (\S+)$/gm)]
  const found = new Map<string, number>()
  for (const [, first, second] of turns) {
    const to = / to (\S+)/.exec(chain(first ?? second ?? ''))?.[1] ?? 'nobody'
    found.set(to, (found.get(to) ?? 0) + 1)
  }
  return found
}

const toOf = ({ address, address6, port }: Member, family: 4 | 6): string | undefined =>
  family === 4 ? `${address}:${port}` : address6 === undefined ? undefined : `[${address6}]:${port}`

describe('ports of a gateway', () => {
  it('are shared out by weights, and never to a member that drains while another is active', () => {
    fc.assert(
      fc.property(
        arbitraryRoute(5432),
        fc.nat(10_000),
        fc.constantFrom(4 as const, 6 as const),
        (route, rotation, family) => {
          const { ruleset } = renderPortRoutes([route], place, rotation)
          const turns = turnsIn(ruleset, route, family)
          const total = [...turns.values()].reduce((sum, each) => sum + each, 0)
          const members = route.targets.flatMap(({ members, weight }) => {
            const here = members.filter((each) => toOf(each, family) !== undefined)
            const active = here.filter((each) => each.state === 'active').reduce((sum, each) => sum + each.weight, 0)
            return here.map((member) => ({
              member,
              share: member.state === 'active' && active > 0 ? (weight * member.weight) / active : 0,
            }))
          })
          const sum = members.reduce((all, { share }) => all + share, 0)
          for (const { member, share } of members) {
            const got = turns.get(toOf(member, family) ?? '') ?? 0
            if (sum > 0) expect(got / total).toBeCloseTo(share / sum, 5)
            else if (route.allowEmpty === true || member.state === 'active') expect(got).toBe(0)
          }
        },
      ),
      { numRuns: 300 },
    )
  })

  it('begin their turns elsewhere with each table, so that one who comes first is not always the same', () => {
    const members = [2, 3, 4].map(
      (n): Member => ({ instance: `${n}`, address: `10.77.0.${n}`, port: 80, weight: 1, state: 'active' }),
    )
    const route: PortRoute = { id: 'a', protocol: 'tcp', port: 9000, targets: [{ pool: 'p', weight: 1, members }] }
    const first = [0, 1, 2, 3].map(
      (rotation) => /0 : goto tcp9000-10_77_0_(\d)/.exec(renderPortRoutes([route], place, rotation).ruleset)?.[1],
    )
    expect(first).toEqual(['2', '3', '4', '2'])
  })

  it('lead nowhere where nobody is left and that is wished; the table goes with the last', () => {
    const empty: PortRoute = { id: 'a', protocol: 'udp', port: 53, targets: [], allowEmpty: true }
    const { ruleset } = renderPortRoutes([empty], place)
    expect(ruleset).not.toContain('vmap { 53 : goto udp53')
    expect(ruleset).toContain('udp dport { 53 } reject')
    expect(renderPortRoutes([], place)).toMatchObject({
      ruleset: 'table inet berth_routes\ndelete table inet berth_routes\n',
      counters: [],
    })
  })

  it('keep their last members as routes do', () => {
    fc.assert(
      fc.property(arbitraryRoute(1), arbitraryRoute(1), (before, next) => {
        const { routes, kept } = keepMembers([before], [next])
        const isServed = (route: PortRoute): boolean => renderPortRoutes([route], place).ruleset.includes('-v4')
        expect(isServed(routes[0]!)).toBe(isServed(next) || (next.allowEmpty !== true && isServed(before)))
        expect(kept).toEqual(routes[0]!.targets === next.targets ? [] : [next.id])
      }),
    )
  })
})

describe('ports of a table as a site has it', () => {
  const at = (n: number, site: string, state: Member['state'] = 'active'): Member => ({
    instance: `${n}`,
    address: `10.77.0.${n}`,
    port: 80,
    weight: 1,
    state,
    site,
  })
  const tableOf = (members: readonly Member[], wanted: Record<string, number>, sites = {}) => ({
    ...{ version: 1, routes: [], certificates: [] },
    ports: [
      {
        ...{ id: 'a', protocol: 'tcp' as const, port: 1 },
        ...sites,
        targets: [{ pool: 'p', weight: 1, members, wanted }],
      },
    ],
  })
  const shares = (table: ReturnType<typeof tableOf>, site: string) => {
    const near = nearTable(table, site)
    expect(findRouteTableProblems(near)).toEqual([])
    return Object.fromEntries(turnsIn(renderPortRoutes(near.ports ?? [], place).ruleset, table.ports[0]!, 4))
  }

  it('go to members near; what is too much for them goes elsewhere; and all stay known', () => {
    const all = [at(2, 'bj'), at(3, 'bj'), at(17, 'sh')]
    expect(shares(tableOf(all, { bj: 2, sh: 1 }), 'bj')).toEqual({ '10.77.0.2:80': 1, '10.77.0.3:80': 1 })
    const half = shares(tableOf([at(2, 'bj'), at(17, 'sh')], { bj: 4, sh: 1 }), 'bj')
    expect(half['10.77.0.2:80']! / (half['10.77.0.17:80']! + half['10.77.0.2:80']!)).toBeCloseTo(0.25 / 0.7, 2)
    expect(shares(tableOf([at(17, 'sh')], { bj: 1, sh: 1 }), 'bj')).toEqual({ '10.77.0.17:80': 1 })
    expect(shares(tableOf(all, { bj: 2, sh: 1 }, { sites: { prefer: 'any' } }), 'bj')).toMatchObject({
      '10.77.0.17:80': 1,
    })
    const known = nearTable(tableOf(all, { bj: 2, sh: 1 }), 'bj').ports?.[0]?.targets.flatMap(({ members }) => members)
    expect(known?.map(({ instance }) => instance)).toEqual(['2', '3', '17'])
  })
})
