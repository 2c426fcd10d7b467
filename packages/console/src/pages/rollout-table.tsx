import type { RolloutView } from '@berth/api/deploy-resources'
import { Age, Took } from '../components/age.tsx'
import { By, Code } from '../components/small.tsx'
import { Status } from '../components/status.tsx'
import { type Column, Table } from '../components/table.tsx'
import { useText } from '../i18n/language.tsx'
import { isOver, poolName, rolloutProgress, rolloutState } from '../live/states.ts'
import { Link } from '../router/link.tsx'
import { path } from '../router/match-path.ts'

interface RolloutTableProps {
  readonly rollouts: readonly RolloutView[]
  readonly withPool?: boolean
}

export function RolloutTable({ rollouts, withPool = false }: RolloutTableProps) {
  const text = useText()
  const columns: readonly Column<RolloutView>[] = [
    {
      key: 'id',
      title: text.rollout.title,
      lead: true,
      cell: (rollout) => (
        <Link to={path('rollouts', rollout.id)}>
          {withPool && <strong>{poolName(rollout)} </strong>}
          <Code>{rollout.id}</Code>
        </Link>
      ),
    },
    {
      key: 'state',
      title: text.instance.state,
      cell: (rollout) => <Status shown={rolloutState(rollout)} detail={progressText(rollout)} />,
    },
    {
      key: 'what',
      title: text.instance.release,
      cell: (rollout) => (
        <span>
          {text.rollout[rollout.reason]}{' '}
          <span className="release">
            {rollout.from === undefined || rollout.from === rollout.to ? rollout.to : `${rollout.from} → ${rollout.to}`}
          </span>
        </span>
      ),
    },
    ...(rollouts.some(({ requests }) => requests !== undefined)
      ? [
          {
            key: 'requests',
            title: text.rollout.requests,
            align: 'right' as const,
            cell: ({ requests }: RolloutView) => <Requests of={requests} />,
          },
        ]
      : []),
    {
      key: 'took',
      title: text.rollout.took,
      align: 'right',
      cell: (rollout) => <Took from={rollout.createdAt} to={rollout.endedAt} />,
    },
    {
      key: 'at',
      title: text.rollout.started,
      align: 'right',
      cell: (rollout) => (
        <span className="nowrap">
          <Age at={rollout.createdAt} /> <By who={rollout.createdBy} />
        </span>
      ),
    },
  ]
  return (
    <Table
      label={text.activity.rollouts}
      columns={columns}
      rows={rollouts.toSorted((a, b) => b.createdAt - a.createdAt)}
      rowKey={(rollout) => rollout.id}
    />
  )
}

/** How many were served while it was under way, and the one number that has to be nothing. */
function Requests({ of }: { readonly of: RolloutView['requests'] }) {
  const { rollout: text } = useText()
  if (of === undefined) return <span className="muted">–</span>
  return (
    <span className="nowrap">
      <span className="number">{of.requests}</span>{' '}
      <span className={of.lost > 0 ? 'status-bad' : 'muted'}>{text.lost(of.lost)}</span>
    </span>
  )
}

function progressText(rollout: RolloutView): string | undefined {
  if (isOver(rollout)) return undefined
  const { ready, wanted } = rolloutProgress(rollout)
  return `${ready}/${wanted}`
}
