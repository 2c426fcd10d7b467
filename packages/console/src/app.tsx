import { lazy, Suspense } from 'react'
import { Skeleton } from './components/table.tsx'
import { ActivityPage } from './pages/activity-page.tsx'
import { AppPage } from './pages/app-page.tsx'
import { AppsPage } from './pages/apps-page.tsx'
import { InstancePage } from './pages/instance-page.tsx'
import { LoginPage } from './pages/login-page.tsx'
import { NodesPage } from './pages/nodes-page.tsx'
import { NotFoundPage } from './pages/not-found-page.tsx'
import { PoolPage } from './pages/pool-page.tsx'
import { usePathname } from './router/location.ts'
import { matchPath, type PathParams } from './router/match-path.ts'
import { Shell } from './shell/shell.tsx'

const AdvicePage = lazy(() => import('./advice/advice-page.tsx'))
const ComparePage = lazy(() => import('./rollouts/compare-page.tsx'))
const EventsPage = lazy(() => import('./pages/events-page.tsx'))
const GroupPage = lazy(() => import('./groups/group-page.tsx'))
const GroupsPage = lazy(() => import('./groups/groups-page.tsx'))
const NodePage = lazy(() => import('./pages/node-page.tsx'))
const NetworkPage = lazy(() => import('./network/network-page.tsx'))
const ReleasePage = lazy(() => import('./pages/release-page.tsx'))
const BeginPage = lazy(() => import('./rollouts/begin-page.tsx'))
const BuildPage = lazy(() => import('./pages/build-page.tsx'))
const CertificatesPage = lazy(() => import('./pages/certificates-page.tsx'))
const MaintenancePage = lazy(() => import('./pages/maintenance-page.tsx'))
const RoutesPage = lazy(() => import('./pages/routes-page.tsx'))
const RolloutPage = lazy(() => import('./rollouts/rollout-page.tsx'))
const SchedulePage = lazy(() => import('./schedules/schedule-page.tsx'))
const SchedulesPage = lazy(() => import('./schedules/schedules-page.tsx'))
const SettingsPage = lazy(() => import('./settings/settings-page.tsx'))
const TokensPage = lazy(() => import('./pages/tokens-page.tsx'))
const TopologyPage = lazy(() => import('./topology/topology-page.tsx'))

type Render = (params: PathParams) => React.ReactNode

/** Every view has an address; the first pattern that fits wins. */
const pages: readonly (readonly [pattern: string, render: Render])[] = [
  ['/', () => <AppsPage />],
  ['/apps', () => <AppsPage />],
  ['/apps/:app', ({ app = '' }) => <AppPage app={app} />],
  ['/apps/:app/-/releases/:release', ({ app = '', release = '' }) => <ReleasePage app={app} release={release} />],
  ['/apps/:app/-/compare', ({ app = '' }) => <ComparePage app={app} />],
  ['/apps/:app/-/:tab', ({ app = '', tab }) => <AppPage app={app} tab={tab} />],
  ['/apps/:app/:pool/deploy', ({ app = '', pool = '' }) => <BeginPage app={app} pool={pool} />],
  [
    '/apps/:app/:pool/:tab?/:entrypoint?',
    ({ app = '', pool = '', tab, entrypoint }) => <PoolPage app={app} pool={pool} tab={tab} entrypoint={entrypoint} />,
  ],
  ['/instances/:id/:tab?', ({ id = '', tab }) => <InstancePage id={id} tab={tab} />],
  ['/rollouts/:id', ({ id = '' }) => <RolloutPage id={id} />],
  ['/builds/:id', ({ id = '' }) => <BuildPage id={id} />],
  ['/activity', () => <ActivityPage />],
  ['/schedules', () => <SchedulesPage />],
  [
    '/schedules/:app/:pool/:entrypoint',
    ({ app = '', pool = '', entrypoint = '' }) => <SchedulePage app={app} pool={pool} entrypoint={entrypoint} />,
  ],
  ['/nodes', () => <NodesPage />],
  ['/nodes/:name', ({ name = '' }) => <NodePage name={name} />],
  ['/advice', () => <AdvicePage />],
  ['/groups', () => <GroupsPage />],
  ['/groups/:name', ({ name = '' }) => <GroupPage name={name} />],
  ['/network/:tab?/:name?', ({ tab, name }) => <NetworkPage tab={tab} name={name} />],
  ['/routes', () => <RoutesPage />],
  ['/routes/topology', () => <TopologyPage />],
  ['/routes/maintenance', () => <MaintenancePage />],
  ['/certificates', () => <CertificatesPage />],
  ['/tokens', () => <TokensPage />],
  ['/settings/:tab?', ({ tab }) => <SettingsPage tab={tab} />],
  ['/events', () => <EventsPage />],
]

export function App() {
  const pathname = usePathname()
  if (pathname === '/login') return <LoginPage />
  return (
    <Shell>
      <Suspense fallback={<Skeleton />}>{pageAt(pathname)}</Suspense>
    </Shell>
  )
}

function pageAt(pathname: string): React.ReactNode {
  for (const [pattern, render] of pages) {
    const params = matchPath(pattern, pathname)
    if (params !== undefined) return render(params)
  }
  return <NotFoundPage />
}
