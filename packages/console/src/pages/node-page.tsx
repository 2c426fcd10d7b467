import type { NodeView } from '@berth/api/resources'
import { Age } from '../components/age.tsx'
import { RoleButton } from '../components/button.tsx'
import { Banner, Empty, Facts, Page, Section } from '../components/layout.tsx'
import { Listing } from '../components/listing.tsx'
import { Status } from '../components/status.tsx'
import { Skeleton } from '../components/table.tsx'
import { useText } from '../i18n/language.tsx'
import { nodeProblems } from '../live/drift.ts'
import { nodeState } from '../live/states.ts'
import { useAction } from '../live/use-action.ts'
import { useClient, useList } from '../store/context.tsx'
import { InstanceTable } from './instance-table.tsx'
import { MetricsPanel } from './metrics-panel.tsx'
import { NodeMeters } from './nodes-page.tsx'
import { NotFoundPage } from './not-found-page.tsx'

export function NodePage({ name }: { readonly name: string }) {
  const text = useText()
  const nodes = useList('listNodes', {})
  const instances = useList('listInstances', { query: { node: name } })
  const node = nodes.items.find((each) => each.name === name)
  if (node === undefined) return nodes.state === 'live' ? <NotFoundPage title={text.nodes.missing} /> : <Skeleton />
  const problems = nodeProblems(text.drift, [node])
  return (
    <Page
      title={name}
      crumbs={[{ label: text.nodes.title, to: '/nodes' }]}
      status={<Status shown={nodeState(node)} />}
      actions={<SchedulingButton node={node} />}
    >
      {problems.length > 0 && <Banner tone="warn" title={text.drift.nodes} lines={problems} />}
      <Section>
        <div className="split">
          <NodeMeters node={node} />
          <NodeFacts node={node} />
        </div>
      </Section>
      <Section title={text.nodes.instances} flush>
        <Listing of={instances} empty={<Empty icon="box" title={text.nodes.noInstances} />}>
          {(items) => <InstanceTable instances={items} withPool withNode={false} />}
        </Listing>
      </Section>
      <MetricsPanel query={{ node: name }} nameOf={(id) => id} />
    </Page>
  )
}

function NodeFacts({ node }: { readonly node: NodeView }) {
  const { nodes: text } = useText()
  const labels = Object.entries(node.labels)
  return (
    <Facts
      facts={[
        [text.address, <code key="a">{node.address}</code>],
        [text.block, <code key="b">{node.block}</code>],
        [text.os, node.os],
        [text.kernel, node.kernel],
        [text.engine, node.engineVersion],
        [text.agent, node.agentVersion],
        [text.cgroup, node.cgroup],
        [text.joined, <Age key="j" at={node.joinedAt} />],
        [
          text.labels,
          labels.length === 0 ? undefined : (
            <span key="l" className="chips">
              {labels.map(([key, value]) => (
                <span key={key} className="chip mono">{`${key}=${value}`}</span>
              ))}
            </span>
          ),
        ],
      ]}
    />
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
