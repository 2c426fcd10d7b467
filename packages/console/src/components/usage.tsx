import { formatBytes, formatCores } from '../format/quantities.ts'
import type { Usage } from '../metrics/use-usage.ts'

const read = {
  cpu: ({ cpuMilli, cpuLimitMilli }: Usage) => [cpuMilli, cpuLimitMilli] as const,
  memory: ({ memoryBytes, memoryLimitBytes }: Usage) => [memoryBytes, memoryLimitBytes] as const,
}
const format = { cpu: (milli: number) => formatCores(Math.round(milli / 10) * 10), memory: formatBytes }

/** `0.21 / 0.5` with a line below that is as full. */
export function UsageCell({ usage, of }: { readonly usage: Usage | undefined; readonly of: keyof typeof read }) {
  if (usage === undefined) return <span className="muted">–</span>
  const [value, limit] = read[of](usage)
  const part = limit <= 0 ? 0 : Math.min(1, value / limit)
  const tone = part > 0.95 ? 'bad' : part > 0.85 ? 'warn' : 'ok'
  return (
    <span className="usage">
      <span className="number">
        {format[of](value)}
        {limit > 0 && <span className="muted">{` / ${format[of](limit)}`}</span>}
      </span>
      {limit > 0 && (
        <span className="usage-track" aria-hidden="true">
          <span className={`meter-value meter-${tone}`} style={{ width: `${part * 100}%` }} />
        </span>
      )}
    </span>
  )
}
