import type { ExternalView } from '@berth/api/name-resources'
import { Age } from '../components/age.tsx'
import { NamedRows } from '../components/named-rows.tsx'
import { RowButtons } from '../components/row-buttons.tsx'
import { Code } from '../components/small.tsx'
import type { Column } from '../components/table.tsx'
import { useText } from '../i18n/language.tsx'
import { useClient, useList } from '../store/context.tsx'
import { ExternalDialog } from './external-dialog.tsx'
import { portWord } from './external-form.ts'
import { Tags } from './profiles-tab.tsx'

/** Services that Berth does not run but names, routes and guards. */
export function ExternalsTab() {
  const { network: text } = useText()
  const client = useClient()
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
  ]
  return (
    <NamedRows
      of={useList('listExternals', {})}
      icon="external"
      label={text.tabs.services}
      words={text.externals}
      columns={columns}
      actions={({ name, hostname }, edit) => (
        <RowButtons
          needs="admin"
          name={name}
          change={{ word: text.externals.change, begin: edit }}
          ask={{ title: text.externals.removeTitle(name), body: <p>{text.externals.removeText(hostname)}</p> }}
          remove={() => client.call('removeExternal', { params: { name }, query: {} })}
          done={text.externals.removed(hostname)}
        />
      )}
      textsOf={({ hostname, addresses, target = '', tags, routes }) => [
        ...[hostname, target, ...addresses, ...tags],
        ...routes.map(({ host }) => host),
      ]}
      dialog={(external, onClose) => <ExternalDialog {...(external && { external })} onClose={onClose} />}
    />
  )
}
