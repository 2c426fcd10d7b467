import type { GroupView } from '@berth/api/scheduling-resources'
import { useState } from 'react'
import { RoleButton } from '../components/button.tsx'
import { Empty, Page } from '../components/layout.tsx'
import { Listing } from '../components/listing.tsx'
import { useText } from '../i18n/language.tsx'
import { Link } from '../router/link.tsx'
import { path } from '../router/match-path.ts'
import { useList } from '../store/context.tsx'
import { ApprovalTable } from './approval-table.tsx'
import { GroupDialog } from './group-dialog.tsx'
import { CpuRuleText, GroupMeters, GroupOwners } from './group-rules.tsx'

/** How CPU is given out, how much of it, and to whom. */
export default function GroupsPage() {
  const { groups: text } = useText()
  const groups = useList('listGroups', {})
  const [creating, setCreating] = useState(false)
  return (
    <Page
      title={text.title}
      about={text.about}
      actions={
        <RoleButton needs="admin" kind="primary" icon="plus" onClick={() => setCreating(true)}>
          {text.create}
        </RoleButton>
      }
    >
      <Listing of={groups} empty={<Empty icon="groups" title={text.empty} />}>
        {(items) => (
          <ul className="node-grid">
            {items
              .toSorted((a, b) => a.name.localeCompare(b.name))
              .map((group) => (
                <GroupCard key={group.name} group={group} />
              ))}
          </ul>
        )}
      </Listing>
      <ApprovalTable />
      {creating && <GroupDialog onClose={() => setCreating(false)} />}
    </Page>
  )
}

function GroupCard({ group }: { readonly group: GroupView }) {
  const { units } = useText()
  return (
    <li className="card">
      <div className="card-head">
        <h2>
          <Link to={path('groups', group.name)}>{group.name}</Link>
        </h2>
        <span className="muted small push-right">
          {units.nodes(group.nodes)} · {units.instances(group.instances)}
        </span>
      </div>
      <p className="card-sub group-rule">
        <CpuRuleText group={group} />
      </p>
      <GroupMeters group={group} />
      <GroupOwners group={group} />
    </li>
  )
}
