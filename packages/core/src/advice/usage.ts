import { type BucketCounts, LogHistogram } from './log-histogram.ts'

/** What the instances of one entrypoint that had one grant used on a node in a day (of UTC). */
export interface UsageDay {
  /** Days since the epoch. */
  readonly day: number
  readonly samples: number
  readonly firstAt: number
  readonly lastAt: number
  /** In thousandths of the node's own cores. */
  readonly cpu: BucketCounts
  readonly cpuMaxMilli: number
  readonly memoryMaxBytes: number
  /** Of every sample the share of periods in which the CPU's limit was reached, in thousandths, added up. */
  readonly throttledMilli: number
  readonly restarts: number
  readonly outOfMemory: number
}

export interface UsageSeries {
  /** `shop/production/web` */
  readonly entrypoint: string
  readonly type: 'service' | 'job'
  readonly cpuLimitMilli: number
  readonly memoryLimitBytes: number
  readonly days: readonly UsageDay[]
}

/** A series as the server sees it. */
export interface ObservedSeries extends UsageSeries {
  /** What the node's cores are worth, in thousandths. */
  readonly speedMilli: number
  /** Of a grant that an instance has now: only then limits that were met say something about it. */
  readonly isCurrent: boolean
}

/** All of it together, in cores of the reference machine. */
export interface Usage {
  readonly samples: number
  readonly firstAt: number
  readonly lastAt: number
  readonly cpuP50Milli: number
  readonly cpuP95Milli: number
  readonly cpuP99Milli: number
  readonly cpuMaxMilli: number
  readonly memoryMaxBytes: number
  /** Share of the periods in which the present CPU limit was reached, in thousandths. */
  readonly throttledMilli: number
  /** With the present grant. */
  readonly restarts: number
  readonly outOfMemory: number
}

export function sumUsage(series: readonly ObservedSeries[], sinceMs: number): Usage | undefined {
  const cpu = new LogHistogram()
  const sum = { samples: 0, current: 0, throttled: 0, restarts: 0, outOfMemory: 0 }
  const most = { cpuMaxMilli: 0, memoryMaxBytes: 0, lastAt: 0 }
  let firstAt = Number.POSITIVE_INFINITY
  for (const { days, speedMilli, isCurrent } of series) {
    for (const day of days) {
      if (day.lastAt < sinceMs || day.samples === 0) continue
      cpu.merge(day.cpu, speedMilli / 1000)
      sum.samples += day.samples
      firstAt = Math.min(firstAt, day.firstAt)
      most.lastAt = Math.max(most.lastAt, day.lastAt)
      most.cpuMaxMilli = Math.max(most.cpuMaxMilli, Math.ceil((day.cpuMaxMilli * speedMilli) / 1000))
      most.memoryMaxBytes = Math.max(most.memoryMaxBytes, day.memoryMaxBytes)
      if (!isCurrent) continue
      sum.current += day.samples
      sum.throttled += day.throttledMilli
      sum.restarts += day.restarts
      sum.outOfMemory += day.outOfMemory
    }
  }
  if (sum.samples === 0) return undefined
  /** The upper end of a bucket may be above everything that was seen. */
  const quantile = (share: number): number => Math.min(most.cpuMaxMilli, Math.ceil(cpu.quantile(share)))
  return {
    ...{ samples: sum.samples, firstAt, ...most },
    ...{ cpuP50Milli: quantile(0.5), cpuP95Milli: quantile(0.95), cpuP99Milli: quantile(0.99) },
    throttledMilli: sum.current === 0 ? 0 : Math.round(sum.throttled / sum.current),
    ...{ restarts: sum.restarts, outOfMemory: sum.outOfMemory },
  }
}
