import type { SampleView, TrafficCounts } from '@berth/api'
import type { InterfaceCounts } from './kernel-files.ts'

/** Packets to an instance, and of it, that the limit of its bandwidth had no room for. */
export interface LimitDrops {
  readonly networkInLimitDrops: number
  readonly networkOutLimitDrops: number
}

/**
 * What the kernel counts since the container (or the node) started; memory and connections are as they are now. What is
 * absent has no limit, or none that has been read yet.
 */
export interface Counters extends InterfaceCounts, Partial<LimitDrops> {
  readonly cpuNs: number
  readonly throttledNs: number
  /** Periods of the CPU limit so far, and in how many of them it was reached. 0 where there is no limit. */
  readonly periods: number
  readonly throttledPeriods: number
  /** The working set: what is in use less file cache that can be dropped. */
  readonly memoryBytes: number
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
    const now = after.counters[name] ?? 0
    const difference = now - (before.counters[name] ?? now)
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
    networkInPackets: Math.round(rate('networkInPackets')),
    networkOutPackets: Math.round(rate('networkOutPackets')),
    networkInErrors: inTenths(rate('networkInErrors')),
    networkOutErrors: inTenths(rate('networkOutErrors')),
    networkInDrops: inTenths(rate('networkInDrops')),
    networkOutDrops: inTenths(rate('networkOutDrops')),
    networkInLimitDrops: inTenths(rate('networkInLimitDrops')),
    networkOutLimitDrops: inTenths(rate('networkOutLimitDrops')),
    blockReadBytes: Math.round(rate('blockReadBytes')),
    blockWriteBytes: Math.round(rate('blockWriteBytes')),
    tcpConnections: after.counters.tcpConnections,
  }
}

/** What is rare: one in two seconds is not one a second. */
const inTenths = (rate: number): number => Math.round(rate * 10) / 10

/** So far, as the instance sees both directions. */
export const trafficOf = (counters: Counters): { readonly in: TrafficCounts; readonly out: TrafficCounts } => ({
  in: {
    bytes: counters.networkInBytes,
    packets: counters.networkInPackets,
    errors: counters.networkInErrors,
    drops: counters.networkInDrops,
    limitDrops: counters.networkInLimitDrops ?? 0,
  },
  out: {
    bytes: counters.networkOutBytes,
    packets: counters.networkOutPackets,
    errors: counters.networkOutErrors,
    drops: counters.networkOutDrops,
    limitDrops: counters.networkOutLimitDrops ?? 0,
  },
})
