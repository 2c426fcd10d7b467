import type { GroupView } from '@berth/api/scheduling-resources'
import { imageRules } from '@berth/core/model/image-limits'
import { useState } from 'react'
import { RemoveDialog } from '../actions/remove-dialog.tsx'
import { Age } from '../components/age.tsx'
import { RoleButton } from '../components/button.tsx'
import { DangerZone } from '../components/danger-zone.tsx'
import { Empty, Facts, Page, Section } from '../components/layout.tsx'
import { By } from '../components/small.tsx'
import { Skeleton } from '../components/table.tsx'
import { useText } from '../i18n/language.tsx'
import { useGlance } from '../live/use-glance.ts'
import { NodeCard } from '../pages/nodes-page.tsx'
import { NotFoundPage } from '../pages/not-found-page.tsx'
import { Link } from '../router/link.tsx'
import { path } from '../router/match-path.ts'
import { useClient, useList } from '../store/context.tsx'
import { ApprovalTable } from './approval-table.tsx'
import { GroupDialog } from './group-dialog.tsx'
import { CpuRuleText, GroupMeters, GroupOwners } from './group-rules.tsx'
import { imagesTextOf } from './images-text.ts'
import { RebalanceSection } from './rebalance-section.tsx'

export default function GroupPage({ name }: { readonly name: string }) {
  const { groups: text, placing } = useText()
  const groups = useList('listGroups', {})
  const [changing, setChanging] = useState(false)
  const group = groups.items.find((each) => each.name === name)
  if (group === undefined) return groups.state === 'live' ? <NotFoundPage title={text.missing} /> : <Skeleton />
  return (
    <Page
      title={name}
      crumbs={[{ label: text.title, to: '/groups' }]}
      about={
        <span className="about-line">
          <CpuRuleText group={group} />
        </span>
      }
      actions={
        <RoleButton needs="admin" icon="settings" onClick={() => setChanging(true)}>
          {text.changeButton}
        </RoleButton>
      }
    >
      <Section>
        <div className="split split-even">
          <GroupMeters group={group} />
          <div className="group-facts">
            <GroupOwners group={group} />
            <Facts
              facts={[
                [text.images, imagesTextOf(placing, imageRules(undefined, group.images))],
                [
                  text.made,
                  group.createdAt > 0 && (
                    <span key="m">
                      <Age at={group.createdAt} /> <By who={group.createdBy} />
                    </span>
                  ),
                ],
              ]}
            />
          </div>
        </div>
      </Section>
      <GroupNodes group={group} />
      <RebalanceSection group={group} />
      <GroupPools name={name} />
      <ApprovalTable group={name} />
      <RemoveGroup group={group} />
      {changing && <GroupDialog group={group} onClose={() => setChanging(false)} />}
    </Page>
  )
}

function GroupNodes({ group }: { readonly group: GroupView }) {
  const { groups: text, nodes: words } = useText()
  const nodes = useList('listNodes', {})
  const own = nodes.items.filter((node) => (node.group ?? 'default') === group.name)
  return (
    <section className="section" aria-label={words.title}>
      <h2>{words.title}</h2>
      {own.length === 0 ? (
        <div className="panel">
          <Empty icon="nodes" title={text.noNodes} hint={text.noNodesHint} />
        </div>
      ) : (
        <ul className="node-grid">
          {own
            .toSorted((a, b) => a.name.localeCompare(b.name))
            .map((node) => (
              <NodeCard key={node.name} node={node} />
            ))}
        </ul>
      )}
    </section>
  )
}

/** Environments that are here by their own setting; what a berth.yaml says is the business of its release. */
function GroupPools({ name }: { readonly name: string }) {
  const { groups: text } = useText()
  const apps = useGlance('listApps', {})
  const pools = apps.flatMap((app) => app.pools).filter((pool) => pool.group === name)
  if (pools.length === 0) return null
  return (
    <Section title={text.pools}>
      <span className="chips">
        {pools.map(({ app, name: pool }) => (
          <Link key={`${app}/${pool}`} to={path('apps', app, pool)} className="chip">
            {app}/{pool}
          </Link>
        ))}
      </span>
    </Section>
  )
}

function RemoveGroup({ group: { name, nodes } }: { readonly group: GroupView }) {
  const { groups: text, units } = useText()
  const client = useClient()
  const [removing, setRemoving] = useState(false)
  // The one that always exists.
  if (name === 'default') return null
  return (
    <>
      <DangerZone
        needs="admin"
        title={text.removeHead}
        hint={text.removeHint}
        verb={text.remove}
        onRemove={() => setRemoving(true)}
      />
      {removing && (
        <RemoveDialog
          title={text.removeTitle(name)}
          name={name}
          verb={text.remove}
          goes={[
            text.removeGoes,
            ...(nodes > 0
              ? [
                  <span key="n" className="warn-text">
                    {text.inUse(units.nodes(nodes))}
                  </span>,
                ]
              : []),
          ]}
          run={() => client.call('removeGroup', { params: { name } })}
          done={text.removed(name)}
          to="/groups"
          onClose={() => setRemoving(false)}
        />
      )}
    </>
  )
}
