import type { InstanceView } from '@berth/api/resources'
import { Age } from '../components/age.tsx'
import { NodeLink, ReleaseLink } from '../components/small.tsx'
import { Status } from '../components/status.tsx'
import { type Column, Table } from '../components/table.tsx'
import { useText } from '../i18n/language.tsx'
import { instanceState } from '../live/states.ts'
import { Link } from '../router/link.tsx'
import { path } from '../router/match-path.ts'

interface InstanceTableProps {
  readonly instances: readonly InstanceView[]
  readonly withPool?: boolean
  readonly withNode?: boolean
}

const collator = new Intl.Collator('en', { numeric: true })

export function InstanceTable({ instances, withPool = false, withNode = true }: InstanceTableProps) {
  const text = useText()
  const routed = new Set(instances.filter((each) => each.inTraffic).map((each) => each.entrypoint))
  const columns: readonly Column<InstanceView>[] = [
    {
      key: 'name',
      title: text.instance.name,
      lead: true,
      cell: (each) => (
        <Link to={path('instances', each.id)}>
          {withPool && <span className="muted">{`${each.app}/${each.pool}/`}</span>}
          {each.name}
        </Link>
      ),
    },
    {
      key: 'state',
      title: text.instance.state,
      cell: (each) => <InstanceStatus instance={each} routed={routed.has(each.entrypoint)} />,
    },
    {
      key: 'release',
      title: text.instance.release,
      cell: (each) => <ReleaseLink app={each.app} release={each.release} />,
    },
    ...(withNode
      ? [{ key: 'node', title: text.instance.node, cell: (each: InstanceView) => <NodeLink node={each.node} /> }]
      : []),
    { key: 'address', title: text.instance.address, cell: (each) => <code>{each.address ?? '–'}</code> },
    {
      key: 'restarts',
      title: text.instance.restarts,
      align: 'right',
      cell: (each) => <span className={each.restarts > 0 ? 'number warn-text' : 'number muted'}>{each.restarts}</span>,
    },
    {
      key: 'age',
      title: text.instance.age,
      align: 'right',
      cell: (each) => <Age at={each.startedAt ?? each.createdAt} />,
    },
  ]
  return (
    <Table
      label={text.pool.instances}
      columns={columns}
      rows={instances.toSorted((a, b) => collator.compare(a.id, b.id))}
      rowKey={(each) => each.id}
    />
  )
}

interface InstanceStatusProps {
  readonly instance: InstanceView
  /** Others of its entrypoint are in traffic: then it is worth a word when this one is not. */
  readonly routed?: boolean
}

export function InstanceStatus({ instance, routed = false }: InstanceStatusProps) {
  const text = useText()
  const shown = instanceState(instance)
  const outOfTraffic = routed && shown.label === 'ready' && !instance.inTraffic ? text.pool.outOfTraffic : undefined
  return (
    <span className="instance-status">
      <Status shown={shown} detail={outOfTraffic} />
      {instance.message !== undefined && shown.tone !== 'ok' && (
        <span className="instance-message">{instance.message}</span>
      )}
    </span>
  )
}
