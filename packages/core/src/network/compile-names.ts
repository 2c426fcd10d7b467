import { listedTags } from '../discovery/compile-catalog.ts'
import type { AppSpec, Instance, NamedApp, NameEntry, NameTable, PortSpec } from '../model/index.ts'
import { bridgeOf, reachedPort } from './network-mode.ts'
import type { PooledInstance } from './route-targets.ts'

/** Names of the instances that serve (ready ones that should run, in the order of their ids), and of all that exists. */
export function compileNames(
  instances: Iterable<PooledInstance>,
  specOf: (app: string, release: string) => AppSpec | undefined,
  apps: readonly NamedApp[],
  version: number,
  siteOf: (node: string) => string | undefined = () => undefined,
  hasTwin: (instance: Instance) => boolean = () => true,
): NameTable {
  const entries: NameEntry[] = []
  for (const { instance, status } of instances) {
    if (instance.type !== 'service' || instance.desired !== 'run' || status?.ready !== true) continue
    if (instance.address === undefined) continue
    const spec = specOf(instance.app, instance.release)?.entrypoints[instance.entrypoint]
    const { app, pool, entrypoint, id, address, node } = instance
    const ports = namedPorts(instance, spec?.ports ?? [])
    if (ports === undefined) continue
    const site = node === undefined ? undefined : siteOf(node)
    const tags = listedTags(spec?.labels)
    entries.push({
      app,
      pool,
      entrypoint,
      instance: id,
      address,
      ...(hasTwin(instance) ? {} : { only4: true as const }),
      ...(site === undefined ? {} : { site }),
      ...(tags.length === 0 ? {} : { tags }),
      ports,
    })
  }
  entries.sort((a, b) => (a.instance < b.instance ? -1 : 1))
  return { version, entries, apps }
}

/** undefined: at its address nothing leads to it, so that it is not named. */
function namedPorts({ network }: Instance, ports: readonly PortSpec[]): NameEntry['ports'] | undefined {
  const reached = ports.flatMap((each) => {
    const port = reachedPort(network, each)
    return port === undefined ? [] : [{ name: each.name, port, protocol: each.protocol }]
  })
  return bridgeOf(network) !== undefined && reached.length === 0 ? undefined : reached
}

export const sameNames = (a: NameTable, b: NameTable): boolean =>
  JSON.stringify([a.entries, a.apps]) === JSON.stringify([b.entries, b.apps])
