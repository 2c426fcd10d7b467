import type { Rollout, RolloutApprovals } from '../model/index.ts'
import { beginPause, endPause } from './pauses.ts'

/** It begins once so many others than the one who asked for it have said yes; the release's own number and an admin's rules hold both. */
export function awaitingPeople(
  rollout: Rollout,
  own: number,
  now: number,
  rules: NonNullable<RolloutApprovals['rules']> = [],
): Rollout {
  const needed = Math.max(own, ...rules.map((rule) => rule.needed))
  if (needed === 0) return rollout
  const asked = rules.map(({ name, needed: count, role }) => ({ name, needed: count, role }))
  const approvals = { needed, given: [], ...(asked.length === 0 ? {} : { rules: asked }) }
  const waits = { ...rollout, approvals, state: 'paused' as const }
  const message = peopleText(waits)
  return { ...beginPause(waits, message, now), message: rollout.state === 'paused' ? rollout.message : message }
}

export const awaitsPeople = ({ approvals }: Rollout): boolean =>
  approvals !== undefined && (approvals.given.length < approvals.needed || missingAdmins(approvals) > 0)

/** So many of those who have yet to say yes have to be admins. */
function missingAdmins({ given, rules = [] }: RolloutApprovals): number {
  const needed = Math.max(0, ...rules.map(({ role, needed: count }) => (role === 'admin' ? count : 0)))
  return Math.max(0, needed - given.filter(({ admin }) => admin === true).length)
}

export function peopleText({ id, approvals }: Rollout): string {
  const { given = [], needed = 0 } = approvals ?? {}
  const admins = approvals === undefined ? 0 : missingAdmins(approvals)
  const who = admins === 0 ? '' : `, ${admins} more of an admin`
  return `waits for approval: ${given.length} of ${needed}${who} (berth rollout approve ${id})`
}

/** The pause says who has said yes by now, not how it began: that is what its receipt tells later. */
function counted(before: Rollout, after: Rollout): Rollout {
  if (after.pauses === undefined) return after
  const reason = awaitsPeople(after) ? peopleText(after) : approvedText(after)
  const waited = peopleText(before)
  return { ...after, pauses: after.pauses.map((pause) => (pause.reason === waited ? { ...pause, reason } : pause)) }
}

function approvedText({ approvals }: Rollout): string {
  const { given = [], needed = 0 } = approvals ?? {}
  return `waited for approval: ${given.length} of ${needed} (${given.map(({ by }) => by).join(', ')})`
}

/** Why somebody's yes does not count, or the rollout with it. */
export function approve(
  rollout: Rollout,
  by: string,
  now: number,
  isAdmin = false,
): { readonly rollout: Rollout } | { readonly refused: 'none' | 'own' | 'twice' } {
  const { approvals, createdBy } = rollout
  if (approvals === undefined || !awaitsPeople(rollout) || rollout.state !== 'paused') return { refused: 'none' }
  if (by === createdBy) return { refused: 'own' }
  if (approvals.given.some((each) => each.by === by)) return { refused: 'twice' }
  const yes = { by, at: now, ...(isAdmin ? { admin: true as const } : {}) }
  const given = { ...rollout, approvals: { ...approvals, given: [...approvals.given, yes] }, updatedAt: now }
  const next = counted(rollout, given)
  if (awaitsPeople(next)) return { rollout: { ...next, message: peopleText(next) } }
  if (next.awaitsApproval !== undefined) return { rollout: endPause(next, now) }
  return { rollout: { ...endPause(next, now), state: 'running', message: `approved by ${by}` } }
}
