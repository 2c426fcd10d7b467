import type { NodeUse, SampleView } from '@berth/api'

/** So long are figures averaged: a single reading jumps. */
export const useWindowMs = 15_000

/** What a node uses, on an average of its samples; undefined: it has not been measured yet. */
export function recentUse(samples: readonly Pick<SampleView, 'cpuMilli' | 'memoryBytes'>[]): NodeUse | undefined {
  if (samples.length === 0) return undefined
  const mean = (of: 'cpuMilli' | 'memoryBytes'): number =>
    Math.round(samples.reduce((sum, sample) => sum + sample[of], 0) / samples.length)
  return { cpuMilli: mean('cpuMilli'), memoryBytes: mean('memoryBytes') }
}
