import type { PortRouteSpec } from '../model/index.ts'
import { resolvePortRoutes } from '../spec/resolve-environment.ts'
import type { PortRoute, RouteTarget } from './route-table.ts'
import { type RoutedPool, routedPoolId, targetsOfRoute } from './route-targets.ts'

/** In words: `5432/tcp`. */
export const portRouteText = ({ protocol, listen }: Pick<PortRouteSpec, 'protocol' | 'listen'>): string =>
  `${listen}/${protocol}`

/**
 * The ports of the gateways. Members are as for {@link compileRoutes}, and so is who has a port that two pools claim: the older one. Sorted by
 * port. `byAge`: the oldest first.
 */
export function compilePortRoutes(byAge: readonly RoutedPool[]): PortRoute[] {
  const ports = new Map<string, PortRoute>()
  for (const each of byAge) {
    const spec = each.routesFrom === undefined ? undefined : each.specs.get(each.routesFrom)
    if (spec === undefined || each.pool.removing === true) continue
    for (const route of resolvePortRoutes(spec, each.pool.environment)) {
      const key = portRouteText(route)
      if (!ports.has(key)) ports.set(key, compilePortRoute(each, route))
    }
  }
  return [...ports.values()].sort((a, b) => a.port - b.port || (a.protocol < b.protocol ? -1 : 1))
}

function compilePortRoute(each: RoutedPool, route: PortRouteSpec): PortRoute {
  const { protocol, listen, entrypoint, allow, stickyMs, whenEmpty, sites } = route
  const twins = new Map(each.instances.map(({ instance, address6 }) => [instance.id, address6]))
  const isEmptied = whenEmpty === 'refuse' || each.pool.replicas[entrypoint]?.count === 0
  return {
    id: `${routedPoolId(each.pool)}/${entrypoint} ${portRouteText(route)}`,
    protocol,
    port: listen,
    targets: targetsOfRoute(each, route).map((target) => withTwins(target, twins)),
    ...(isEmptied ? { allowEmpty: true } : {}),
    ...(allow === undefined ? {} : { allow }),
    ...(stickyMs === undefined ? {} : { stickyMs }),
    ...(sites === undefined ? {} : { sites }),
  }
}

const withTwins = (target: RouteTarget, twins: ReadonlyMap<string, string | undefined>): RouteTarget => ({
  ...target,
  members: target.members.map((member) => {
    const address6 = twins.get(member.instance)
    return address6 === undefined ? member : { ...member, address6 }
  }),
})
