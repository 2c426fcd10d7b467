import type { EntrypointSpec, NetworkMode, PortSpec, ResourceSpec } from '../model/app-spec.ts'
import {
  attachProblem,
  bridgeMode,
  dockersBridge,
  isDockerNetworkName,
  lanMode,
  lanOf,
  maxNetworks,
  reachedPort,
  reservedNetworks,
} from '../network/network-mode.ts'
import { closest } from './closest.ts'
import { readTexts } from './read-values.ts'
import type { EntrypointDocument } from './spec-document.ts'
import type { IssueList, SpecPath } from './spec-issue.ts'

const modes = ['cluster', 'host', 'bridge'] as const

/** undefined: the cluster's own network, an address for each instance. */
export function canonicalNetwork(
  issues: IssueList,
  path: SpecPath,
  written: string | undefined,
): NetworkMode | undefined {
  if (written === undefined || written === 'cluster') return undefined
  if (written === 'host' || written === 'bridge') return written
  const bridge = /^bridge:(.*)$/s.exec(written)?.[1]
  if (bridge !== undefined) return canonicalBridge(issues, path, bridge)
  const lan = /^lan:(.*)$/s.exec(written)?.[1]
  if (lan !== undefined) return canonicalLan(issues, path, lan)
  const near = closest(written, modes)
  const others = isDockerNetworkName(written)
    ? `; of a network of the machines’ own (\`berth net ls\`) lan:${written}`
    : ''
  const suggestion = near === undefined ? `one of ${modes.join(', ')}${others}` : `did you mean "${near}"?`
  issues.add(path, `there is no network ${JSON.stringify(written.slice(0, 80))} for an entrypoint`, { suggestion })
  return undefined
}

function canonicalBridge(issues: IssueList, path: SpecPath, name: string): NetworkMode | undefined {
  if (isDockerNetworkName(name) && !reservedNetworks.includes(name)) return bridgeMode(name)
  const what = `${JSON.stringify(name.slice(0, 80))} is no name of a bridge that an entrypoint may be in`
  const suggestion =
    name === 'berth'
      ? 'the cluster’s own network is `network: cluster`'
      : `write bridge:NAME, as in \`docker network ls\``
  issues.add(path, what, { suggestion })
  return undefined
}

function canonicalLan(issues: IssueList, path: SpecPath, name: string): NetworkMode | undefined {
  if (isDockerNetworkName(name) && !reservedNetworks.includes(name) && name !== dockersBridge) return lanMode(name)
  issues.add(path, `${JSON.stringify(name.slice(0, 80))} is no name of a network of the machines’ own`, {
    suggestion: 'write lan:NAME, as in `berth net ls`',
  })
  return undefined
}

/** Others that it is in as well, in order of their names; undefined: none. */
export function canonicalNetworks(
  issues: IssueList,
  path: SpecPath,
  value: EntrypointDocument['networks'],
  network: NetworkMode | undefined,
): readonly string[] | undefined {
  const names = readTexts(issues, path, value)
  const dependsOn = [[...path.slice(0, -1), 'network']]
  for (const [index, name] of names.entries()) {
    const at = typeof value === 'string' ? path : [...path, index]
    const problem = attachProblem(name, network)
    if (problem !== undefined) issues.add(at, problem, { dependsOn })
    else if (names.indexOf(name) < index) issues.add(at, `the network ${name} is given twice`)
  }
  if (names.length > maxNetworks)
    issues.add(path, `${names.length} networks are too many: at most ${maxNetworks} are possible beside its own`)
  return names.length === 0 ? undefined : names.toSorted()
}

