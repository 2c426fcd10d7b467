import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { changeRoutes, routeChanges, settleRoutes } from './route-changes.ts'
import { sampleRoute, sampleTable } from './route-table.testing.ts'
import type { Certificate, PortRoute, Route, RouteTable } from './route-table.ts'

const certificate = (name: string): Certificate => ({ hosts: [name], certificatePem: name, keyPem: name })

const portRoute = ({ port, weight }: { readonly port: number; readonly weight: number }): PortRoute => ({
  ...{ id: `${port}`, protocol: 'tcp', port, targets: [{ pool: 'p', weight, members: [] }] },
})

/** Few hosts and ports, so that tables have much in common. */
const tables: fc.Arbitrary<Omit<RouteTable, 'version'>> = fc
  .record({
    routes: fc.uniqueArray(
      fc.record({ host: fc.constantFrom('a', 'b', 'c', 'd'), port: fc.integer({ min: 1, max: 3 }) }),
      {
        selector: ({ host }) => host,
      },
    ),
    certificates: fc.uniqueArray(fc.constantFrom('a', 'b'), {}),
    ports: fc.uniqueArray(fc.record({ port: fc.constantFrom(53, 5432), weight: fc.integer({ min: 1, max: 2 }) }), {
      selector: ({ port }) => port,
    }),
  })
  .map(({ routes, certificates, ports }) => ({
    ...(ports.length === 0 ? {} : { ports: ports.map(portRoute) }),
    routes: routes.map(({ host, port }): Route => sampleRoute([port], { host })),
    certificates: certificates.map(certificate),
  }))

const byId = ({ version, routes, certificates, ports }: RouteTable) => ({
  ...{ version, ports },
  routes: [...routes].sort((a, b) => (a.id < b.id ? -1 : 1)),
  certificates,
})

describe('changes of routes', () => {
  it('make, one after the other, every table of the one before, also told as text', () => {
    fc.assert(
      fc.property(fc.array(tables, { minLength: 1, maxLength: 6 }), (list) => {
        let [told, had] = [sampleTable(0, []), sampleTable(0, [])]
        for (const [index, each] of list.entries()) {
          const next = settleRoutes(told, { ...each, version: index + 1 })
          if (next === told) {
            expect({ ...each, version: told.version }).toEqual(told)
            continue
          }
          const changed = changeRoutes(had, JSON.parse(JSON.stringify(routeChanges(told, next))))
          expect(changed && byId(changed)).toEqual(byId({ ...each, version: index + 1 }))
          told = next
          had = changed ?? had
        }
      }),
    )
  })

  it('are those alone that differ; what is equal stays the very object on both sides', () => {
    fc.assert(
      fc.property(tables, tables, (first, second) => {
        const before = { ...first, version: 1 }
        const after = settleRoutes(before, { ...second, version: 2 })
        const { put, gone } = routeChanges(before, after)
        const equal = second.routes.filter((route) =>
          first.routes.some((each) => JSON.stringify(each) === JSON.stringify(route)),
        )
        if (after !== before) expect(put.length).toBe(second.routes.length - equal.length)
        const ids = new Set(second.routes.map(({ id }) => id))
        expect(gone).toEqual(first.routes.map(({ id }) => id).filter((id) => !ids.has(id)))
        const changed = changeRoutes(before, routeChanges(before, after))
        for (const { id } of equal) {
          const object = before.routes.find((route) => route.id === id)
          expect(after.routes.includes(object as Route)).toBe(true)
          expect(changed?.routes.includes(object as Route)).toBe(true)
        }
      }),
    )
  })

  it('of another table change nothing', () => {
    const [one, two] = [sampleTable(1, []), sampleTable(2, [sampleRoute([80])])]
    expect(changeRoutes(two, routeChanges(one, two))).toBeUndefined()
  })
})
