import type { CoreMapView } from '@berth/api'
import { type Books, type CoreMapEntry, defaultGroup, defaultGroupName } from '@berth/core'
import type { State } from '../records/index.ts'

/** What is measured on a node. */
export interface CoreUse {
  /** Thousandths of each core that were busy, by core number. */
  readonly busyMilli: ReadonlyMap<number, number>
  /** Thousandths of a core that the kernel kept back, by instance. */
  readonly throttledMilli: ReadonlyMap<string, number>
  /** Instances that want more than they get of what was promised to them. */
  readonly starving: readonly string[]
}

/** Who owns which core of a node, and how busy each is. On a node of a shared group nobody owns any. */
export function coreMapOf(state: State, books: Books, name: string, use: CoreUse): CoreMapView {
  const node = state.nodes.get(name)
  const group = node?.group ?? defaultGroupName
  const { cpu } = state.groups.get(group) ?? defaultGroup
  const entries = cpu === 'bound' ? books.coreMap(name) : plainCores(state, name)
  const instances = books.instancesOn(name)
  return {
    ...{ node: name, group, cpu, speedMilli: node?.speedMilli ?? 1000 },
    overCommitted: books.isOverCommitted(name),
    cores: entries.map((entry) => {
      const busyMilli = use.busyMilli.get(entry.core)
      const { core, numa, present, owners } = entry
      const base = { core, numa, present, state: stateOf(entry), owners: owners.map((each) => ({ ...each })) }
      return busyMilli === undefined ? base : { ...base, busyMilli }
    }),
    unbound: instances.filter((id) => books.booking(id)?.cores === undefined),
    throttled: [...use.throttledMilli]
      .filter(([, milli]) => milli > 0)
      .map(([instance, milli]) => ({ instance, milli }))
      .sort((a, b) => b.milli - a.milli),
    starving: [...use.starving],
  }
}

function stateOf({ present, owners, limitMilli }: CoreMapEntry): CoreMapView['cores'][number]['state'] {
  const given = owners.reduce((sum, each) => sum + each.milli, 0)
  if (owners.length === 0) return 'free'
  if (owners.some((each) => each.milli === 1000) && limitMilli >= 0)
    return owners.length > 1 || !present ? 'conflict' : 'whole'
  return given > limitMilli || !present ? 'conflict' : 'shared'
}

function plainCores(state: State, name: string): CoreMapEntry[] {
  const status = state.nodeStatuses.get(name)
  const count = Math.ceil((status?.cpuMilli ?? 0) / 1000)
  const numa = status?.cores?.numa ?? [Array.from({ length: count }, (_, core) => core)]
  return numa
    .flatMap((cores, index) =>
      cores.map((core) => ({ core, numa: index, present: true, limitMilli: 1000, owners: [] })),
    )
    .sort((a, b) => a.core - b.core)
}
