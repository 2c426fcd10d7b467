import type { Collector } from '../metrics/collector.ts'

/** Collects nothing. */
export const createIdleCollector = (): Collector => ({
  watch: () => undefined,
  forget: () => undefined,
  since: () => [],
  nodeSince: () => [],
  counters: () => [],
  nodeCounters: () => undefined,
  [Symbol.asyncDispose]: async () => undefined,
})
