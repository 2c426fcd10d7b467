import type { ReleaseView } from '@berth/api/app-resources'
import type { ReactNode } from 'react'
import { Age } from '../components/age.tsx'
import { By, Code, ReleaseLink } from '../components/small.tsx'
import { Status } from '../components/status.tsx'
import { type Column, Table } from '../components/table.tsx'
import { useText } from '../i18n/language.tsx'
import { testState } from '../live/states.ts'
import { Link } from '../router/link.tsx'
import { path } from '../router/match-path.ts'

interface ReleaseTableProps {
  readonly app: string
  readonly releases: readonly ReleaseView[]
  /** The release that the page is about, e.g. the one that runs. */
  readonly current?: string | undefined
  readonly action?: (release: ReleaseView) => ReactNode
}

export const releaseNumber = (id: string): number => Number(id.replace(/^v/, ''))

export const newestFirst = (releases: readonly ReleaseView[]): ReleaseView[] =>
  releases.toSorted((a, b) => releaseNumber(b.id) - releaseNumber(a.id))

export function ReleaseTable({ app, releases, current, action }: ReleaseTableProps) {
  const text = useText()
  const columns: readonly Column<ReleaseView>[] = [
    {
      key: 'id',
      title: text.instance.release,
      lead: true,
      cell: (release) => <ReleaseLink app={app} release={release.id} />,
    },
    {
      key: 'commit',
      title: text.release.commit,
      cell: (release) => (
        <span className="commit">
          {release.commit !== undefined && <Code short={8}>{release.commit}</Code>}
          <span className="subject">{release.subject}</span>
        </span>
      ),
    },
    {
      key: 'tests',
      title: text.release.tests,
      cell: ({ tests }) =>
        tests === undefined ? <span className="muted">–</span> : <Status shown={testState(tests.state)} />,
    },
    {
      key: 'pools',
      title: text.release.runningIn,
      cell: (release) =>
        release.runningIn.length === 0 ? (
          <span className="muted">–</span>
        ) : (
          <span className="chips">
            {release.runningIn.map((pool) => (
              <Link key={pool} to={path('apps', app, pool)} className="chip">
                {pool}
              </Link>
            ))}
          </span>
        ),
    },
    {
      key: 'made',
      title: text.release.made,
      cell: (release) => (
        <span className="nowrap">
          <Age at={release.createdAt} /> <By who={release.createdBy} />
        </span>
      ),
    },
    ...(action === undefined ? [] : [{ key: 'action', title: '', align: 'right' as const, cell: action }]),
  ]
  return (
    <Table
      label={text.app.releases}
      columns={columns}
      rows={newestFirst(releases)}
      rowKey={(release) => release.id}
      marked={(release) => release.id === current}
    />
  )
}
