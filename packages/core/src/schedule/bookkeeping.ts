import { type CoreSet, formatCores, noCores, parseCores } from './core-text.ts'
import type { Booking } from './instance-request.ts'
import type { Need } from './node-class.ts'
import { type Tables, usePort } from './tables.ts'
import { type Terms, takesAddress } from './terms.ts'

/** Enters a new row of an instance on a node that admits it: picks its cores and names. The node's index entries are the caller's to renew. */
export function enter(tables: Tables, row: number, node: number, terms: Terms, need: Need): void {
  const { nodes, instances } = tables
  link(tables, row, node, terms)
  instances.cpuMilli[row] = need.cpuMilli
  instances.memoryBytes[row] = need.memoryBytes
  instances.cpuLimitMilli[row] = need.cpuLimitMilli
  instances.memoryLimitBytes[row] = need.memoryLimitBytes
  instances.owns[row] = need.bound ? 1 : 0
  if (need.bound) {
    const { cores } = nodes
    cores.take(node, need.whole, need.fragmentMilli)
    instances.setCores(row, cores.picked, cores.pickedCount, cores.pickedFragment, need.fragmentMilli)
  }
  if (terms.resources.length > 0) instances.named.set(row, pickNames(tables, node, terms))
  reserve(tables, row, 1)
}

/** Enters what a record says, whether it fits or not. */
export function claim(tables: Tables, id: string, node: number, terms: Terms, booking: Booking): number {
  const { instances } = tables
  const row = instances.add(id)
  link(tables, row, node, terms)
  instances.cpuMilli[row] = booking.reservedCpuMilli
  instances.memoryBytes[row] = booking.reservedMemoryBytes
  instances.cpuLimitMilli[row] = booking.cpuMilli
  instances.memoryLimitBytes[row] = booking.memoryBytes
  const cores = coresOf(booking)
  instances.owns[row] = cores === noCores ? 0 : 1
  instances.setCores(row, cores.whole, cores.whole.length, cores.fragmentCore, cores.fragmentMilli)
  if (booking.named !== undefined) instances.named.set(row, booking.named)
  claimCores(tables, row)
  reserve(tables, row, 1)
  tables.nodes.reindex(node)
  return row
}

/** The inverse of both. */
export function leave(tables: Tables, row: number): void {
  const { nodes, instances, terms } = tables
  const node = instances.node[row]!
  releaseCores(tables, row)
  reserve(tables, row, -1)
  nodes.reindex(node)
  const own = terms.byId[instances.terms[row]!]!
  own.instances--
  own.entrypoint.add(node, -1, nodes.ring)
  unlink(tables, row, node)
  instances.remove(row)
  if (nodes.specs[node] === undefined && nodes.instances[node] === 0) nodes.dropRow(node)
}

/** What is given out to an instance apart from its cores: +1 takes it, −1 gives it back. */
export function reserve(tables: Tables, row: number, sign: 1 | -1): void {
  const { nodes, instances, terms } = tables
  const node = instances.node[row]!
  const bound = nodes.classes[nodes.classOf[node]!]!.rule.cpu === 'bound'
  const tied = !bound || instances.owns[row] === 1
  nodes.reserve(node, sign, instances.cpuMilli[row]!, instances.memoryBytes[row]!, tied)
  const own = terms.byId[instances.terms[row]!]!
  if (takesAddress(own)) nodes.slots[node] = nodes.slots[node]! - sign
  if (own.diskBytes > 0) nodes.diskFree[node] = nodes.diskFree[node]! - sign * own.diskBytes
  if (own.hostPorts.length > 0) for (const port of own.hostPorts) usePort(tables, port, node, sign)
  if (own.resources.length > 0) reserveResources(tables, row, node, own, sign)
}

export function claimCores({ nodes, instances }: Tables, row: number): void {
  const node = instances.node[row]!
  if (instances.owns[row] === 1 && nodes.classes[nodes.classOf[node]!]!.rule.cpu === 'bound')
    nodes.cores.claim(node, instances.cores(row))
}

export function releaseCores({ nodes, instances }: Tables, row: number): void {
  const node = instances.node[row]!
  if (instances.owns[row] === 1 && nodes.classes[nodes.classOf[node]!]!.rule.cpu === 'bound')
    nodes.cores.release(node, instances.cores(row))
}

export function bookingOf({ nodes, instances }: Tables, row: number): Booking {
  const named = instances.named.get(row)
  return {
    node: nodes.names[instances.node[row]!]!,
    cpuMilli: instances.cpuLimitMilli[row]!,
    memoryBytes: instances.memoryLimitBytes[row]!,
    reservedCpuMilli: instances.cpuMilli[row]!,
    reservedMemoryBytes: instances.memoryBytes[row]!,
    ...(instances.owns[row] === 1 ? { cores: formatCores(instances.cores(row)) } : {}),
    ...(named === undefined || Object.keys(named).length === 0 ? {} : { named }),
  }
}

/** Rows of the instances on a node, in no order that means anything. */
export function instancesOn({ nodes, instances }: Tables, node: number): number[] {
  const rows: number[] = []
  for (let row = nodes.first[node]!; row >= 0; row = instances.next[row]!) rows.push(row)
  return rows
}

/** A text that cannot be read owns nothing: its instance runs, and is told of by the agent that refuses it. */
function coresOf(booking: Booking): CoreSet {
  if (booking.cores === undefined) return noCores
  const read = parseCores(booking.cores)
  return read.ok && (read.value.whole.length > 0 || read.value.fragmentMilli > 0) ? read.value : noCores
}

function link({ nodes, instances }: Tables, row: number, node: number, terms: Terms): void {
  instances.node[row] = node
  instances.terms[row] = terms.id
  terms.instances++
  terms.entrypoint.add(node, 1, nodes.ring)
  const first = nodes.first[node]!
  instances.next[row] = first
  instances.previous[row] = -1
  if (first >= 0) instances.previous[first] = row
  nodes.first[node] = row
  nodes.instances[node] = nodes.instances[node]! + 1
}

function unlink({ nodes, instances }: Tables, row: number, node: number): void {
  const next = instances.next[row]!
  const previous = instances.previous[row]!
  if (previous >= 0) instances.next[previous] = next
  else nodes.first[node] = next
  if (next >= 0) instances.previous[next] = previous
  nodes.instances[node] = nodes.instances[node]! - 1
}

function pickNames({ nodes }: Tables, node: number, terms: Terms): Record<string, readonly string[]> {
  const named: Record<string, readonly string[]> = {}
  for (const [name, amount] of terms.resources) {
    const names = nodes.resources.pick(node, name, amount)
    if (names !== undefined && names.length > 0) named[name] = names
  }
  return named
}

function reserveResources({ nodes, instances }: Tables, row: number, node: number, terms: Terms, sign: 1 | -1): void {
  const named = instances.named.get(row)
  for (const [name, amount] of terms.resources) {
    if (sign === 1) nodes.resources.take(node, name, amount, named?.[name])
    else nodes.resources.giveBack(node, name, amount, named?.[name], nodes.specs[node]?.resources?.[name])
  }
}
