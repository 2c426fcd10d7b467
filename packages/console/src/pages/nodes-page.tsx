import type { NodeView } from '@berth/api/resources'
import { useState } from 'react'
import { JoinDialog } from '../actions/join-dialog.tsx'
import { RoleButton } from '../components/button.tsx'
import { Empty, Page } from '../components/layout.tsx'
import { Listing } from '../components/listing.tsx'
import { Meter, Status } from '../components/status.tsx'
import { formatBytes, formatCores } from '../format/quantities.ts'
import { useText } from '../i18n/language.tsx'
import { nodeState } from '../live/states.ts'
import { Link } from '../router/link.tsx'
import { path } from '../router/match-path.ts'
import { useList } from '../store/context.tsx'

export function NodesPage() {
  const text = useText()
  const nodes = useList('listNodes', {})
  const [joining, setJoining] = useState(false)
  return (
    <Page
      title={text.nodes.title}
      actions={
        <RoleButton needs="admin" icon="plus" onClick={() => setJoining(true)}>
          {text.action.join}
        </RoleButton>
      }
    >
      <Listing of={nodes} empty={<Empty icon="nodes" title={text.nodes.empty} hint={text.nodes.emptyHint} />}>
        {(items) => (
          <ul className="node-grid">
            {items
              .toSorted((a, b) => a.name.localeCompare(b.name))
              .map((node) => (
                <NodeCard key={node.name} node={node} />
              ))}
          </ul>
        )}
      </Listing>
      {joining && <JoinDialog onClose={() => setJoining(false)} />}
    </Page>
  )
}

function NodeCard({ node }: { readonly node: NodeView }) {
  const text = useText()
  return (
    <li className="card">
      <div className="card-head">
        <h2>
          <Link to={path('nodes', node.name)}>{node.name}</Link>
        </h2>
        <Status
          shown={nodeState(node)}
          detail={node.problems.length > 0 ? text.units.problems(node.problems.length) : undefined}
        />
      </div>
      <p className="card-sub muted">
        <span className="mono">{node.address}</span> · {text.units.instances(node.instances)}
        {node.gateway && ` · ${text.nodes.gateway}`}
      </p>
      <NodeMeters node={node} />
    </li>
  )
}

export function NodeMeters({ node }: { readonly node: NodeView }) {
  const text = useText()
  const rows: readonly (readonly [string, number, number, string])[] = [
    [
      text.nodes.cpu,
      node.cpuGivenMilli,
      node.cpuMilli,
      text.nodes.given(
        formatCores(node.cpuGivenMilli),
        text.units.core(node.cpuMilli / 1000, formatCores(node.cpuMilli)),
      ),
    ],
    [
      text.nodes.memory,
      node.memoryGivenBytes,
      node.memoryBytes,
      text.nodes.given(formatBytes(node.memoryGivenBytes), formatBytes(node.memoryBytes)),
    ],
    [
      text.nodes.disk,
      node.diskBytes - node.diskFreeBytes,
      node.diskBytes,
      text.nodes.free(formatBytes(node.diskFreeBytes), formatBytes(node.diskBytes)),
    ],
  ]
  return (
    <dl className="meters">
      {rows.map(([name, value, max, label]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>
            <Meter value={value} max={max} label={label} />
          </dd>
        </div>
      ))}
    </dl>
  )
}
