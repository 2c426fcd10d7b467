import type { CoreMapView } from '@berth/api/planning-resources'
import { type Column, Table } from '../components/table.tsx'
import { formatCores, formatPercent } from '../format/quantities.ts'
import { useText } from '../i18n/language.tsx'
import { Link } from '../router/link.tsx'
import { path } from '../router/match-path.ts'
import type { Core } from './core-model.ts'
import { coreState } from './core-words.ts'

/** The same as the map in words, for who does not see it. */
export function CoreTable({ map }: { readonly map: CoreMapView }) {
  const { cores: text } = useText()
  const throttled = new Set(map.throttled.map(({ instance }) => instance))
  const starving = new Set(map.starving)
  const columns: readonly Column<Core>[] = [
    { key: 'core', title: text.core, lead: true, cell: ({ core }) => <span className="number">{core}</span> },
    { key: 'numa', title: text.numaHead, cell: ({ numa }) => <span className="number">{numa}</span> },
    { key: 'state', title: text.state, cell: (core) => coreState(text, map.cpu, core) },
    {
      key: 'busy',
      title: text.busyHead,
      cell: ({ busyMilli }) => (busyMilli === undefined ? '–' : formatPercent(busyMilli, 1000)),
    },
    {
      key: 'owners',
      title: text.owners,
      wide: true,
      cell: ({ owners }) =>
        owners.length === 0 ? (
          <span className="muted">–</span>
        ) : (
          <ul>
            {owners.map(({ instance, milli }) => (
              <li key={instance}>
                <Link to={path('instances', instance)}>{instance}</Link>{' '}
                <span className="muted">
                  {[
                    milli === 1000 ? text.wholeCore : text.share(formatCores(milli)),
                    starving.has(instance) && text.starvingMark,
                    throttled.has(instance) && text.throttledMark,
                  ]
                    .filter(Boolean)
                    .join(' · ')}
                </span>
              </li>
            ))}
          </ul>
        ),
    },
  ]
  return (
    <Table
      label={text.title}
      columns={columns}
      rows={map.cores.toSorted((a, b) => a.core - b.core)}
      rowKey={({ core }) => String(core)}
      tone={({ state }) => (state === 'conflict' ? 'bad' : undefined)}
    />
  )
}
