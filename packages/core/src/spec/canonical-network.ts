import type { EntrypointSpec, NetworkMode, PortSpec, ResourceSpec } from '../model/app-spec.ts'
import { closest } from './closest.ts'
import type { EntrypointDocument } from './spec-document.ts'
import type { IssueList, SpecPath } from './spec-issue.ts'

const modes = ['cluster', 'host'] as const

/** undefined: the cluster's own network, an address for each instance. */
export function canonicalNetwork(
  issues: IssueList,
  path: SpecPath,
  written: string | undefined,
): NetworkMode | undefined {
  if (written === undefined || written === 'cluster') return undefined
  if (written === 'host') return written
  const near = closest(written, modes)
  const suggestion = near === undefined ? `one of ${modes.join(', ')}` : `did you mean "${near}"?`
  issues.add(path, `there is no network ${JSON.stringify(written.slice(0, 80))} for an entrypoint`, { suggestion })
  return undefined
}

/** In the node's own network a port is the node's: it is declared as such, so that no two claim it. */
export function portsInNetwork(
  issues: IssueList,
  path: SpecPath,
  ports: readonly PortSpec[],
  network: NetworkMode | undefined,
): readonly PortSpec[] {
  if (network === undefined) return ports
  const dependsOn = [[...path.slice(0, -1), 'network']]
  return ports.map((port) => {
    if (port.hostPort !== undefined && port.hostPort !== port.port)
      issues.add(
        path,
        `with \`network: host\` the program listens on the node itself, at ${port.port}: it cannot be ${port.hostPort} there`,
        { suggestion: `leave \`hostPort\` out, or let the program listen on ${port.hostPort}`, dependsOn },
      )
    return { ...port, hostPort: port.port }
  })
}

type Refusable = Pick<EntrypointDocument, 'profiles' | 'bandwidth'> &
  Pick<EntrypointSpec, 'sysctls' | 'capabilities' | 'ports'>

/** What cannot hold in the node's own network. `entrypoint`: as it is read so far, with what was written of profiles and bandwidth. */
export function refuseInHostNetwork(issues: IssueList, path: SpecPath, entrypoint: Refusable): void {
  const dependsOn = [[...path, 'network']]
  const why = 'with `network: host` an instance has the node’s own address and interfaces'
  if (entrypoint.profiles !== undefined)
    issues.add([...path, 'profiles'], `${why}: rules for it would be rules for the whole node`, {
      ...{ atKey: true, dependsOn },
      suggestion: 'leave `profiles` out (`profiles: []` where the app names some), or `network`',
    })
  if (entrypoint.bandwidth !== undefined) refuseBandwidth(issues, [...path, 'bandwidth'], dependsOn)
  for (const name of Object.keys(entrypoint.sysctls).filter((each) => each.startsWith('net.')))
    issues.add([...path, 'sysctls', name], `${why}: ${name} would be the node’s setting`, {
      ...{ atKey: true, dependsOn },
      suggestion: 'set it in the node configuration (`berth config`)',
    })
  const low = entrypoint.ports.find(({ port }) => port < 1024)
  if (low !== undefined && !entrypoint.capabilities.includes('NET_BIND_SERVICE'))
    issues.add([...path, 'ports'], `the node lets nobody listen on ${low.port} without a capability`, {
      suggestion: 'write `capabilities: [NET_BIND_SERVICE]`, or choose a port from 1024 up',
      dependsOn: [...dependsOn, [...path, 'capabilities']],
    })
}

export function refuseBandwidth(issues: IssueList, path: SpecPath, dependsOn: readonly SpecPath[]): void {
  issues.add(
    path,
    'with `network: host` an instance sends and receives as the node does: nobody can tell its packets from others',
    { atKey: true, dependsOn, suggestion: 'leave `bandwidth` out, or `network`' },
  )
}

/** The same of an environment's or a resize's values. */
export const limitsBandwidth = (resources: ResourceSpec): boolean =>
  [
    resources.inBitsPerSecond,
    resources.outBitsPerSecond,
    resources.guaranteedInBitsPerSecond,
    resources.guaranteedOutBitsPerSecond,
  ].some((each) => each !== undefined)
