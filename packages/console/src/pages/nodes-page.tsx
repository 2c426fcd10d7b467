import type { NodeView } from '@berth/api/node-resources'
import { useState } from 'react'
import { JoinDialog } from '../actions/join-dialog.tsx'
import { RoleButton } from '../components/button.tsx'
import { Empty, Page } from '../components/layout.tsx'
import { Listing } from '../components/listing.tsx'
import { Filter } from '../components/small.tsx'
import { Mark, Meter, Status } from '../components/status.tsx'
import { formatBytes, formatCores } from '../format/quantities.ts'
import { useText } from '../i18n/language.tsx'
import { nodeState } from '../live/states.ts'
import { Link } from '../router/link.tsx'
import { useQueryValue } from '../router/location.ts'
import { path } from '../router/match-path.ts'
import { useList } from '../store/context.tsx'
import { ServerSection } from './server-table.tsx'

export function NodesPage() {
  const text = useText()
  const nodes = useList('listNodes', {})
  const [filter, setFilter] = useQueryValue('filter')
  const [joining, setJoining] = useState(false)
  const add = (
    <RoleButton needs="admin" kind="primary" icon="plus" onClick={() => setJoining(true)}>
      {text.action.join}
    </RoleButton>
  )
  return (
    <Page
      title={text.nodes.title}
      actions={
        <>
          {nodes.items.length > 2 && <Filter value={filter} onChange={setFilter} label={text.nodes.filter} />}
          {nodes.items.length > 0 && add}
        </>
      }
    >
      <Listing
        of={nodes}
        empty={
          <div className="panel">
            <Empty icon="nodes" title={text.nodes.empty} hint={text.nodes.emptyHint}>
              {add}
            </Empty>
          </div>
        }
      >
        {(items) => (
          <ul className="node-grid">
            {items
              .filter((node) => matches(node, filter.trim().toLowerCase()))
              .toSorted((a, b) => a.name.localeCompare(b.name))
              .map((node) => (
                <NodeCard key={node.name} node={node} />
              ))}
          </ul>
        )}
      </Listing>
      <ServerSection />
      {joining && <JoinDialog onClose={() => setJoining(false)} />}
    </Page>
  )
}

/** By a part of its name, address, group or a label. */
const matches = ({ name, address, labels, group = 'default' }: NodeView, wanted: string): boolean =>
  [name, address, group, ...Object.entries(labels).map((label) => label.join('='))].some((each) =>
    each.toLowerCase().includes(wanted),
  )

export function NodeCard({ node }: { readonly node: NodeView }) {
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
        {node.group !== undefined && ` · ${node.group}`}
        {node.gateway && ` · ${text.nodes.gateway}`}
        {(node.gatewayReloads ?? 0) > 0 && ` (${text.nodes.reloads(node.gatewayReloads ?? 0)})`}
      </p>
      <NodeMeters node={node} />
      {node.problems.map((problem) => (
        <p key={problem} className="card-problem">
          <Mark tone="warn" />
          <span>{problem}</span>
        </p>
      ))}
      {Object.keys(node.labels).length > 0 && (
        <span className="chips">
          {Object.entries(node.labels).map(([key, value]) => (
            <span key={key} className="chip mono">{`${key}=${value}`}</span>
          ))}
        </span>
      )}
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
