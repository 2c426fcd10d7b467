import type { MetricsView, SampleView } from '@berth/api'

/** What to read for one instance. */
export interface WatchTarget {
  readonly containerId: string
  /** Of the container's first process; its namespaces and cgroups are read. */
  readonly pid: number
  readonly cpuLimitMilli: number
  readonly memoryLimitBytes: number
}

/** Counters as the kernel gives them, since the container (or the node) started; for Prometheus. */
export interface Counters {
  readonly cpuNs: number
  readonly throttledNs: number
  readonly memoryBytes: number
  readonly networkInBytes: number
  readonly networkOutBytes: number
  readonly blockReadBytes: number
  readonly blockWriteBytes: number
  readonly tcpConnections: number
}

export interface InstanceCounters {
  readonly instance: string
  readonly cpuLimitMilli: number
  readonly memoryLimitBytes: number
  readonly counters: Counters
}

/**
 * Reads cgroups and /proc of the watched instances and of the node at a fixed interval, and keeps the last minutes. Nothing is asked of
 * Docker. Closing it stops the readings.
 */
export interface Collector extends AsyncDisposable {
  /** Also for a changed pid (the container was started again) or changed limits: samples so far stay. */
  watch(instance: string, target: WatchTarget): void
  forget(instance: string): void
  /** Samples after `sinceMs` (milliseconds since the epoch) of every watched instance; all that are kept when it is absent. */
  since(sinceMs?: number): MetricsView[]
  /** The same of the node itself. */
  nodeSince(sinceMs?: number): SampleView[]
  /** The last reading of every watched instance that has been read. */
  counters(): readonly InstanceCounters[]
  nodeCounters(): Counters | undefined
}
