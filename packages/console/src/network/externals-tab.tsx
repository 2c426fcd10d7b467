import type { ExternalView } from '@berth/api/name-resources'
import { useState } from 'react'
import { Age } from '../components/age.tsx'
import { RoleButton } from '../components/button.tsx'
import { Empty, Section } from '../components/layout.tsx'
import { Listing } from '../components/listing.tsx'
import { Code, Filter } from '../components/small.tsx'
import { type Column, Table } from '../components/table.tsx'
import { useText } from '../i18n/language.tsx'
import { useAction } from '../live/use-action.ts'
import { useQueryValue } from '../router/location.ts'
import { useClient, useList } from '../store/context.tsx'
import { ExternalDialog } from './external-dialog.tsx'
import { portWord } from './external-form.ts'
import { Tags } from './profiles-tab.tsx'

/** Services that Berth does not run but names, routes and guards. */
export function ExternalsTab() {
  const { network: text } = useText()
  const externals = useList('listExternals', {})
  const [filter, setFilter] = useQueryValue('filter')
  const [editing, setEditing] = useState<{ readonly external?: ExternalView }>()
  const add = (
    <RoleButton needs="admin" kind="primary" icon="plus" onClick={() => setEditing({})}>
      {text.externals.add}
    </RoleButton>
  )
  const columns: readonly Column<ExternalView>[] = [
    { key: 'name', title: text.externals.hostname, lead: true, cell: ({ hostname }) => <Code copy>{hostname}</Code> },
    {
      key: 'is',
      title: text.externals.is,
      cell: ({ addresses, target, routes }) => (
        <span className="two-lines">
          <code className="wrap">{target ?? addresses.join(' ')}</code>
          {routes.map(({ host, path }) => (
            <code key={host + path} className="muted small wrap" title={text.externals.routes}>
              ← {host + path}
            </code>
          ))}
        </span>
      ),
    },
    {
      key: 'ports',
      title: text.externals.ports,
      cell: ({ ports }) => <code className="wrap">{ports.map(portWord).join(' ') || '–'}</code>,
    },
    { key: 'tags', title: text.profiles.tags, cell: ({ tags }) => <Tags tags={tags} /> },
    { key: 'site', title: text.externals.site, cell: ({ site }) => site ?? <span className="muted">–</span> },
    { key: 'age', title: text.profiles.changed, cell: ({ updatedAt }) => <Age at={updatedAt} /> },
    {
      key: 'action',
      title: '',
      align: 'right',
      cell: (external) => <ExternalButtons external={external} onEdit={() => setEditing({ external })} />,
    },
  ]
  const wanted = filter.trim().toLowerCase()
  return (
    <>
      <div className="network-bar">
        <Filter value={filter} onChange={setFilter} label={text.externals.filter} />
        {externals.items.length > 0 && add}
      </div>
      <Section flush>
        <Listing
          of={externals}
          empty={
            <Empty icon="external" title={text.externals.empty} hint={text.externals.emptyHint}>
              {add}
            </Empty>
          }
        >
          {(items) => (
            <Table
              label={text.tabs.services}
              columns={columns}
              rows={items
                .filter(({ hostname, addresses, target = '', tags, routes }) =>
                  [hostname, target, ...addresses, ...tags, ...routes.map(({ host }) => host)].some((each) =>
                    each.toLowerCase().includes(wanted),
                  ),
                )
                .toSorted((a, b) => a.name.localeCompare(b.name))}
              rowKey={({ name }) => name}
            />
          )}
        </Listing>
      </Section>
      {editing !== undefined && <ExternalDialog {...editing} onClose={() => setEditing(undefined)} />}
    </>
  )
}

function ExternalButtons({
  external: { name, hostname },
  onEdit,
}: {
  readonly external: ExternalView
  readonly onEdit: () => void
}) {
  const { network: text, action } = useText()
  const client = useClient()
  const { busy, act } = useAction()
  const remove = () =>
    act({
      ask: {
        title: text.externals.removeTitle(name),
        body: <p>{text.externals.removeText(hostname)}</p>,
        verb: action.remove,
        danger: true,
      },
      run: () => client.call('removeExternal', { params: { name }, query: {} }),
      done: text.externals.removed(hostname),
    })
  return (
    <span className="row-actions">
      <RoleButton needs="admin" small onClick={onEdit} aria-label={`${text.externals.change} ${name}`}>
        {text.externals.change}
      </RoleButton>
      <RoleButton
        needs="admin"
        small
        kind="danger"
        disabled={busy}
        onClick={() => void remove()}
        aria-label={`${action.remove} ${name}`}
      >
        {action.remove}
      </RoleButton>
    </span>
  )
}
