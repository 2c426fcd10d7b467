import type { SampleView } from '@berth/api'

/** What the kernel counts since the container (or the node) started; memory and connections are as they are now. */
export interface Counters {
  readonly cpuNs: number
  readonly throttledNs: number
  /** Periods of the CPU limit so far, and in how many of them it was reached. 0 where there is no limit. */
  readonly periods: number
  readonly throttledPeriods: number
  /** The working set: what is in use less file cache that can be dropped. */
  readonly memoryBytes: number
  readonly networkInBytes: number
  readonly networkOutBytes: number
  readonly blockReadBytes: number
  readonly blockWriteBytes: number
  readonly tcpConnections: number
}

export interface Reading {
  /** Of a clock that only goes forward. */
  readonly monotonicMs: number
  readonly counters: Counters
}

/**
 * The sample between two readings, with rates per second. A counter that went back was started anew (the container was): what it shows then
 * is of an unknown part of the interval, so the rate is 0.
 */
export function sampleBetween(before: Reading, after: Reading, at: number): SampleView {
  const seconds = (after.monotonicMs - before.monotonicMs) / 1000
  const rate = (name: keyof Counters): number => {
    const difference = after.counters[name] - before.counters[name]
    return difference <= 0 || seconds <= 0 ? 0 : difference / seconds
  }
  const periods = after.counters.periods - before.counters.periods
  const throttledPeriods = after.counters.throttledPeriods - before.counters.throttledPeriods
  return {
    at,
    cpuMilli: Math.round(rate('cpuNs') / 1_000_000),
    throttledMilli: Math.round(rate('throttledNs') / 1_000_000),
    throttledPeriodsMilli: periods > 0 ? Math.round((Math.max(0, throttledPeriods) * 1000) / periods) : 0,
    memoryBytes: after.counters.memoryBytes,
    networkInBytes: Math.round(rate('networkInBytes')),
    networkOutBytes: Math.round(rate('networkOutBytes')),
    blockReadBytes: Math.round(rate('blockReadBytes')),
    blockWriteBytes: Math.round(rate('blockWriteBytes')),
    tcpConnections: after.counters.tcpConnections,
  }
}
