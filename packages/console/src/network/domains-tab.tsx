import type { DomainView } from '@berth/api/name-resources'
import { useState } from 'react'
import { Age } from '../components/age.tsx'
import { RoleButton } from '../components/button.tsx'
import { Empty, Section } from '../components/layout.tsx'
import { Listing } from '../components/listing.tsx'
import { Code, Filter } from '../components/small.tsx'
import { Mark } from '../components/status.tsx'
import { type Column, Table } from '../components/table.tsx'
import { useText } from '../i18n/language.tsx'
import { useAction } from '../live/use-action.ts'
import { useQueryValue } from '../router/location.ts'
import { useClient, useList } from '../store/context.tsx'
import { DomainDialog } from './domain-dialog.tsx'
import { isText, meaningOf } from './domain-form.ts'

/** Names outside of the cluster's domain that the DNS of nodes answers for. */
export function DomainsTab() {
  const { network: text } = useText()
  const domains = useList('listDomains', {})
  const [filter, setFilter] = useQueryValue('filter')
  const [editing, setEditing] = useState<{ readonly domain?: DomainView }>()
  const add = (
    <RoleButton needs="admin" kind="primary" icon="plus" onClick={() => setEditing({})}>
      {text.domains.add}
    </RoleButton>
  )
  const columns: readonly Column<DomainView>[] = [
    { key: 'name', title: text.domains.name, lead: true, cell: ({ name }) => <Code copy>{name}</Code> },
    { key: 'means', title: text.domains.means, cell: (domain) => text.domains.meanings[meaningOf(domain)] },
    {
      key: 'is',
      title: text.domains.is,
      wide: true,
      cell: (domain) => <code className="wrap">{isText(domain)}</code>,
    },
    {
      key: 'warnings',
      title: text.profiles.problems,
      cell: ({ warnings }) => <Warnings warnings={warnings} />,
    },
    { key: 'age', title: text.profiles.changed, cell: ({ updatedAt }) => <Age at={updatedAt} /> },
    {
      key: 'action',
      title: '',
      align: 'right',
      cell: (domain) => <DomainButtons domain={domain} onEdit={() => setEditing({ domain })} />,
    },
  ]
  const wanted = filter.trim().toLowerCase()
  return (
    <>
      <div className="network-bar">
        <Filter value={filter} onChange={setFilter} label={text.domains.filter} />
        {domains.items.length > 0 && add}
      </div>
      <Section flush>
        <Listing
          of={domains}
          empty={
            <Empty icon="network" title={text.domains.empty} hint={text.domains.emptyHint}>
              {add}
            </Empty>
          }
        >
          {(items) => (
            <Table
              label={text.tabs.domains}
              columns={columns}
              rows={items
                .filter((domain) => `${domain.name} ${isText(domain)}`.toLowerCase().includes(wanted))
                .toSorted((a, b) => a.name.localeCompare(b.name))}
              rowKey={({ name }) => name}
            />
          )}
        </Listing>
      </Section>
      {editing !== undefined && <DomainDialog {...editing} onClose={() => setEditing(undefined)} />}
    </>
  )
}

function Warnings({ warnings }: { readonly warnings: readonly string[] }) {
  if (warnings.length === 0) return <span className="muted">–</span>
  return (
    <>
      {warnings.map((warning) => (
        <span key={warning} className="status tone-warn">
          <Mark tone="warn" />
          {warning}
        </span>
      ))}
    </>
  )
}

function DomainButtons({
  domain: { name, version },
  onEdit,
}: {
  readonly domain: DomainView
  readonly onEdit: () => void
}) {
  const { network: text, action } = useText()
  const client = useClient()
  const { busy, act } = useAction()
  const remove = () =>
    act({
      ask: {
        title: text.domains.removeTitle(name),
        body: <p>{text.domains.removeText(name)}</p>,
        verb: action.remove,
        danger: true,
      },
      run: () => client.call('removeDomain', { params: { name }, query: { version } }),
      done: text.domains.removed(name),
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
