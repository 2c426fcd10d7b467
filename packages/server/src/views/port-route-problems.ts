import type { Node } from '@berth/core'
import { claimedRoutes } from '../controllers/operations/claimed-routes.ts'
import type { State } from '../records/index.ts'

/** An older agent takes no notice of what it does not know. */
export function portRouteProblems(state: State, { name, labels }: Node): string[] {
  const status = state.nodeStatuses.get(name)
  const abilities = status?.abilities ?? []
  if (labels.gateway !== 'true' || status === undefined || abilities.includes('sticky-ports')) return []
  const routes = claimedRoutes(state).filter(({ route }) => /^\d+\/(tcp|udp)$/.test(route))
  const knowsPorts = abilities.includes('port-routes')
  const ports = routes.filter(({ isSticky }) => !knowsPorts || isSticky === true).map(({ route }) => route)
  if (ports.length === 0) return []
  const text = [...new Set(ports)].join(', ')
  const what = knowsPorts
    ? `keeps no client with its instance at ${text}, which are sticky`
    : `knows no routes of ports, and serves nobody at ${text}`
  return [`its agent ${what}; upgrade it (berth node upgrade ${name})`]
}
