import type { RuleCountersView } from '@berth/api/net-resources'
import type { ProfileView } from '@berth/api/policy-resources'
import { useState } from 'react'
import { Age } from '../components/age.tsx'
import { RoleButton } from '../components/button.tsx'
import { DangerZone } from '../components/danger-zone.tsx'
import { Banner, Facts, Page, Section } from '../components/layout.tsx'
import { By } from '../components/small.tsx'
import { type Column, Skeleton, Table } from '../components/table.tsx'
import { formatBytes } from '../format/quantities.ts'
import { useText } from '../i18n/language.tsx'
import { useAction } from '../live/use-action.ts'
import { usePolled } from '../live/use-polled.ts'
import { NotFoundPage } from '../pages/not-found-page.tsx'
import { Link } from '../router/link.tsx'
import { navigate } from '../router/location.ts'
import { path } from '../router/match-path.ts'
import { useClient, useList } from '../store/context.tsx'
import { Asked, Silent } from './asked.tsx'
import { ProfileDialog } from './profile-dialog.tsx'
import { Tags } from './profiles-tab.tsx'

const everyMs = 8_000
const usersMs = 15_000

/** One profile: its rules with what each has decided, and who bears it. */
export function ProfilePage({ name }: { readonly name: string }) {
  const { network: text } = useText()
  const profiles = useList('listProfiles', {})
  const [editing, setEditing] = useState(false)
  const profile = profiles.items.find((each) => each.name === name)
  if (profile === undefined)
    return profiles.state === 'live' ? <NotFoundPage title={text.profiles.missing} /> : <Skeleton />
  return (
    <Page
      title={name}
      crumbs={[
        { label: text.title, to: '/network' },
        { label: text.tabs.profiles, to: '/network/profiles' },
      ]}
      actions={
        <RoleButton needs="admin" onClick={() => setEditing(true)}>
          {text.profiles.edit}
        </RoleButton>
      }
    >
      {profile.warnings.length > 0 && (
        <Banner
          tone="warn"
          title={text.profiles.warnings}
          lines={profile.warnings.map((each) => [each.message, each.suggestion].filter(Boolean).join('; '))}
        />
      )}
      <Section>
        <Facts
          facts={[
            [text.profiles.tags, <Tags key="t" tags={profile.tags} />],
            [text.profiles.version, String(profile.version)],
            [
              text.profiles.changed,
              <span key="c">
                <Age at={profile.updatedAt} /> <By who={profile.updatedBy} />
              </span>,
            ],
          ]}
        />
      </Section>
      <Bearers profile={profile} />
      <RuleTable profile={profile} />
      <RemoveProfile profile={profile} />
      {editing && <ProfileDialog profile={profile} onClose={() => setEditing(false)} />}
    </Page>
  )
}

function Bearers({ profile: { name, version, instances } }: { readonly profile: ProfileView }) {
  const { network: text, units } = useText()
  const { value } = usePolled('getProfileUsers', { params: { name } }, usersMs, `${version} ${instances}`)
  const users = value?.entrypoints ?? []
  return (
    <Section title={text.profiles.bearers} aside={<span className="muted">{units.instances(instances)}</span>}>
      {name === 'default' && <p className="muted">{text.profiles.isDefault}</p>}
      {name !== 'default' && users.length === 0 && <p className="muted">{text.profiles.nobody}</p>}
      <span className="chips">
        {users.slice(0, 200).map((each) => {
          const [app = '', pool = '', entrypoint = ''] = each.split('/')
          return (
            <Link key={each} className="chip mono" to={path('apps', app, pool, 'entrypoints', entrypoint)}>
              {each}
            </Link>
          )
        })}
        {users.length > 200 && <span className="muted">+ {users.length - 200}</span>}
      </span>
    </Section>
  )
}

type Counted = RuleCountersView['rules'][number]

/** In the order in which they are asked. What none of them matched is counted last. */
function RuleTable({ profile }: { readonly profile: ProfileView }) {
  const { network: text } = useText()
  const [asked, setAsked] = useState(0)
  const { name, version } = profile
  const { value, at } = usePolled('getProfileCounters', { params: { name } }, everyMs, `${version} ${asked}`)
  const rules = value?.rules ?? uncounted(profile)
  const columns: readonly Column<Counted>[] = [
    {
      key: 'number',
      title: '#',
      align: 'right',
      cell: ({ number }) => <span className="number muted">{number ?? ''}</span>,
    },
    {
      key: 'rule',
      title: text.profiles.rule,
      lead: true,
      wide: true,
      cell: ({ rule, profiles = [] }) =>
        rule === undefined ? (
          <span className="muted">{text.profiles.rest(profiles.join(', '))}</span>
        ) : (
          <code className="wrap">{rule}</code>
        ),
    },
    {
      key: 'packets',
      title: text.packets,
      align: 'right',
      cell: ({ packets }) => <span className="number">{value === undefined ? '–' : packets}</span>,
    },
    {
      key: 'bytes',
      title: text.flows.bytes,
      align: 'right',
      cell: ({ bytes }) => <span className="number nowrap">{value === undefined ? '–' : formatBytes(bytes)}</span>,
    },
  ]
  return (
    <>
      <Silent silent={value?.silent ?? []} />
      {(['in', 'out'] as const).map((end) => {
        const title = end === 'in' ? text.profiles.inbound : text.profiles.outbound
        const own = rules.filter((each) => each.end === end)
        return (
          <Section key={end} title={title} flush>
            {own.length === 0 ? (
              <p className="quiet-line">{text.profiles.nothing}</p>
            ) : (
              <Table
                label={title}
                columns={columns}
                rows={own}
                rowKey={(each) => `${each.number} ${each.rule} ${each.profiles?.join()}`}
              />
            )}
          </Section>
        )
      })}
      <p className="muted small">{text.profiles.countHint}</p>
      <Asked at={at} everyMs={everyMs} onAsk={() => setAsked(asked + 1)} />
    </>
  )
}

const uncounted = ({ inbound, outbound }: ProfileView): Counted[] =>
  (
    [
      ['in', inbound],
      ['out', outbound],
    ] as const
  ).flatMap(([end, rules]) =>
    rules.map((rule, index) => ({ end, number: index + 1, rule, packets: 0, bytes: 0, nodes: [] })),
  )

function RemoveProfile({ profile: { name, instances, version } }: { readonly profile: ProfileView }) {
  const { network: text, action, units } = useText()
  const client = useClient()
  const { busy, act } = useAction()
  const remove = async () => {
    const users = await client.call('getProfileUsers', { params: { name } }).catch(() => undefined)
    const done = await act({
      ask: {
        title: text.profiles.removeTitle(name),
        body: (
          <>
            <p>{text.profiles.removeText(units.instances(users?.instances ?? instances))}</p>
            {users !== undefined && users.entrypoints.length > 0 && (
              <ul className="goes">
                {users.entrypoints.slice(0, 20).map((each) => (
                  <li key={each}>{each}</li>
                ))}
              </ul>
            )}
          </>
        ),
        verb: action.remove,
        danger: true,
      },
      run: () => client.call('removeProfile', { params: { name }, query: { version } }),
      done: text.profiles.removed(name),
    })
    if (done !== undefined) navigate('/network/profiles')
  }
  return (
    <DangerZone
      needs="admin"
      title={text.profiles.removeHead}
      hint={text.profiles.removeHint}
      verb={action.remove}
      removing={busy}
      onRemove={() => void remove()}
    />
  )
}
