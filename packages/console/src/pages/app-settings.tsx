import type { AppView, PoolView } from '@berth/api/app-resources'
import { useState } from 'react'
import { MoveDialog } from '../actions/move-dialog.tsx'
import { RemoveDialog } from '../actions/remove-dialog.tsx'
import { Age } from '../components/age.tsx'
import { RoleButton } from '../components/button.tsx'
import { DangerZone } from '../components/danger-zone.tsx'
import { Empty, Facts, Section } from '../components/layout.tsx'
import { By, Code } from '../components/small.tsx'
import { useText } from '../i18n/language.tsx'
import { useMay } from '../live/session.tsx'
import { useGlance } from '../live/use-glance.ts'
import { path } from '../router/match-path.ts'
import { useClient } from '../store/context.tsx'

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0)
const runningIn = (pools: readonly PoolView[]): number =>
  sum(pools.flatMap(({ entrypoints }) => entrypoints.map(({ running }) => running)))

export function AppSettings({ app }: { readonly app: AppView }) {
  const { removal, settings: text, apps } = useText()
  const [removing, setRemoving] = useState(false)
  return (
    <>
      <Section title={text.source}>
        <Facts
          facts={[
            [
              text.repository,
              app.repository === undefined ? (
                <span key="n" className="muted">
                  {text.noRepository}
                </span>
              ) : (
                <Code key="r" copy>
                  {app.repository}
                </Code>
              ),
            ],
            [text.vcs, app.vcs],
            [
              apps.created,
              <span key="c">
                <Age at={app.createdAt} /> <By who={app.createdBy} />
              </span>,
            ],
          ]}
        />
      </Section>
      <DangerZone
        needs="deployer"
        title={removal.app}
        hint={removal.appHint}
        verb={removal.appVerb(app.name)}
        removing={app.removing === true}
        onRemove={() => setRemoving(true)}
      />
      {removing && <RemoveAppDialog app={app} onClose={() => setRemoving(false)} />}
    </>
  )
}

function RemoveAppDialog({ app, onClose }: { readonly app: AppView; readonly onClose: () => void }) {
  const { removal: text, units } = useText()
  const client = useClient()
  const releases = useGlance('listReleases', { params: { app: app.name } })
  const secrets = useGlance('listSecrets', { params: { app: app.name } })
  const urls = app.pools.flatMap((pool) => pool.urls)
  const goes = [
    app.pools.length > 0 && (
      <>
        {units.environments(app.pools.length)}: <strong>{app.pools.map(({ name }) => name).join(', ')}</strong>
      </>
    ),
    units.runningInstances(runningIn(app.pools)),
    urls.length > 0 && `${text.addresses}: ${urls.join(', ')}`,
    text.records(units.releases(releases.length), units.secrets(secrets.length)),
  ]
  return (
    <RemoveDialog
      title={text.appTitle(app.name)}
      name={app.name}
      verb={text.appVerb(app.name)}
      goes={goes.filter((line) => line !== false)}
      stays={text.stays}
      run={() => client.call('removeApp', { params: { app: app.name } })}
      done={text.started(app.name)}
      to="/apps"
      onClose={onClose}
    />
  )
}

export function PoolSettings({ app, pool }: { readonly app: AppView; readonly pool: PoolView }) {
  const { removal: text, action } = useText()
  const may = useMay('deployer')
  const [removing, setRemoving] = useState(false)
  if (!may) return <Empty icon="key" title={action.needsRole('deployer')} />
  return (
    <>
      <PoolGroup app={app} pool={pool} />
      <DangerZone
        needs="deployer"
        title={text.pool}
        hint={text.poolHint(app.name)}
        verb={text.poolVerb(pool.name)}
        removing={pool.removing === true}
        onRemove={() => setRemoving(true)}
      />
      {removing && <RemovePoolDialog app={app} pool={pool} onClose={() => setRemoving(false)} />}
    </>
  )
}

/** On which nodes it runs, and the way to others. */
function PoolGroup({ app, pool }: { readonly app: AppView; readonly pool: PoolView }) {
  const { move: text } = useText()
  const [moving, setMoving] = useState(false)
  return (
    <Section
      title={text.head}
      aside={
        <RoleButton needs="deployer" small disabled={pool.removing === true} onClick={() => setMoving(true)}>
          {text.button}
        </RoleButton>
      }
    >
      <p>{pool.group === undefined ? text.written : text.own(pool.group)}</p>
      {moving && <MoveDialog app={app.name} pool={pool} onClose={() => setMoving(false)} />}
    </Section>
  )
}

interface RemovePoolDialogProps {
  readonly app: AppView
  readonly pool: PoolView
  readonly onClose: () => void
}

function RemovePoolDialog({ app, pool, onClose }: RemovePoolDialogProps) {
  const { removal: text, units } = useText()
  const client = useClient()
  const target = `${app.name}/${pool.name}`
  const goes = [
    ...pool.entrypoints
      .filter(({ running }) => running > 0)
      .map(({ name, running }) => `${name}: ${units.runningInstances(running)}`),
    pool.urls.length > 0 && `${text.addresses}: ${pool.urls.join(', ')}`,
    text.poolRecords,
  ]
  return (
    <RemoveDialog
      title={text.poolTitle(target)}
      name={pool.name}
      verb={text.poolVerb(pool.name)}
      goes={goes.filter((line) => line !== false)}
      stays={text.poolStays}
      run={() => client.call('removePool', { params: { app: app.name, pool: pool.name } })}
      done={text.started(target)}
      to={path('apps', app.name)}
      onClose={onClose}
    />
  )
}
