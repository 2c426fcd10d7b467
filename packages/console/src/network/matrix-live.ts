import type { FlowGroupEnd, FlowGroupView, MatrixPartyView } from '@berth/api/net-resources'
import { levelEnd } from './flow-model.ts'

/** Connections from one party to another. */
export interface LiveCell {
  readonly flows: number
  /** That could not be made any more: rules of now drop them. */
  readonly dropped: number
}

export interface LiveMatrix {
  readonly of: (from: MatrixPartyView, to: MatrixPartyView) => LiveCell | undefined
  /** Of nodes themselves, which are none of the parties. */
  readonly ofNodes: number
}

/** Flows of entrypoints as those of the parties of a matrix. */
export function liveMatrix(groups: readonly FlowGroupView[], by: 'entrypoint' | 'pool'): LiveMatrix {
  const cells = new Map<string, LiveCell>()
  let ofNodes = 0
  for (const { from, to, flows, allowed } of groups) {
    if (from.kind === 'node' || to.kind === 'node') {
      ofNodes += flows
      continue
    }
    const key = `${keyOfEnd(levelEnd(from, by))}\n${keyOfEnd(levelEnd(to, by))}`
    const before = cells.get(key) ?? { flows: 0, dropped: 0 }
    cells.set(key, { flows: before.flows + flows, dropped: before.dropped + (allowed ? 0 : flows) })
  }
  return { of: (from, to) => cells.get(`${keyOfParty(from)}\n${keyOfParty(to)}`), ofNodes }
}

/** All that is outside is one party. */
const keyOfEnd = ({ kind, name }: FlowGroupEnd): string => (kind === 'outside' ? kind : `${kind} ${name}`)
const keyOfParty = ({ kind, name }: MatrixPartyView): string => {
  if (kind === 'outside') return kind
  return kind === 'instances' ? `instance ${name}` : `external ${name}`
}

/** How much of a cell's width says how many there are: one, some, many. */
export const liveLevel = ({ flows }: LiveCell): 1 | 2 | 3 => (flows < 10 ? 1 : flows < 100 ? 2 : 3)
