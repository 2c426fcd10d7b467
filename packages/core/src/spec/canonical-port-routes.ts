import type { AppSpec } from '../model/app-spec.ts'
import { messageOf } from '../model/berth-error.ts'
import { type PortRouteSpec, type PortSites, stickyBounds } from '../model/port-route-spec.ts'
import { parseBlock } from '../network/address-block.ts'
import { familyOf, parseBlock6 } from '../network/address6.ts'
import type { PortProtocol } from '../network/published-port.ts'
import { compareText, given, readDuration, readTexts } from './read-values.ts'
import { readSites } from './route-options.ts'
import { type RouteEntrypoints, readRouteTarget } from './route-target.ts'
import type { RouteDocument, SpecDocument } from './spec-document.ts'
import type { IssueList, SpecPath } from './spec-issue.ts'

/** Says a port of the gateways instead of a host. */
export const isPortRoute = (item: string | RouteDocument): item is RouteDocument =>
  typeof item !== 'string' && (item.tcp !== undefined || item.udp !== undefined)

const knownKeys = ['tcp', 'udp', 'entrypoint', 'port', 'allow', 'sticky', 'whenEmpty', 'sites']
const mostBlocks = 256

/** Of the routes those of ports, sorted; undefined: there are none, as in specs of before. */
export function canonicalPortRoutes(
  issues: IssueList,
  path: SpecPath,
  list: SpecDocument['routes'],
  entrypoints: RouteEntrypoints,
): readonly PortRouteSpec[] | undefined {
  const seen = new Set<string>()
  const routes: PortRouteSpec[] = []
  for (const [index, item] of given(list)) {
    if (!isPortRoute(item)) continue
    const at = [...path, index]
    const route = readPortRoute(issues, at, item, entrypoints)
    if (route === undefined) continue
    const key = `${route.listen}/${route.protocol}`
    if (seen.has(key)) issues.add(at, `the gateways’ port ${key} is given twice`)
    seen.add(key)
    routes.push(route)
  }
  const sorted = routes.sort((a, b) => a.listen - b.listen || compareText(a.protocol, b.protocol))
  return sorted.length === 0 ? undefined : sorted
}

export const portRoutesField = (portRoutes: readonly PortRouteSpec[] | undefined): Pick<AppSpec, 'portRoutes'> =>
  portRoutes === undefined ? {} : { portRoutes }

function readPortRoute(
  issues: IssueList,
  path: SpecPath,
  document: RouteDocument,
  entrypoints: RouteEntrypoints,
): PortRouteSpec | undefined {
  const at = (key: string): SpecPath => [...path, key]
  const protocol: PortProtocol = document.udp === undefined ? 'tcp' : 'udp'
  refuseOthers(issues, at, document)
  const listen = document[protocol] ?? 0
  if (!Number.isInteger(listen) || listen < 1 || listen > 65_535)
    issues.add(at(protocol), `port ${listen} is out of range (1 to 65535)`)
  const target = readRouteTarget(issues, path, document, entrypoints, at, protocol)
  const allow = readAllow(issues, at('allow'), document.allow)
  const stickyMs = readSticky(issues, at('sticky'), document.sticky)
  const sites = readPortSites(issues, at, document.sites)
  if (document.whenEmpty === 'maintenance')
    issues.add(at('whenEmpty'), 'there is no page to show to whoever asks a port', {
      suggestion: 'write keep, or refuse: connections are refused then',
    })
  if (target === undefined) return undefined
  return {
    protocol,
    listen,
    ...target,
    ...(allow.length === 0 ? {} : { allow }),
    ...(stickyMs === undefined ? {} : { stickyMs }),
    ...(document.whenEmpty === 'refuse' ? { whenEmpty: document.whenEmpty } : {}),
    ...(sites === undefined ? {} : { sites }),
  }
}

/** A gateway does not read what passes. */
function refuseOthers(issues: IssueList, at: (key: string) => SpecPath, document: RouteDocument): void {
  if (document.tcp !== undefined && document.udp !== undefined)
    issues.add(at('udp'), 'a route is of one protocol', { atKey: true, suggestion: 'write two routes' })
  for (const [key, value] of Object.entries(document))
    if (value !== undefined && !knownKeys.includes(key))
      issues.add(at(key), `\`${key}\` is of requests by HTTP: of a port, nothing of what passes is read`, {
        ...{ atKey: true, suggestion: 'leave it out, or write a route with a host' },
      })
}

function readAllow(issues: IssueList, path: SpecPath, value: RouteDocument['allow']): readonly string[] {
  const texts = readTexts(issues, path, value)
  const blocks = texts.flatMap((text, index) => {
    const whole = text.includes('/') ? text : `${text}/${text.includes(':') ? 128 : 32}`
    try {
      if (familyOf(whole.split('/')[0] ?? '') === 6) parseBlock6(whole)
      else parseBlock(whole)
      return [whole]
    } catch (error) {
      issues.add(typeof value === 'string' ? path : [...path, index], messageOf(error))
      return []
    }
  })
  if (blocks.length > mostBlocks) issues.add(path, `${blocks.length} are too many: at most ${mostBlocks} are possible`)
  return [...new Set(blocks)].sort(compareText)
}

/** There are no cookies by which to know a client again: its address has to do. */
function readSticky(issues: IssueList, path: SpecPath, value: RouteDocument['sticky']): number | undefined {
  const { usual, least, most } = stickyBounds
  if (value === undefined || value === false) return undefined
  if (value === true) return usual
  if (!/^\d/.test(value)) {
    issues.add(path, `"${value}" is no time: of a port there is no cookie to name`, {
      suggestion: 'write true, or for how long a client is remembered: sticky: 8h',
    })
    return undefined
  }
  return readDuration(issues, path, value, usual, { min: least, max: most })
}

function readPortSites(
  issues: IssueList,
  at: (key: string) => SpecPath,
  given: RouteDocument['sites'],
): PortSites | undefined {
  for (const key of ['spillAt', 'writes'] as const)
    if (given?.[key] !== undefined)
      issues.add(
        [...at('sites'), key],
        `\`${key}\` is of requests by HTTP: of a port, nothing of what passes is read`,
        {
          ...{ atKey: true, suggestion: 'leave it out' },
        },
      )
  const read =
    given === undefined ? undefined : readSites(issues, at, { prefer: given.prefer, spillBelow: given.spillBelow })
  return read === undefined || Object.keys(read).length === 0 ? undefined : read
}
