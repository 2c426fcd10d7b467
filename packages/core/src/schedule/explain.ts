import { isBandwidth } from '../network/uplink.ts'
import { formatBandwidth, formatBytes, formatCpu } from '../spec/quantities.ts'
import { type Bits, hasBit } from './bits.ts'
import { cpuProblem } from './cpu-pieces.ts'
import { refuseStatic } from './eligibility.ts'
import { addressesFor, type Fit } from './fit.ts'
import type { Explanation, FilterName, RefusalReason } from './instance-request.ts'
import { applyRules } from './rules.ts'
import type { Tables } from './tables.ts'
import type { Terms } from './terms.ts'

/** A sentence is kept with every instance that waits, so it does not grow with the cluster. */
const toldReasons = 5

interface Refusal {
  readonly filter: FilterName
  readonly text: string
  /** For what is counted: how much of it the node has free. */
  readonly free?: number
}

/** Why no node takes the request; asked only after a failure, so it looks at everything. */
export function explain(tables: Tables, terms: Terms, fit: Fit): Explanation {
  const { ring } = tables.nodes
  if (ring.length === 0) return sentence(0, [], 'the cluster has no node yet: run `berth up` or `berth node join`')
  const problem = terms.problem ?? sizeProblem(tables, terms, fit)
  if (problem !== undefined) return refusedRequest(problem, ring.length)
  const reasons = countReasons(tables, terms, fit)
  return sentence(ring.length, reasons, `${ring.length} ${ring.length === 1 ? 'node' : 'nodes'}: ${joined(reasons)}`)
}

export const refusedRequest = (message: string, nodes: number): Explanation =>
  sentence(nodes, [{ filter: 'request', nodes, text: message }], message)

const sentence = (nodes: number, reasons: readonly RefusalReason[], message: string): Explanation => ({
  message,
  nodes,
  reasons,
})

/** In the order of the filters; of many reasons the most frequent ones are told. */
function joined(reasons: readonly RefusalReason[]): string {
  const often = new Set([...reasons].sort((a, b) => b.nodes - a.nodes).slice(0, toldReasons))
  const told = reasons.filter((reason) => often.has(reason)).map((reason) => `${reason.nodes} ${reason.text}`)
  const left = reasons.length - told.length
  return [...told, ...(left > 0 ? [`and ${left} other ${left === 1 ? 'reason' : 'reasons'}`] : [])].join(', ')
}

function countReasons(tables: Tables, terms: Terms, fit: Fit): RefusalReason[] {
  const { ring } = tables.nodes
  const broken = brokenRules(tables, terms)
  const counted = new Map<string, Refusal & { nodes: number; row: number; most: number }>()
  for (let position = 0; position < ring.length; position++) {
    const row = ring.rowAt[position]!
    const refusal = refuse(tables, terms, fit, row) ?? broken[position] ?? refuseAddress(tables, terms, row)
    if (refusal === undefined) continue
    // No two filters say the same.
    const known = counted.get(refusal.text)
    if (known === undefined) counted.set(refusal.text, { ...refusal, nodes: 1, row, most: refusal.free ?? 0 })
    else {
      known.nodes++
      if ((refusal.free ?? 0) > known.most) {
        known.most = refusal.free ?? 0
        known.row = row
      }
    }
  }
  return [...counted.values()]
    .sort(
      (a, b) =>
        filterOrder.indexOf(a.filter) - filterOrder.indexOf(b.filter) ||
        b.nodes - a.nodes ||
        (a.text < b.text ? -1 : 1),
    )
    .map(({ filter, nodes, text, row, most }) => ({
      filter,
      nodes,
      text: text + best(tables, fit, filter, text, row, most),
    }))
}

const filterOrder: readonly FilterName[] = [
  'request',
  'group',
  'offline',
  'lost',
  'cordoned',
  'drained',
  'over-committed',
  'taint',
  'where',
  'spread',
  'cpu',
  'memory',
  'disk',
  'resource',
  'port',
  'volume',
  'network',
  'apart',
  'near',
  'per-node',
  'per-site',
  'address',
]

/** ` (most free: web-7, 0.8 of 1.3)` */
function best(tables: Tables, fit: Fit, filter: FilterName, text: string, row: number, most: number): string {
  const name = tables.nodes.names[row]
  const of = (free: string, wanted: string): string => ` (most free: ${name}, ${free} of ${wanted})`
  const need = fit.need(row)
  switch (filter) {
    case 'cpu':
      return text !== tooLittleCpu ? '' : of(formatCpu(Math.max(0, most)), formatCpu(need.cpuMilli))
    case 'memory':
      return of(roundBytes(most), formatBytes(need.memoryBytes))
    case 'disk':
      return of(roundBytes(most), formatBytes(fit.terms!.diskBytes))
    case 'resource': {
      const resource = fit.terms!.resources.find(([each]) => text === `too little ${each}`)
      const say = isBandwidth(resource?.[0] ?? '') ? formatBandwidth : String
      return of(say(Math.max(0, most)), say(resource?.[1] ?? 0))
    }
    default:
      return ''
  }
}

