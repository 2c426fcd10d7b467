import type { ProfileView } from '@berth/api/policy-resources'
import { useState } from 'react'
import { Age } from '../components/age.tsx'
import { RoleButton } from '../components/button.tsx'
import { Empty, Section } from '../components/layout.tsx'
import { Listing } from '../components/listing.tsx'
import { Filter } from '../components/small.tsx'
import { Mark } from '../components/status.tsx'
import { type Column, Table } from '../components/table.tsx'
import { useText } from '../i18n/language.tsx'
import { Link } from '../router/link.tsx'
import { useQueryValue } from '../router/location.ts'
import { path } from '../router/match-path.ts'
import { useList } from '../store/context.tsx'
import { ProfileDialog } from './profile-dialog.tsx'

export function ProfilesTab() {
  const { network: text, units } = useText()
  const profiles = useList('listProfiles', {})
  const [filter, setFilter] = useQueryValue('filter')
  const [applying, setApplying] = useState(false)
  const add = (
    <RoleButton needs="admin" kind="primary" icon="plus" onClick={() => setApplying(true)}>
      {text.profiles.apply}
    </RoleButton>
  )
  const columns: readonly Column<ProfileView>[] = [
    {
      key: 'name',
      title: text.profiles.name,
      lead: true,
      cell: ({ name }) => <Link to={path('network', 'profiles', name)}>{name}</Link>,
    },
    { key: 'tags', title: text.profiles.tags, cell: ({ tags }) => <Tags tags={tags} /> },
    { key: 'in', title: text.profiles.inbound, cell: ({ inbound }) => <Rules rules={inbound} /> },
    { key: 'out', title: text.profiles.outbound, cell: ({ outbound }) => <Rules rules={outbound} /> },
    {
      key: 'instances',
      title: text.profiles.bearers,
      cell: ({ instances }) => <span className="nowrap">{units.instances(instances)}</span>,
    },
    {
      key: 'problems',
      title: text.profiles.problems,
      cell: ({ warnings }) =>
        warnings.length === 0 ? (
          <span className="muted">–</span>
        ) : (
          <span className="status tone-warn" title={warnings.map(({ message }) => message).join('\n')}>
            <Mark tone="warn" />
            {units.problems(warnings.length)}
          </span>
        ),
    },
    { key: 'age', title: text.profiles.changed, cell: ({ updatedAt }) => <Age at={updatedAt} /> },
  ]
  return (
    <>
      <div className="network-bar">
        <Filter value={filter} onChange={setFilter} label={text.profiles.filter} />
        {profiles.items.length > 0 && add}
      </div>
      <Section flush>
        <Listing
          of={profiles}
          empty={
            <Empty icon="network" title={text.profiles.empty} hint={text.profiles.emptyHint}>
              {add}
            </Empty>
          }
        >
          {(items) => (
            <Table
              label={text.tabs.profiles}
              columns={columns}
              rows={items
                .filter((profile) => matches(profile, filter.trim().toLowerCase()))
                .toSorted((a, b) => a.name.localeCompare(b.name))}
              rowKey={({ name }) => name}
            />
          )}
        </Listing>
      </Section>
      {applying && <ProfileDialog onClose={() => setApplying(false)} />}
    </>
  )
}

const matches = ({ name, tags, inbound, outbound }: ProfileView, wanted: string): boolean =>
  [name, ...tags, ...inbound, ...outbound].some((each) => each.toLowerCase().includes(wanted))

export const Tags = ({ tags }: { readonly tags: readonly string[] }) => (
  <span className="chips">
    {tags.map((tag) => (
      <span key={tag} className="chip mono">
        {tag}
      </span>
    ))}
  </span>
)

const mostRules = 3

/** The first ones; the profile's page has all. */
function Rules({ rules }: { readonly rules: readonly string[] }) {
  const { network: text } = useText()
  if (rules.length === 0) return <span className="muted">{text.profiles.nothing}</span>
  return (
    <span className="rule-lines">
      {rules.slice(0, mostRules).map((rule) => (
        <code key={rule} className="wrap">
          {rule}
        </code>
      ))}
      {rules.length > mostRules && <span className="muted small">+ {rules.length - mostRules}</span>}
    </span>
  )
}
