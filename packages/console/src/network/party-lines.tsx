import type { MatrixPartyView, NetMatrix } from '@berth/api/net-resources'
import { Button } from '../components/button.tsx'
import { Section } from '../components/layout.tsx'
import { useText } from '../i18n/language.tsx'
import type { LiveMatrix } from './matrix-live.ts'
import { VerdictMark } from './verdict-mark.tsx'

export interface ChosenParty {
  readonly side: 'from' | 'to'
  readonly party: MatrixPartyView
}

interface PartyLinesProps {
  readonly matrix: NetMatrix
  readonly live: LiveMatrix | undefined
  readonly chosen: ChosenParty
  readonly onOpen: (from: MatrixPartyView, to: MatrixPartyView) => void
  readonly onClose: () => void
}

/** One row or column of the matrix in words, names in full: who talks first, the most connections before others. */
export function PartyLines({ matrix, live, chosen: { side, party }, onOpen, onClose }: PartyLinesProps) {
  const { network: text, common } = useText()
  const nameOf = ({ kind, name }: MatrixPartyView): string => (kind === 'outside' ? text.outside : name)
  const own = matrix[side].parties.findIndex(({ kind, name }) => kind === party.kind && name === party.name)
  const others = matrix[side === 'from' ? 'to' : 'from'].parties
  const lines = others
    .map((other, index) => {
      const cell = side === 'from' ? matrix.cells[own]?.[index] : matrix.cells[index]?.[own]
      const [from, to] = side === 'from' ? [party, other] : [other, party]
      return { other, cell, from, to, live: live?.of(from, to) }
    })
    .filter(({ cell }) => cell !== undefined && cell.verdict !== 'unasked')
    .toSorted((a, b) => (b.live?.flows ?? 0) - (a.live?.flows ?? 0))
  return (
    <Section
      title={side === 'from' ? text.matrix.fromParty(nameOf(party)) : text.matrix.toParty(nameOf(party))}
      flush
      aside={
        <Button small onClick={onClose}>
          {common.close}
        </Button>
      }
    >
      <ul className="party-lines">
        {lines.map(({ other, cell, from, to, live: now }) => (
          <li key={`${other.kind} ${other.name}`}>
            <button type="button" className="party-line" onClick={() => onOpen(from, to)}>
              {cell !== undefined && <VerdictMark verdict={cell.verdict} />}
              <span className="party-name">{nameOf(other)}</span>
              <span className="muted small">
                {cell?.allows.length ? cell.allows.join(', ') : text.verdicts[cell?.verdict ?? 'unasked']}
                {cell?.isMixed === true && ` (${text.matrix.mixed})`}
              </span>
              {now !== undefined && (
                <span className={`small party-live${now.dropped > 0 ? ' party-dropped' : ''}`}>
                  {text.matrix.live(now.flows, now.dropped)}
                </span>
              )}
            </button>
          </li>
        ))}
      </ul>
    </Section>
  )
}
