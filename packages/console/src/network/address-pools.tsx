import type { AddressPoolView } from '@berth/api/address-resources'
import { Section } from '../components/layout.tsx'
import { type Column, Table } from '../components/table.tsx'
import { useText } from '../i18n/language.tsx'
import { usePolled } from '../live/use-polled.ts'

const everyMs = 30_000

/** Where the addresses come from, for whom, and how much of them nodes have. */
export function AddressPools() {
  const { network } = useText()
  const { pools: text } = network
  const { value } = usePolled('listAddressPools', {}, everyMs)
  if (value === undefined) return null
  const columns: readonly Column<AddressPoolView>[] = [
    {
      key: 'name',
      title: text.name,
      lead: true,
      cell: ({ name, disabled }) => (
        <>
          {name} {disabled && <span className="muted small">{text.disabled}</span>}
        </>
      ),
    },
    {
      key: 'range',
      title: text.range,
      cell: ({ range, ipv6 }) => (
        <>
          <code>{range}</code> {ipv6 !== undefined && <code className="muted small">{ipv6}</code>}
        </>
      ),
    },
    {
      key: 'for',
      title: text.whose,
      cell: ({ sites, groups }) =>
        [...sites.map((each) => `site=${each}`), ...groups.map(text.group)].join(', ') || text.all,
    },
    {
      key: 'blocks',
      title: text.blocks,
      cell: ({ blocks, blockSize }) => text.taken(blocks.used, blocks.total, blockSize),
    },
    { key: 'addresses', title: text.addresses, align: 'right', cell: ({ addresses }) => addresses.used },
    { key: 'outside', title: text.outside, cell: ({ natOutgoing }) => (natOutgoing ? text.translated : text.own) },
  ]
  return (
    <Section title={text.title} flush>
      <Table label={text.title} columns={columns} rows={value.items} rowKey={({ name }) => name} />
    </Section>
  )
}
