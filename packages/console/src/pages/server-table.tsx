import type { ServerView } from '@berth/api/cluster-resources'
import { Age } from '../components/age.tsx'
import { Section } from '../components/layout.tsx'
import { type Column, Table } from '../components/table.tsx'
import { useText } from '../i18n/language.tsx'
import { useList } from '../store/context.tsx'

/** Servers that share the cluster's store. One that is alone is not worth a table. */
export function ServerSection() {
  const text = useText()
  const { items } = useList('listServers', {})
  if (items.length < 2) return null
  return (
    <Section title={text.servers.title} flush>
      <ServerTable servers={items} />
    </Section>
  )
}

function ServerTable({ servers }: { readonly servers: readonly ServerView[] }) {
  const text = useText()
  const columns: readonly Column<ServerView>[] = [
    {
      key: 'name',
      title: text.nodes.name,
      lead: true,
      cell: (server) => (
        <>
          <strong>{server.name}</strong> {server.answers && <span className="chip">{text.servers.answers}</span>}
        </>
      ),
    },
    {
      key: 'address',
      title: text.nodes.address,
      cell: (server) => <span className="mono">{server.apiAddress ?? '–'}</span>,
    },
    { key: 'version', title: text.servers.version, cell: (server) => server.version },
    {
      key: 'leads',
      title: text.servers.leads,
      wide: true,
      cell: (server) =>
        server.leads.length === 0 ? (
          <span className="muted">{text.servers.waits}</span>
        ) : (
          <span className="chips">
            {server.leads.map((role) => (
              <span key={role} className="chip">
                {roleName(text.servers.roles, role)}
              </span>
            ))}
          </span>
        ),
    },
    {
      key: 'hears',
      title: text.servers.hears,
      align: 'right',
      cell: (server) => server.hears ?? <span className="muted">–</span>,
    },
    { key: 'since', title: text.servers.since, align: 'right', cell: (server) => <Age at={server.startedAt} /> },
  ]
  return (
    <Table
      label={text.servers.title}
      columns={columns}
      rows={servers.toSorted((a, b) => a.name.localeCompare(b.name))}
      rowKey={(server) => server.name}
    />
  )
}

/** A role that this console does not know yet is called as it is. */
const roleName = (names: Readonly<Record<string, string>>, role: string): string => names[role] ?? role
