import type { AppView, PoolView } from '@berth/api/app-resources'
import type { InstanceView } from '@berth/api/instance-resources'
import type { CronView } from '@berth/api/scheduling-resources'
import { useState } from 'react'
import { StopInstanceButton } from '../actions/instance-buttons.tsx'
import { RunDialog } from '../actions/run-dialog.tsx'
import { RunNowButton } from '../actions/run-now-button.tsx'
import { RoleButton } from '../components/button.tsx'
import { Empty, Section } from '../components/layout.tsx'
import { Listing } from '../components/listing.tsx'
import { joinWords } from '../format/words.ts'
import { useText } from '../i18n/language.tsx'
import { useGlance } from '../live/use-glance.ts'
import { Link } from '../router/link.tsx'
import { useList } from '../store/context.tsx'
import { JobTable } from './job-table.tsx'
import { ScheduleLine, schedulePath } from './schedule-line.tsx'

interface Wanted {
  readonly entrypoint?: string
  readonly command?: string
}

/** What runs once: what can be run, and what has been. */
export function PoolJobs({ app, pool }: { readonly app: AppView; readonly pool: PoolView }) {
  const { jobs: text } = useText()
  const instances = useList('listInstances', { query: { app: app.name, pool: pool.name, all: 'true' } })
  const [wanted, setWanted] = useState<Wanted>()
  const [asked, setAsked] = useState(0)
  const news = `${asked} ${instances.items.map(({ id, phase }) => `${id} ${phase}`).join(' ')}`
  const crons = useGlance('listCrons', { query: { app: app.name, pool: pool.name } }, news)
  const runs = { ...instances, items: instances.items.filter(({ type }) => type === 'job') }
  const canRun = pool.release !== undefined && pool.removing !== true
  const run = canRun && (
    <RoleButton needs="deployer" kind="primary" icon="play" onClick={() => setWanted({})}>
      {text.runSomething}
    </RoleButton>
  )
  return (
    <>
      <JobEntrypoints pool={pool} crons={crons} onRun={setWanted} onRunNow={() => setAsked((n) => n + 1)} />
      <Section title={text.history} flush aside={runs.items.length > 0 && run}>
        <Listing
          of={runs}
          empty={
            <Empty icon="play" title={text.empty} hint={text.emptyHint}>
              {run}
            </Empty>
          }
        >
          {(items) => (
            <JobTable
              jobs={items}
              action={(job) => <JobButtons job={job} canRun={canRun} onAgain={() => setWanted(again(job))} />}
            />
          )}
        </Listing>
      </Section>
      {runs.items.length > 0 && <p className="muted small">{text.kept}</p>}
      {wanted !== undefined && (
        <RunDialog app={app.name} pool={pool} {...wanted} onClose={() => setWanted(undefined)} />
      )}
    </>
  )
}

const again = ({ entrypoint, command }: InstanceView): Wanted => ({
  entrypoint,
  ...(command === undefined ? {} : { command: joinWords(command) }),
})

interface JobEntrypointsProps {
  readonly pool: PoolView
  readonly crons: readonly CronView[]
  readonly onRun: (wanted: Wanted) => void
  readonly onRunNow: () => void
}

function JobEntrypoints({ pool, crons, onRun, onRunNow }: JobEntrypointsProps) {
  const { jobs: text } = useText()
  const declared = pool.entrypoints.filter(({ type }) => type === 'job')
  if (declared.length === 0) return null
  return (
    <Section title={text.declared} flush>
      <ul className="rows">
        {declared.map(({ name }) => {
          const cron = crons.find(({ entrypoint }) => entrypoint === name)
          return (
            <li key={name} className="row">
              <strong className="mono">
                {cron === undefined ? name : <Link to={schedulePath(cron)}>{name}</Link>}
              </strong>
              {cron === undefined ? <span className="muted">{text.declaredHint}</span> : <ScheduleLine cron={cron} />}
              <span className="row-end">
                {cron === undefined ? (
                  <RoleButton
                    needs="deployer"
                    small
                    icon="play"
                    onClick={() => onRun({ entrypoint: name })}
                    aria-label={`${text.run} ${name}`}
                  >
                    {text.run}
                  </RoleButton>
                ) : (
                  <RunNowButton cron={cron} onRun={onRunNow} />
                )}
              </span>
            </li>
          )
        })}
      </ul>
    </Section>
  )
}

interface JobButtonsProps {
  readonly job: InstanceView
  readonly canRun: boolean
  readonly onAgain: () => void
}

function JobButtons({ job, canRun, onAgain }: JobButtonsProps) {
  const { jobs: text } = useText()
  if (job.phase !== 'ended') return job.desired === 'run' ? <StopInstanceButton instance={job} small /> : null
  if (!canRun) return null
  return (
    <RoleButton needs="deployer" small onClick={onAgain} aria-label={`${text.again} ${job.name}`}>
      {text.again}
    </RoleButton>
  )
}
