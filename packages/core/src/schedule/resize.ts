import { formatBytes, formatCpu } from '../spec/quantities.ts'
import { bookingOf, claimCores, releaseCores, reserve } from './bookkeeping.ts'
import { cpuProblem, splitCpu } from './cpu-pieces.ts'
import type { Decision, FilterName } from './instance-request.ts'
import { type NodeClass, needOn, type Sizes as RequestSizes } from './node-class.ts'
import type { Tables } from './tables.ts'

/** What of a running instance's grant shall change; absent: stays; null: it asks for none any more. */
export interface NewSizes {
  readonly cpuMilli?: number | null
  readonly memoryBytes?: number | null
}

/** Changes what an instance has on its node. It keeps the cores that it has; others are added or given back. All or nothing. */
export function resize(tables: Tables, row: number, sizes: NewSizes): Decision {
  const { nodes, instances } = tables
  const node = instances.node[row]!
  const on = nodes.classes[nodes.classOf[node]!]!
  const problem = typeof sizes.cpuMilli === 'number' ? cpuProblem(sizes.cpuMilli, on.rule) : undefined
  if (problem !== undefined) return refused('request', problem)
  releaseCores(tables, row)
  reserve(tables, row, -1)
  const refusal = apply(tables, row, sizes, on)
  reserve(tables, row, 1)
  nodes.reindex(node)
  return refusal ?? { placed: true, booking: bookingOf(tables, row) }
}

/** Leaves the instance with its cores taken and everything else to be reserved. */
function apply(tables: Tables, row: number, sizes: NewSizes, on: NodeClass): Decision | undefined {
  const { nodes, instances } = tables
  const node = instances.node[row]!
  const name = nodes.names[node]!
  const need = needOn(requestOf(sizes, instances.owns[row] === 1), on)
  const cpuMilli = sizes.cpuMilli === undefined ? instances.cpuMilli[row]! : need.cpuMilli
  const memoryBytes = sizes.memoryBytes === undefined ? instances.memoryBytes[row]! : need.memoryBytes
  const grows = memoryBytes > instances.memoryBytes[row]!
  if (grows && memoryBytes > nodes.memoryFree[node]!) {
    claimCores(tables, row)
    const free = formatBytes(Math.max(0, nodes.memoryFree[node]!))
    return refused('memory', `${name} has too little memory (${free} of ${formatBytes(memoryBytes)})`)
  }
  const most = takeCpu(tables, row, cpuMilli, on)
  if (most !== undefined) {
    claimCores(tables, row)
    return refused('cpu', `${name} has too little CPU (${formatCpu(Math.max(0, most))} of ${formatCpu(cpuMilli)})`)
  }
  instances.cpuMilli[row] = cpuMilli
  instances.memoryBytes[row] = memoryBytes
  if (sizes.cpuMilli !== undefined) instances.cpuLimitMilli[row] = need.cpuLimitMilli
  if (sizes.memoryBytes !== undefined) instances.memoryLimitBytes[row] = need.memoryLimitBytes
  return undefined
}

const requestOf = ({ cpuMilli, memoryBytes }: NewSizes, owns: boolean): RequestSizes => ({
  ...(cpuMilli === undefined || cpuMilli === null ? {} : { cpuMilli }),
  ...(memoryBytes === undefined || memoryBytes === null ? {} : { memoryBytes }),
  unbound: !owns,
})

/** Whether `resize` would be possible, and what of it; leaves no trace. */
export function tryResize(tables: Tables, row: number, sizes: NewSizes): Decision {
  const { instances } = tables
  const cores = instances.cores(row)
  const before = {
    ...{ cpuMilli: instances.cpuMilli[row]!, memoryBytes: instances.memoryBytes[row]! },
    ...{ cpuLimitMilli: instances.cpuLimitMilli[row]!, memoryLimitBytes: instances.memoryLimitBytes[row]! },
  }
  const decision = resize(tables, row, sizes)
  if (!decision.placed) return decision
  releaseCores(tables, row)
  reserve(tables, row, -1)
  for (const key of ['cpuMilli', 'memoryBytes', 'cpuLimitMilli', 'memoryLimitBytes'] as const)
    instances[key][row] = before[key]
  instances.setCores(row, cores.whole, cores.whole.length, cores.fragmentCore, cores.fragmentMilli)
  claimCores(tables, row)
  reserve(tables, row, 1)
  tables.nodes.reindex(instances.node[row]!)
  return decision
}

/** Undefined: done. Otherwise the most that could be had, and nothing is taken. */
function takeCpu({ nodes, instances }: Tables, row: number, cpuMilli: number, on: NodeClass): number | undefined {
  const node = instances.node[row]!
  const grows = cpuMilli > instances.cpuMilli[row]!
  if (on.rule.cpu === 'shared') return grows && cpuMilli > nodes.cpuFree[node]! ? nodes.cpuFree[node]! : undefined
  const { cores } = nodes
  if (instances.owns[row] === 0) {
    const free = (cores.free[node]! + cores.shared[node]!) * 1000 - nodes.floatingMilli[node]!
    return grows && cpuMilli > free ? free : undefined
  }
  const { whole, fragmentMilli } = splitCpu(cpuMilli)
  if (!cores.take(node, whole, fragmentMilli, instances.cores(row))) return cores.most(node)
  instances.setCores(row, cores.picked, cores.pickedCount, cores.pickedFragment, fragmentMilli)
  return undefined
}

function refused(filter: FilterName, message: string): Decision {
  return { placed: false, refusal: { message, nodes: 1, reasons: [{ filter, nodes: 1, text: message }] } }
}
