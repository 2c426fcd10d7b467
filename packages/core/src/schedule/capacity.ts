import { forEachBit } from './bits.ts'
import type { NodeChooser } from './choose-node.ts'
import { addressesFor } from './fit.ts'
import type { FilterName, InstanceRequest, Peer } from './instance-request.ts'
import { perNodeLimit } from './place-batch.ts'
import type { Tables } from './tables.ts'
import type { Terms } from './terms.ts'

/** How many more of a request the books have room for. */
export interface Capacity {
  /** Infinity: it reserves nothing that is counted. */
  readonly count: number
  /** Nodes that have room for at least one. */
  readonly nodes: number
  /** What runs out first on how many nodes, the most frequent first. */
  readonly missing: readonly { readonly filter: FilterName; readonly what: string; readonly nodes: number }[]
}

export function capacityFor(tables: Tables, chooser: NodeChooser, terms: Terms, request: InstanceRequest): Capacity {
  const mask = chooser.begin(terms, request)
  const { ring } = tables.nodes
  const missing = new Map<string, { filter: FilterName; what: string; nodes: number }>()
  const counts = new Map<number, number>()
  forEachBit(mask, (position) => {
    const row = ring.rowAt[position]!
    const limits = limitsOn(tables, chooser, terms, row)
    const [least] = limits
    counts.set(row, Math.max(0, least.count))
    const known = missing.get(least.what)
    if (known === undefined) missing.set(least.what, { filter: least.filter, what: least.what, nodes: 1 })
    else known.nodes++
  })
  return {
    count: sumUp(counts, tables, terms),
    nodes: [...counts.values()].filter((count) => count > 0).length,
    missing: [...missing.values()].sort((a, b) => b.nodes - a.nodes || (a.what < b.what ? -1 : 1)),
  }
}

interface Limit {
  readonly filter: FilterName
  readonly what: string
  readonly count: number
}

/** What each thing allows, the scarcest first. */
function limitsOn({ nodes }: Tables, chooser: NodeChooser, terms: Terms, row: number): [Limit, ...Limit[]] {
  const { fit } = chooser
  const need = fit.need(row)
  const per = (free: number, amount: number): number =>
    amount === 0 ? Number.POSITIVE_INFINITY : Math.floor(free / amount)
  const disk = Math.min(nodes.diskFree[row]!, fit.hasDisk(row) ? Number.POSITIVE_INFINITY : 0)
  const limits: [Limit, ...Limit[]] = [
    { filter: 'cpu', what: 'CPU', count: fit.hasCpu(row) ? fit.cpuCapacity(row, need) : 0 },
    { filter: 'memory', what: 'memory', count: per(nodes.memoryFree[row]!, need.memoryBytes) },
    { filter: 'disk', what: 'disk', count: per(disk, terms.diskBytes) },
    ...terms.resources.map(
      ([name, amount]): Limit => ({
        filter: 'resource',
        what: name,
        count: per(nodes.resources.free(row, name), amount),
      }),
    ),
    { filter: 'port', what: 'host ports', count: terms.hostPorts.length > 0 ? 1 : Number.POSITIVE_INFINITY },
    { filter: 'per-node', what: 'places per node', count: perNode(terms, row) },
    { filter: 'address', what: 'addresses', count: addressesFor(terms, nodes, row) },
  ]
  return limits.sort((a, b) => (a.count === b.count ? 0 : a.count - b.count))
}

function perNode(terms: Terms, row: number): number {
  const own = terms.entrypoint.counts.get(row)
  const alone = terms.apart.some((peer) => peer.weight === undefined && peer.over === undefined && isOwn(peer, terms))
  return alone ? 1 : perNodeLimit(terms) - own
}

const isOwn = (peer: Peer, { entrypoint }: Terms): boolean =>
  peer.app === entrypoint.app && (peer.entrypoint === undefined || peer.entrypoint === entrypoint.name)

/** The sum, cut where a label's value may only have so many. */
function sumUp(counts: ReadonlyMap<number, number>, tables: Tables, terms: Terms): number {
  const cuts: { label: string; most: number; own: boolean }[] = []
  const { max } = terms.request
  if (max?.site !== undefined) cuts.push({ label: 'site', most: max.site, own: true })
  for (const peer of terms.apart)
    if (peer.weight === undefined && peer.over !== undefined && isOwn(peer, terms))
      cuts.push({ label: peer.over, most: 1, own: false })
  if (cuts.length === 0) return [...counts.values()].reduce((sum, count) => sum + count, 0)
  return Math.min(...cuts.map(({ label, most, own }) => cutSum(counts, tables, terms, label, most, own)))
}

function cutSum(
  counts: ReadonlyMap<number, number>,
  { labels, nodes }: Tables,
  terms: Terms,
  label: string,
  most: number,
  own: boolean,
): number {
  const column = labels.of(label, nodes)
  const had = terms.entrypoint.countsBy(column)
  const sums = new Map<number, number>()
  for (const [row, count] of counts) {
    const value = column.valueIndex[row]!
    sums.set(value, (sums.get(value) ?? 0) + count)
  }
  let total = 0
  for (const [value, sum] of sums) total += value < 0 ? sum : Math.min(sum, own ? most - had[value]! : most)
  return total
}
