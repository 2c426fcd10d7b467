import { useEffect, useRef } from 'react'
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import { useShownTheme } from '../theme.ts'
import type { ChartData } from './sample-series.ts'

export interface ChartLine {
  readonly label: string
  /** Number of its colour, 0 to 7. */
  readonly hue: number
  readonly dashed?: boolean
}

interface ChartProps {
  readonly title: string
  readonly data: ChartData
  readonly lines: readonly ChartLine[]
  readonly format: (value: number) => string
  /** The axis reaches up to here at least. */
  readonly ceiling: number
  readonly windowMs: number
  /** Ticks at powers of two, as sizes are read. */
  readonly binary: boolean
}

const height = 190
const binaryIncrements = Array.from({ length: 45 }, (_, power) => 2 ** power)

export default function Chart({ title, data, lines, format, ceiling, windowMs, binary }: ChartProps) {
  const box = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot>(undefined)
  const theme = useShownTheme()
  const shape = JSON.stringify([lines, ceiling, windowMs, binary, theme])
  const latest = useRef({ data, format })
  latest.current = { data, format }
  // biome-ignore lint/correctness/useExhaustiveDependencies: `shape` stands for everything that needs a new plot
  useEffect(() => {
    if (box.current === null) return
    const format = (value: number) => latest.current.format(value)
    const options = plotOptions(box.current, { lines, format, ceiling, windowMs, binary })
    const made = new uPlot(options, columns(latest.current.data), box.current)
    plot.current = made
    const observer = new ResizeObserver(([entry]) => made.setSize({ width: entry?.contentRect.width ?? 300, height }))
    observer.observe(box.current)
    return () => {
      observer.disconnect()
      made.destroy()
      plot.current = undefined
    }
  }, [shape])
  useEffect(() => plot.current?.setData(columns(data)), [data])
  return <div className="chart" ref={box} role="img" aria-label={title} />
}

const columns = (data: ChartData): uPlot.AlignedData => [data.times, ...data.lines] as unknown as uPlot.AlignedData

function plotOptions(
  box: HTMLElement,
  { lines, format, ceiling, windowMs, binary }: Omit<ChartProps, 'title' | 'data'>,
): uPlot.Options {
  const style = getComputedStyle(box)
  const color = (name: string) => style.getPropertyValue(name).trim()
  const axis = {
    stroke: color('--text-2'),
    grid: { stroke: color('--line'), width: 1 },
    ticks: { show: false },
    font: `11px ${color('--font')}`,
  }
  return {
    width: box.clientWidth || 300,
    height,
    padding: [8, 26, 0, 0],
    cursor: { drag: { x: false, y: false }, points: { size: 6 } },
    legend: { show: false },
    scales: {
      x: { range: (_, __, max) => [(max ?? Date.now() / 1000) - windowMs / 1000, max ?? Date.now() / 1000] },
      y: { range: (_, __, max) => [0, Math.max(ceiling, (max ?? 0) * 1.1)] },
    },
    axes: [
      { ...axis, size: 26, space: 70, values: (_, ticks) => ticks.map((tick) => clock(tick)) },
      {
        ...axis,
        ...(binary ? { incrs: binaryIncrements } : {}),
        size: 66,
        space: 36,
        values: (_, ticks) => ticks.map(format),
      },
    ],
    series: [
      {},
      ...lines.map(({ label, hue, dashed }) => ({
        label,
        stroke: color(`--hue-${hue}`),
        width: 1.75,
        points: { show: false },
        spanGaps: true,
        ...(dashed ? { dash: [5, 4] } : {}),
      })),
    ],
  }
}

function clock(seconds: number): string {
  const at = new Date(seconds * 1000)
  return [at.getHours(), at.getMinutes(), at.getSeconds()].map((part) => String(part).padStart(2, '0')).join(':')
}
