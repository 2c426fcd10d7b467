import type { FailoverAddressView, FailoverNodeView } from '@berth/api/failover-resources'
import { Age } from '../components/age.tsx'
import { Empty, Section } from '../components/layout.tsx'
import { Listing } from '../components/listing.tsx'
import { RowButtons } from '../components/row-buttons.tsx'
import { Code } from '../components/small.tsx'
import { Mark } from '../components/status.tsx'
import { type Column, Table } from '../components/table.tsx'
import { useText } from '../i18n/language.tsx'
import { useClient, useList } from '../store/context.tsx'

/** Addresses of the gateways that stay reachable when one of them dies: who has each now, and what is wrong. */
export function FailoverTab() {
  const { network: text } = useText()
  const client = useClient()
  const addresses = useList('listFailoverAddresses', {})
  const columns: readonly Column<FailoverAddressView>[] = [
    { key: 'address', title: text.failover.address, lead: true, cell: ({ address }) => <Code copy>{address}</Code> },
    {
      key: 'by',
      title: text.failover.by,
      cell: ({ by, site }) => (
        <>
          {text.failover.ways[by]}
          <br />
          <span className="muted">{site === undefined ? text.failover.everyGateway : text.failover.ofSite(site)}</span>
        </>
      ),
    },
    { key: 'nodes', title: text.failover.gateways, wide: true, cell: (view) => <Gateways view={view} /> },
    {
      key: 'action',
      title: '',
      align: 'right',
      cell: ({ address }) => (
        <RowButtons
          needs="admin"
          name={address}
          ask={{ title: text.failover.removeTitle(address), body: <p>{text.failover.removeText}</p> }}
          remove={() => client.call('removeFailoverAddress', { params: { address } })}
          done={text.failover.removed(address)}
        />
      ),
    },
  ]
  return (
    <Section flush>
      <Listing
        of={addresses}
        empty={<Empty icon="network" title={text.failover.empty} hint={text.failover.emptyHint} />}
      >
        {(items) => (
          <Table
            label={text.tabs.failover}
            columns={columns}
            rows={items.toSorted((a, b) => a.createdAt - b.createdAt)}
            rowKey={({ address }) => address}
          />
        )}
      </Listing>
    </Section>
  )
}

const tones = { holds: 'ok', waits: 'off', problem: 'bad', away: 'warn' } as const

/** Who has it since when; of the others what hinders them; and what is wrong with it as a whole. */
function Gateways({ view: { nodes, problems } }: { readonly view: FailoverAddressView }) {
  return (
    <ul className="members">
      {nodes.map((node) => (
        <li key={node.name}>
          <Gateway node={node} />
        </li>
      ))}
      {problems.map((problem) => (
        <li key={problem}>
          <span className="status tone-bad">
            <Mark tone="bad" />
            {problem}
          </span>
        </li>
      ))}
    </ul>
  )
}

function Gateway({ node: { name, state, since, message, preferred } }: { readonly node: FailoverNodeView }) {
  const { network: text } = useText()
  const tone = tones[state]
  return (
    <span className={`status tone-${tone}`}>
      <Mark tone={tone} />
      <span>
        {name} {text.failover.states[state]}
        {since === undefined ? null : (
          <>
            {' '}
            ({text.failover.came} <Age at={since} />)
          </>
        )}
        {preferred ? ` · ${text.failover.preferred}` : ''}
        {message === undefined ? '' : `: ${message}`}
      </span>
    </span>
  )
}
