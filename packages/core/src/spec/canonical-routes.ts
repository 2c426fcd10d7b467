import type { EntrypointSpec, PortSpec, RouteSpec } from '../model/app-spec.ts'
import { reachedPort } from '../network/network-mode.ts'
import { findPort } from './canonical-ports.ts'
import { closest } from './closest.ts'
import { defaultEntrypoint } from './default-entrypoint.ts'
import { specDefaults } from './defaults.ts'
import { compareText, given, readBytes, readDuration, requireKey } from './read-values.ts'
import { routeOptions } from './route-options.ts'
import { parseHost, parseRoutePath } from './route-place.ts'
import type { RouteDocument, SpecDocument } from './spec-document.ts'
import type { IssueList, SpecPath } from './spec-issue.ts'

type Target = Pick<EntrypointSpec, 'type' | 'ports' | 'network'>
type Entrypoints = Readonly<Record<string, Target>>

/** Sorted by host, then path: their order has no meaning (the gateway goes by exactness and length). */
export function canonicalRoutes(
  issues: IssueList,
  path: SpecPath,
  list: SpecDocument['routes'],
  entrypoints: Entrypoints,
): readonly RouteSpec[] {
  const seen = new Set<string>()
  const routes: RouteSpec[] = []
  for (const [index, item] of given(list)) {
    const at = [...path, index]
    const route = readRoute(issues, at, item, entrypoints)
    if (route === undefined) continue
    const key = `${route.host}${route.path}`
    if (seen.has(key)) issues.add(at, `the route ${key} is given twice`)
    seen.add(key)
    routes.push(route)
  }
  return routes.sort((a, b) => compareText(a.host, b.host) || compareText(a.path, b.path))
}

function readRoute(
  issues: IssueList,
  path: SpecPath,
  item: string | RouteDocument,
  entrypoints: Entrypoints,
): RouteSpec | undefined {
  const short = typeof item === 'string'
  const at = (key: string): SpecPath => (short ? path : [...path, key])
  const document = short ? splitPlace(item) : item
  const { timeoutMs, maxBodyBytes, tls, stripPath } = specDefaults.route
  const options = {
    tls: document.tls ?? tls,
    stripPath: document.stripPath ?? stripPath,
    timeoutMs: readDuration(issues, at('timeout'), document.timeout, timeoutMs, { min: 1000 }),
    maxBodyBytes: isUnlimited(document) ? 0 : readBytes(issues, at('maxBody'), document.maxBody, maxBodyBytes),
  }
  const more = routeOptions(issues, at, document)
  const prefix = issues.take(at('path'), parseRoutePath(document.path ?? specDefaults.route.path))
  const target = readTarget(issues, path, document, entrypoints, at)
  if (!requireKey(issues, path, 'host', document.host)) return undefined
  const host = issues.take(at('host'), parseHost(document.host))
  if (host === undefined || prefix === undefined || target === undefined) return undefined
  return { host, path: prefix, ...target, ...options, ...(more === undefined ? {} : { options: more }) }
}

/** Nobody knows how long a stream of gRPC will be. */
const isUnlimited = ({ maxBody, protocol }: RouteDocument): boolean =>
  maxBody === 0 || (maxBody === undefined && protocol === 'grpc')

/** `shop.example.com/api` */
function splitPlace(text: string): RouteDocument {
  const start = /^[a-z]+:\/\//i.exec(text)?.[0].length ?? 0
  const slash = text.indexOf('/', start)
  return slash === -1 ? { host: text } : { host: text.slice(0, slash), path: text.slice(slash) }
}

function readTarget(
  issues: IssueList,
  path: SpecPath,
  document: RouteDocument,
  entrypoints: Entrypoints,
  at: (key: string) => SpecPath,
): Pick<RouteSpec, 'entrypoint' | 'port'> | undefined {
  const name = document.entrypoint ?? defaultEntrypoint(entrypoints)
  if (name === undefined) {
    issues.add(path, 'no entrypoint of this app is a service with a tcp port, so nothing can answer', {
      suggestion: 'declare a port of one: ports: [8080]',
      dependsOn: [['entrypoints']],
    })
    return undefined
  }
  const entrypoint = Object.hasOwn(entrypoints, name) ? entrypoints[name] : undefined
  if (entrypoint === undefined) {
    const near = closest(name, Object.keys(entrypoints))
    const suggestion = near === undefined ? {} : { suggestion: `did you mean "${near}"?` }
    issues.add(at('entrypoint'), `this app has no entrypoint "${name}"`, {
      ...suggestion,
      dependsOn: [['entrypoints', name]],
    })
    return undefined
  }
  if (entrypoint.type === 'job')
    issues.add(at('entrypoint'), `"${name}" is a job, which serves no requests`, {
      dependsOn: [['entrypoints', name, 'type']],
    })
  return readPort(issues, document, at, name, entrypoint)
}

function readPort(
  issues: IssueList,
  document: RouteDocument,
  at: (key: string) => SpecPath,
  name: string,
  entrypoint: Target,
): Pick<RouteSpec, 'entrypoint' | 'port'> | undefined {
  const port = findPort(entrypoint.ports, document.port, name)
  if (port.ok) {
    refuseUnreached(issues, at(document.port === undefined ? 'entrypoint' : 'port'), name, entrypoint, port.value)
    return { entrypoint: name, port: port.value.name }
  }
  const suggestion = port.suggestion === undefined ? {} : { suggestion: port.suggestion }
  issues.add(at(document.port === undefined ? 'entrypoint' : 'port'), port.message, {
    ...suggestion,
    dependsOn: [['entrypoints', name, 'ports']],
  })
  return undefined
}

function refuseUnreached(issues: IssueList, path: SpecPath, name: string, { network }: Target, port: PortSpec): void {
  if (reachedPort(network, port) !== undefined) return
  issues.add(
    path,
    `no gateway reaches port ${port.port} of "${name}": with \`network: ${network}\` its node alone does`,
    {
      suggestion: `publish it at the node: entrypoints.${name}.ports: {${port.name}: {port: ${port.port}, hostPort: ${port.port}}}`,
      dependsOn: [
        ['entrypoints', name, 'ports'],
        ['entrypoints', name, 'network'],
      ],
    },
  )
}
