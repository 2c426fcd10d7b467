import type { AppView, NodeView, PoolView } from '@berth/api/resources'
import { Age } from '../components/age.tsx'
import { Banner, Empty, Page } from '../components/layout.tsx'
import { Listing } from '../components/listing.tsx'
import { Filter, UrlLink } from '../components/small.tsx'
import { Segments, Status } from '../components/status.tsx'
import { formatBytes, formatCores } from '../format/quantities.ts'
import { useText } from '../i18n/language.tsx'
import { nodeProblems } from '../live/drift.ts'
import { isBehind, poolState } from '../live/states.ts'
import { Link } from '../router/link.tsx'
import { useQueryValue } from '../router/location.ts'
import { path } from '../router/match-path.ts'
import { useList } from '../store/context.tsx'

export function AppsPage() {
  const text = useText()
  const apps = useList('listApps', {})
  const nodes = useList('listNodes', {})
  const [filter, setFilter] = useQueryValue('filter')
  const problems = nodeProblems(text.drift, nodes.items)
  const matching = apps.items.filter((app) => app.name.includes(filter.toLowerCase()))
  return (
    <Page
      title={text.apps.title}
      actions={apps.items.length > 1 && <Filter value={filter} onChange={setFilter} label={text.apps.filter} />}
    >
      {problems.length > 0 && (
        <Banner tone="warn" title={text.drift.nodes} lines={problems}>
          <Link to="/nodes" className="button button-plain button-small">
            {text.nodes.title}
          </Link>
        </Banner>
      )}
      {nodes.items.length > 0 && <ClusterFigures apps={apps.items} nodes={nodes.items} />}
      <Listing of={apps} empty={<NoApps />}>
        {() =>
          matching.length === 0 ? (
            <Empty icon="search" title={text.apps.noMatch} />
          ) : (
            <ul className="app-grid">
              {matching.toSorted(byName).map((app) => (
                <AppCard key={app.name} app={app} />
              ))}
            </ul>
          )
        }
      </Listing>
    </Page>
  )
}

const byName = (a: { readonly name: string }, b: { readonly name: string }): number => a.name.localeCompare(b.name)
const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0)

function NoApps() {
  const text = useText()
  return (
    <Empty icon="apps" title={text.apps.empty} hint={text.apps.emptyHint}>
      <pre className="command">berth init{'\n'}berth deploy</pre>
    </Empty>
  )
}

function ClusterFigures({ apps, nodes }: { readonly apps: readonly AppView[]; readonly nodes: readonly NodeView[] }) {
  const text = useText()
  const services = apps.flatMap((app) =>
    app.pools.flatMap((pool) => pool.entrypoints.filter((each) => each.type === 'service')),
  )
  const online = nodes.filter((node) => node.online)
  const figures: readonly (readonly [string, string, string])[] = [
    [
      text.apps.instancesReady,
      String(sum(services.map((each) => each.ready))),
      `/ ${sum(services.map((each) => each.wanted))}`,
    ],
    [text.apps.nodesOnline, String(online.length), `/ ${nodes.length}`],
    [
      text.apps.cpuGiven,
      formatCores(sum(nodes.map((node) => node.cpuGivenMilli))),
      `/ ${formatCores(sum(nodes.map((node) => node.cpuMilli)))}`,
    ],
    [
      text.apps.memoryGiven,
      formatBytes(sum(nodes.map((node) => node.memoryGivenBytes))),
      `/ ${formatBytes(sum(nodes.map((node) => node.memoryBytes)))}`,
    ],
  ]
  return (
    <dl className="figures" aria-label={text.apps.cluster}>
      {figures.map(([name, value, of]) => (
        <div key={name} className="figure">
          <dt>{name}</dt>
          <dd>
            {value} <span className="muted">{of}</span>
          </dd>
        </div>
      ))}
    </dl>
  )
}

function AppCard({ app }: { readonly app: AppView }) {
  const text = useText()
  return (
    <li className="card">
      <div className="card-head">
        <h2>
          <Link to={path('apps', app.name)}>{app.name}</Link>
        </h2>
        {app.latestRelease !== undefined && <span className="release">{app.latestRelease}</span>}
        <span className="card-age muted">
          <Age at={app.createdAt} />
        </span>
      </div>
      {app.repository !== undefined && <p className="card-sub muted mono">{app.repository}</p>}
      {app.pools.length === 0 && <p className="muted">{text.apps.noPools}</p>}
      <ul className="pool-lines">
        {app.pools.toSorted(byName).map((pool) => (
          <PoolLine key={pool.name} app={app} pool={pool} />
        ))}
      </ul>
    </li>
  )
}

export function PoolLine({ app, pool }: { readonly app: AppView; readonly pool: PoolView }) {
  const text = useText()
  const services = pool.entrypoints.filter((each) => each.type === 'service')
  const ready = sum(services.map((each) => Math.min(each.ready, each.wanted)))
  const wanted = sum(services.map((each) => each.wanted))
  const shown = poolState(pool)
  return (
    <li className="pool-line">
      <div className="pool-line-main">
        <Link to={path('apps', app.name, pool.name)} className="pool-name">
          {pool.name}
        </Link>
        <Status shown={shown} detail={wanted > 0 ? `${ready}/${wanted}` : undefined} />
        <span className={isBehind(app, pool) ? 'release release-behind' : 'release'}>{pool.release ?? '–'}</span>
      </div>
      <Segments
        label={text.common.of(String(ready), String(wanted))}
        parts={[
          { tone: 'ok', count: ready },
          { tone: shown.tone === 'busy' ? 'busy' : 'bad', count: wanted - ready },
        ]}
      />
      {pool.urls[0] !== undefined && <UrlLink url={pool.urls[0]} />}
    </li>
  )
}
