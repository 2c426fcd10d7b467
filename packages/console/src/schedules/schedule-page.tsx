import type { CronView } from '@berth/api/scheduling-resources'
import { useState } from 'react'
import { RunNowButton } from '../actions/run-now-button.tsx'
import { Age, Took, Until } from '../components/age.tsx'
import { Button } from '../components/button.tsx'
import { Empty, Facts, Page, Section } from '../components/layout.tsx'
import { By } from '../components/small.tsx'
import { Mark } from '../components/status.tsx'
import { Skeleton } from '../components/table.tsx'
import { formatDuration } from '../format/quantities.ts'
import { formatTime } from '../format/times.ts'
import { useLanguage, useText } from '../i18n/language.tsx'
import { NotFoundPage } from '../pages/not-found-page.tsx'
import { runTones } from '../pages/schedule-line.tsx'
import { Link } from '../router/link.tsx'
import { path } from '../router/match-path.ts'
import { useList } from '../store/context.tsx'
import { RunOutput } from './run-output.tsx'

interface SchedulePageProps {
  readonly app: string
  readonly pool: string
  readonly entrypoint: string
}

/** One job that runs by the clock: when, and all that is known of its runs. */
export default function SchedulePage({ app, pool, entrypoint }: SchedulePageProps) {
  const { schedules: text, schedule } = useText()
  const crons = useList('listCrons', { query: { app, pool } })
  const cron = crons.items.find((each) => each.entrypoint === entrypoint)
  if (cron === undefined)
    return crons.state === 'live' ? <NotFoundPage title={text.missing} hint={text.missingHint} /> : <Skeleton />
  const { runs } = cron
  return (
    <Page
      title={entrypoint}
      crumbs={[
        { label: text.title, to: '/schedules' },
        { label: app, to: path('apps', app) },
        { label: pool, to: path('apps', app, pool, 'jobs') },
      ]}
      actions={<RunNowButton cron={cron} />}
    >
      <Section>
        <ScheduleFacts cron={cron} />
      </Section>
      <Section title={schedule.runs} flush>
        {runs.length === 0 ? (
          <Empty icon="calendar" title={text.noRuns} />
        ) : (
          <ol className="rows">
            {runs.map((run) => (
              <RunRow key={`${run.dueAt} ${run.instance ?? ''}`} run={run} />
            ))}
          </ol>
        )}
      </Section>
    </Page>
  )
}

function ScheduleFacts({ cron: { cron, zone, nextAt, overlap, graceMs, history } }: { readonly cron: CronView }) {
  const { schedules: text, schedule } = useText()
  return (
    <Facts
      facts={[
        [text.schedule, <code key="c">{cron}</code>],
        [text.zone, zone],
        [text.nextHead, nextAt === undefined ? schedule.notAgain : <Until key="n" at={nextAt} />],
        [text.overlap, text.overlaps[overlap]],
        [text.grace, formatDuration(graceMs)],
        [text.history, String(history)],
      ]}
    />
  )
}

function RunRow({ run }: { readonly run: CronView['runs'][number] }) {
  const { text, language } = useLanguage()
  const [open, setOpen] = useState(false)
  const { state, dueAt, startedAt, endedAt, exitCode, instance, by, message } = run
  return (
    <li className="run-row">
      <div className="row">
        <Mark tone={runTones[state]} />
        <div className="row-main">
          <p>
            <strong>{text.schedule.states[state]}</strong>{' '}
            <span className="muted">
              <span title={formatTime(dueAt, language)}>
                <Age at={dueAt} />
              </span>
              {exitCode !== undefined && exitCode !== 0 && ` · ${text.jobs.code(exitCode)}`}{' '}
              {by !== undefined && <By who={by} />}
            </span>
          </p>
          {message !== undefined && <p className="muted small">{message}</p>}
        </div>
        {startedAt !== undefined && <Took from={startedAt} to={endedAt} />}
        {instance !== undefined && (
          <span className="row-actions">
            <Button small aria-expanded={open} onClick={() => setOpen(!open)}>
              {text.schedules.output}
            </Button>
            <Link to={path('instances', instance)} className="button button-plain button-small">
              {instance.split('.').at(-1)}
            </Link>
          </span>
        )}
      </div>
      {open && instance !== undefined && <RunOutput instance={instance} />}
    </li>
  )
}
