import type { Node } from '@berth/core'
import { claimedRoutes } from '../controllers/operations/claimed-routes.ts'
import type { State } from '../records/index.ts'

/** An older agent takes no notice of what it does not know. */
export function portRouteProblems(state: State, { name, labels }: Node): string[] {
  const status = state.nodeStatuses.get(name)
  if (labels.gateway !== 'true' || status === undefined || status.abilities?.includes('port-routes') === true) return []
  const ports = claimedRoutes(state).flatMap(({ route }) => (/^\d+\/(tcp|udp)$/.test(route) ? [route] : []))
  return ports.length === 0
    ? []
    : [
        `its agent knows no routes of ports, and serves nobody at ${[...new Set(ports)].join(', ')}; upgrade it (berth node upgrade ${name})`,
      ]
}
