import { UrlLink } from '../components/small.tsx'
import { Mark } from '../components/status.tsx'
import { type Column, Table } from '../components/table.tsx'
import { useText } from '../i18n/language.tsx'
import { Link } from '../router/link.tsx'
import { path } from '../router/match-path.ts'
import { FlowText, Generations, RouteProblem, targetName, targetPath } from './flow-text.tsx'
import type { Band, InstancePart, RoutePart } from './topology-model.ts'

type Row = { readonly band: Band } & (
  | { readonly route: RoutePart; readonly instance?: undefined }
  | { readonly instance: InstancePart; readonly route?: undefined }
)

/** The same in rows: of each target its routes, then its instances. */
export function TopologyTable({ bands }: { readonly bands: readonly Band[] }) {
  const { topology: text, state, routes: words } = useText()
  const columns: readonly Column<Row>[] = [
    {
      key: 'what',
      title: text.what,
      lead: true,
      cell: ({ route, instance, band }) =>
        route !== undefined ? (
          <UrlLink url={route.url} />
        ) : band.external === undefined ? (
          <Link to={path('instances', instance.id)}>{instance.name}</Link>
        ) : (
          <code>{instance.name}</code>
        ),
    },
    { key: 'target', title: words.target, cell: ({ band }) => <Target band={band} /> },
    {
      key: 'requests',
      title: words.requests,
      cell: ({ route, instance }) => (route?.isPort ? text.uncounted : <FlowText flow={route ?? instance} />),
    },
    {
      key: 'state',
      title: text.state,
      cell: ({ route, instance, band }) =>
        route !== undefined ? (
          route.problem === undefined ? (
            text.ready(band.ready, band.wanted)
          ) : (
            <RouteProblem problem={route.problem} />
          )
        ) : (
          <span className={`status tone-${instance.shown.tone}`}>
            <Mark tone={instance.shown.tone} />
            {state[instance.shown.label]}
          </span>
        ),
    },
    {
      key: 'where',
      title: text.where,
      cell: ({ instance, band }) =>
        instance === undefined ? (
          <Generations band={band} />
        ) : (
          [instance.node, instance.site && `(${instance.site})`].filter(Boolean).join(' ') || '–'
        ),
    },
  ]
  const rows = bands.flatMap((band): Row[] => [
    ...band.routes.map((route) => ({ band, route })),
    ...band.instances.map((instance) => ({ band, instance })),
  ])
  return (
    <Table
      label={text.title}
      columns={columns}
      rows={rows}
      rowKey={({ band, route, instance }) => `${band.key} ${route?.url ?? instance?.id}`}
    />
  )
}

function Target({ band }: { readonly band: Band }) {
  const to = targetPath(band)
  return to === undefined ? targetName(band) : <Link to={to}>{targetName(band)}</Link>
}
