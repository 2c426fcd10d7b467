import { bookingOf, instancesOn } from './bookkeeping.ts'
import { hashText } from './hash-text.ts'
import type { Tables } from './tables.ts'

/**
 * A short text that changes when what a node is, or what is given out on it, changes: a saved plan holds it and is refused when the
 * world has moved. It does not depend on the order in which things came to be. Undefined: no such node.
 */
export function nodeDigest(tables: Tables, name: string): string | undefined {
  const { nodes, instances } = tables
  const row = nodes.rowOf.get(name)
  if (row === undefined) return undefined
  // What is measured moves all the time and gives out nothing.
  const { measuredCpuMilli: _, diskFreeBytes: __, ...spec } = nodes.specs[row] ?? { name }
  const rule = nodes.classes[nodes.classOf[row]!]!.rule
  const parts = [canonical(spec), canonical(rule)]
  for (const instance of instancesOn(tables, row))
    parts.push(`${instances.ids[instance]} ${canonical(bookingOf(tables, instance))}`)
  let low = 0
  let high = 0
  for (const part of parts) {
    low = (low + hashText(part)) >>> 0
    high = (high + hashText(part, 0x5bd1e995)) >>> 0
  }
  return `${high.toString(16).padStart(8, '0')}${low.toString(16).padStart(8, '0')}`
}

const canonical = (value: unknown): string =>
  JSON.stringify(value, (_, each: unknown) =>
    each === null || typeof each !== 'object' || Array.isArray(each)
      ? each
      : Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1))),
  )
