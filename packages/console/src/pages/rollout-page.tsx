import type { RolloutView } from '@berth/api/resources'
import { RolloutButtons } from '../actions/pool-buttons.tsx'
import { Age, Took } from '../components/age.tsx'
import { Facts, Page, Section } from '../components/layout.tsx'
import { Listing } from '../components/listing.tsx'
import { ReleaseLink } from '../components/small.tsx'
import { Status } from '../components/status.tsx'
import { Skeleton } from '../components/table.tsx'
import { useText } from '../i18n/language.tsx'
import { isOver, poolName, rolloutState } from '../live/states.ts'
import { useOne } from '../live/use-one.ts'
import { path } from '../router/match-path.ts'
import { useList } from '../store/context.tsx'
import { EventList } from './event-list.tsx'
import { InstanceTable } from './instance-table.tsx'
import { NotFoundPage } from './not-found-page.tsx'
import { RolloutFailure, RolloutProgress, releaseText } from './rollout-card.tsx'

export function RolloutPage({ id }: { readonly id: string }) {
  const text = useText()
  const first = useOne('getRollout', { params: { id } })
  const query = first.value && { app: first.value.app, pool: first.value.pool }
  const live = useList('listRollouts', query && { query })
  const rollout = live.items.find((each) => each.id === id) ?? first.value
  if (rollout === undefined)
    return first.error === undefined ? <Skeleton /> : <NotFoundPage title={text.rollout.missing} />
  return (
    <Page
      title={`${text.rollout[rollout.reason]} ${releaseText(rollout)}`}
      crumbs={[
        { label: text.apps.title, to: '/apps' },
        { label: rollout.app, to: path('apps', rollout.app) },
        { label: rollout.pool, to: path('apps', rollout.app, rollout.pool) },
      ]}
      status={<Status shown={rolloutState(rollout)} />}
      actions={<RolloutButtons rollout={rollout} />}
    >
      <Section>
        <p className="rollout-message" aria-live="polite">
          {rollout.message}
        </p>
        <RolloutProgress rollout={rollout} />
        <RolloutFailure rollout={rollout} />
        <RolloutFacts rollout={rollout} />
      </Section>
      {!isOver(rollout) && <RolloutInstances rollout={rollout} />}
      <EventList
        title={text.app.events}
        input={{ query: { app: rollout.app, limit: 200 } }}
        matches={({ subject }) => subject.rollout === id}
      />
    </Page>
  )
}

function RolloutFacts({ rollout }: { readonly rollout: RolloutView }) {
  const text = useText()
  return (
    <Facts
      facts={[
        ['ID', <code key="id">{rollout.id}</code>],
        [text.instance.release, <ReleaseLink key="r" app={rollout.app} release={rollout.to} />],
        [
          text.rollout.started,
          <span key="s">
            <Age at={rollout.createdAt} /> <span className="muted">{text.common.by(rollout.createdBy)}</span>
          </span>,
        ],
        [text.rollout.took, <Took key="t" from={rollout.createdAt} to={rollout.endedAt} />],
      ]}
    />
  )
}

function RolloutInstances({ rollout }: { readonly rollout: RolloutView }) {
  const text = useText()
  const instances = useList('listInstances', { query: { app: rollout.app, pool: rollout.pool } })
  return (
    <Section title={`${text.pool.instances} · ${poolName(rollout)}`} flush>
      <Listing of={instances} empty={<p className="quiet-line">{text.pool.noInstances}</p>}>
        {(items) => <InstanceTable instances={items.filter((each) => each.phase !== 'ended')} />}
      </Listing>
    </Section>
  )
}
