import type { Rollout } from '../model/index.ts'
import { beginPause, endPause } from './pauses.ts'

/** It begins once so many others than the one who asked for it have said yes. */
export function awaitingPeople(rollout: Rollout, needed: number, now: number): Rollout {
  if (needed === 0) return rollout
  const approvals = { needed, given: [] }
  const waits = { ...rollout, approvals, state: 'paused' as const }
  const message = peopleText(waits)
  return { ...beginPause(waits, message, now), message: rollout.state === 'paused' ? rollout.message : message }
}

export const awaitsPeople = ({ approvals }: Rollout): boolean =>
  approvals !== undefined && approvals.given.length < approvals.needed

export const peopleText = ({ id, approvals }: Rollout): string =>
  `waits for approval: ${approvals?.given.length ?? 0} of ${approvals?.needed ?? 0} (berth rollout approve ${id})`

/** Why somebody's yes does not count, or the rollout with it. */
export function approve(
  rollout: Rollout,
  by: string,
  now: number,
): { readonly rollout: Rollout } | { readonly refused: 'none' | 'own' | 'twice' } {
  const { approvals, createdBy } = rollout
  if (approvals === undefined || !awaitsPeople(rollout) || rollout.state !== 'paused') return { refused: 'none' }
  if (by === createdBy) return { refused: 'own' }
  if (approvals.given.some((each) => each.by === by)) return { refused: 'twice' }
  const next = { ...rollout, approvals: { ...approvals, given: [...approvals.given, { by, at: now }] }, updatedAt: now }
  if (awaitsPeople(next)) return { rollout: { ...next, message: peopleText(next) } }
  if (next.awaitsApproval !== undefined) return { rollout: endPause(next, now) }
  return { rollout: { ...endPause(next, now), state: 'running', message: `approved by ${by}` } }
}
