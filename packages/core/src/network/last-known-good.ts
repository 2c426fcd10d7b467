import { canServe } from './route-schedule.ts'
import type { Route, RouteTable } from './route-table.ts'

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
  const before = new Map((previous?.routes ?? []).map((route) => [route.id, route]))
  const kept: string[] = []
  const routes = next.routes.map((route) => {
    const known = before.get(route.id)
    if (known === route || known === undefined || route.allowEmpty === true || canServe(route) || !canServe(known))
      return route
    kept.push(route.id)
    return withTargetsOf(route, known)
  })
  return { table: { ...next, routes }, kept }
}

function withTargetsOf(route: Route, known: Route): Route {
  return { ...route, targets: known.targets }
}
