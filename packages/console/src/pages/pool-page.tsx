import type { AppView, PoolView } from '@berth/api/app-resources'
import { lazy, Suspense, useState } from 'react'
import { DeployDialog } from '../actions/deploy-dialog.tsx'
import { RestartPoolButton } from '../actions/pool-buttons.tsx'
import { RoleButton } from '../components/button.tsx'
import { Page } from '../components/layout.tsx'
import { ReleaseLink, UrlLink } from '../components/small.tsx'
import { Status } from '../components/status.tsx'
import { Skeleton } from '../components/table.tsx'
import { useText } from '../i18n/language.tsx'
import { useMay } from '../live/session.tsx'
import { poolState } from '../live/states.ts'
import { Link } from '../router/link.tsx'
import { path } from '../router/match-path.ts'
import { useList } from '../store/context.tsx'
import { PoolSettings } from './app-settings.tsx'
import { EventList } from './event-list.tsx'
import { MetricsPanel } from './metrics-panel.tsx'
import { NotFoundPage } from './not-found-page.tsx'
import { PoolHistory } from './pool-history.tsx'
import { PoolJobs } from './pool-jobs.tsx'
import { PoolOverview } from './pool-overview.tsx'

const LogsPanel = lazy(() => import('./logs-panel.tsx'))
const PlanTab = lazy(() => import('../plan/plan-tab.tsx'))

interface PoolPageProps {
  readonly app: string
  readonly pool: string
  readonly tab?: string | undefined
  readonly entrypoint?: string | undefined
}

export function PoolPage({ app: appName, pool: name, tab = '', entrypoint }: PoolPageProps) {
  const text = useText()
  const apps = useList('listApps', {})
  const may = useMay('deployer')
  const app = apps.items.find((each) => each.name === appName)
  const pool = app?.pools.find((each) => each.name === name)
  if (app === undefined || pool === undefined) return apps.state === 'live' ? <NotFoundPage /> : <Skeleton />
  const at = (...parts: string[]) => path('apps', appName, name, ...parts)
  return (
    <Page
      title={name}
      crumbs={[
        { label: text.apps.title, to: '/apps' },
        { label: appName, to: path('apps', appName) },
      ]}
      status={<Status shown={poolState(pool)} />}
      about={<PoolAbout app={appName} pool={pool} />}
      actions={<PoolActions app={app} pool={pool} />}
      tabs={[
        { label: text.common.overview, to: at(), exact: true },
        { label: text.pool.logs, to: at('logs') },
        { label: text.pool.metrics, to: at('metrics') },
        { label: text.plan.title, to: at('plan') },
        { label: text.jobs.title, to: at('jobs') },
        { label: text.pool.history, to: at('history') },
        { label: text.pool.events, to: at('events') },
        ...(may ? [{ label: text.settings.title, to: at('settings') }] : []),
      ]}
    >
      <PoolTab app={app} pool={pool} tab={tab} entrypoint={entrypoint} />
    </Page>
  )
}

function PoolTab({
  app,
  pool,
  tab,
  entrypoint,
}: {
  readonly app: AppView
  readonly pool: PoolView
  readonly tab: string
  readonly entrypoint: string | undefined
}) {
  const query = { app: app.name, pool: pool.name }
  if (tab === '' || tab === 'entrypoints') return <PoolOverview app={app} pool={pool} only={entrypoint} />
  if (tab === 'jobs') return <PoolJobs app={app} pool={pool} />
  if (tab === 'settings') return <PoolSettings app={app} pool={pool} />
  if (tab === 'history') return <PoolHistory app={app} pool={pool} />
  if (tab === 'metrics') return <MetricsPanel query={query} nameOf={(id) => id.split('.').at(-1) ?? id} />
  if (tab === 'plan')
    return (
      <Suspense fallback={<Skeleton />}>
        <PlanTab pool={pool} />
      </Suspense>
    )
  if (tab === 'logs')
    return (
      <Suspense fallback={<Skeleton />}>
        <LogsPanel query={query} entrypoints={pool.entrypoints.map((each) => each.name)} />
      </Suspense>
    )
  if (tab === 'events')
    return (
      <EventList
        input={{ query: { app: app.name, limit: 200 } }}
        matches={({ subject }) => subject.app === app.name && subject.pool === pool.name}
      />
    )
  return <NotFoundPage />
}

function PoolAbout({ app, pool }: { readonly app: string; readonly pool: PoolView }) {
  const text = useText()
  return (
    <span className="about-line">
      <span>
        {text.pool.current} <ReleaseLink app={app} release={pool.release} />
      </span>
      {pool.environment !== pool.name && <span className="chip">{pool.environment}</span>}
      {pool.group !== undefined && (
        <span>
          {text.move.head}{' '}
          <Link to={path('groups', pool.group)} className="chip">
            {pool.group}
          </Link>
        </span>
      )}
      {pool.urls.map((url) => (
        <UrlLink key={url} url={url} />
      ))}
    </span>
  )
}

function PoolActions({ app, pool }: { readonly app: AppView; readonly pool: PoolView }) {
  const text = useText()
  const may = useMay('deployer')
  const [deploying, setDeploying] = useState(false)
  return (
    <>
      <RestartPoolButton app={app.name} pool={pool} />
      {may && app.latestRelease !== undefined && (
        <Link to={path('apps', app.name, pool.name, 'deploy')} className="button button-plain">
          {text.deploy.choose}
        </Link>
      )}
      <RoleButton needs="deployer" kind="primary" icon="deploy" data-deploy onClick={() => setDeploying(true)}>
        {text.action.deploy}
      </RoleButton>
      {deploying && <DeployDialog app={app} pool={pool.name} onClose={() => setDeploying(false)} />}
    </>
  )
}
