import { canServe } from './route-schedule.ts'
import type { PortRoute, Route, RouteTable } from './route-table.ts'

export interface KeptTable {
  readonly table: RouteTable
  /** Ids of the routes that go on with the members of the table before. */
  readonly kept: readonly string[]
}

/**
 * Refuses to empty an upstream: a route for which `next` has no member that may serve goes on with those that `previous` had for it,
 * unless it says `allowEmpty`. A route that `next` does not have at all is gone: a deleted route is a decision.
 */
export function keepLastKnownGood(previous: RouteTable | undefined, next: RouteTable): KeptTable {
  const { routes, kept } = keepMembers(previous?.routes ?? [], next.routes)
  return { table: { ...next, routes }, kept }
}

/** The same of ports, or of routes. */
export function keepMembers<R extends Route | PortRoute>(
  previous: readonly R[],
  next: readonly R[],
): { readonly routes: R[]; readonly kept: string[] } {
  const before = new Map(previous.map((route) => [route.id, route]))
  const kept: string[] = []
  const routes = next.map((route) => {
    const known = before.get(route.id)
    if (known === route || known === undefined || route.allowEmpty === true || canServe(route) || !canServe(known))
      return route
    kept.push(route.id)
    return { ...route, targets: known.targets }
  })
  return { routes, kept }
}
