import type { Certificate, PortRoute, Route, RouteTable } from './route-table.ts'

/** What makes one table of the one before it. */
export interface RouteChanges {
  /** Version of the table that they are changes of. */
  readonly base: number
  readonly version: number
  /** New ones, and others instead of those with the same id. */
  readonly put: readonly Route[]
  /** Ids of those that are not there any more. */
  readonly gone: readonly string[]
  /** All of them, where one has changed. */
  readonly certificates?: readonly Certificate[]
  /** All of them, where one has changed; there are few. */
  readonly ports?: readonly PortRoute[]
}

/**
 * `after` with the very objects of `before` for what is equal, so that whoever looks for changes compares objects; `before` itself where
 * nothing has changed but the version.
 */
export function settleRoutes(before: RouteTable, after: RouteTable): RouteTable {
  const known = byId(before)
  const routes = after.routes.map((route) => asBefore(known.get(route.id), route))
  const certificates = isEachSame(before.certificates, after.certificates) ? before.certificates : after.certificates
  const ports = settlePorts(before.ports, after.ports)
  const isSame =
    ports === before.ports &&
    certificates === before.certificates &&
    routes.length === before.routes.length &&
    routes.every((route, index) => route === before.routes[index])
  return isSame ? before : { version: after.version, routes, certificates, ...(ports === undefined ? {} : { ports }) }
}

function settlePorts(
  before: readonly PortRoute[] | undefined,
  after: readonly PortRoute[] | undefined,
): readonly PortRoute[] | undefined {
  if (before === undefined || after === undefined) return after
  if (isEachSame(before, after)) return before
  const known = new Map(before.map((port) => [port.id, port]))
  return after.map((port) => asBefore(known.get(port.id), port))
}

/** Only objects are compared: of a table that {@link settleRoutes} has made. */
export function routeChanges(before: RouteTable, after: RouteTable): RouteChanges {
  const known = byId(before)
  const put: Route[] = []
  for (const route of after.routes) {
    if (known.get(route.id) !== route) put.push(route)
    known.delete(route.id)
  }
  const { certificates } = after
  return {
    ...{ base: before.version, version: after.version, put, gone: [...known.keys()] },
    ...(certificates === before.certificates ? {} : { certificates }),
    ...(isEachSame(before.ports ?? [], after.ports ?? []) ? {} : { ports: after.ports ?? [] }),
  }
}

/** The table after the changes: routes stay where they are, and new ones come last. `undefined`: these are changes of another table. */
export function changeRoutes(table: RouteTable, changes: RouteChanges): RouteTable | undefined {
  if (table.version !== changes.base) return undefined
  const put = new Map(changes.put.map((route) => [route.id, route]))
  const gone = new Set(changes.gone)
  const routes = table.routes.flatMap((route) => (gone.has(route.id) ? [] : (take(put, route.id) ?? route)))
  return {
    version: changes.version,
    routes: [...routes, ...put.values()],
    certificates: changes.certificates ?? table.certificates,
    ...portsField(changes.ports ?? table.ports ?? []),
  }
}

const portsField = (ports: readonly PortRoute[]): Pick<RouteTable, 'ports'> => (ports.length === 0 ? {} : { ports })

const byId = ({ routes }: RouteTable): Map<string, Route> => new Map(routes.map((route) => [route.id, route]))

function take(routes: Map<string, Route>, id: string): Route | undefined {
  const found = routes.get(id)
  routes.delete(id)
  return found
}

const isEachSame = <T>(before: readonly T[], after: readonly T[]): boolean =>
  before.length === after.length && after.every((each, index) => asBefore(before[index], each) === before[index])

/** The one before, where both say the same. */
const asBefore = <T>(before: T | undefined, after: T): T =>
  before !== undefined && before !== after && JSON.stringify(before) === JSON.stringify(after) ? before : after
