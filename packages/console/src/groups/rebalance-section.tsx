import type { Answer } from '@berth/api/client'
import type { MoveView } from '@berth/api/planning-resources'
import type { GroupView } from '@berth/api/scheduling-resources'
import { useState } from 'react'
import { RoleButton } from '../components/button.tsx'
import { Section } from '../components/layout.tsx'
import { NodeLink } from '../components/small.tsx'
import { type Column, Table } from '../components/table.tsx'
import { formatPercent } from '../format/quantities.ts'
import { useText } from '../i18n/language.tsx'
import { useAction } from '../live/use-action.ts'
import { useOne } from '../live/use-one.ts'
import { usePolled } from '../live/use-polled.ts'
import { Link } from '../router/link.tsx'
import { path } from '../router/match-path.ts'
import { useClient } from '../store/context.tsx'

const everyMs = 5_000

/** Which instances would move to make a group's nodes more evenly full; moving them, some at a time. */
export function RebalanceSection({ group }: { readonly group: GroupView }) {
  const { rebalance: text } = useText()
  const client = useClient()
  const { busy, act } = useAction()
  const [asked, setAsked] = useState(0)
  const [atATime, setAtATime] = useState(1)
  const { name } = group
  const params = { name }
  const plan = useOne('planRebalance', { params, body: {} }, asked)
  const now = usePolled('getRebalance', group.rebalance === undefined ? undefined : { params }, everyMs, asked)
  const moves = plan.value?.moves ?? []
  const running = now.value?.state === 'running'
  const again = (answer: unknown) => answer !== undefined && setAsked(asked + 1)
  const start = async () =>
    again(
      await act({
        ask: { title: text.ask(name), body: <p>{text.askText(moves.length, atATime)}</p>, verb: text.start },
        run: () => client.call('startRebalance', { params, body: { disruption: atATime } }),
        done: text.started(name),
      }),
    )
  const stop = async () =>
    again(await act({ run: () => client.call('stopRebalance', { params }), done: text.stopped(name) }))
  if (moves.length === 0 && now.value === undefined) return null
  return (
    <Section
      title={text.title}
      flush
      aside={
        running ? (
          <RoleButton needs="admin" small disabled={busy} onClick={() => void stop()}>
            {text.stop}
          </RoleButton>
        ) : (
          moves.length > 0 && (
            <span className="rebalance-start">
              <label className="muted small">
                {text.atATime}{' '}
                <input
                  type="number"
                  min={1}
                  max={100}
                  value={atATime}
                  onChange={(event) =>
                    setAtATime(Math.min(100, Math.max(1, Math.round(Number(event.target.value)) || 1)))
                  }
                />
              </label>
              <RoleButton needs="admin" small disabled={busy} onClick={() => void start()}>
                {text.start}
              </RoleButton>
            </span>
          )
        )
      }
    >
      {now.value !== undefined && <Progress now={now.value} />}
      {moves.length > 0 && <MoveTable moves={moves} />}
    </Section>
  )
}

function Progress({ now: { state, message, done } }: { readonly now: Answer<'getRebalance'> }) {
  const { rebalance: text } = useText()
  return (
    <p className="quiet-line">
      <strong>{state === 'running' ? text.running(done) : text.ended(done)}</strong> {message}
    </p>
  )
}

function MoveTable({ moves }: { readonly moves: readonly MoveView[] }) {
  const { rebalance: text } = useText()
  const columns: readonly Column<MoveView>[] = [
    {
      key: 'instance',
      title: text.instance,
      lead: true,
      cell: ({ instance }) => <Link to={path('instances', instance)}>{instance}</Link>,
    },
    { key: 'from', title: text.from, cell: ({ from }) => <NodeLink node={from} /> },
    { key: 'to', title: text.to, cell: ({ to }) => <NodeLink node={to} /> },
    {
      key: 'full',
      title: text.full,
      cell: ({ beforeMilli, afterMilli }) => `${formatPercent(beforeMilli, 1000)} → ${formatPercent(afterMilli, 1000)}`,
    },
  ]
  return <Table label={text.title} columns={columns} rows={moves} rowKey={({ instance }) => instance} />
}
