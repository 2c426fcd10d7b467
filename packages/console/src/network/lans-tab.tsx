import type { LanNodeView, LanView } from '@berth/api/lan-resources'
import { Age } from '../components/age.tsx'
import { NamedRows } from '../components/named-rows.tsx'
import { RowButtons, removalOf } from '../components/row-buttons.tsx'
import { Code } from '../components/small.tsx'
import { Mark } from '../components/status.tsx'
import type { Column } from '../components/table.tsx'
import { useText } from '../i18n/language.tsx'
import { useClient, useList } from '../store/context.tsx'
import { LanDialog } from './lan-dialog.tsx'

const linkOf = ({ parent, vlan }: LanView): string => (vlan === undefined ? parent : `${parent}.${vlan}`)

/** Networks that machines are on already, with the nodes that have them and what is wrong there. */
export function LansTab() {
  const { network: text, lanForm } = useText()
  const client = useClient()
  const columns: readonly Column<LanView>[] = [
    { key: 'name', title: text.lans.name, lead: true, cell: ({ name }) => <Code copy>{name}</Code> },
    { key: 'mode', title: text.lans.mode, cell: (lan) => text.lans.modeOn(lan.mode, linkOf(lan)) },
    {
      key: 'addresses',
      title: text.lans.addresses,
      wide: true,
      cell: ({ subnet, range, sliceSize }) => (
        <>
          <code>{subnet}</code>
          <br />
          <span className="muted">{text.lans.slices(range, sliceSize)}</span>
        </>
      ),
    },
    { key: 'nodes', title: text.lans.nodes, cell: ({ nodes }) => <Nodes nodes={nodes} /> },
    { key: 'instances', title: text.lans.instances, align: 'right', cell: ({ instances }) => instances },
    { key: 'age', title: text.lans.made, cell: ({ createdAt }) => <Age at={createdAt} /> },
  ]
  return (
    <NamedRows
      of={useList('listLans', {})}
      icon="network"
      label={text.tabs.lans}
      words={{ ...text.lans, add: lanForm.add, filter: lanForm.filter }}
      columns={columns}
      actions={({ name }) => (
        <RowButtons
          {...removalOf(text.lans, name)}
          needs="admin"
          name={name}
          remove={() => client.call('removeLan', { params: { name } })}
        />
      )}
      textsOf={({ name, parent, subnet }) => [name, parent, subnet]}
      dialog={(_, onClose) => <LanDialog onClose={onClose} />}
    />
  )
}

/** How many have it, and of each that has not, why. */
function Nodes({ nodes }: { readonly nodes: readonly LanNodeView[] }) {
  const { network: text } = useText()
  const ready = nodes.filter(({ state }) => state === 'ready').length
  return (
    <>
      <span>{text.lans.ready(ready, nodes.length)}</span>
      {nodes
        .filter(({ state }) => state !== 'ready')
        .map(({ name, state, message = '' }) => (
          <span key={name} className={`status tone-${state === 'problem' ? 'bad' : 'warn'}`}>
            <Mark tone={state === 'problem' ? 'bad' : 'warn'} />
            {name}: {message}
          </span>
        ))}
    </>
  )
}
