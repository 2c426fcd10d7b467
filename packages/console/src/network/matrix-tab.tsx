import type { MatrixPartyView, NetMatrix } from '@berth/api/net-resources'
import { messageOf } from '@berth/core/model/berth-error'
import { useState } from 'react'
import { Button } from '../components/button.tsx'
import { Empty, Problem } from '../components/layout.tsx'
import { Check, Filter } from '../components/small.tsx'
import { Skeleton } from '../components/table.tsx'
import { useText } from '../i18n/language.tsx'
import { usePolled } from '../live/use-polled.ts'
import { useQueryValue } from '../router/location.ts'
import { Asked, Silent } from './asked.tsx'
import { ExplainDialog } from './explain-dialog.tsx'
import { LiveBar, MatrixGrid } from './matrix-grid.tsx'
import { liveMatrix } from './matrix-live.ts'
import { type ChosenParty, PartyLines } from './party-lines.tsx'
import { VerdictMark } from './verdict-mark.tsx'

const everyMs = 10_000
const limit = 40

interface Question {
  readonly from: MatrixPartyView
  readonly to: MatrixPartyView
}

/** Who may talk to whom by the rules of now, a part of it at a time, and in the same cells who does. */
export function MatrixTab() {
  const { network: text } = useText()
  const [from, setFrom] = useQueryValue('from')
  const [to, setTo] = useQueryValue('to')
  const [by, setBy] = useQueryValue('by')
  const [version, setVersion] = useQueryValue('ip')
  const [offsets, setOffsets] = useState({ from: 0, to: 0 })
  const [asked, setAsked] = useState(0)
  const [question, setQuestion] = useState<Question>()
  const [chosen, setChosen] = useState<ChosenParty>()
  const [withLive, setWithLive] = useState(true)
  const flows = usePolled('listFlowGroups', withLive ? { query: {} } : undefined, everyMs, asked)
  const live = flows.value && liveMatrix(flows.value.groups, by === 'pool' ? by : 'entrypoint')
  const query = {
    ...{
      limit,
      fromOffset: offsets.from,
      toOffset: offsets.to,
      by: by === 'pool' ? ('pool' as const) : ('entrypoint' as const),
    },
    ...(version === '6' ? { family: 6 } : {}),
    ...(from === '' ? {} : { from }),
    ...(to === '' ? {} : { to }),
  }
  const { value, error, at } = usePolled('getNetMatrix', { query }, everyMs, asked)
  const narrow = (change: () => void) => {
    setOffsets({ from: 0, to: 0 })
    setChosen(undefined)
    change()
  }
  const open = (row: MatrixPartyView, column: MatrixPartyView) => {
    if (by !== 'pool') return setQuestion({ from: row, to: column })
    setOffsets({ from: 0, to: 0 })
    setChosen(undefined)
    setBy('')
    if (row.kind !== 'outside') setFrom(row.name)
    if (column.kind !== 'outside') setTo(column.name)
  }
  return (
    <>
      <div className="list-bar">
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
        {(value?.hasIpv6 === true || version === '6') && (
          <fieldset className="choices" aria-label={text.matrix.version}>
            {['', '6'].map((each) => (
              <button
                key={each}
                type="button"
                className="choice-button"
                aria-pressed={version === each}
                onClick={() => narrow(() => setVersion(each))}
              >
                {each === '6' ? 'IPv6' : 'IPv4'}
              </button>
            ))}
          </fieldset>
        )}
        <Check label={text.matrix.withLive} checked={withLive} onChange={setWithLive} />
      </div>
      {withLive && <Silent silent={flows.value?.silent ?? []} />}
      {withLive && flows.error !== undefined && <Problem text={messageOf(flows.error)} />}
      {value === undefined && (error === undefined ? <Skeleton /> : <Problem text={messageOf(error)} />)}
      {value !== undefined && <Legend withLive={live !== undefined} />}
      {value !== undefined && (value.from.total === 0 || value.to.total === 0) && (
        <div className="panel">
          <Empty icon="search" title={text.matrix.none} />
        </div>
      )}
      {value !== undefined && value.from.total > 0 && value.to.total > 0 && (
        <>
          <MatrixGrid matrix={value} live={live} onOpen={open} onChoose={setChosen} />
          {live !== undefined && live.ofNodes > 0 && <p className="muted small">{text.matrix.ofNodes(live.ofNodes)}</p>}
          {chosen !== undefined && (
            <PartyLines matrix={value} live={live} chosen={chosen} onOpen={open} onClose={() => setChosen(undefined)} />
          )}
          <Pages matrix={value} onMove={setOffsets} />
          <Asked at={at} everyMs={everyMs} onAsk={() => setAsked(asked + 1)} />
        </>
      )}
      {question !== undefined && (
        <ExplainDialog {...question} isIpv6={version === '6'} onClose={() => setQuestion(undefined)} />
      )}
    </>
  )
}

function Legend({ withLive }: { readonly withLive: boolean }) {
  const { network: text } = useText()
  const bars = [
    [text.matrix.liveLegend, { flows: 10, dropped: 0 }],
    [text.matrix.droppedLegend, { flows: 10, dropped: 1 }],
  ] as const
  return (
    <ul className="matrix-legend small">
      {(['all', 'some', 'none'] as const).map((verdict) => (
        <li key={verdict}>
          <VerdictMark verdict={verdict} />
          {text.verdicts[verdict]}
        </li>
      ))}
      {withLive &&
        bars.map(([label, live]) => (
          <li key={label}>
            <LiveBar live={live} />
            {label}
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
