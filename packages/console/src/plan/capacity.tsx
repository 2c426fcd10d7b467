import type { CapacityView } from '@berth/api/planning-resources'
import { Mark } from '../components/status.tsx'
import { type Column, Table } from '../components/table.tsx'
import { useText } from '../i18n/language.tsx'
import { Link } from '../router/link.tsx'

/** How many more of each service fit, taken by itself. */
export function CapacityTable({ capacity }: { readonly capacity: readonly CapacityView[] }) {
  const { capacity: text } = useText()
  const columns: readonly Column<CapacityView>[] = [
    { key: 'entrypoint', title: text.entrypoint, lead: true, cell: ({ entrypoint }) => <code>{entrypoint}</code> },
    { key: 'running', title: text.running, cell: ({ running }) => <span className="number">{running}</span> },
    {
      key: 'more',
      title: text.more,
      cell: ({ more }) => (
        <strong className={more === 0 ? 'warn-text' : 'number'}>{more === undefined ? text.any : more}</strong>
      ),
    },
    { key: 'nodes', title: text.nodes, cell: ({ nodes }) => <span className="number">{nodes}</span> },
    {
      key: 'missing',
      title: text.missing,
      cell: ({ missing }) =>
        missing.length === 0 ? (
          <span className="muted">–</span>
        ) : (
          <span className="chips">
            {missing.map(({ what, nodes }) => (
              <span key={what} className="chip">
                {text.on(what, nodes)}
              </span>
            ))}
          </span>
        ),
    },
    {
      key: 'refused',
      title: text.refused,
      wide: true,
      cell: ({ refused }) => refused ?? <span className="muted">–</span>,
    },
  ]
  return <Table label={text.title} columns={columns} rows={capacity} rowKey={({ entrypoint }) => entrypoint} />
}

interface CapacityLineProps {
  readonly capacity: CapacityView
  /** Of its plan. */
  readonly to: string
}

/** The same in a line, below an entrypoint. */
export function CapacityLine({ capacity: { more, nodes, missing, refused }, to }: CapacityLineProps) {
  const { capacity: text } = useText()
  const [first] = missing
  const words =
    more === undefined
      ? text.anyFit
      : more === 0
        ? text.noneFits
        : [text.fit(more, nodes), first && text.first(first.what)].filter(Boolean).join('; ')
  return (
    <p className="capacity-line small">
      {more === 0 && <Mark tone="warn" />}
      <span>
        <Link to={to}>{words}</Link>
        {more === 0 && refused !== undefined && <span className="muted"> · {refused}</span>}
      </span>
    </p>
  )
}
