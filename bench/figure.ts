/** One figure of `docs/benchmarks.md`: what it measures, against whom, and what it has to reach. One file each in `bench/figures/`. */
export interface Figure {
  /** Also the file's name: `gateway-steady`. */
  readonly name: string
  readonly description: string
  /** Of `ours` and `peer`: `requests/s`, `ms`, `MB`. */
  readonly unit: string
  readonly peer: string
  /** `published`: the peer cannot run here and its figure is quoted; `none`: there is only a bound to keep. */
  readonly peerKind?: 'measured' | 'published' | 'none'
  /** The bound on `ratio` (ours ÷ peer), or on `ours` where there is no peer: `<= 1.15`, `>= 0.94`, `= 0`. */
  readonly target: string
  run(context: FigureContext): Promise<FigureResult>
}

export interface FigureContext {
  readonly signal: AbortSignal
  /** Progress for people, on standard error. */
  log(message: string): void
}

export interface FigureResult {
  readonly ours: number
  readonly peer: number
  readonly ratio: number
  readonly ok: boolean
  /** What `ours` is the median of. */
  readonly samples: readonly number[]
  readonly notes?: readonly string[]
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1
    ? (sorted[middle] ?? Number.NaN)
    : ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2
}

/** Nearest-rank percentile, `p` in 0..100. */
export function percentile(values: readonly number[], p: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil((p / 100) * sorted.length) - 1)] ?? Number.NaN
}
