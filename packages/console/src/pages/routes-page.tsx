import type { RouteView } from '@berth/api/traffic-resources'
import { Empty, Page, Section } from '../components/layout.tsx'
import { Listing } from '../components/listing.tsx'
import { Filter, UrlLink } from '../components/small.tsx'
import { Mark } from '../components/status.tsx'
import { type Column, Table } from '../components/table.tsx'
import { useText } from '../i18n/language.tsx'
import { type RouteTraffic, useTraffic } from '../metrics/use-traffic.ts'
import { Link } from '../router/link.tsx'
import { useQueryValue } from '../router/location.ts'
import { path } from '../router/match-path.ts'
import { useList } from '../store/context.tsx'
import { useRouteTabs } from './route-tabs.ts'

export default function RoutesPage() {
  const text = useText()
  const routes = useList('listRoutes', {})
  const { routes: traffic } = useTraffic({})
  const [filter, setFilter] = useQueryValue('filter')
  const columns: readonly Column<RouteView>[] = [
    { key: 'url', title: text.routes.url, lead: true, cell: (route) => <UrlLink url={route.url} /> },
    {
      key: 'target',
      title: text.routes.target,
      cell: ({ app, pool, entrypoint, external }) =>
        external ?? (
          <Link to={path('apps', app, pool, 'entrypoints', entrypoint)}>{`${app}/${pool}/${entrypoint}`}</Link>
        ),
    },
    { key: 'requests', title: text.routes.requests, cell: ({ url }) => <Rate traffic={traffic.get(url)} /> },
    {
      key: 'p95',
      title: text.routes.p95,
      cell: ({ url }) => {
        const ms = traffic.get(url)?.p95Ms
        return ms === undefined ? '–' : text.routes.ms(Math.round(ms * 10) / 10)
      },
    },
    { key: 'tls', title: text.routes.tls, cell: (route) => (route.host === '' ? '–' : text.routes.modes[route.tls]) },
    { key: 'members', title: text.routes.members, cell: (route) => <Members route={route} /> },
  ]
  return (
    <Page
      title={text.routes.title}
      tabs={useRouteTabs()}
      actions={routes.items.length > 1 && <Filter value={filter} onChange={setFilter} label={text.routes.filter} />}
    >
      <Section flush>
        <Listing of={routes} empty={<Empty icon="routes" title={text.routes.empty} hint={text.routes.emptyHint} />}>
          {(items) => (
            <Table
              label={text.routes.title}
              columns={columns}
              rows={items
                .filter((route) =>
                  `${route.url} ${route.external ?? `${route.app}/${route.pool}/${route.entrypoint}`}`.includes(filter),
                )
                .toSorted((a, b) => a.url.localeCompare(b.url))}
              rowKey={(route) => route.url}
            />
          )}
        </Listing>
      </Section>
    </Page>
  )
}

/** Requests a second, and how many of them failed. */
function Rate({ traffic }: { readonly traffic: RouteTraffic | undefined }) {
  const text = useText()
  if (traffic === undefined) return '–'
  const { perSecond, errors5xxPerSecond, lostPerSecond } = traffic
  return (
    <div data-rate>
      {text.routes.perSecond(rounded(perSecond))}
      {errors5xxPerSecond > 0 && (
        <div className="status tone-bad">
          <Mark tone="bad" />
          {text.routes.failed(rounded(errors5xxPerSecond), rounded(lostPerSecond))}
        </div>
      )}
    </div>
  )
}

const rounded = (value: number): number => Math.round(value * 10) / 10

function Members({ route }: { readonly route: RouteView }) {
  const text = useText()
  if (route.maintenance)
    return (
      <span className="status tone-warn">
        <Mark tone="warn" />
        {text.topology.problem.maintenance}
      </span>
    )
  if (route.members.length === 0)
    return (
      <span className="status tone-bad">
        <Mark tone="bad" />
        {route.host === '' ? text.routes.refused : text.routes.noMembers}
      </span>
    )
  return (
    <ul className="members">
      {route.members.map((member) => (
        <li key={member.instance}>
          <Mark tone={member.state === 'active' ? 'ok' : 'off'} />
          <Link to={path('instances', member.instance)}>{member.instance.split('.').at(-1)}</Link>
          <code className="muted">{`${member.address}:${member.port}`}</code>
          {member.state !== 'active' && <span className="muted">{member.state}</span>}
        </li>
      ))}
    </ul>
  )
}
