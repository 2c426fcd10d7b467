import type { CronView } from '@berth/api/scheduling-resources'
import { Until } from '../components/age.tsx'
import { Mark } from '../components/status.tsx'
import { formatTime } from '../format/times.ts'
import { useLanguage, useText } from '../i18n/language.tsx'
import type { Tone } from '../live/states.ts'
import { Link } from '../router/link.tsx'
import { path } from '../router/match-path.ts'

type Run = CronView['runs'][number]

export const runTones: Readonly<Record<Run['state'], Tone>> = {
  running: 'busy',
  succeeded: 'ok',
  failed: 'bad',
  replaced: 'off',
  skipped: 'warn',
  missed: 'warn',
}
const most = 10

export const schedulePath = ({ app, pool, entrypoint }: CronView): string => path('schedules', app, pool, entrypoint)

/** When a job runs by the clock, when next, and what became of its last runs, the newest first. */
export function ScheduleLine({ cron: { cron, zone, nextAt, runs } }: { readonly cron: CronView }) {
  return (
    <span className="schedule">
      <code>{cron}</code>
      <span className="muted">{zone}</span>
      <NextRun at={nextAt} />
      <RunMarks runs={runs} />
    </span>
  )
}

function NextRun({ at }: { readonly at: number | undefined }) {
  const { schedule: text } = useText()
  if (at === undefined) return <span className="muted">{text.notAgain}</span>
  return (
    <span>
      {text.next} <Until at={at} />
    </span>
  )
}

export function RunMarks({ runs }: { readonly runs: readonly Run[] }) {
  const { schedule: text } = useText()
  if (runs.length === 0) return null
  return (
    <ol className="schedule-runs" aria-label={text.runs}>
      {runs.slice(0, most).map((run) => (
        <li key={`${run.dueAt} ${run.instance ?? ''}`}>
          <RunMark run={run} />
        </li>
      ))}
    </ol>
  )
}

function RunMark({ run }: { readonly run: Run }) {
  const { text, language } = useLanguage()
  const words = [text.schedule.states[run.state], formatTime(run.dueAt, language), run.message]
    .filter(Boolean)
    .join(', ')
  const mark = (
    <>
      <Mark tone={runTones[run.state]} />
      <span className="visually-hidden">{words}</span>
    </>
  )
  if (run.instance === undefined) return <span title={words}>{mark}</span>
  return (
    <Link to={path('instances', run.instance)} title={words}>
      {mark}
    </Link>
  )
}
