import type { RolloutView } from '@berth/api/deploy-resources'
import type { PoolTrafficView } from '@berth/api/traffic-resources'
import type { ChartData } from '../metrics/sample-series.ts'

type Steps = NonNullable<PoolTrafficView['steps']>
type Requests = Steps[number]['generations'][number]

const lengthsMs = [5, 10, 15, 30, 60, 120, 300].map((seconds) => seconds * 1_000)
const mostSteps = 120

/** Short enough to see what happens, long enough that a chart can show all of them. */
export const stepFor = (spanMs: number): number =>
  lengthsMs.find((each) => spanMs / each <= mostSteps) ?? lengthsMs[lengthsMs.length - 1] ?? spanMs

export interface Measure {
  readonly name: 'requests' | 'errors' | 'slow'
  readonly read: (of: Requests, seconds: number) => number | null
  /** Where a generation had no request in a step. */
  readonly none: number | null
}

export const measures: readonly Measure[] = [
  { name: 'requests', read: ({ requests }, seconds) => requests / seconds, none: 0 },
  { name: 'errors', read: ({ errors5xx }, seconds) => errors5xx / seconds, none: 0 },
  { name: 'slow', read: ({ p95Ms }) => p95Ms ?? null, none: null },
]

/** Whether requests of a generation are of the one that the rollout brings; after a restart the newest is. */
function isNew({ from, to }: RolloutView, steps: Steps): (of: Requests) => boolean {
  const newest = Math.max(...steps.flatMap(({ generations }) => generations.map(({ generation }) => generation)))
  return from === to ? ({ generation }) => generation === newest : ({ release }) => release === to
}

/** Two lines: the old generation and the new one. Undefined: nothing was asked in that time, or nobody counted. */
export function linesOf(
  rollout: RolloutView,
  steps: Steps,
  stepMs: number,
  { read, none }: Measure,
): ChartData | undefined {
  if (steps.every(({ generations }) => generations.length === 0)) return undefined
  const fresh = isNew(rollout, steps)
  const seconds = stepMs / 1_000
  const line = (wanted: boolean) =>
    steps.map(({ generations }) => {
      const values = generations.filter((each) => fresh(each) === wanted).map((each) => read(each, seconds))
      const known = values.filter((value) => value !== null)
      if (known.length === 0) return none
      // More than one old generation at a time is rare: of times the worst is shown then.
      return none === null ? Math.max(...known) : known.reduce((a, b) => a + b, 0)
    })
  return { times: steps.map(({ atMs }) => (atMs + stepMs / 2) / 1_000), lines: [line(false), line(true)] }
}
