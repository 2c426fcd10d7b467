import type { MatrixCellView, MatrixPartyView, NetMatrix } from '@berth/api/net-resources'
import { type KeyboardEvent, useRef, useState } from 'react'
import { useText } from '../i18n/language.tsx'

/** A shape for each, so that nothing depends on seeing colours. */
export function VerdictMark({ verdict }: { readonly verdict: MatrixCellView['verdict'] }) {
  return (
    <svg className={`verdict verdict-${verdict}`} viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
      {verdict === 'all' && <circle cx="8" cy="8" r="5" fill="currentColor" />}
      {verdict === 'some' && (
        <>
          <circle cx="8" cy="8" r="4.500" fill="none" stroke="currentColor" />
          <path d="M8 3.500a4.500 4.500 0 0 0 0 9z" fill="currentColor" />
        </>
      )}
      {verdict === 'none' && <path d="M4.500 4.500l7 7M11.500 4.500l-7 7" stroke="currentColor" fill="none" />}
    </svg>
  )
}

interface MatrixGridProps {
  readonly matrix: NetMatrix
  readonly onOpen: (from: MatrixPartyView, to: MatrixPartyView) => void
}

const steps: Readonly<Record<string, readonly [row: number, column: number]>> = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
}

/** One stop of Tab for all cells; arrows go on from there. */
export function MatrixGrid({ matrix: { from, to, cells }, onOpen }: MatrixGridProps) {
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
    setCurrent(next)
    table.current?.querySelector<HTMLElement>(`[data-cell="${next.join('-')}"]`)?.focus()
  }
  return (
    <section className="panel panel-flush matrix-scroll" aria-label={text.tabs.matrix}>
      <table className="matrix" ref={table} onKeyDown={move}>
        <thead>
          <tr>
            <th scope="col" className="matrix-corner">
              {text.matrix.corner}
            </th>
            {to.parties.map((party) => (
              <th key={nameOf(party)} scope="col" title={nameOf(party)}>
                <span className="matrix-column">{nameOf(party)}</span>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {from.parties.map((sender, at) => (
            <tr key={nameOf(sender)}>
              <th scope="row" title={nameOf(sender)}>
                <span>{nameOf(sender)}</span>
              </th>
              {to.parties.map((receiver, index) => (
                <Cell
                  key={nameOf(receiver)}
                  cell={cells[at]?.[index]}
                  place={`${at}-${index}`}
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

const clamp = (at: number, length: number): number => Math.max(0, Math.min(length - 1, at))

interface CellProps {
  readonly cell: MatrixCellView | undefined
  readonly place: string
  readonly label: string
  readonly isStop: boolean
  readonly onFocus: () => void
  readonly onOpen: () => void
}

function Cell({ cell, place, label, isStop, onFocus, onOpen }: CellProps) {
  const { network: text } = useText()
  const { verdict = 'unasked', allows = [], isMixed = false } = cell ?? {}
  const what = `${allows.length === 0 ? text.verdicts[verdict] : allows.join(', ')}${isMixed ? ` (${text.matrix.mixed})` : ''}`
  return (
    <td>
      <button
        type="button"
        className="matrix-cell"
        data-cell={place}
        tabIndex={isStop ? 0 : -1}
        aria-label={`${label}: ${what}`}
        title={`${label}: ${what}`}
        aria-disabled={verdict === 'unasked'}
        onFocus={onFocus}
        onClick={() => verdict !== 'unasked' && onOpen()}
      >
        <VerdictMark verdict={verdict} />
      </button>
    </td>
  )
}
