import type { InstanceView } from '@berth/api/instance-resources'
import type { ReactNode } from 'react'
import { Age, Took } from '../components/age.tsx'
import { By, ReleaseLink } from '../components/small.tsx'
import { Status } from '../components/status.tsx'
import { type Column, Table } from '../components/table.tsx'
import { joinWords } from '../format/words.ts'
import { useText } from '../i18n/language.tsx'
import { instanceState } from '../live/states.ts'
import { Link } from '../router/link.tsx'
import { path } from '../router/match-path.ts'

interface JobTableProps {
  readonly jobs: readonly InstanceView[]
  readonly action: (job: InstanceView) => ReactNode
}

export function JobTable({ jobs, action }: JobTableProps) {
  const { jobs: text, instance } = useText()
  const columns: readonly Column<InstanceView>[] = [
    {
      key: 'name',
      title: instance.name,
      lead: true,
      cell: ({ id, name }) => (
        <Link to={path('instances', id)} className="nowrap">
          {name}
        </Link>
      ),
    },
    { key: 'command', title: text.command, wide: true, cell: (job) => <Command job={job} /> },
    {
      key: 'state',
      title: instance.state,
      cell: (job) => <Status shown={instanceState(job)} detail={exitOf(job, text.code)} />,
    },
    { key: 'release', title: instance.release, cell: (job) => <ReleaseLink app={job.app} release={job.release} /> },
    {
      key: 'took',
      title: text.took,
      align: 'right',
      cell: ({ startedAt, endedAt }) => <Took from={startedAt} to={endedAt} />,
    },
    {
      key: 'started',
      title: instance.started,
      cell: ({ createdAt, createdBy }) => (
        <span className="two-lines">
          <Age at={createdAt} />
          <By who={createdBy} />
        </span>
      ),
    },
    { key: 'action', title: '', align: 'right', cell: action },
  ]
  return (
    <Table
      label={text.title}
      columns={columns}
      rows={jobs.toSorted((a, b) => b.createdAt - a.createdAt)}
      rowKey={({ id }) => id}
    />
  )
}

function Command({ job: { command, entrypoint } }: { readonly job: InstanceView }) {
  const { jobs: text } = useText()
  if (command !== undefined) return <code className="wrap">{joinWords(command)}</code>
  return (
    <span>
      <code>{entrypoint}</code> <span className="muted">{text.itsOwn}</span>
    </span>
  )
}

/** Of what has ended with a code that says something. */
const exitOf = ({ phase, lastExit }: InstanceView, write: (code: number) => string): string | undefined =>
  phase === 'ended' && lastExit !== undefined && lastExit.code !== 0 ? write(lastExit.code) : undefined
