import type { MatrixCellView, MatrixPartyView, NetMatrix } from '@berth/api/net-resources'
import { type CSSProperties, type KeyboardEvent, useRef, useState } from 'react'
import { useText } from '../i18n/language.tsx'
import { type LiveCell, type LiveMatrix, liveLevel } from './matrix-live.ts'
import type { ChosenParty } from './party-lines.tsx'
import { VerdictMark } from './verdict-mark.tsx'

interface MatrixGridProps {
  readonly matrix: NetMatrix
  /** Who does talk; undefined: not known. */
  readonly live: LiveMatrix | undefined
  readonly onOpen: (from: MatrixPartyView, to: MatrixPartyView) => void
  readonly onChoose: (chosen: ChosenParty) => void
}

const steps: Readonly<Record<string, readonly [row: number, column: number]>> = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
}

/** One stop of Tab for all cells and names; arrows go on from there. Names are row -1 and column -1. */
export function MatrixGrid({ matrix: { from, to, cells }, live, onOpen, onChoose }: MatrixGridProps) {
  const { network: text } = useText()
  const table = useRef<HTMLTableElement>(null)
  const [current, setCurrent] = useState<readonly [number, number]>([0, 0])
  const row = Math.min(current[0], from.parties.length - 1)
  const column = Math.min(current[1], to.parties.length - 1)
  const nameOf = ({ kind, name }: MatrixPartyView): string => (kind === 'outside' ? text.outside : name)
  const move = (event: KeyboardEvent) => {
    const [down, right] = steps[event.key] ?? []
    if (down === undefined || right === undefined) return
    event.preventDefault()
    const next = [clamp(row + down, from.parties.length), clamp(column + right, to.parties.length)] as const
    if (next[0] === -1 && next[1] === -1) return
    setCurrent(next)
    table.current?.querySelector<HTMLElement>(`[data-cell="${next.join(',')}"]`)?.focus()
  }
  const name = (side: ChosenParty['side'], party: MatrixPartyView, place: readonly [number, number]) => (
    <button
      type="button"
      className={side === 'from' ? 'matrix-name' : 'matrix-name matrix-column'}
      data-cell={place.join(',')}
      tabIndex={row === place[0] && column === place[1] ? 0 : -1}
      title={nameOf(party)}
      onFocus={() => setCurrent(place)}
      onClick={() => onChoose({ side, party })}
    >
      {nameOf(party)}
    </button>
  )
  return (
    <section className="panel panel-flush matrix-scroll" aria-label={text.tabs.matrix}>
      <table
        className="matrix"
        ref={table}
        style={{ '--columns': to.parties.length } as CSSProperties}
        onKeyDown={move}
      >
        <thead>
          <tr>
            <th scope="col" className="matrix-corner">
              {text.matrix.corner}
            </th>
            {to.parties.map((party, index) => (
              <th key={nameOf(party)} scope="col">
                {name('to', party, [-1, index])}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {from.parties.map((sender, at) => (
            <tr key={nameOf(sender)}>
              <th scope="row">{name('from', sender, [at, -1])}</th>
              {to.parties.map((receiver, index) => (
                <Cell
                  key={nameOf(receiver)}
                  cell={cells[at]?.[index]}
                  live={live?.of(sender, receiver)}
                  place={`${at},${index}`}
                  label={`${nameOf(sender)} → ${nameOf(receiver)}`}
                  isStop={at === row && index === column}
                  onFocus={() => setCurrent([at, index])}
                  onOpen={() => onOpen(sender, receiver)}
                />
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  )
}

const clamp = (at: number, length: number): number => Math.max(-1, Math.min(length - 1, at))

interface CellProps {
  readonly cell: MatrixCellView | undefined
  readonly live: LiveCell | undefined
  readonly place: string
  readonly label: string
  readonly isStop: boolean
  readonly onFocus: () => void
  readonly onOpen: () => void
}

function Cell({ cell, live, place, label, isStop, onFocus, onOpen }: CellProps) {
  const { network: text } = useText()
  const { verdict = 'unasked', allows = [], isMixed = false } = cell ?? {}
  const may = `${allows.length === 0 ? text.verdicts[verdict] : allows.join(', ')}${isMixed ? ` (${text.matrix.mixed})` : ''}`
  const what = live === undefined ? may : `${may}; ${text.matrix.live(live.flows, live.dropped)}`
  return (
    <td>
      <button
        type="button"
        className={live === undefined ? 'matrix-cell' : 'matrix-cell matrix-live'}
        data-cell={place}
        tabIndex={isStop ? 0 : -1}
        aria-label={`${label}: ${what}`}
        title={`${label}: ${what}`}
        aria-disabled={verdict === 'unasked'}
        onFocus={onFocus}
        onClick={() => verdict !== 'unasked' && onOpen()}
      >
        <VerdictMark verdict={verdict} />
        {live !== undefined && <LiveBar live={live} />}
      </button>
    </td>
  )
}

/** Longer for more connections; broken where rules of now would not let them be made any more. */
export function LiveBar({ live }: { readonly live: LiveCell }) {
  return (
    <span className={`live-bar live-${liveLevel(live)}${live.dropped > 0 ? ' live-dropped' : ''}`} aria-hidden="true" />
  )
}
