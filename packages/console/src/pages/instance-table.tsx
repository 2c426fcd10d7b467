import type { InstanceView } from '@berth/api/instance-resources'
import { Age } from '../components/age.tsx'
import { Icon, type IconName } from '../components/icons.tsx'
import { NodeLink, ReleaseLink } from '../components/small.tsx'
import { Status } from '../components/status.tsx'
import { type Column, Table } from '../components/table.tsx'
import { UsageCell } from '../components/usage.tsx'
import { useText } from '../i18n/language.tsx'
import { plainMessage, worstFirst } from '../live/diagnosis.ts'
import { useMay } from '../live/session.tsx'
import { instanceState } from '../live/states.ts'
import type { Usage } from '../metrics/use-usage.ts'
import { Link } from '../router/link.tsx'
import { path } from '../router/match-path.ts'

interface InstanceTableProps {
  readonly instances: readonly InstanceView[]
  readonly usage: ReadonlyMap<string, Usage>
  readonly withPool?: boolean
  readonly withNode?: boolean
}

export function InstanceTable({ instances, usage, withPool = false, withNode = true }: InstanceTableProps) {
  const text = useText()
  const routed = new Set(instances.filter((each) => each.inTraffic).map((each) => each.entrypoint))
  const columns: readonly Column<InstanceView>[] = [
    {
      key: 'name',
      title: text.instance.name,
      lead: true,
      cell: (each) => (
        <span className="two-lines">
          <Link to={path('instances', each.id)} className="nowrap">
            {each.name}
          </Link>
          {each.type === 'job' && <span className="muted small">{text.pool.job}</span>}
          {withPool && <span className="muted small">{`${each.app}/${each.pool}`}</span>}
        </span>
      ),
    },
    {
      key: 'state',
      title: text.instance.state,
      wide: true,
      cell: (each) => <InstanceStatus instance={each} routed={routed.has(each.entrypoint)} />,
    },
    {
      key: 'release',
      title: text.instance.release,
      cell: (each) => <ReleaseLink app={each.app} release={each.release} />,
    },
    ...(withNode ? [nodeColumn(text.instance.node)] : []),
    { key: 'cpu', title: text.instance.cpu, cell: (each) => <UsageCell usage={usage.get(each.id)} of="cpu" /> },
    {
      key: 'memory',
      title: text.instance.memory,
      cell: (each) => <UsageCell usage={usage.get(each.id)} of="memory" />,
    },
    {
      key: 'age',
      title: text.instance.age,
      align: 'right',
      cell: (each) => <Age at={each.startedAt ?? each.createdAt} />,
    },
    { key: 'action', title: '', align: 'right', cell: (each) => <InstanceLinks instance={each} /> },
  ]
  return (
    <Table
      label={text.pool.instances}
      columns={columns}
      rows={worstFirst(instances)}
      rowKey={(each) => each.id}
      tone={(each) => (instanceState(each).tone === 'bad' ? 'bad' : undefined)}
    />
  )
}

const nodeColumn = (title: string): Column<InstanceView> => ({
  key: 'node',
  title,
  cell: ({ node, address }) => (
    <span className="two-lines">
      <NodeLink node={node} />
      {address !== undefined && <code className="muted small">{address}</code>}
    </span>
  ),
})

/** What one does with an instance most. */
function InstanceLinks({ instance: { id, name, phase } }: { readonly instance: InstanceView }) {
  const { instance: text } = useText()
  const may = useMay('deployer')
  const link = (icon: IconName, tab: 'logs' | 'terminal') => (
    <Link to={path('instances', id, tab)} className="icon-button" aria-label={`${text[tab]} ${name}`} title={text[tab]}>
      <Icon name={icon} />
    </Link>
  )
  return (
    <span className="row-actions">
      {link('logs', 'logs')}
      {may && phase === 'running' && link('terminal', 'terminal')}
    </span>
  )
}

interface InstanceStatusProps {
  readonly instance: InstanceView
  /** Others of its entrypoint are in traffic: then it is worth a word when this one is not. */
  readonly routed?: boolean
  /** Without its message: where that stands apart. */
  readonly brief?: boolean
}

export function InstanceStatus({ instance, routed = false, brief = false }: InstanceStatusProps) {
  const text = useText()
  const shown = instanceState(instance)
  const message = brief || shown.tone === 'ok' ? undefined : plainMessage(instance)
  const details = [
    routed && shown.label === 'ready' && !instance.inTraffic && text.pool.outOfTraffic,
    instance.restarts > 0 && text.units.restarts(instance.restarts),
  ].filter(Boolean)
  return (
    <span className="instance-status">
      <Status shown={shown} detail={details.length === 0 ? undefined : details.join(' · ')} />
      {message !== undefined && <span className="instance-message">{message}</span>}
    </span>
  )
}
