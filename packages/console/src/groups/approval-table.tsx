import type { ApprovalView } from '@berth/api/scheduling-resources'
import { ApprovalButtons } from '../actions/approval-buttons.tsx'
import { Age } from '../components/age.tsx'
import { Section } from '../components/layout.tsx'
import { By } from '../components/small.tsx'
import { Status } from '../components/status.tsx'
import { type Column, Table } from '../components/table.tsx'
import { formatBytes } from '../format/quantities.ts'
import { useText } from '../i18n/language.tsx'
import type { Shown } from '../live/states.ts'
import { Link } from '../router/link.tsx'
import { path } from '../router/match-path.ts'
import { useList } from '../store/context.tsx'

const states: Readonly<Record<ApprovalView['state'], Shown>> = {
  waiting: { tone: 'warn', label: 'waiting' },
  approved: { tone: 'ok', label: 'approved' },
  denied: { tone: 'bad', label: 'denied' },
}

/** Wishes for much memory, those that wait first. Nothing where there are none. */
export function ApprovalTable({ group }: { readonly group?: string }) {
  const { approval: text, groups } = useText()
  const approvals = useList('listApprovals', {})
  const shown = approvals.items.filter((each) => group === undefined || each.group === group)
  if (shown.length === 0) return null
  const columns: readonly Column<ApprovalView>[] = [
    {
      key: 'what',
      title: text.what,
      lead: true,
      cell: ({ app, pool, entrypoint }) => (
        <span className="two-lines">
          <Link to={path('apps', app, pool)}>{entrypoint}</Link>
          <span className="muted small">{`${app}/${pool}`}</span>
        </span>
      ),
    },
    { key: 'memory', title: text.memory, cell: ({ memoryBytes }) => formatBytes(memoryBytes) },
    ...(group === undefined
      ? [
          {
            key: 'group',
            title: text.group,
            cell: (each: ApprovalView) => <Link to={path('groups', each.group)}>{each.group}</Link>,
          },
        ]
      : []),
    { key: 'state', title: text.state, cell: ({ state }) => <Status shown={states[state]} /> },
    { key: 'asked', title: text.asked, cell: (each) => <When at={each.requestedAt} by={each.requestedBy} /> },
    { key: 'decided', title: text.decided, cell: (each) => <When at={each.decidedAt} by={each.decidedBy} /> },
    {
      key: 'action',
      title: '',
      align: 'right',
      cell: (approval) => approval.state === 'waiting' && <ApprovalButtons approval={approval} />,
    },
  ]
  return (
    <Section title={groups.approvals} flush>
      <Table
        label={groups.approvals}
        columns={columns}
        rows={shown.toSorted((a, b) => rank(a) - rank(b) || b.requestedAt - a.requestedAt)}
        rowKey={({ app, pool, entrypoint }) => `${app}/${pool}/${entrypoint}`}
      />
    </Section>
  )
}

const rank = ({ state }: ApprovalView): number => (state === 'waiting' ? 0 : 1)

const When = ({ at, by }: { readonly at: number | undefined; readonly by: string | undefined }) =>
  at === undefined ? (
    <span className="muted">–</span>
  ) : (
    <span className="nowrap">
      <Age at={at} /> {by !== undefined && <By who={by} />}
    </span>
  )
