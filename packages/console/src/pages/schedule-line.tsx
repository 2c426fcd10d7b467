import type { Answer } from '@berth/api/client'
import { Until } from '../components/age.tsx'
import { Mark } from '../components/status.tsx'
import { formatTime } from '../format/times.ts'
import { useLanguage, useText } from '../i18n/language.tsx'
import type { Tone } from '../live/states.ts'
import { Link } from '../router/link.tsx'
import { path } from '../router/match-path.ts'

export type Cron = Answer<'listCrons'>
type Run = Cron['runs'][number]

const tones: Readonly<Record<Run['state'], Tone>> = {
  running: 'busy',
  succeeded: 'ok',
  failed: 'bad',
  replaced: 'off',
  skipped: 'warn',
  missed: 'warn',
}
const most = 10

/** When a job runs by the clock, when next, and what became of its last runs, the newest first. */
export function ScheduleLine({ cron: { cron, zone, nextAt, runs } }: { readonly cron: Cron }) {
  const { schedule: text } = useText()
  return (
    <span className="schedule">
      <code>{cron}</code>
      <span className="muted">{zone}</span>
      <span>
        {nextAt === undefined ? (
          <span className="muted">{text.notAgain}</span>
        ) : (
          <>
            {text.next} <Until at={nextAt} />
          </>
        )}
      </span>
      {runs.length > 0 && (
        <ol className="schedule-runs" aria-label={text.runs}>
          {runs.slice(0, most).map((run) => (
            <li key={`${run.dueAt} ${run.instance ?? ''}`}>
              <RunMark run={run} />
            </li>
          ))}
        </ol>
      )}
    </span>
  )
}

function RunMark({ run }: { readonly run: Run }) {
  const { text, language } = useLanguage()
  const words = [text.schedule.states[run.state], formatTime(run.dueAt, language), run.message]
    .filter(Boolean)
    .join(', ')
  const mark = (
    <>
      <Mark tone={tones[run.state]} />
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
