import type { InstanceRequest } from './instance-request.ts'

/** One of a batch of requests that are not equal. */
export interface BatchItem {
  readonly id: string
  readonly request: InstanceRequest
}

/**
 * The order of a mixed batch: higher priorities first; within one, what is packed by size (of what it needs most of, as a share of
 * `largest`), since small ones fill the gaps that large ones leave; the rest as it came.
 */
export function batchOrder(
  items: readonly BatchItem[],
  largest: { cpuMilli: number; memoryBytes: number },
): BatchItem[] {
  const size = ({ request }: BatchItem): number =>
    request.strategy?.type === 'pack'
      ? Math.max((request.cpuMilli ?? 0) / largest.cpuMilli, (request.memoryBytes ?? 0) / largest.memoryBytes)
      : Number.POSITIVE_INFINITY
  const priority = ({ request }: BatchItem): number => request.priority ?? 0
  return items
    .map((item) => ({ item, size: size(item), priority: priority(item) }))
    .sort((a, b) => b.priority - a.priority || compareSizes(b.size, a.size))
    .map(({ item }) => item)
}

const compareSizes = (a: number, b: number): number => (a === b ? 0 : a - b)
