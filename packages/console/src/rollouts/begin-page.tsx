import type { PoolView, ReleaseView } from '@berth/api/app-resources'
import type { PlanView } from '@berth/api/planning-resources'
import { messageOf } from '@berth/core/model/berth-error'
import { useState } from 'react'
import { PlanPreview } from '../actions/plan-preview.tsx'
import { useNow } from '../components/age.tsx'
import { Button } from '../components/button.tsx'
import { Diff } from '../components/diff.tsx'
import { Page, Problem, Section } from '../components/layout.tsx'
import { Check } from '../components/small.tsx'
import { Skeleton } from '../components/table.tsx'
import { useLanguage, useText } from '../i18n/language.tsx'
import { useMay } from '../live/session.tsx'
import { useGlance } from '../live/use-glance.ts'
import { useOne } from '../live/use-one.ts'
import { useSubmit } from '../live/use-submit.ts'
import { NotFoundPage } from '../pages/not-found-page.tsx'
import { Link } from '../router/link.tsx'
import { navigate, useLocation } from '../router/location.ts'
import { path } from '../router/match-path.ts'
import { useClient, useList } from '../store/context.tsx'
import { courseOf, freezesOf, obstacleOf } from './begin.ts'
import { beginWords } from './begin-words.ts'
import { CommitList } from './commit-list.tsx'
import { CourseList, Freezes } from './course.tsx'
import { RehearsalMap } from './rehearsal-map.tsx'
import { rehearsalWords } from './rehearsal-words.ts'
import { VersionList } from './version-list.tsx'
import '../styles/plan.css'
import '../styles/rollouts.css'

/** How a release begins: which version, what it changes, where it would run, what it goes through, and then the key. */
export default function BeginPage({ app, pool: name }: { readonly app: string; readonly pool: string }) {
  const text = useText()
  const words = beginWords(useLanguage().language)
  const apps = useList('listApps', {})
  const releases = useList('listReleases', { params: { app } })
  const query = new URLSearchParams(useLocation().split('?')[1] ?? '')
  const pool = apps.items.find((each) => each.name === app)?.pools.find((each) => each.name === name)
  if (pool === undefined) return apps.state === 'live' ? <NotFoundPage /> : <Skeleton />
  const commit = query.get('ref') ?? ''
  const wanted = commit === '' ? (query.get('release') ?? newestOther(releases.items, pool)) : ''
  const release = releases.items.find(({ id }) => id === wanted)
  const place = path('apps', app, name, 'deploy')
  const go = (key: 'release' | 'ref', value: string) =>
    navigate(`${place}?${new URLSearchParams([[key, value]])}`, { replace: true })
  return (
    <Page
      title={words.title}
      crumbs={[
        { label: text.apps.title, to: '/apps' },
        { label: app, to: path('apps', app) },
        { label: name, to: path('apps', app, name) },
      ]}
    >
      <Section title={words.version}>
        <VersionList
          key={commit}
          {...{ pool, release: wanted, commit, releases: releases.items }}
          onRelease={(id) => go('release', id)}
          onCommit={(ref) => go('ref', ref)}
        />
      </Section>
      {(release !== undefined || commit !== '') && (
        <Chosen key={`${wanted} ${commit}`} pool={pool} release={release} commit={commit} />
      )}
    </Page>
  )
}

/** What one came for: the newest that does not run here. */
const newestOther = (releases: readonly ReleaseView[], pool: PoolView): string =>
  releases.toSorted((a, b) => b.createdAt - a.createdAt).find(({ id }) => id !== pool.release)?.id ?? ''

interface ChosenProps {
  readonly pool: PoolView
  /** Undefined: of `commit`, which is not built yet. */
  readonly release: ReleaseView | undefined
  readonly commit: string
}

