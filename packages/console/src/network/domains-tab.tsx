import type { DomainView } from '@berth/api/name-resources'
import { Age } from '../components/age.tsx'
import { NamedRows } from '../components/named-rows.tsx'
import { RowButtons } from '../components/row-buttons.tsx'
import { Code } from '../components/small.tsx'
import { Mark } from '../components/status.tsx'
import type { Column } from '../components/table.tsx'
import { useText } from '../i18n/language.tsx'
import { useClient, useList } from '../store/context.tsx'
import { DomainDialog } from './domain-dialog.tsx'
import { isText, meaningOf } from './domain-form.ts'
import { SearchDomains } from './search-domains.tsx'

/** Names outside of the cluster's domain that the DNS of nodes answers for. */
export function DomainsTab() {
  const { network: text } = useText()
  const client = useClient()
  const columns: readonly Column<DomainView>[] = [
    { key: 'name', title: text.domains.name, lead: true, cell: ({ name }) => <Code copy>{name}</Code> },
    { key: 'means', title: text.domains.means, cell: (domain) => text.domains.meanings[meaningOf(domain)] },
    {
      key: 'is',
      title: text.domains.is,
      cell: (domain) => <code className="wrap">{isText(domain)}</code>,
    },
    {
      key: 'warnings',
      title: text.profiles.problems,
      cell: ({ warnings }) => <Warnings warnings={warnings} />,
    },
    { key: 'age', title: text.profiles.changed, cell: ({ updatedAt }) => <Age at={updatedAt} /> },
  ]
  return (
    <>
      <SearchDomains />
      <NamedRows
        of={useList('listDomains', {})}
        icon="network"
        label={text.tabs.domains}
        words={text.domains}
        columns={columns}
        actions={({ name, version }, edit) => (
          <RowButtons
            needs="admin"
            name={name}
            change={{ word: text.externals.change, begin: edit }}
            ask={{ title: text.domains.removeTitle(name), body: <p>{text.domains.removeText(name)}</p> }}
            remove={() => client.call('removeDomain', { params: { name }, query: { version } })}
            done={text.domains.removed(name)}
          />
        )}
        textsOf={(domain) => [`${domain.name} ${isText(domain)}`]}
        dialog={(domain, onClose) => <DomainDialog {...(domain && { domain })} onClose={onClose} />}
      />
    </>
  )
}

function Warnings({ warnings }: { readonly warnings: readonly string[] }) {
  if (warnings.length === 0) return <span className="muted">–</span>
  return (
    <>
      {warnings.map((warning) => (
        <span key={warning} className="status sentence tone-warn">
          <Mark tone="warn" />
          {warning}
        </span>
      ))}
    </>
  )
}
