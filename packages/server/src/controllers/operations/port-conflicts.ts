import { type AppSpec, type Instance, type PortRouteSpec, portRouteText, resolvePortRoutes } from '@berth/core'
import type { State } from '../../records/index.ts'
import { hasEnded } from '../has-ended.ts'
import { claimedRoutes } from './claimed-routes.ts'

/**
 * Why ports of the gateways cannot lead to this pool, one sentence each, naming who has them. `kept`: ports that Berth itself has on gateways, each with
 * what it is.
 */
export function portConflicts(
  state: State,
  spec: AppSpec,
  app: string,
  pool: string,
  environment: string,
  kept: ReadonlyMap<number, string> = keptPorts,
): string[] {
  const wanted = resolvePortRoutes(spec, environment)
  if (wanted.length === 0) return []
  const claimed = claimedRoutes(state)
  return wanted.flatMap((route) => {
    const text = portRouteText(route)
    const owner = claimed.find(
      (each) => each.route === text && !(each.pool?.app === app && each.pool.name === pool),
    )?.owner
    const own = route.protocol === 'tcp' ? kept.get(route.listen) : undefined
    const problem = owner === undefined ? (own ?? publisherOf(state, route)) : `it is the route of ${owner}`
    return problem === undefined
      ? []
      : [`the gateways’ port ${text} cannot lead to ${route.entrypoint}: ${problem}; give the route another port`]
  })
}

/** What listens on gateways by default. One that listens elsewhere is found by its gateway, which leaves it its port and says so. */
const keptPorts: ReadonlyMap<number, string> = new Map([
  [80, 'the gateways take HTTP there'],
  [443, 'the gateways take HTTPS there'],
])

/** A port counts as taken whatever its protocol and address, as it does when instances are placed. */
function publisherOf(state: State, { listen }: PortRouteSpec): string | undefined {
  for (const { name, labels } of state.nodes.values()) {
    if (labels.gateway !== 'true') continue
    const holder = state.instances
      .byNode(name)
      .find((each) => !hasEnded(state, each) && publishedBy(each).includes(listen))
    if (holder !== undefined) return `at gateway ${name} it leads to ${holder.id}, which is published there`
  }
  return undefined
}

const publishedBy = ({ hostPorts = [], published = [] }: Instance): readonly number[] => [
  ...hostPorts,
  ...published.map(({ hostPort }) => hostPort),
]

/** Whose route has this port of the gateways, in words; undefined: nobody's. */
export const portRouteHolder = (state: State, port: number): string | undefined =>
  claimedRoutes(state).find(({ route }) => route === `${port}/tcp` || route === `${port}/udp`)?.owner
