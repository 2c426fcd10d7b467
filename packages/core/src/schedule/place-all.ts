import type { NodeChooser } from './choose-node.ts'
import type { BatchItem } from './instance-request.ts'
import { canPack, packPool } from './pack-batch.ts'
import type { Tables } from './tables.ts'
import type { Terms } from './terms.ts'

/**
 * Places what is to be packed and is ruled by CPU and memory alone, of the highest priority first, all that may go to the same nodes
 * together. Returns the rest in the order in which to place it one by one: higher priorities first; within one, what is packed by size
 * (small ones fill the gaps that large ones leave), then the others as they came.
 */
export function placeTogether(
  tables: Tables,
  chooser: NodeChooser,
  items: readonly BatchItem[],
  termsOf: (item: BatchItem) => Terms,
): BatchItem[] {
  const rest: BatchItem[] = []
  const pools = new Map<string, { items: BatchItem[]; terms: Terms[]; priority: number }>()
  const numbers = new Map<Terms['eligibility'], number>()
  for (const item of items) {
    const terms = termsOf(item)
    if (!canPack(terms, item, tables)) {
      rest.push(item)
      continue
    }
    const number = numbers.get(terms.eligibility) ?? numbers.size
    numbers.set(terms.eligibility, number)
    const key = `${terms.priority} ${number}`
    const pool = pools.get(key) ?? { items: [], terms: [], priority: terms.priority }
    pools.set(key, pool)
    pool.items.push(item)
    pool.terms.push(terms)
  }
  const highest = Math.max(...rest.map(({ request }) => request.priority ?? 0))
  for (const pool of [...pools.values()].sort((a, b) => b.priority - a.priority)) {
    // What is placed one by one and is more important comes first.
    if (pool.priority < highest) rest.push(...pool.items)
    else rest.push(...packPool(tables, chooser, pool))
  }
  return inOrder(rest, largestNode(tables))
}

function inOrder(items: readonly BatchItem[], largest: { cpuMilli: number; memoryBytes: number }): BatchItem[] {
  const size = ({ request }: BatchItem): number =>
    request.strategy?.type === 'pack'
      ? Math.max((request.cpuMilli ?? 0) / largest.cpuMilli, (request.memoryBytes ?? 0) / largest.memoryBytes)
      : Number.POSITIVE_INFINITY
  return items
    .map((item) => ({ item, size: size(item), priority: item.request.priority ?? 0 }))
    .sort((a, b) => b.priority - a.priority || compareSizes(b.size, a.size))
    .map(({ item }) => item)
}

/** Infinities are equal, which a subtraction does not say. */
const compareSizes = (a: number, b: number): number => (a === b ? 0 : a - b)

const largestNode = ({ nodes }: Tables): { cpuMilli: number; memoryBytes: number } => ({
  cpuMilli: nodes.classes.reduce((most, each) => Math.max(most, each.cpuMilli), 1),
  memoryBytes: nodes.classes.reduce((most, each) => Math.max(most, each.memoryBytes), 1),
})
