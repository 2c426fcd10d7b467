import type { AppView, InstanceView, PoolView } from '@berth/api/resources'
import { useState } from 'react'
import { StopInstanceButton } from '../actions/instance-buttons.tsx'
import { RunDialog } from '../actions/run-dialog.tsx'
import { RoleButton } from '../components/button.tsx'
import { Empty, Section } from '../components/layout.tsx'
import { Listing } from '../components/listing.tsx'
import { joinWords } from '../format/words.ts'
import { useText } from '../i18n/language.tsx'
import { useList } from '../store/context.tsx'
import { JobTable } from './job-table.tsx'

interface Wanted {
  readonly entrypoint?: string
  readonly command?: string
}

/** What runs once: what can be run, and what has been. */
export function PoolJobs({ app, pool }: { readonly app: AppView; readonly pool: PoolView }) {
  const { jobs: text } = useText()
  const instances = useList('listInstances', { query: { app: app.name, pool: pool.name, all: 'true' } })
  const [wanted, setWanted] = useState<Wanted>()
  const runs = { ...instances, items: instances.items.filter(({ type }) => type === 'job') }
  const canRun = pool.release !== undefined && pool.removing !== true
  const run = canRun && (
    <RoleButton needs="deployer" kind="primary" icon="play" onClick={() => setWanted({})}>
      {text.runSomething}
    </RoleButton>
  )
  return (
    <>
      <JobEntrypoints pool={pool} onRun={setWanted} />
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
  readonly onRun: (wanted: Wanted) => void
}

function JobEntrypoints({ pool, onRun }: JobEntrypointsProps) {
  const { jobs: text } = useText()
  const declared = pool.entrypoints.filter(({ type }) => type === 'job')
  if (declared.length === 0) return null
  return (
    <Section title={text.declared} flush>
      <ul className="rows">
        {declared.map(({ name }) => (
          <li key={name} className="row">
            <strong className="mono">{name}</strong>
            <span className="muted">{text.declaredHint}</span>
            <span className="row-end">
              <RoleButton
                needs="deployer"
                small
                icon="play"
                onClick={() => onRun({ entrypoint: name })}
                aria-label={`${text.run} ${name}`}
              >
                {text.run}
              </RoleButton>
            </span>
          </li>
        ))}
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
