import { useState } from 'react'
import { DeployDialog } from '../actions/deploy-dialog.tsx'
import { RoleButton } from '../components/button.tsx'
import { Empty, Page, Section } from '../components/layout.tsx'
import { Listing } from '../components/listing.tsx'
import { Skeleton } from '../components/table.tsx'
import { useText } from '../i18n/language.tsx'
import { path } from '../router/match-path.ts'
import { useList } from '../store/context.tsx'
import { PoolLine } from './apps-page.tsx'
import { BuildTable } from './build-table.tsx'
import { EventList } from './event-list.tsx'
import { NotFoundPage } from './not-found-page.tsx'
import { ReleaseTable } from './release-table.tsx'
import { SecretsTab } from './secrets-tab.tsx'

export function AppPage({ app: name, tab = '' }: { readonly app: string; readonly tab?: string | undefined }) {
  const text = useText()
  const apps = useList('listApps', {})
  const [deploying, setDeploying] = useState(false)
  const app = apps.items.find((each) => each.name === name)
  if (app === undefined) return apps.state === 'live' ? <NotFoundPage /> : <Skeleton />
  const at = (part: string) => path('apps', name, '-', part)
  return (
    <Page
      title={name}
      crumbs={[{ label: text.apps.title, to: '/apps' }]}
      status={app.latestRelease !== undefined && <span className="release">{app.latestRelease}</span>}
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
        { label: text.app.secrets, to: at('secrets') },
        { label: text.app.events, to: at('events') },
      ]}
    >
      {tab === '' && (
        <Section>
          {app.pools.length === 0 ? (
            <Empty icon="box" title={text.app.noPools} hint={text.app.noPoolsHint} />
          ) : (
            <ul className="pool-lines pool-lines-wide">
              {app.pools.map((pool) => (
                <PoolLine key={pool.name} app={app} pool={pool} />
              ))}
            </ul>
          )}
        </Section>
      )}
      {tab === 'releases' && <ReleasesTab app={name} />}
      {tab === 'builds' && <BuildsTab app={name} />}
      {tab === 'secrets' && <SecretsTab app={app} />}
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

function BuildsTab({ app }: { readonly app: string }) {
  const text = useText()
  const builds = useList('listBuilds', { query: { app } })
  return (
    <Section flush>
      <Listing of={builds} empty={<Empty icon="box" title={text.app.noBuilds} hint={text.app.noBuildsHint} />}>
        {(items) => <BuildTable builds={items} />}
      </Listing>
    </Section>
  )
}
