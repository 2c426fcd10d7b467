import { crc32 } from 'node:zlib'
import { type Route, type RouteChanges, type RouteTable, scheduleRoute } from '@berth/core'

/**
 * The table as nginx's Lua reads it: a header line, then `R{…}` for each route with its schedule, then `C{…}` for each certificate.
 * One line an object, so that a worker only looks at the lines that changed.
 */
export function encodeTable(table: RouteTable, kept: readonly string[]): string {
  const header = { format: 1, version: table.version, routes: table.routes.length, kept }
  const routes = table.routes.map(routeLine)
  const certificates = table.certificates.map((certificate) => `C${JSON.stringify(certificate)}`)
  return `${[JSON.stringify(header), ...routes, ...certificates].join('\n')}\n`
}

/** What makes one table of the one before, in the same lines; the header says which are gone, and whether certificates follow: all of them then. */
export function encodeChanges(changes: RouteChanges, routes: number, kept: readonly string[]): string {
  const { base, version, put, gone, certificates } = changes
  const header = { format: 1, base, version, routes, kept, gone, certificates: certificates !== undefined }
  const lines = (certificates ?? []).map((certificate) => `C${JSON.stringify(certificate)}`)
  return `${[JSON.stringify(header), ...put.map(routeLine), ...lines].join('\n')}\n`
}

/** Tables share the routes that have not changed, and with them what was made of them. */
const lines = new WeakMap<Route, string>()

function routeLine(route: Route): string {
  const known = lines.get(route)
  if (known !== undefined) return known
  const line = `R${JSON.stringify(withSchedules(route))}`
  lines.set(route, line)
  return line
}

function withSchedules({ far, writes, ...route }: Route): object {
  return {
    ...route,
    schedule: scheduleRoute(route),
    ...(far === undefined ? {} : { far: { ...far, schedule: scheduleRoute(far) } }),
    ...(writes === undefined ? {} : { writes: { ...writes, schedule: scheduleRoute(writes) } }),
  }
}

function withoutSchedules(line: Scheduled<Route>): Route {
  const { schedule: _, far, writes, ...route } = line
  return {
    ...route,
    ...(far === undefined ? {} : { far: withoutSchedule(far) }),
    ...(writes === undefined ? {} : { writes: withoutSchedule(writes) }),
  }
}

type Scheduled<T> = T & { readonly schedule?: readonly number[] }

function withoutSchedule<T>({ schedule: _, ...rest }: Scheduled<T>): Omit<Scheduled<T>, 'schedule'> {
  return rest
}

export interface DecodedTable {
  readonly table: RouteTable
  readonly kept: readonly string[]
}

/** The reverse of {@link encodeTable}; undefined when `text` is not one. */
export function decodeTable(text: string): DecodedTable | undefined {
  try {
    const [head = '', ...lines] = text.split('\n')
    const header = JSON.parse(head)
    if (header.format !== 1 || lines.pop() !== '') return undefined
    const read = (kind: string) =>
      lines.filter((line) => line.startsWith(kind)).map((line) => JSON.parse(line.slice(1)))
    const routes = read('R').map(withoutSchedules)
    if (routes.length !== header.routes) return undefined
    return { table: { version: header.version, routes, certificates: read('C') }, kept: header.kept }
  } catch {
    return undefined
  }
}

/** The dump that nginx starts from when nobody else is there: a checksum, then the table's text. */
export function encodeDump(text: string): string {
  const bytes = Buffer.byteLength(text)
  return `berth-gateway-table crc32=${crc32(text).toString(16).padStart(8, '0')} bytes=${bytes}\n${text}`
}

/** The text in a dump; undefined when it is damaged. */
export function decodeDump(dump: string): string | undefined {
  const [, checksum, bytes, text = ''] =
    /^berth-gateway-table crc32=([0-9a-f]+) bytes=(\d+)\n([\s\S]*)$/.exec(dump) ?? []
  if (checksum === undefined || Buffer.byteLength(text) !== Number(bytes)) return undefined
  return crc32(text) === Number.parseInt(checksum, 16) ? text : undefined
}
