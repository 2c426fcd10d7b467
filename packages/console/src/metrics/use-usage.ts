import type { MetricsView } from '@berth/api/instance-resources'
import { useMemo } from 'react'
import { type MetricsQuery, useMetrics } from './use-metrics.ts'

/** What an instance takes now, and what it may. A limit of 0 is none. */
export interface Usage {
  readonly cpuMilli: number
  readonly cpuLimitMilli: number
  readonly memoryBytes: number
  readonly memoryLimitBytes: number
  /** A second. */
  readonly networkInBytes: number
  readonly networkOutBytes: number
  readonly networkInPackets: number | undefined
  readonly networkOutPackets: number | undefined
  /** So far. */
  readonly traffic: MetricsView['traffic']
}

const windowMs = 30_000

/** Per instance; one that is not in it has not been measured. */
export function useUsage(query: MetricsQuery): ReadonlyMap<string, Usage> {
  const { metrics } = useMetrics(query, windowMs)
  return useMemo(
    () =>
      new Map(
        metrics.map(({ instance, samples, cpuLimitMilli, memoryLimitBytes, traffic }) => {
          const last = samples.at(-1)
          const { cpuMilli = 0, memoryBytes = 0, networkInBytes = 0, networkOutBytes = 0 } = last ?? {}
          const { networkInPackets, networkOutPackets } = last ?? {}
          const packets = { networkInPackets, networkOutPackets, traffic }
          const limits = { cpuLimitMilli, memoryLimitBytes }
          return [instance, { ...limits, cpuMilli, memoryBytes, networkInBytes, networkOutBytes, ...packets }]
        }),
      ),
    [metrics],
  )
}
