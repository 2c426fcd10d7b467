import type { FlowGroupView } from '@berth/api/net-resources'
import { messageOf } from '@berth/core/model/berth-error'
import { useState } from 'react'
import { Empty, Problem, Section } from '../components/layout.tsx'
import { Check, Filter } from '../components/small.tsx'
import { Mark } from '../components/status.tsx'
import { type Column, Skeleton, Table } from '../components/table.tsx'
import { formatBytes } from '../format/quantities.ts'
import { useText } from '../i18n/language.tsx'
import { usePolled } from '../live/use-polled.ts'
import { useQueryValue } from '../router/location.ts'
import { Asked, Silent } from './asked.tsx'
import { GroupEnd, portText } from './end-name.tsx'
import { FlowGraph } from './flow-graph.tsx'
import { type FlowLevel, flowPicture, matchesFlow } from './flow-model.ts'

const everyMs = 8_000
const mostEnds = 60
const levels = ['entrypoint', 'pool', 'app'] as const

/** Who talks to whom now; nodes are asked while somebody looks. */
export function FlowsTab() {
  const { network: text } = useText()
  const [filter, setFilter] = useQueryValue('filter')
  const [by, setBy] = useQueryValue('by')
  const [probes, setProbes] = useState(false)
  const [asked, setAsked] = useState(0)
  const query = probes ? { probes: 'true' } : {}
  const { value, error, at } = usePolled('listFlowGroups', { query }, everyMs, asked)
  if (value === undefined) return error === undefined ? <Skeleton /> : <Problem text={messageOf(error)} />
  const level: FlowLevel = levels.find((each) => each === by) ?? 'entrypoint'
  const groups = value.groups.filter((group) => matchesFlow(group, filter.trim().toLowerCase()))
  return (
    <>
      <div className="list-bar">
        <Filter value={filter} onChange={setFilter} label={text.flows.filter} />
        <fieldset className="choices" aria-label={text.matrix.by}>
          {levels.map((each) => (
            <button
              key={each}
              type="button"
              className="choice-button"
              aria-pressed={level === each}
              onClick={() => setBy(each === 'entrypoint' ? '' : each)}
            >
              {text.levels[each]}
            </button>
          ))}
        </fieldset>
        <Check label={text.flows.withProbes} checked={probes} onChange={setProbes} />
      </div>
      <Silent silent={value.silent} />
      {error !== undefined && <Problem text={messageOf(error)} />}
      {groups.length === 0 ? (
        <div className="panel">
          <Empty icon="network" title={value.groups.length === 0 ? text.flows.empty : text.flows.noMatch} />
        </div>
      ) : (
        <>
          <FlowGraph picture={flowPicture(groups, level, mostEnds)} />
          <Section title={text.flows.list} flush>
            <FlowTable groups={groups} />
          </Section>
        </>
      )}
      <p className="muted small">
        {[
          text.flows.count(value.flows),
          value.more > 0 && text.flows.more(value.more),
          value.probes > 0 && text.flows.probes(value.probes),
        ]
          .filter(Boolean)
          .join(' ')}
      </p>
      <Asked at={at} everyMs={everyMs} onAsk={() => setAsked(asked + 1)} />
    </>
  )
}

function FlowTable({ groups }: { readonly groups: readonly FlowGroupView[] }) {
  const { network: text } = useText()
  const columns: readonly Column<FlowGroupView>[] = [
    { key: 'from', title: text.from, lead: true, cell: ({ from }) => <GroupEnd end={from} /> },
    { key: 'to', title: text.to, cell: ({ to }) => <GroupEnd end={to} /> },
    { key: 'port', title: text.port, cell: (group) => <code>{portText(group)}</code> },
    {
      key: 'flows',
      title: text.flows.connections,
      align: 'right',
      cell: ({ flows }) => <span className="number">{flows}</span>,
    },
    {
      key: 'bytes',
      title: text.flows.bytes,
      align: 'right',
      cell: ({ bytes }) => <span className="number nowrap">{bytes === 0 ? '–' : formatBytes(bytes)}</span>,
    },
    {
      key: 'rules',
      title: text.rules,
      wide: true,
      cell: ({ allowed, message }) => (
        <span className={`status flow-rule tone-${allowed ? 'ok' : 'bad'}`}>
          <Mark tone={allowed ? 'ok' : 'bad'} />
          <span>{allowed ? text.passes : message}</span>
        </span>
      ),
    },
  ]
  return (
    <Table
      label={text.flows.list}
      columns={columns}
      rows={groups}
      rowKey={({ from, to, message, ...group }) =>
        [from.kind, from.name, to.kind, to.name, portText(group), message].join(' ')
      }
    />
  )
}
