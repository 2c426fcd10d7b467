import type { ToAgent } from '@berth/api'
import { type RouteTable, routeChanges } from '@berth/core'

type RoutesLine = Extract<ToAgent, { readonly type: 'routes' }>
type ChangesLine = Extract<ToAgent, { readonly type: 'route-changes' }>

const lines = new WeakMap<RouteTable, { readonly before: RouteTable; readonly line: ChangesLine }>()

/** Most gateways have the same table, and are told the same of the next one: it is one object for all of them. */
export function routeChangesLine(before: RouteTable, { revision, routes }: RoutesLine): ChangesLine {
  const known = lines.get(routes)
  if (known?.before === before && known.line.revision === revision) return known.line
  const line = { type: 'route-changes', revision, changes: routeChanges(before, routes) } as const
  lines.set(routes, { before, line })
  return line
}
