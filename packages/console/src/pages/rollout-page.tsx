import type { ReleaseView } from '@berth/api/app-resources'
import type { RolloutView } from '@berth/api/deploy-resources'
import { lazy, Suspense } from 'react'
import { RollbackButton, RolloutButtons } from '../actions/pool-buttons.tsx'
import { Age, Took } from '../components/age.tsx'
import { Diff } from '../components/diff.tsx'
import { Facts, Page, Section } from '../components/layout.tsx'
import { Listing } from '../components/listing.tsx'
import { By, Code, ReleaseLink } from '../components/small.tsx'
import { Status } from '../components/status.tsx'
import { Skeleton } from '../components/table.tsx'
import { useText } from '../i18n/language.tsx'
import { specDiff } from '../live/spec-diff.ts'
import { isOver, rolloutState } from '../live/states.ts'
import { useOne } from '../live/use-one.ts'
import { useUsage } from '../metrics/use-usage.ts'
import { path } from '../router/match-path.ts'
import { useList } from '../store/context.tsx'
import { EventList } from './event-list.tsx'
import { InstanceTable } from './instance-table.tsx'
import { NotFoundPage } from './not-found-page.tsx'
import { RolloutFailure, RolloutProgress, releaseText } from './rollout-card.tsx'

const StageTimeline = lazy(() => import('../rollouts/stage-timeline.tsx'))

export function RolloutPage({ id }: { readonly id: string }) {
  const text = useText()
  const first = useOne('getRollout', { params: { id } })
  const query = first.value && { app: first.value.app, pool: first.value.pool }
  const live = useList('listRollouts', query && { query })
  const rollout = live.items.find((each) => each.id === id) ?? first.value
  if (rollout === undefined)
    return first.error === undefined ? <Skeleton /> : <NotFoundPage title={text.rollout.missing} />
  const latest = live.items.every((each) => each.createdAt <= rollout.createdAt)
  return (
    <Page
      title={`${text.rollout[rollout.reason]} ${releaseText(rollout)}`}
      crumbs={[
        { label: text.apps.title, to: '/apps' },
        { label: rollout.app, to: path('apps', rollout.app) },
        { label: rollout.pool, to: path('apps', rollout.app, rollout.pool) },
        { label: text.pool.history, to: path('apps', rollout.app, rollout.pool, 'history') },
      ]}
      status={<Status shown={rolloutState(rollout)} />}
      actions={isOver(rollout) ? latest && <AfterButtons rollout={rollout} /> : <RolloutButtons rollout={rollout} />}
    >
      <section className={`rollout rollout-${rolloutState(rollout).tone}`} aria-label={text.rollout.progress}>
        <p className="rollout-message" aria-live="polite">
          {rollout.message}
        </p>
        <RolloutProgress rollout={rollout} />
        <RolloutFailure rollout={rollout} />
        <RolloutFacts rollout={rollout} />
      </section>
      <Suspense>
        <StageTimeline rollout={rollout} />
      </Suspense>
      {!isOver(rollout) && <RolloutInstances rollout={rollout} />}
      <WhatChanges rollout={rollout} />
      <EventList
        title={text.app.events}
        input={{ query: { app: rollout.app, limit: 200 } }}
        matches={({ subject }) => subject.rollout === id}
        brief
      />
    </Page>
  )
}

/** What one does after it: back from what serves badly, or on with what was given up. */
function AfterButtons({ rollout }: { readonly rollout: RolloutView }) {
  const { app, pool, from, to, state } = rollout
  if (from === undefined || from === to) return null
  if (state === 'succeeded') return <RollbackButton app={app} pool={pool} release={from} newer={false} />
  return <RollbackButton app={app} pool={pool} release={to} newer />
}

function RolloutFacts({ rollout }: { readonly rollout: RolloutView }) {
  const text = useText()
  return (
    <Facts
      facts={[
        [
          text.rollout.started,
          <span key="s">
            <Age at={rollout.createdAt} /> <By who={rollout.createdBy} />
          </span>,
        ],
        [text.rollout.took, <Took key="t" from={rollout.createdAt} to={rollout.endedAt} />],
        [
          'ID',
          <Code key="id" copy>
            {rollout.id}
          </Code>,
        ],
      ]}
    />
  )
}

function RolloutInstances({ rollout }: { readonly rollout: RolloutView }) {
  const text = useText()
  const query = { app: rollout.app, pool: rollout.pool }
  const instances = useList('listInstances', { query })
  const usage = useUsage(query)
  return (
    <Section title={text.pool.instances} flush>
      <Listing of={instances} empty={<p className="quiet-line">{text.pool.noInstances}</p>}>
        {(items) => <InstanceTable instances={items.filter((each) => each.phase !== 'ended')} usage={usage} />}
      </Listing>
    </Section>
  )
}

/** Both releases side by side: whoever looks for a cause begins with what was changed. */
function WhatChanges({ rollout: { app, from, to } }: { readonly rollout: RolloutView }) {
  const { rollout: text } = useText()
  const after = useOne('getRelease', { params: { app, release: to } }).value
  const before = useOne('getRelease', from === undefined ? undefined : { params: { app, release: from } }).value
  if (after === undefined || from === to) return null
  const changes = before === undefined ? [] : specDiff(before.spec, after.spec)
  return (
    <Section title={text.changes}>
      <ul className="versions">
        {before !== undefined && <Version release={before} />}
        <Version release={after} />
      </ul>
      {before !== undefined && changes.length === 0 && <p className="muted">{text.sameSpec}</p>}
      {changes.length > 0 && <Diff changes={changes} />}
    </Section>
  )
}

function Version({ release: { app, id, commit, subject, createdAt, createdBy } }: { readonly release: ReleaseView }) {
  return (
    <li>
      <ReleaseLink app={app} release={id} />
      {commit !== undefined && <Code short={8}>{commit}</Code>}
      <span className="versions-subject">{subject}</span>
      <span className="muted">
        <Age at={createdAt} /> <By who={createdBy} />
      </span>
    </li>
  )
}
