import type { MetricsView, SampleView } from '@berth/api/instance-resources'
import { lazy, Suspense } from 'react'
import { Empty } from '../components/layout.tsx'
import { Skeleton } from '../components/table.tsx'
import { formatBytes, formatCores } from '../format/quantities.ts'
import { useText } from '../i18n/language.tsx'
import type { ChartLine } from '../metrics/chart.tsx'
import { alignSeries, busiest } from '../metrics/sample-series.ts'
import { type MetricsQuery, useMetrics } from '../metrics/use-metrics.ts'
import { useQueryValue } from '../router/location.ts'

const Chart = lazy(() => import('../metrics/chart.tsx'))

const windows = [5, 15, 60] as const
const mostLines = 8

interface MetricsPanelProps {
  readonly query: MetricsQuery
  readonly nameOf: (instance: string) => string
}

export function MetricsPanel({ query, nameOf }: MetricsPanelProps) {
  const text = useText()
  const [chosen, setChosen] = useQueryValue('minutes')
  const minutes = windows.find((each) => String(each) === chosen) ?? windows[0]
  const windowMs = minutes * 60_000
  const { metrics, loading } = useMetrics(query, windowMs)
  const shown = busiest(metrics, mostLines)
  return (
    <section className="section" aria-label={text.pool.metrics}>
      <div className="section-head">
        <h2>{text.pool.metrics}</h2>
        <fieldset className="choices section-aside" aria-label={text.metrics.window}>
          {windows.map((each) => (
            <button
              key={each}
              type="button"
              className="choice-button"
              aria-pressed={minutes === each}
              onClick={() => setChosen(String(each))}
            >
              {text.metrics.minutes(each)}
            </button>
          ))}
        </fieldset>
      </div>
      {loading && <Skeleton rows={5} />}
      {!loading && shown.length === 0 && (
        <Empty icon="activity" title={text.metrics.empty} hint={text.metrics.emptyHint} />
      )}
      {shown.length < metrics.length && (
        <p className="muted small">{text.metrics.hidden(shown.length, metrics.length)}</p>
      )}
      {shown.length > 0 && <Charts metrics={shown} nameOf={nameOf} windowMs={windowMs} />}
    </section>
  )
}

interface Measure {
  readonly title: string
  readonly format: (value: number) => string
  readonly reads: readonly {
    readonly suffix: string
    readonly read: (sample: SampleView) => number
    readonly dashed?: boolean
  }[]
  /** The grant, drawn into the axis when use comes near it. */
  readonly limit?: (metrics: MetricsView) => number
  readonly floor: number
  readonly binary?: true
  /** Shown only where some sample tells of it. */
  readonly isTold?: (sample: SampleView) => boolean
}

const lostIn = (s: SampleView): number =>
  (s.networkInErrors ?? 0) + (s.networkInDrops ?? 0) + (s.networkInLimitDrops ?? 0)
const lostOut = (s: SampleView): number =>
  (s.networkOutErrors ?? 0) + (s.networkOutDrops ?? 0) + (s.networkOutLimitDrops ?? 0)

function useMeasures(): readonly Measure[] {
  const { metrics: text } = useText()
  const rate = (value: number) => text.perSecond(formatBytes(value))
  return [
    {
      title: text.cpu,
      format: (milli) => formatCores(Math.round(milli / 10) * 10),
      reads: [{ suffix: '', read: (s) => s.cpuMilli }],
      limit: (m) => m.cpuLimitMilli,
      floor: 50,
    },
    {
      title: text.memory,
      format: formatBytes,
      reads: [{ suffix: '', read: (s) => s.memoryBytes }],
      limit: (m) => m.memoryLimitBytes,
      floor: 16 * 1024 ** 2,
      binary: true,
    },
    {
      title: text.network,
      format: rate,
      reads: [
        { suffix: ` ${text.in}`, read: (s) => s.networkInBytes },
        { suffix: ` ${text.out}`, read: (s) => s.networkOutBytes, dashed: true },
      ],
      floor: 1024,
      binary: true,
    },
    {
      title: text.packets,
      format: (value) => text.perSecond(String(Math.round(value))),
      reads: [
        { suffix: ` ${text.in}`, read: (s) => s.networkInPackets ?? 0 },
        { suffix: ` ${text.out}`, read: (s) => s.networkOutPackets ?? 0, dashed: true },
      ],
      floor: 10,
      isTold: (s) => s.networkInPackets !== undefined,
    },
    {
      title: text.lost,
      format: (value) => text.perSecond(String(Math.round(value * 10) / 10)),
      reads: [
        { suffix: ` ${text.in}`, read: lostIn },
        { suffix: ` ${text.out}`, read: lostOut, dashed: true },
      ],
      floor: 5,
      // There is nothing to see where nothing is lost.
      isTold: (s) => lostIn(s) + lostOut(s) > 0,
    },
    {
      title: text.connections,
      format: (value) => String(Math.round(value)),
      reads: [{ suffix: '', read: (s) => s.tcpConnections }],
      floor: 5,
    },
  ]
}

interface ChartsProps {
  readonly metrics: readonly MetricsView[]
  readonly nameOf: (instance: string) => string
  readonly windowMs: number
}

function Charts(props: ChartsProps) {
  const measures = useMeasures().filter(
    ({ isTold }) => isTold === undefined || props.metrics.some(({ samples }) => samples.some(isTold)),
  )
  return (
    <div className="charts">
      {measures.map((measure) => (
        <MeasureChart key={measure.title} measure={measure} {...props} />
      ))}
    </div>
  )
}

function MeasureChart({ measure, metrics, nameOf, windowMs }: ChartsProps & { readonly measure: Measure }) {
  const text = useText()
  const { title, format, reads, limit, floor } = measure
  const parts = reads.map(({ read }) =>
    alignSeries(
      metrics.map((each) => each.samples),
      read,
    ),
  )
  const lines = reads.flatMap(({ suffix, dashed }) =>
    metrics.map(
      (each, hue): ChartLine => ({ label: `${nameOf(each.instance)}${suffix}`, hue, ...(dashed ? { dashed } : {}) }),
    ),
  )
  const data = { times: parts[0]?.times ?? [], lines: parts.flatMap((part) => part.lines) }
  const limits = new Set(metrics.map((each) => limit?.(each) ?? 0))
  const common = limits.size === 1 ? [...limits][0] : undefined
  return (
    <figure className="panel chart-panel">
      <figcaption>
        <h3>{title}</h3>
        {common !== undefined && common > 0 && (
          <span className="muted small">{`${text.metrics.limit} ${format(common)}`}</span>
        )}
      </figcaption>
      <Suspense fallback={<div className="chart" />}>
        <Chart
          title={text.metrics.chart(title)}
          data={data}
          lines={lines}
          format={format}
          ceiling={floor}
          windowMs={windowMs}
          binary={measure.binary === true}
        />
      </Suspense>
      <ul className="legend">
        {lines.map(({ label, hue, dashed }, index) => (
          <li key={label}>
            <span className={`legend-line hue-${hue} ${dashed ? 'legend-dashed' : ''}`} aria-hidden="true" />
            <span className="legend-name" title={label}>
              {label}
            </span>
            <span className="number muted">{latestOf(data.lines[index], format)}</span>
          </li>
        ))}
      </ul>
    </figure>
  )
}

function latestOf(values: readonly (number | null)[] | undefined, format: (value: number) => string): string {
  const last = values?.findLast((value) => value !== null)
  return last === undefined || last === null ? '' : format(last)
}
