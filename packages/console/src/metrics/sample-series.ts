import type { MetricsView, SampleView } from '@berth/api/instance-resources'

export interface Series {
  readonly id: string
  readonly limit: number
  readonly samples: readonly SampleView[]
}

/** Columns as uPlot wants them: the times in seconds, then one column a line; null where a line has no sample. */
export interface ChartData {
  readonly times: readonly number[]
  readonly lines: readonly (readonly (number | null)[])[]
}

const stepMs = 1_000

/** Lines of several instances on one time axis; their clocks tick apart, so times are rounded to a second. */
export function alignSeries(all: readonly (readonly SampleView[])[], read: (sample: SampleView) => number): ChartData {
  const columns = all.map((samples) => new Map(samples.map((sample) => [Math.round(sample.at / stepMs), read(sample)])))
  const times = [...new Set(columns.flatMap((column) => [...column.keys()]))].sort((a, b) => a - b)
  return { times, lines: columns.map((column) => times.map((time) => column.get(time) ?? null)) }
}

/** Adds what is new and forgets what is older than the window. */
export function mergeMetrics(
  before: readonly MetricsView[],
  fresh: readonly MetricsView[],
  from: number,
): MetricsView[] {
  const known = new Map(before.map((each) => [each.instance, each]))
  for (const each of fresh) {
    const old = known.get(each.instance)?.samples ?? []
    const last = old.at(-1)?.at ?? 0
    known.set(each.instance, { ...each, samples: [...old, ...each.samples.filter((sample) => sample.at > last)] })
  }
  return [...known.values()]
    .map((each) => ({ ...each, samples: each.samples.filter((sample) => sample.at >= from) }))
    .filter((each) => each.samples.length > 0)
    .sort((a, b) => a.instance.localeCompare(b.instance, 'en', { numeric: true }))
}

export const lastAt = (metrics: readonly MetricsView[]): number | undefined => {
  const times = metrics.map((each) => each.samples.at(-1)?.at ?? 0)
  return times.length === 0 ? undefined : Math.min(...times)
}

/** The instances that use the most CPU: more lines than colours cannot be told apart. */
export const busiest = (metrics: readonly MetricsView[], most: number): readonly MetricsView[] => {
  if (metrics.length <= most) return metrics
  const chosen = new Set(metrics.toSorted((a, b) => meanCpu(b) - meanCpu(a)).slice(0, most))
  return metrics.filter((each) => chosen.has(each))
}

const meanCpu = ({ samples }: MetricsView): number =>
  samples.reduce((sum, sample) => sum + sample.cpuMilli, 0) / Math.max(1, samples.length)
