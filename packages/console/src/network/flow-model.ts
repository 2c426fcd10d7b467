import type { FlowGroupEnd, FlowGroupView } from '@berth/api/net-resources'

/** What is one end of the picture: an entrypoint, a pool or a whole app. */
export type FlowLevel = 'entrypoint' | 'pool' | 'app'
const partsOf: Readonly<Record<FlowLevel, number>> = { entrypoint: 3, pool: 2, app: 1 }

export interface FlowNode {
  readonly key: string
  readonly kind: FlowGroupEnd['kind']
  readonly name: string
  readonly flows: number
}

/** All that goes from one to another. */
export interface FlowEdge {
  readonly from: string
  readonly to: string
  readonly flows: number
  /** That could not be made any more: rules of now drop them. */
  readonly dropped: number
}

export interface FlowPicture {
  /** Who begins, and who answers; one may be on both sides. */
  readonly senders: readonly FlowNode[]
  readonly receivers: readonly FlowNode[]
  readonly edges: readonly FlowEdge[]
  /** So many ends are left out: those with the fewest connections. */
  readonly hidden: number
}

export const levelEnd = ({ kind, name }: FlowGroupEnd, level: FlowLevel): FlowGroupEnd =>
  kind === 'instance' ? { kind, name: name.split('/').slice(0, partsOf[level]).join('/') } : { kind, name }

/** At most `most` on each side, ordered so that lines cross little: senders by name, receivers by where theirs stand. */
export function flowPicture(groups: readonly FlowGroupView[], level: FlowLevel, most: number): FlowPicture {
  const all = edgesOf(groups, level)
  const [senders, receivers] = [busiest(all, 'from', most), busiest(all, 'to', most)]
  const edges = all.filter(({ from, to }) => senders.has(keyOf(from)) && receivers.has(keyOf(to)))
  const left = [...senders.values()].toSorted(byName)
  const place = new Map(left.map(({ key }, index) => [key, index]))
  const lines = edges.map(({ from, to, ...edge }) => ({ from: keyOf(from), to: keyOf(to), ...edge }))
  const right = [...receivers.values()]
    .map((node) => ({ node, at: meanPlace(lines, node.key, place) }))
    .toSorted((a, b) => a.at - b.at || byName(a.node, b.node))
  const ends = new Set(all.map(({ from }) => keyOf(from))).size + new Set(all.map(({ to }) => keyOf(to))).size
  return {
    senders: left,
    receivers: right.map(({ node }) => node),
    edges: lines,
    hidden: ends - left.length - right.length,
  }
}

interface Edge {
  readonly from: FlowGroupEnd
  readonly to: FlowGroupEnd
  readonly flows: number
  readonly dropped: number
}

const keyOf = ({ kind, name }: FlowGroupEnd): string => `${kind} ${name}`

function edgesOf(groups: readonly FlowGroupView[], level: FlowLevel): Edge[] {
  const edges = new Map<string, Edge>()
  for (const { flows, allowed, ...ends } of groups) {
    const [from, to] = [levelEnd(ends.from, level), levelEnd(ends.to, level)]
    const key = `${keyOf(from)}\n${keyOf(to)}`
    const { flows: sum = 0, dropped = 0 } = edges.get(key) ?? {}
    edges.set(key, { from, to, flows: sum + flows, dropped: dropped + (allowed ? 0 : flows) })
  }
  return [...edges.values()]
}

function busiest(edges: readonly Edge[], side: 'from' | 'to', most: number): Map<string, FlowNode> {
  const nodes = new Map<string, FlowNode>()
  for (const { flows, ...ends } of edges) {
    const { kind, name } = ends[side]
    const key = keyOf(ends[side])
    nodes.set(key, { key, kind, name, flows: (nodes.get(key)?.flows ?? 0) + flows })
  }
  return new Map([...nodes].toSorted(([, a], [, b]) => b.flows - a.flows).slice(0, most))
}

const kindOrder = ['instance', 'external', 'node', 'outside']
const byName = (a: FlowNode, b: FlowNode): number =>
  kindOrder.indexOf(a.kind) - kindOrder.indexOf(b.kind) || a.name.localeCompare(b.name, 'en', { numeric: true })

function meanPlace(edges: readonly FlowEdge[], to: string, place: ReadonlyMap<string, number>): number {
  const own = edges.filter((edge) => edge.to === to)
  const weight = own.reduce((sum, { flows }) => sum + flows, 0)
  return own.reduce((sum, { from, flows }) => sum + (place.get(from) ?? 0) * flows, 0) / Math.max(1, weight)
}

/** With this in the name of one end. */
export const matchesFlow = ({ from, to }: Pick<FlowGroupView, 'from' | 'to'>, wanted: string): boolean =>
  [from, to].some(({ kind, name }) => (name === '' ? kind : name).toLowerCase().includes(wanted))
