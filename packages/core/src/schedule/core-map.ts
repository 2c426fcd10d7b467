import { instancesOn } from './bookkeeping.ts'
import type { Tables } from './tables.ts'

/** One core of a node of a bound group, for people. */
export interface CoreMapEntry {
  readonly core: number
  readonly numa: number
  /** False: given out, but the node does not report it. */
  readonly present: boolean
  /** What a fragment may be given of, in thousandths. */
  readonly limitMilli: number
  /** Who has it: 1000 is the whole core. In the order of names. */
  readonly owners: readonly { readonly instance: string; readonly milli: number }[]
}

export function coreMap(tables: Tables, node: number): CoreMapEntry[] {
  const { nodes, instances } = tables
  const owners = new Map<number, { instance: string; milli: number }[]>()
  const own = (core: number, instance: string, milli: number): void => {
    const known = owners.get(core)
    if (known === undefined) owners.set(core, [{ instance, milli }])
    else known.push({ instance, milli })
  }
  for (const row of instancesOn(tables, node)) {
    if (instances.owns[row] === 0) continue
    const { whole, fragmentCore, fragmentMilli } = instances.cores(row)
    for (const core of whole) own(core, instances.ids[row]!, 1000)
    if (fragmentMilli > 0) own(fragmentCore, instances.ids[row]!, fragmentMilli)
  }
  const entries: CoreMapEntry[] = []
  for (let core = 0; core < nodes.cores.length[node]!; core++) {
    const { present, numa } = nodes.cores.core(node, core)
    const has = owners.get(core) ?? []
    if (!present && has.length === 0) continue
    has.sort((a, b) => (a.instance < b.instance ? -1 : 1))
    entries.push({ core, numa, present, limitMilli: nodes.cores.limit[node]!, owners: has })
  }
  return entries
}
