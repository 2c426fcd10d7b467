import type { ReleaseView } from '@berth/api/app-resources'
import type { RolloutView } from '@berth/api/deploy-resources'
import { Age, Took } from '../components/age.tsx'
import { Diff } from '../components/diff.tsx'
import { Facts, Page, Section } from '../components/layout.tsx'
import { By, Code, ReleaseLink } from '../components/small.tsx'
import { Status } from '../components/status.tsx'
import { Skeleton } from '../components/table.tsx'
import { useLanguage, useText } from '../i18n/language.tsx'
import { specDiff } from '../live/spec-diff.ts'
import { isOver, rolloutState } from '../live/states.ts'
import { useOne } from '../live/use-one.ts'
import { EventList } from '../pages/event-list.tsx'
import { NotFoundPage } from '../pages/not-found-page.tsx'
import { RolloutFailure, RolloutProgress, releaseText } from '../pages/rollout-card.tsx'
import { Link } from '../router/link.tsx'
import { path } from '../router/match-path.ts'
import { useList } from '../store/context.tsx'
import { FailingInstances } from './failing-instances.tsx'
import { InstanceMap } from './instance-map.tsx'
import { ReceiptSection } from './receipt-section.tsx'
import { rolloutWords } from './rollout-words.ts'
import { StageTimeline } from './stage-timeline.tsx'
import { SteeringBar } from './steering-bar.tsx'
import { TrafficCharts } from './traffic-charts.tsx'
import '../styles/rollouts.css'

/** A release going out: what it does now, what it waits for, and the keys to stop it. Afterwards its receipt. */
export default function RolloutPage({ id }: { readonly id: string }) {
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
    >
      <SteeringBar rollout={rollout} latest={latest} />
      <section className={`rollout rollout-${rolloutState(rollout).tone}`} aria-label={text.rollout.progress}>
        <p className="rollout-message" aria-live="polite">
          {rollout.message}
        </p>
        <RolloutProgress rollout={rollout} />
        <RolloutFailure rollout={rollout} />
        <RolloutFacts rollout={rollout} />
      </section>
      <StageTimeline rollout={rollout} />
      {latest && <RolloutInstances rollout={rollout} />}
      <TrafficCharts rollout={rollout} />
      {isOver(rollout) && <ReceiptSection id={id} />}
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
  const { items } = useList('listInstances', { query: { app: rollout.app, pool: rollout.pool } })
  return (
    <>
      {!isOver(rollout) && <FailingInstances instances={items} />}
      <InstanceMap rollout={rollout} instances={items} />
    </>
  )
}

/** Both releases side by side: whoever looks for a cause begins with what was changed. */
function WhatChanges({ rollout: { app, from, to } }: { readonly rollout: RolloutView }) {
  const { rollout: text } = useText()
  const words = rolloutWords(useLanguage().language)
  const after = useOne('getRelease', { params: { app, release: to } }).value
  const before = useOne('getRelease', from === undefined ? undefined : { params: { app, release: from } }).value
  if (after === undefined || from === to) return null
  const changes = before === undefined ? [] : specDiff(before.spec, after.spec)
  return (
    <Section
      title={text.changes}
      aside={
        before !== undefined && (
          <Link
            to={`${path('apps', app, '-', 'compare')}?from=${from}&to=${to}`}
            className="button button-plain button-small"
          >
            {words.compare}
          </Link>
        )
      }
    >
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
