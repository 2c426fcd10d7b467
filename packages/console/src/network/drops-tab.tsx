import type { DropView } from '@berth/api/net-resources'
import { messageOf } from '@berth/core/model/berth-error'
import { useState } from 'react'
import { Age } from '../components/age.tsx'
import { Banner, Empty, Problem, Section } from '../components/layout.tsx'
import { Filter } from '../components/small.tsx'
import { type Column, Skeleton, Table } from '../components/table.tsx'
import { useText } from '../i18n/language.tsx'
import { usePolled } from '../live/use-polled.ts'
import { useQueryValue } from '../router/location.ts'
import { Asked, Silent } from './asked.tsx'
import { EndName, portText } from './end-name.tsx'

const everyMs = 8_000

/** What rules have dropped of late, and which rule did. */
export function DropsTab() {
  const { network: text } = useText()
  const [filter, setFilter] = useQueryValue('filter')
  const [asked, setAsked] = useState(0)
  const { value, error, at } = usePolled('listDrops', { query: {} }, everyMs, asked)
  if (value === undefined) return error === undefined ? <Skeleton /> : <Problem text={messageOf(error)} />
  const wanted = filter.trim().toLowerCase()
  const drops = value.drops.filter(({ from, to, message, ...drop }) =>
    `${from.name} ${to.name} ${portText(drop)} ${message}`.toLowerCase().includes(wanted),
  )
  const columns: readonly Column<DropView>[] = [
    { key: 'from', title: text.from, lead: true, cell: ({ from }) => <EndName end={from} /> },
    { key: 'to', title: text.to, cell: ({ to }) => <EndName end={to} /> },
    { key: 'port', title: text.port, cell: (drop) => <code>{portText(drop)}</code> },
    {
      key: 'packets',
      title: text.packets,
      align: 'right',
      cell: ({ packets }) => <span className="number">{packets}</span>,
    },
    { key: 'why', title: text.drops.why, wide: true, cell: ({ message }) => message },
    { key: 'last', title: text.drops.last, cell: (drop) => <Age at={drop.at} /> },
  ]
  return (
    <>
      <div className="list-bar">
        <Filter value={filter} onChange={setFilter} label={text.drops.filter} />
      </div>
      <Silent silent={value.silent} />
      {value.full.length > 0 && <Banner tone="warn" title={text.drops.full} lines={[value.full.join(', ')]} />}
      {error !== undefined && <Problem text={messageOf(error)} />}
      <Section flush>
        {drops.length === 0 ? (
          <Empty icon="check" title={value.drops.length === 0 ? text.drops.empty : text.flows.noMatch} />
        ) : (
          <Table
            label={text.tabs.drops}
            columns={columns}
            rows={drops}
            rowKey={({ node, from, to, message, ...drop }) =>
              [node, from.address, to.address, portText(drop), message].join(' ')
            }
          />
        )}
      </Section>
      <Asked at={at} everyMs={everyMs} onAsk={() => setAsked(asked + 1)} />
    </>
  )
}
