import type { BuildView } from '@berth/api/deploy-resources'
import { Age, Took } from '../components/age.tsx'
import { Code, ReleaseLink } from '../components/small.tsx'
import { Status } from '../components/status.tsx'
import { type Column, Table } from '../components/table.tsx'
import { useText } from '../i18n/language.tsx'
import { buildState } from '../live/states.ts'
import { Link } from '../router/link.tsx'
import { path } from '../router/match-path.ts'

export function BuildTable({
  builds,
  withApp = false,
}: {
  readonly builds: readonly BuildView[]
  readonly withApp?: boolean
}) {
  const text = useText()
  const columns: readonly Column<BuildView>[] = [
    {
      key: 'id',
      title: text.build.title,
      lead: true,
      cell: (build) => (
        <Link to={path('builds', build.id)}>
          {withApp && <strong>{build.app} </strong>}
          <Code>{build.id}</Code>
        </Link>
      ),
    },
    {
      key: 'state',
      title: text.instance.state,
      cell: (build) => (
        <Status
          shown={buildState(build)}
          detail={build.ahead === undefined ? undefined : text.pipeline.ahead(build.ahead)}
        />
      ),
    },
    {
      key: 'commit',
      title: text.build.commit,
      cell: (build) => (
        <span className="commit">
          {build.commit === undefined ? <Code>{build.ref}</Code> : <Code short={8}>{build.commit}</Code>}
          {build.trigger !== undefined && (
            <span className="chip">{build.trigger.ref.replace(/^refs\/(heads|tags)\//, '')}</span>
          )}
          <span className="subject">{build.subject}</span>
        </span>
      ),
    },
    {
      key: 'release',
      title: text.build.release,
      cell: (build) => <ReleaseLink app={build.app} release={build.release} />,
    },
    {
      key: 'took',
      title: text.build.took,
      align: 'right',
      cell: (build) => <Took from={build.startedAt} to={build.endedAt} />,
    },
    { key: 'at', title: text.build.started, align: 'right', cell: (build) => <Age at={build.createdAt} /> },
  ]
  return (
    <Table
      label={text.app.builds}
      columns={columns}
      rows={builds.toSorted((a, b) => b.createdAt - a.createdAt)}
      rowKey={(build) => build.id}
    />
  )
}