/** In the node's own network a port is the node's: it is declared as such, so that no two claim it. */
export function portsInNetwork(
  issues: IssueList,
  path: SpecPath,
  ports: readonly PortSpec[],
  network: NetworkMode | undefined,
): readonly PortSpec[] {
  if (network !== 'host') return ports
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

/** What cannot hold in another network than the cluster's. `entrypoint`: as it is read so far, with what was written of profiles and bandwidth. */
export function refuseInNetwork(issues: IssueList, path: SpecPath, network: NetworkMode, entrypoint: Refusable): void {
  const dependsOn = [[...path, 'network']]
  if (entrypoint.profiles !== undefined)
    issues.add([...path, 'profiles'], `with \`network: ${network}\` ${whyNoProfiles(network)}`, {
      ...{ atKey: true, dependsOn },
      suggestion: 'leave `profiles` out (`profiles: []` where the app names some), or `network`',
    })
  if (entrypoint.bandwidth !== undefined) refuseBandwidth(issues, [...path, 'bandwidth'], network, dependsOn)
  if (network === 'host') refuseInHostNetwork(issues, path, entrypoint)
  if (lanOf(network) !== undefined) refuseHostPorts(issues, [...path, 'ports'], network, entrypoint.ports, dependsOn)
}

/** Whoever reaches that network reaches its address there; Docker publishes nothing of a macvlan. */
function refuseHostPorts(
  issues: IssueList,
  path: SpecPath,
  network: NetworkMode,
  ports: readonly PortSpec[],
  dependsOn: readonly SpecPath[],
): void {
  const published = ports.find(({ hostPort }) => hostPort !== undefined)
  if (published === undefined) return
  issues.add(
    path,
    `with \`network: ${network}\` an instance is reached at its own address there: no port of its node leads to it`,
    {
      suggestion: `leave \`hostPort: ${published.hostPort}\` out`,
      dependsOn,
    },
  )
}

function whyNoProfiles(network: NetworkMode): string {
  if (network === 'host')
    return 'an instance has the node’s own address and interfaces: rules for it would be rules for the whole node'
  return lanOf(network) !== undefined
    ? 'an instance is in a network of the machines’ own, whose packets do not pass its node: no rule would see them'
    : 'an instance has an address that only its node knows: no rule can name it, and Docker says who reaches it'
}

function refuseInHostNetwork(issues: IssueList, path: SpecPath, entrypoint: Refusable): void {
  const dependsOn = [[...path, 'network']]
  const why = 'with `network: host` an instance has the node’s own address and interfaces'
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

export function refuseBandwidth(
  issues: IssueList,
  path: SpecPath,
  network: NetworkMode,
  dependsOn: readonly SpecPath[],
): void {
  const why =
    network === 'host'
      ? 'an instance sends and receives as the node does: nobody can tell its packets from others'
      : lanOf(network) !== undefined
        ? 'an instance is in a network of the machines’ own, whose packets do not pass its node: nobody could limit them'
        : 'an instance’s link is Docker’s: limits and guarantees hold for links of the cluster’s network'
  issues.add(path, `with \`network: ${network}\` ${why}`, {
    ...{ atKey: true, dependsOn },
    suggestion: 'leave `bandwidth` out, or `network`',
  })
}

/** What another entrypoint is to reach must have a port of its node. */
export function refuseUnreachedBinds(
  issues: IssueList,
  app: string,
  entrypoints: Readonly<Record<string, EntrypointSpec>>,
): void {
  for (const [name, { bind }] of Object.entries(entrypoints))
    for (const { app: other, entrypoint } of bind) {
      const target = other === app && Object.hasOwn(entrypoints, entrypoint) ? entrypoints[entrypoint] : undefined
      const [port] = target?.ports ?? []
      if (target === undefined || port === undefined || reachedPort(target.network, port) !== undefined) continue
      issues.add(
        ['entrypoints', name, 'bind'],
        `nobody but its node reaches port ${port.port} of "${entrypoint}", which is in \`network: ${target.network}\``,
        {
          suggestion: `publish it at the node: entrypoints.${entrypoint}.ports: {${port.name}: {port: ${port.port}, hostPort: ${port.port}}}`,
          dependsOn: [
            ['entrypoints', entrypoint, 'ports'],
            ['entrypoints', entrypoint, 'network'],
          ],
        },
      )
    }
}

/** The same of an environment's or a resize's values. */
export const limitsBandwidth = (resources: ResourceSpec): boolean =>
  [
    resources.inBitsPerSecond,
    resources.outBitsPerSecond,
    resources.guaranteedInBitsPerSecond,
    resources.guaranteedOutBitsPerSecond,
  ].some((each) => each !== undefined)
