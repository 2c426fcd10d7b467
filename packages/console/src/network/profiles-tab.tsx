import type { ProfileView } from '@berth/api/policy-resources'
import { Age } from '../components/age.tsx'
import { NamedRows } from '../components/named-rows.tsx'
import { Mark } from '../components/status.tsx'
import type { Column } from '../components/table.tsx'
import { useText } from '../i18n/language.tsx'
import { Link } from '../router/link.tsx'
import { path } from '../router/match-path.ts'
import { useList } from '../store/context.tsx'
import { ProfileDialog } from './profile-dialog.tsx'

export function ProfilesTab() {
  const { network: text, units } = useText()
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
    <NamedRows
      of={useList('listProfiles', {})}
      icon="network"
      label={text.tabs.profiles}
      words={{ ...text.profiles, add: text.profiles.apply }}
      columns={columns}
      textsOf={({ name, tags, inbound, outbound }) => [name, ...tags, ...inbound, ...outbound]}
      dialog={(_, onClose) => <ProfileDialog onClose={onClose} />}
    />
  )
}

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
