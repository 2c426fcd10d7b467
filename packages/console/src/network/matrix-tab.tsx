import type { MatrixPartyView, NetMatrix } from '@berth/api/net-resources'
import { messageOf } from '@berth/core/model/berth-error'
import { useState } from 'react'
import { Button } from '../components/button.tsx'
import { Empty, Problem } from '../components/layout.tsx'
import { Filter } from '../components/small.tsx'
import { Skeleton } from '../components/table.tsx'
import { useText } from '../i18n/language.tsx'
import { usePolled } from '../live/use-polled.ts'
import { useQueryValue } from '../router/location.ts'
import { Asked } from './asked.tsx'
import { ExplainDialog } from './explain-dialog.tsx'
import { MatrixGrid, VerdictMark } from './matrix-grid.tsx'

const everyMs = 10_000
const limit = 40

interface Question {
  readonly from: MatrixPartyView
  readonly to: MatrixPartyView
}

/** Who may talk to whom by the rules of now, a part of it at a time. */
export function MatrixTab() {
  const { network: text } = useText()
  const [from, setFrom] = useQueryValue('from')
  const [to, setTo] = useQueryValue('to')
  const [by, setBy] = useQueryValue('by')
  const [offsets, setOffsets] = useState({ from: 0, to: 0 })
  const [asked, setAsked] = useState(0)
  const [question, setQuestion] = useState<Question>()
  const query = {
    ...{
      limit,
      fromOffset: offsets.from,
      toOffset: offsets.to,
      by: by === 'pool' ? ('pool' as const) : ('entrypoint' as const),
    },
    ...(from === '' ? {} : { from }),
    ...(to === '' ? {} : { to }),
  }
  const { value, error, at } = usePolled('getNetMatrix', { query }, everyMs, asked)
  const narrow = (change: () => void) => {
    setOffsets({ from: 0, to: 0 })
    change()
  }
  const open = (row: MatrixPartyView, column: MatrixPartyView) => {
    if (by !== 'pool') return setQuestion({ from: row, to: column })
    setOffsets({ from: 0, to: 0 })
    setBy('')
    if (row.kind !== 'outside') setFrom(row.name)
    if (column.kind !== 'outside') setTo(column.name)
  }
  return (
    <>
      <div className="network-bar">
        <Filter value={from} onChange={(next) => narrow(() => setFrom(next))} label={text.matrix.senders} />
        <Filter value={to} onChange={(next) => narrow(() => setTo(next))} label={text.matrix.receivers} />
        <fieldset className="choices" aria-label={text.matrix.by}>
          {(['entrypoint', 'pool'] as const).map((each) => (
            <button
              key={each}
              type="button"
              className="choice-button"
              aria-pressed={(by === 'pool' ? 'pool' : 'entrypoint') === each}
              onClick={() => narrow(() => setBy(each === 'pool' ? each : ''))}
            >
              {text.levels[each]}
            </button>
          ))}
        </fieldset>
      </div>
      {value === undefined && (error === undefined ? <Skeleton /> : <Problem text={messageOf(error)} />)}
      {value !== undefined && <Legend />}
      {value !== undefined && (value.from.total === 0 || value.to.total === 0) && (
        <div className="panel">
          <Empty icon="search" title={text.matrix.none} />
        </div>
      )}
      {value !== undefined && value.from.total > 0 && value.to.total > 0 && (
        <>
          <MatrixGrid matrix={value} onOpen={open} />
          <Pages matrix={value} onMove={setOffsets} />
          <Asked at={at} everyMs={everyMs} onAsk={() => setAsked(asked + 1)} />
        </>
      )}
      {question !== undefined && <ExplainDialog {...question} onClose={() => setQuestion(undefined)} />}
    </>
  )
}

function Legend() {
  const { network: text } = useText()
  return (
    <ul className="matrix-legend small">
      {(['all', 'some', 'none'] as const).map((verdict) => (
        <li key={verdict}>
          <VerdictMark verdict={verdict} />
          {text.verdicts[verdict]}
        </li>
      ))}
      <li className="muted">{text.matrix.gateways}</li>
    </ul>
  )
}

interface PagesProps {
  readonly matrix: NetMatrix
  readonly onMove: (offsets: { readonly from: number; readonly to: number }) => void
}

function Pages({ matrix: { from, to }, onMove }: PagesProps) {
  const { network: text } = useText()
  if (from.total <= from.parties.length && to.total <= to.parties.length) return null
  const offsets = { from: from.offset, to: to.offset }
  const sides = [
    ['from', from, text.matrix.senders],
    ['to', to, text.matrix.receivers],
  ] as const
  return (
    <div className="matrix-pages">
      {sides.map(([side, { offset, total, parties }, label]) =>
        total <= parties.length ? null : (
          <span key={side} className="matrix-page">
            <span className="muted">{text.range(label, offset + 1, offset + parties.length, total)}</span>
            <Button
              small
              disabled={offset === 0}
              onClick={() => onMove({ ...offsets, [side]: Math.max(0, offset - limit) })}
            >
              {text.before}
            </Button>
            <Button
              small
              disabled={offset + parties.length >= total}
              onClick={() => onMove({ ...offsets, [side]: offset + limit })}
            >
              {text.next}
            </Button>
          </span>
        ),
      )}
    </div>
  )
}
