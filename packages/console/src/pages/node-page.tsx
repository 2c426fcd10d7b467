import type { NodeView } from '@berth/api/node-resources'
import { lazy, Suspense, useState } from 'react'
import { DrainDialog } from '../actions/drain-dialog.tsx'
import { RemoveDialog } from '../actions/remove-dialog.tsx'
import { Age } from '../components/age.tsx'
import { RoleButton } from '../components/button.tsx'
import { DangerZone } from '../components/danger-zone.tsx'
import { Banner, Empty, Facts, Page, Section } from '../components/layout.tsx'
import { Listing } from '../components/listing.tsx'
import { personOf } from '../components/small.tsx'
import { Status } from '../components/status.tsx'
import { Skeleton } from '../components/table.tsx'
import { useText } from '../i18n/language.tsx'
import { nodeState } from '../live/states.ts'
import { useAction } from '../live/use-action.ts'
import { useUsage } from '../metrics/use-usage.ts'
import { useClient, useList } from '../store/context.tsx'
import { InstanceTable } from './instance-table.tsx'
import { MetricsPanel } from './metrics-panel.tsx'
import { NodeBandwidth } from './node-bandwidth.tsx'
import { NodeConfiguration } from './node-configuration.tsx'
import { NodeRegistry } from './node-registry.tsx'
import { NodeScheduling } from './node-scheduling.tsx'
import { NodeMeters } from './nodes-page.tsx'
import { NotFoundPage } from './not-found-page.tsx'

const CoreSection = lazy(() => import('../cores/core-section.tsx'))

export default function NodePage({ name }: { readonly name: string }) {
  const text = useText()
  const nodes = useList('listNodes', {})
  const instances = useList('listInstances', { query: { node: name } })
  const usage = useUsage({ node: name })
  const node = nodes.items.find((each) => each.name === name)
  if (node === undefined) return nodes.state === 'live' ? <NotFoundPage title={text.nodes.missing} /> : <Skeleton />
  const problems = node.online ? node.problems : [text.drift.offlineHere, ...node.problems]
  return (
    <Page
      title={name}
      crumbs={[{ label: text.nodes.title, to: '/nodes' }]}
      status={<Status shown={nodeState(node)} />}
      actions={<NodeButtons node={node} />}
    >
      {problems.length > 0 && (
        <Banner
          tone={node.online ? 'warn' : 'bad'}
          title={text.drift.node(name, problems[0] ?? '')}
          lines={problems.slice(1)}
        />
      )}
      {node.drain !== undefined && (
        <Banner
          tone="info"
          title={node.instances === 0 ? text.drain.empty : text.drain.underWay(text.units.instances(node.instances))}
          lines={[text.drain.by(personOf(node.drain.by), node.drain.limit)]}
        />
      )}
      <Section>
        <div className="split">
          <div>
            <NodeMeters node={node} />
            <NodeBandwidth node={node} instances={instances.items} />
          </div>
          <NodeFacts node={node} />
        </div>
      </Section>
      <Suspense fallback={<Skeleton rows={2} />}>
        <CoreSection node={name} />
      </Suspense>
      <NodeScheduling node={node} />
      {node.config !== undefined && <NodeConfiguration config={node.config} />}
      <NodeRegistry node={name} />
      <Section title={text.nodes.instances} flush>
        <Listing of={instances} empty={<Empty icon="box" title={text.nodes.noInstances} />}>
          {(items) => <InstanceTable instances={items} usage={usage} withPool withNode={false} />}
        </Listing>
      </Section>
      <MetricsPanel query={{ node: name }} nameOf={(id) => id} />
      <RemoveNode node={node} />
    </Page>
  )
}

function NodeFacts({ node }: { readonly node: NodeView }) {
  const { nodes: text } = useText()
  return (
    <Facts
      facts={[
        [text.address, <code key="a">{node.address}</code>],
        [
          text.block,
          <code key="b">{[node.block, ...(node.furtherBlocks ?? []).map(({ block }) => block)].join(' ')}</code>,
        ],
        ['IPv6', node.block6 !== undefined && <code key="b6">{node.block6}</code>],
        ...networkFacts(node, text),
        [text.os, node.os],
        [text.kernel, node.kernel],
        [text.engine, node.engineVersion],
        [text.agent, node.agentVersion],
        [text.cgroup, node.cgroup],
        [text.joined, <Age key="j" at={node.joinedAt} />],
      ]}
    />
  )
}

/** Of agents that do not tell there is nothing to say. */
function networkFacts({ network }: NodeView, text: ReturnType<typeof useText>['nodes']): [string, string][] {
  if (network === undefined) return []
  const { driver, wanted } = network
  const waits = wanted === undefined ? '' : `; ${text.driverWaits(text.drivers[wanted])}`
  return [[text.network, `${text.drivers[driver]}${waits}`]]
}

function RemoveNode({ node }: { readonly node: NodeView }) {
  const text = useText()
  const client = useClient()
  const [removing, setRemoving] = useState(false)
  const { name, instances } = node
  return (
    <>
      <DangerZone
        needs="admin"
        title={text.removal.nodeHead}
        hint={text.removal.nodeHint}
        verb={text.removal.node}
        onRemove={() => setRemoving(true)}
      />
      {removing && (
        <RemoveDialog
          title={text.removal.nodeTitle(name)}
          name={name}
          verb={text.removal.node}
          goes={[
            text.removal.nodeGoes,
            instances > 0 && (
              <span className="warn-text">{text.removal.nodeInUse(text.units.instances(instances))}</span>
            ),
          ].filter((line) => line !== false)}
          stays={text.removal.nodeStays}
          run={() => client.call('removeNode', { params: { name } })}
          done={text.removal.nodeDone(name)}
          to="/nodes"
          onClose={() => setRemoving(false)}
        />
      )}
    </>
  )
}

function NodeButtons({ node }: { readonly node: NodeView }) {
  const { drain: text } = useText()
  const client = useClient()
  const { busy, act } = useAction()
  const [draining, setDraining] = useState(false)
  const { name } = node
  const undrain = () => act({ run: () => client.call('undrainNode', { params: { name } }), done: text.stopped(name) })
  return (
    <>
      <SchedulingButton node={node} />
      {node.drain === undefined ? (
        <RoleButton needs="admin" onClick={() => setDraining(true)}>
          {text.drain}…
        </RoleButton>
      ) : (
        <RoleButton needs="admin" kind="primary" disabled={busy} onClick={() => void undrain()}>
          {text.stop}
        </RoleButton>
      )}
      {draining && <DrainDialog node={node} onClose={() => setDraining(false)} />}
    </>
  )
}

function SchedulingButton({ node }: { readonly node: NodeView }) {
  const text = useText()
  const client = useClient()
  const { busy, act } = useAction()
  const { name, schedulable } = node
  const change = () =>
    act({
      ...(schedulable
        ? {
            ask: { title: text.confirm.cordon(name), body: <p>{text.confirm.cordonText}</p>, verb: text.action.cordon },
          }
        : {}),
      run: () => client.call('updateNode', { params: { name }, body: { schedulable: !schedulable } }),
      done: schedulable ? text.done.cordoned(name) : text.done.uncordoned(name),
    })
  return (
    <RoleButton needs="admin" disabled={busy} onClick={() => void change()}>
      {schedulable ? text.action.cordon : text.action.uncordon}
    </RoleButton>
  )
}