function Chosen({ pool, release, commit }: ChosenProps) {
  const { language } = useLanguage()
  const words = beginWords(language)
  const { app, name } = pool
  const what = release === undefined ? { ref: commit } : { release: release.id }
  const nodes = useGlance('listNodes', {})
  const { value: plan, error } = useOne('planDeploy', { params: { app }, body: { ...what, pool: name } })
  const ofRelease = release && { params: { app, release: release.id }, query: { pool: name } }
  const { value: diff } = useOne('getReleaseDiff', ofRelease)
  if (error !== undefined) return <Problem text={messageOf(error)} />
  if (plan === undefined) return <Skeleton rows={4} />
  return (
    <>
      <Section title={words.changes}>
        <div className="plan">
          {pool.release === undefined && <p className="muted">{words.nothing}</p>}
          {diff !== undefined && pool.release !== undefined && <CommitList diff={diff} />}
          {plan.diff.length > 0 && <Diff changes={plan.diff} />}
        </div>
      </Section>
      <Section title={words.plan}>
        <Dip plan={plan} />
        <PlanPreview plan={{ ...plan, diff: [] }} nodes={nodes} />
      </Section>
      {plan.rehearsal !== undefined && (
        <Section title={rehearsalWords(language).title}>
          <RehearsalMap rehearsal={plan.rehearsal} />
        </Section>
      )}
      <Section title={words.course}>
        {release === undefined ? (
          <p className="muted">{words.unknown}</p>
        ) : (
          <CourseList course={courseOf(release, pool)} />
        )}
      </Section>
      <DeployKey pool={pool} plan={plan} what={what} name={release?.id ?? commit} />
    </>
  )
}

/** Where fewer serve while it goes on: a bar each. */
function Dip({ plan }: { readonly plan: PlanView }) {
  const words = beginWords(useLanguage().language)
  const changed = plan.entrypoints.filter(({ serving: { lowest, now } }) => lowest < now)
  if (changed.length === 0) return null
  return (
    <ul className="dips">
      {changed.map(({ name, serving: { now, lowest, highest } }) => (
        <li key={name}>
          <code>{name}</code>
          <span className="figure-track" aria-hidden="true">
            <span className="meter-value meter-warn" style={{ width: `${(lowest / now) * 100}%` }} />
          </span>
          <span className="small">
            {words.dip(lowest, now)}
            {highest > now && `, ${words.extra(highest)}`}
          </span>
        </li>
      ))}
    </ul>
  )
}

interface DeployKeyProps {
  readonly pool: PoolView
  readonly plan: PlanView
  readonly what: { readonly release: string } | { readonly ref: string }
  /** Of the release or commit. */
  readonly name: string
}

function DeployKey({ pool, plan, what, name }: DeployKeyProps) {
  const words = beginWords(useLanguage().language)
  const client = useClient()
  const may = useMay('deployer')
  const { busy, problem, submit } = useSubmit()
  const [reason, setReason] = useState('')
  const [force, setForce] = useState(false)
  const { active, ahead } = freezesOf(useGlance('listFreezes', {}), pool, useNow(30_000))
  const state = { may, plan, pool, frozen: active.length > 0, reason }
  const obstacle = obstacleOf({ ...state, force })
  const unforced = obstacleOf({ ...state, frozen: false, force: false })
  const deploy = () =>
    submit({
      run: () =>
        client.call('deploy', {
          params: { app: pool.app },
          body: { ...what, pool: pool.name, force, ...(active.length > 0 ? { overrideFreeze: reason.trim() } : {}) },
        }),
      done: words.deployed(`${pool.app}/${pool.name}`),
      after: ({ build, rollout }) =>
        navigate(
          build === undefined
            ? rollout === undefined
              ? path('apps', pool.app, pool.name)
              : path('rollouts', rollout.id)
            : path('builds', build.id),
        ),
    })
  return (
    <section className="deploy-key" aria-label={words.deploy(name, pool.name)}>
      <Problem text={problem} />
      <Freezes active={active} ahead={ahead} reason={reason} onReason={setReason} />
      {pool.rollout !== undefined && (
        <p>
          {words.holder} <Link to={path('rollouts', pool.rollout)}>{pool.rollout}</Link>
        </p>
      )}
      {(unforced === 'busy' || unforced === 'problems' || unforced === 'same') && (
        <Check label={words.force[unforced]} checked={force} onChange={setForce} />
      )}
      <div className="steering">
        <div className="steering-keys">
          <Button
            kind="primary"
            icon="deploy"
            className="steer"
            disabled={busy || obstacle !== undefined}
            data-key="d"
            data-does={words.deploy(name, pool.name)}
            aria-label={words.deploy(name, pool.name)}
            onClick={deploy}
          >
            <span className="steer-name">{words.deploy(name, pool.name)}</span>
            <kbd>d</kbd>
          </Button>
        </div>
        {obstacle !== undefined && <p className="steering-why muted small">{words.obstacles[obstacle]}</p>}
      </div>
    </section>
  )
}
