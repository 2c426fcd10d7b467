import type { CoreMapView } from '@berth/api/planning-resources'
import { formatCores } from '../format/quantities.ts'
import { useText } from '../i18n/language.tsx'
import { Link } from '../router/link.tsx'
import { path } from '../router/match-path.ts'
import { type CoreSummary, classOf, type Paint } from './core-model.ts'

interface CoreLegendProps {
  readonly map: CoreMapView
  readonly summary: CoreSummary
  readonly paints: ReadonlyMap<string, Paint>
  /** The app that somebody points at: the others step back. */
  readonly onApp: (app: string | undefined) => void
}

export function CoreLegend({ map, summary, paints, onApp }: CoreLegendProps) {
  const { cores: text, units } = useText()
  const flags = [
    ...((map.starving ?? []).length > 0 ? ([['starving', text.starvingMark]] as const) : []),
    ...(map.throttled.length > 0 ? ([['throttled', text.throttledMark]] as const) : []),
  ]
  return (
    <ul className="core-legend">
      {summary.apps.map(({ app, milli }) => (
        <li key={app}>
          <Link
            to={path('apps', app)}
            onMouseEnter={() => onApp(app)}
            onMouseLeave={() => onApp(undefined)}
            onFocus={() => onApp(app)}
            onBlur={() => onApp(undefined)}
          >
            <span className={`swatch ${classOf(paints.get(app) ?? { hue: 7, striped: false })}`} />
            {app}
          </Link>{' '}
          <span className="muted">{units.core(milli / 1000, formatCores(milli))}</span>
        </li>
      ))}
      {map.cpu === 'bound' && (
        <li className="muted">
          <span className="swatch swatch-free" />
          {text.states.free}
        </li>
      )}
      {summary.states.conflict > 0 && (
        <li className="muted">
          <span className="swatch swatch-conflict" />
          {text.states.conflict}
        </li>
      )}
      {flags.map(([kind, words]) => (
        <li key={kind} className="muted">
          <span className={`core-flag core-flag-${kind}`} />
          {words}
        </li>
      ))}
      {summary.busyMilli !== undefined && (
        <li className="muted">
          <span className="swatch-busy" />
          {text.legendBusy}
        </li>
      )}
    </ul>
  )
}
