import type { AppView } from '@berth/api/app-resources'
import { lazy, Suspense, useState } from 'react'
import { BuildDialog } from '../actions/build-dialog.tsx'
import { DeployDialog } from '../actions/deploy-dialog.tsx'
import { RoleButton } from '../components/button.tsx'
import { Empty, Page, Section } from '../components/layout.tsx'
import { Listing } from '../components/listing.tsx'
import { Skeleton } from '../components/table.tsx'
import { useText } from '../i18n/language.tsx'
import { useMay } from '../live/session.tsx'
import { isOver } from '../live/states.ts'
import { useQueryValue } from '../router/location.ts'
import { path } from '../router/match-path.ts'
import { useList } from '../store/context.tsx'
import { PoolLines } from './app-lines.tsx'
import { AppSettings } from './app-settings.tsx'
import { BuildTable } from './build-table.tsx'
import { EventList } from './event-list.tsx'
import { NotFoundPage } from './not-found-page.tsx'
import { ReleaseTable } from './release-table.tsx'
import { RolloutLines } from './rollout-lines.tsx'
import { SecretsTab } from './secrets-tab.tsx'

const PipelineTab = lazy(() => import('./pipeline-tab.tsx'))

export function AppPage({ app: name, tab = '' }: { readonly app: string; readonly tab?: string | undefined }) {
  const text = useText()
  const apps = useList('listApps', {})
  const may = useMay('deployer')
  const [asked] = useQueryValue('deploy')
  const [deploying, setDeploying] = useState(asked !== '' && may)
  const app = apps.items.find((each) => each.name === name)
  if (app === undefined) return apps.state === 'live' ? <NotFoundPage /> : <Skeleton />
  const at = (part: string) => path('apps', name, '-', part)
  return (
    <Page
      title={name}
      crumbs={[{ label: text.apps.title, to: '/apps' }]}
      status={
        app.latestRelease !== undefined && (
          <span className="release" title={text.apps.behindHint(app.latestRelease)}>
            {app.latestRelease}
          </span>
        )
      }
      about={app.repository !== undefined && <span className="mono">{`${app.vcs} · ${app.repository}`}</span>}
      actions={
        <RoleButton needs="deployer" kind="primary" icon="deploy" data-deploy onClick={() => setDeploying(true)}>
          {text.action.deploy}
        </RoleButton>
      }
      tabs={[
        { label: text.app.environments, to: path('apps', name), exact: true, count: app.pools.length },
        { label: text.app.releases, to: at('releases') },
        { label: text.app.builds, to: at('builds') },
        { label: text.pipeline.title, to: at('pipeline') },
        ...(may ? [{ label: text.app.secrets, to: at('secrets') }] : []),
        { label: text.app.events, to: at('events') },
        ...(may ? [{ label: text.settings.title, to: at('settings') }] : []),
      ]}
    >
      {tab === '' && <AppOverview app={app} onDeploy={() => setDeploying(true)} />}
      {tab === 'releases' && <ReleasesTab app={name} />}
      {tab === 'builds' && <BuildsTab app={app} />}
      {tab === 'pipeline' && (
        <Suspense fallback={<Skeleton />}>
          <PipelineTab app={app} />
        </Suspense>
      )}
      {tab === 'secrets' && <SecretsTab app={app} />}
      {tab === 'settings' && <AppSettings app={app} />}
      {tab === 'events' && (
        <EventList input={{ query: { app: name, limit: 200 } }} matches={({ subject }) => subject.app === name} />
      )}
      {deploying && <DeployDialog app={app} onClose={() => setDeploying(false)} />}
    </Page>
  )
}

function ReleasesTab({ app }: { readonly app: string }) {
  const text = useText()
  const releases = useList('listReleases', { params: { app } })
  return (
    <Section flush>
      <Listing of={releases} empty={<Empty icon="box" title={text.app.noReleases} hint={text.app.noReleasesHint} />}>
        {(items) => <ReleaseTable app={app} releases={items} />}
      </Listing>
    </Section>
  )
}

function BuildsTab({ app }: { readonly app: AppView }) {
  const text = useText()
  const builds = useList('listBuilds', { query: { app: app.name } })
  const [building, setBuilding] = useState(false)
  const build = (
    <RoleButton needs="deployer" onClick={() => setBuilding(true)}>
      {text.builds.start}
    </RoleButton>
  )
  return (
    <Section flush aside={builds.items.length > 0 && build}>
      <Listing
        of={builds}
        empty={
          <Empty icon="box" title={text.app.noBuilds} hint={text.app.noBuildsHint}>
            {build}
          </Empty>
        }
      >
        {(items) => <BuildTable builds={items} />}
      </Listing>
      {building && <BuildDialog app={app} onClose={() => setBuilding(false)} />}
    </Section>
  )
}

function AppOverview({ app, onDeploy }: { readonly app: AppView; readonly onDeploy: () => void }) {
  const text = useText()
  const rollouts = useList('listRollouts', { query: { app: app.name, limit: 50 } })
  return (
    <>
      <RolloutLines rollouts={rollouts.items.filter((rollout) => !isOver(rollout))} />
      <Section flush>
        {app.pools.length === 0 ? (
          <Empty icon="box" title={text.app.noPools} hint={text.app.noPoolsHint}>
            <RoleButton needs="deployer" icon="deploy" onClick={onDeploy}>
              {text.action.deploy}
            </RoleButton>
          </Empty>
        ) : (
          <PoolLines app={app} rollouts={rollouts.items} />
        )}
      </Section>
    </>
  )
}
