/** Buckets a doubling: a value is known to 9 %. */
const perDoubling = 8
/** Up to 2^24: 16,777 cores in thousandths, 16 TiB in mebibytes. */
const bucketCount = 24 * perDoubling + 1

/** How often values fell into each bucket, by the bucket's number; only those that are not 0. */
export type BucketCounts = Readonly<Record<string, number>>

/** The least bucket whose upper end is not below the value. */
export function bucketOf(value: number): number {
  if (!(value > 1)) return 0
  return Math.min(bucketCount - 1, Math.ceil(Math.log2(value) * perDoubling - 1e-9))
}

export const upperEnd = (bucket: number): number => 2 ** (bucket / perDoubling)

/** Counts of a bounded size, whatever comes in. */
export class LogHistogram {
  readonly #counts = new Float64Array(bucketCount)
  total = 0

  static of(counts: BucketCounts): LogHistogram {
    const histogram = new LogHistogram()
    for (const [bucket, count] of Object.entries(counts)) histogram.#add(Number(bucket), count)
    return histogram
  }

  add(value: number, count = 1): void {
    this.#add(bucketOf(value), count)
  }

  /** Adds another's, every value of it times `factor`. */
  merge(counts: BucketCounts, factor = 1): void {
    for (const [bucket, count] of Object.entries(counts)) {
      if (factor === 1) this.#add(Number(bucket), count)
      else this.add(upperEnd(Number(bucket)) * factor, count)
    }
  }

  /** A value that so much of all (0 … 1) do not exceed: the upper end of its bucket. 0 when there is nothing. */
  quantile(share: number): number {
    let left = this.total * share
    for (let bucket = 0; bucket < bucketCount; bucket++) {
      left -= this.#counts[bucket]!
      if (left <= 1e-9 && this.total > 0 && this.#counts[bucket]! > 0) return upperEnd(bucket)
    }
    return 0
  }

  counts(): BucketCounts {
    const entries: [string, number][] = []
    for (const [bucket, count] of this.#counts.entries()) if (count > 0) entries.push([String(bucket), count])
    return Object.fromEntries(entries)
  }

  #add(bucket: number, count: number): void {
    if (!Number.isInteger(bucket) || bucket < 0 || bucket >= bucketCount || !(count > 0)) return
    this.#counts[bucket] = this.#counts[bucket]! + count
    this.total += count
  }
}
