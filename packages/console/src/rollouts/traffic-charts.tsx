import type { RolloutView } from '@berth/api/deploy-resources'
import { lazy, Suspense } from 'react'
import { useNow } from '../components/age.tsx'
import { useLanguage } from '../i18n/language.tsx'
import { isOver } from '../live/states.ts'
import { usePolled } from '../live/use-polled.ts'
import type { ChartData } from '../metrics/sample-series.ts'
import { rolloutWords } from './rollout-words.ts'
import { linesOf, type Measure, measures, stepFor } from './traffic-lines.ts'

const Chart = lazy(() => import('../metrics/chart.tsx'))

const everyMs = 2_500
/** What it was like before it began, and goes on a while after it. */
const aroundMs = 60_000
/** Of one that has lasted longer, the end is what one looks at. */
const mostMs = 30 * 60_000
const slotMs = 5_000

/** Requests, errors and answer times of the old release and the new, as gateways count them; of one that is over, what it was like. */
export function TrafficCharts({ rollout }: { readonly rollout: RolloutView }) {
  const words = rolloutWords(useLanguage().language)
  // Once a minute the window moves on: until then the question stays the same.
  const now = useNow(isOver(rollout) ? undefined : aroundMs)
  const until = rollout.endedAt === undefined ? now : rollout.endedAt + aroundMs
  const fromMs = Math.floor(Math.max(rollout.createdAt - aroundMs, until - mostMs) / slotMs) * slotMs
  const stepMs = stepFor(until - fromMs)
  const toMs = rollout.endedAt === undefined ? undefined : fromMs + Math.ceil((until - fromMs) / stepMs) * stepMs
  const { value } = usePolled(
    'getPoolTraffic',
    {
      params: { app: rollout.app, pool: rollout.pool },
      query: { fromMs, stepMs, ...(toMs === undefined ? {} : { toMs }) },
    },
    Date.now() < until + slotMs ? everyMs : aroundMs,
  )
  const steps = value?.steps ?? []
  const lines = measures.flatMap((measure) => {
    const data = linesOf(rollout, steps, stepMs, measure)
    return data === undefined ? [] : [{ measure, data }]
  })
  if (lines.length === 0 && (value === undefined || isOver(rollout))) return null
  return (
    <section className="section" aria-label={words.traffic}>
      <h2>{words.traffic}</h2>
      {lines.length === 0 && <p className="panel muted">{words.noTraffic}</p>}
      {lines.length > 0 && (
        <div className="charts rollout-charts">
          {lines.map(({ measure, data }) => (
            <Figure key={measure.name} rollout={rollout} measure={measure} data={data} />
          ))}
        </div>
      )}
    </section>
  )
}

interface FigureProps {
  readonly rollout: RolloutView
  readonly measure: Measure
  readonly data: ChartData
}

function Figure({ rollout: { from, to }, measure: { name }, data }: FigureProps) {
  const words = rolloutWords(useLanguage().language)
  const same = from === undefined || from === to
  const lines = [
    { label: same ? words.oldOne : `${words.oldOne} (${from})`, hue: 7, dashed: true },
    { label: same ? words.newOne : `${words.newOne} (${to})`, hue: 0 },
  ]
  const format = (value: number) => (name === 'slow' ? words.ms(value) : String(Math.round(value * 10) / 10))
  const title = words.measures[name]
  const [first = 0, last = 0] = [data.times[0], data.times.at(-1)]
  return (
    <figure className="panel chart-panel">
      <figcaption>
        <h3>{title}</h3>
      </figcaption>
      <Suspense fallback={<div className="chart" />}>
        <Chart
          title={title}
          data={data}
          lines={lines}
          format={format}
          ceiling={name === 'slow' ? 10 : 1}
          windowMs={Math.max(slotMs, (last - first) * 1_000)}
          binary={false}
        />
      </Suspense>
      <ul className="legend">
        {lines.map(({ label, hue, dashed }, index) => {
          const value = data.lines[index]?.at(-1)
          return (
            <li key={label}>
              <span className={`legend-line hue-${hue} ${dashed ? 'legend-dashed' : ''}`} aria-hidden="true" />
              <span className="legend-name">{label}</span>
              <span className="number muted">{value === undefined || value === null ? '–' : format(value)}</span>
            </li>
          )
        })}
      </ul>
    </figure>
  )
}