/** `1.3Gi` as people read it, not to the byte. */
function roundBytes(bytes: number): string {
  const mebibytes = Math.floor(Math.max(0, bytes) / 1024 ** 2)
  return mebibytes === 0 ? '0Mi' : formatBytes(mebibytes * 1024 ** 2)
}

function refuse(tables: Tables, terms: Terms, fit: Fit, row: number): Refusal | undefined {
  const { nodes } = tables
  const fixed = refuseStatic(terms.eligibility.demands, nodes.specs[row])
  if (fixed !== undefined) return fixed
  if (nodes.isOverCommitted(row)) return { filter: 'over-committed', text: 'over-committed' }
  if (!fit.hasCpu(row)) return refuseCpu(tables, fit, row)
  if (nodes.memoryFree[row]! < fit.need(row).memoryBytes)
    return { filter: 'memory', text: 'too little memory', free: nodes.memoryFree[row]! }
  if (!fit.hasDisk(row)) {
    const measured = nodes.specs[row]?.diskFreeBytes ?? Number.POSITIVE_INFINITY
    return { filter: 'disk', text: 'too little disk', free: Math.min(measured, nodes.diskFree[row]!) }
  }
  const resource = fit.missingResource(row)
  if (resource === undefined) return undefined
  return { filter: 'resource', text: `too little ${resource}`, free: nodes.resources.free(row, resource) }
}

function refuseCpu(tables: Tables, fit: Fit, row: number): Refusal {
  const free = freeCpu(tables, fit, row)
  // As much is free, but not where a fragment may go.
  if (free >= fit.need(row).cpuMilli) return { filter: 'cpu', text: 'no room on shared cores' }
  return { filter: 'cpu', text: tooLittleCpu, free }
}

const tooLittleCpu = 'too little CPU'

const refuseAddress = ({ nodes }: Tables, terms: Terms, row: number): Refusal | undefined =>
  addressesFor(terms, nodes, row) <= 0 ? { filter: 'address', text: 'addresses used up' } : undefined

/** The most that could be asked for on the node. */
function freeCpu({ nodes }: Tables, fit: Fit, row: number): number {
  const on = nodes.classes[nodes.classOf[row]!]!
  if (on.rule.cpu === 'shared') return nodes.cpuFree[row]!
  if (fit.need(row).bound) return nodes.cores.most(row)
  return Math.max(0, (nodes.cores.free[row]! + nodes.cores.shared[row]!) * 1000 - nodes.floatingMilli[row]!)
}

/** By position: the first rule about other instances that the node breaks. */
function brokenRules(tables: Tables, terms: Terms): (Refusal | undefined)[] {
  const { ring } = tables.nodes
  const broken: (Refusal | undefined)[] = new Array(ring.length)
  const mask: Bits = new Int32Array((ring.length + 31) >>> 5).fill(-1)
  applyRules(mask, terms, tables, (filter, text) => {
    for (let position = 0; position < ring.length; position++)
      if (!hasBit(mask, position)) broken[position] ??= { filter, text }
  })
  return broken
}

/** What no node of the right kind could ever give, even if it were empty. */
function sizeProblem(tables: Tables, terms: Terms, fit: Fit): string | undefined {
  const { cpuMilli, memoryBytes } = fit.sizes
  const { nodes } = tables
  let mostCpu = -1
  let cpuNode = ''
  let mostMemory = -1
  let memoryNode = ''
  for (const [name, row] of nodes.rowOf) {
    const spec = nodes.specs[row]
    if (spec === undefined || refuseStatic(terms.eligibility.demands, spec) !== undefined) continue
    const on = nodes.classes[nodes.classOf[row]!]!
    const oversell = on.rule.cpu === 'shared' ? on.rule.oversellMilli : 1000
    const cpu = Math.floor((on.cpuMilli * on.speedMilli * oversell) / 1_000_000)
    if (cpu > mostCpu) [mostCpu, cpuNode] = [cpu, name]
    if (on.memoryBytes > mostMemory) [mostMemory, memoryNode] = [on.memoryBytes, name]
  }
  if (mostCpu < 0) return undefined
  if (cpuMilli !== undefined && cpuMilli > mostCpu)
    return cpuProblem(cpuMilli, nodes.rule(terms.request.group ?? ''), mostCpu, cpuNode)
  if (memoryBytes === undefined || memoryBytes <= mostMemory) return undefined
  return `${formatBytes(memoryBytes)} of memory are more than any node has: at most ${roundBytes(mostMemory)} (${memoryNode})`
}
