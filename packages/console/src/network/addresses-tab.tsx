import type { AddressView } from '@berth/api/address-resources'
import { messageOf } from '@berth/core/model/berth-error'
import { useState } from 'react'
import { Age } from '../components/age.tsx'
import { Button } from '../components/button.tsx'
import { Banner, Empty, Problem, Section } from '../components/layout.tsx'
import { Filter, NodeLink } from '../components/small.tsx'
import { type Column, Skeleton, Table } from '../components/table.tsx'
import { useText } from '../i18n/language.tsx'
import { usePolled } from '../live/use-polled.ts'
import { Link } from '../router/link.tsx'
import { useQueryValue } from '../router/location.ts'
import { path } from '../router/match-path.ts'
import { AddressPools } from './address-pools.tsx'
import { Asked, Silent } from './asked.tsx'

const everyMs = 30_000
const checkMs = 120_000

/** Who has which address. */
export function AddressesTab() {
  const { network } = useText()
  const { addresses: text } = network
  const [filter, setFilter] = useQueryValue('filter')
  const [after, setAfter] = useQueryValue('after')
  const [asked, setAsked] = useState(0)
  const query = after === '' ? {} : { after }
  const { value, error, at } = usePolled('listAddresses', { query }, everyMs, asked)
  if (value === undefined) return error === undefined ? <Skeleton /> : <Problem text={messageOf(error)} />
  const wanted = filter.trim().toLowerCase()
  const rows = value.items.filter((row) =>
    [row.address, row.address6, row.node, row.instance, row.container, row.pool].some((each) =>
      each?.toLowerCase().includes(wanted),
    ),
  )
  const next = value.after
  return (
    <>
      <AddressPools />
      <div className="list-bar">
        <Filter value={filter} onChange={setFilter} label={text.filter} />
      </div>
      <Differences />
      <Silent silent={value.silent} />
      {error !== undefined && <Problem text={messageOf(error)} />}
      <Section
        flush
        aside={
          <>
            {after !== '' && (
              <Button small onClick={() => setAfter('')}>
                {text.first}
              </Button>
            )}
            {next !== undefined && (
              <Button small onClick={() => setAfter(next)}>
                {text.more(next)}
              </Button>
            )}
          </>
        }
      >
        {rows.length === 0 ? <Empty icon="nodes" title={text.empty} /> : <Addresses rows={rows} />}
      </Section>
      <Asked at={at} everyMs={everyMs} onAsk={() => setAsked(asked + 1)} />
    </>
  )
}

function Addresses({ rows }: { readonly rows: readonly AddressView[] }) {
  const { network } = useText()
  const { addresses: text, tabs } = network
  const columns: readonly Column<AddressView>[] = [
    {
      key: 'address',
      title: text.address,
      lead: true,
      cell: ({ address, address6, last }) => (
        <>
          <code>{last === undefined ? address : `${address}–${last}`}</code>{' '}
          {address6 !== undefined && last === undefined && <code className="muted small">{address6}</code>}
        </>
      ),
    },
    { key: 'of', title: text.of, cell: (row) => <Owner row={row} /> },
    { key: 'node', title: text.node, cell: ({ node }) => <NodeLink node={node} /> },
    { key: 'block', title: text.block, cell: ({ block, lender }) => <Block block={block} lender={lender} /> },
    { key: 'pool', title: text.pool, cell: ({ pool }) => pool },
    { key: 'since', title: text.since, cell: ({ since }) => (since === undefined ? null : <Age at={since} />) },
  ]
  return (
    <Table label={tabs.addresses} columns={columns} rows={rows} rowKey={({ node, address }) => `${node} ${address}`} />
  )
}

/** Its node's, or another's that has lent the address. */
function Block({ block, lender }: { readonly block: string | undefined; readonly lender: string | undefined }) {
  const { network } = useText()
  if (block !== undefined || lender === undefined) return <code>{block}</code>
  return <span className="muted">{network.addresses.lentBy(lender)}</span>
}

function Owner({ row: { kind, instance, container, profiles = [] } }: { readonly row: AddressView }) {
  const { network } = useText()
  const { addresses: text } = network
  if (instance !== undefined) return <Link to={path('instances', instance)}>{instance}</Link>
  if (container !== undefined)
    return (
      <>
        <code>{[container, ...profiles.map((each) => `[${each}]`)].join(' ')}</code>{' '}
        <span className="muted">{text.kinds[kind]}</span>
      </>
    )
  return <span className="muted">{text.kinds[kind]}</span>
}

/** Asked for by a click: it asks every node, and waits where something differs. */
function Differences() {
  const { network } = useText()
  const { addresses: text } = network
  const [clicks, setClicks] = useState(0)
  const { value, error } = usePolled('checkAddresses', clicks === 0 ? undefined : { query: {} }, checkMs, clicks)
  return (
    <>
      <p className="asked muted small">
        <span>{text.checkAbout}</span>
        <Button small onClick={() => setClicks(clicks + 1)}>
          {text.check}
        </Button>
      </p>
      {error !== undefined && <Problem text={messageOf(error)} />}
      {value !== undefined && value.findings.length === 0 && (
        <Banner tone="info" title={text.same(value.compared.instances, value.compared.nodes)} />
      )}
      {value !== undefined && value.findings.length > 0 && (
        <Banner
          tone="warn"
          title={text.differ(value.findings.length)}
          lines={value.findings.map(({ message }) => message)}
        />
      )}
      {value !== undefined && <Silent silent={value.silent} />}
    </>
  )
}
