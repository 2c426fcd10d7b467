import type { EntrypointSpec, PortSpec, RouteSpec } from '../model/app-spec.ts'
import { reachedPort } from '../network/network-mode.ts'
import type { PortProtocol } from '../network/published-port.ts'
import { findPort } from './canonical-ports.ts'
import { closest } from './closest.ts'
import { defaultEntrypoint } from './default-entrypoint.ts'
import type { RouteDocument } from './spec-document.ts'
import type { IssueList, SpecPath } from './spec-issue.ts'

type Target = Pick<EntrypointSpec, 'type' | 'ports' | 'network'>
export type RouteEntrypoints = Readonly<Record<string, Target>>
type TargetDocument = Pick<RouteDocument, 'entrypoint' | 'port'>

/** Who answers a route, and at which of its ports; undefined: nobody could, which has been noted. */
export function readRouteTarget(
  issues: IssueList,
  path: SpecPath,
  document: TargetDocument,
  entrypoints: RouteEntrypoints,
  at: (key: string) => SpecPath,
  protocol: PortProtocol = 'tcp',
): Pick<RouteSpec, 'entrypoint' | 'port'> | undefined {
  const name = document.entrypoint ?? defaultEntrypoint(entrypoints, protocol)
  if (name === undefined) {
    issues.add(path, `no entrypoint of this app is a service with a ${protocol} port, so nothing can answer`, {
      suggestion: `declare a port of one: ports: [${protocol === 'udp' ? '53/udp' : 8080}]`,
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
  return readPort(issues, document, at, { name, entrypoint, protocol })
}

function readPort(
  issues: IssueList,
  document: TargetDocument,
  at: (key: string) => SpecPath,
  {
    name,
    entrypoint,
    protocol,
  }: { readonly name: string; readonly entrypoint: Target; readonly protocol: PortProtocol },
): Pick<RouteSpec, 'entrypoint' | 'port'> | undefined {
  const port = findPort(entrypoint.ports, document.port, name, protocol)
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
