import type { ExternalView } from '@berth/api'
import { type ExternalRoute, optionsToDocument } from '@berth/core'
import type { ExternalRecord } from '../records/index.ts'
import { defined } from './view-context.ts'

export function externalView(record: ExternalRecord, domain: string): ExternalView {
  const { name, addresses, target, ports, tags, site, routes, version, updatedAt, updatedBy } = record
  return {
    ...{ name, hostname: `${name}.${domain}`, addresses: [...addresses], tags: [...tags] },
    ...defined({ target, site }),
    ports: ports.map((each) => ({ ...each })),
    routes: routes.map(routeView),
    ...{ version, updatedAt, updatedBy },
  }
}

type RouteOfExternal = ExternalView['routes'][number]

function routeView({ options, ...route }: ExternalRoute): RouteOfExternal {
  if (options === undefined) return route
  return { ...route, options: optionsToDocument(options) as NonNullable<RouteOfExternal['options']> }
}
