/** Upper bounds of the buckets that answer times are counted in, inclusive; a last bucket holds everything slower. nginx's clock counts in milliseconds. */
export const latencyBoundsMs = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000] as const

/**
 * What became of requests, as numbers in this order: answers of the classes 1xx to 5xx, lost ones, tries that failed, the sum of answer times
 * in milliseconds, and how many answers were as fast as each bucket of {@link latencyBoundsMs} says, not cumulative.
 *
 * Lost is a request that no member answered: its client got a 502, 503 or 504 of the gateway's own, which is among the 5xx too. A failed try of
 * a request that another member then answered is a failed try and nothing else. Websockets (1xx) have no answer time.
 */
export type RequestCounts = readonly number[]

const lostAt = 5
const failuresAt = 6
const latencyAt = 7
const bucketsAt = 8
const bucketCount = latencyBoundsMs.length + 1

export const requestCountsLength = bucketsAt + bucketCount

/** What one instance did for one route, at one gateway. */
export interface RequestRow {
  /** The route's id. */
  readonly route: string
  /** `app/environment/entrypoint`, or `external/NAME`. */
  readonly pool: string
  /** Empty for requests that met a route without a member. */
  readonly instance: string
  readonly counts: RequestCounts
}

/** Undefined times: no answer was timed. */
export interface RequestSummary {
  /** All that clients were answered, lost ones among them. */
  readonly requests: number
  readonly errors4xx: number
  /** Lost ones among them. */
  readonly errors5xx: number
  readonly lost: number
  /** Tries that failed, whether another member then answered or not. */
  readonly failedTries: number
  readonly meanMs?: number
  readonly p50Ms?: number
  readonly p95Ms?: number
  readonly p99Ms?: number
}

export const noRequests = (): number[] => new Array<number>(requestCountsLength).fill(0)

export interface RequestParts {
  readonly classes: readonly number[]
  readonly lost: number
  readonly failures: number
  readonly latencySumMs: number
  readonly buckets: readonly number[]
}

export const toRequestCounts = ({ classes, lost, failures, latencySumMs, buckets }: RequestParts): number[] => [
  ...classes,
  lost,
  failures,
  latencySumMs,
  ...buckets,
]

export const fromRequestCounts = (counts: RequestCounts): RequestParts => ({
  classes: counts.slice(0, lostAt),
  lost: counts[lostAt] ?? 0,
  failures: counts[failuresAt] ?? 0,
  latencySumMs: counts[latencyAt] ?? 0,
  buckets: counts.slice(bucketsAt),
})

/** As many numbers as there have to be, none of them negative or broken. */
export const isRequestCounts = (value: unknown): value is RequestCounts =>
  Array.isArray(value) &&
  value.length === requestCountsLength &&
  value.every((each) => Number.isSafeInteger(each) && each >= 0)

export function addRequests(sum: number[], more: RequestCounts): void {
  for (let place = 0; place < requestCountsLength; place++) sum[place] = (sum[place] ?? 0) + (more[place] ?? 0)
}

/**
 * What came since `before`, of counters that only grow. Undefined when one has become less: they have begun anew, and only who knows why can say
 * what to take for the difference.
 */
export function requestsSince(now: RequestCounts, before: RequestCounts): number[] | undefined {
  const difference = now.map((count, place) => count - (before[place] ?? 0))
  return difference.some((each) => each < 0) ? undefined : difference
}

export const sameRequests = (a: RequestCounts, b: RequestCounts): boolean =>
  a.every((count, place) => count === (b[place] ?? 0))

export function summarizeRequests(counts: RequestCounts): RequestSummary {
  const { classes, lost, failures, latencySumMs, buckets } = fromRequestCounts(counts)
  const timed = buckets.reduce((sum, count) => sum + count, 0)
  return {
    requests: classes.reduce((sum, count) => sum + count, 0),
    errors4xx: classes[3] ?? 0,
    errors5xx: classes[4] ?? 0,
    lost,
    failedTries: failures,
    ...(timed === 0
      ? {}
      : {
          meanMs: latencySumMs / timed,
          p50Ms: quantileMs(buckets, 0.5),
          p95Ms: quantileMs(buckets, 0.95),
          p99Ms: quantileMs(buckets, 0.99),
        }),
  }
}

/**
 * The time within which so much of all answers came, as Prometheus' `histogram_quantile` has it: even within a bucket, and no more than the last
 * bound for what is slower than that. `buckets` hold one answer at least.
 */
export function quantileMs(buckets: readonly number[], share: number): number {
  const total = buckets.reduce((sum, count) => sum + count, 0)
  const rank = share * total
  let below = 0
  for (const [place, bound] of latencyBoundsMs.entries()) {
    const count = buckets[place] ?? 0
    if (count > 0 && below + count >= rank) {
      const from = place === 0 ? 0 : latencyBoundsMs[place - 1]!
      return from + ((bound - from) * Math.max(0, rank - below)) / count
    }
    below += count
  }
  return latencyBoundsMs.at(-1)!
}
