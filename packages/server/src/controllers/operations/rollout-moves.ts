import { BerthError, type Rollout } from '@berth/core'
import type { RecordTransaction } from '../../records/index.ts'
import type { CallContext } from '../operations.ts'
import { requireRollout } from './lookup.ts'
import type { OperationsContext } from './operations-context.ts'

export type RolloutMove = 'pause' | 'resume' | 'abort'

export async function moveRollout(
  context: OperationsContext,
  id: string,
  call: CallContext,
  how: RolloutMove,
): Promise<Rollout> {
  const { value } = await context.records.commit(
    call.actor,
    (tx) => writeMove(tx, context, requireRollout(context.state, id), call.actor, how),
    call,
  )
  return value
}

/** Throws `rollout.wrong-state`, writing nothing. */
export function writeMove(
  tx: RecordTransaction,
  { now }: OperationsContext,
  rollout: Rollout,
  actor: string,
  how: RolloutMove,
): Rollout {
  const { app, pool, id } = rollout
  const next = moved(rollout, how, actor, now())
  tx.put('rollouts', next, { ifUnchanged: true })
  tx.event({ type: `rollout.${how}`, subject: { app, pool, rollout: id }, message: `${app}/${pool}: ${next.message}` })
  return next
}

function moved(rollout: Rollout, move: RolloutMove, actor: string, now: number): Rollout {
  const { id, state } = rollout
  if (move === 'pause' && state === 'running')
    return { ...rollout, state: 'paused', message: `paused by ${actor}`, updatedAt: now }
  if (move === 'resume' && rollout.awaitsApproval !== undefined)
    throw new BerthError('approval.required', `resume rollout ${id}: it ${rollout.message}`, {
      details: { rollout: id },
    })
  if (move === 'resume' && state === 'paused')
    return { ...rollout, state: 'running', message: `resumed by ${actor}`, updatedAt: now }
  if (move === 'abort' && (state === 'running' || state === 'paused')) {
    const back = rollout.from === undefined ? 'removing it' : `going back to ${rollout.from}`
    const { awaitsApproval: _, ...rest } = rollout
    return { ...rest, state: 'rolling-back', message: `stopped by ${actor}; ${back}`, updatedAt: now }
  }
  throw new BerthError('rollout.wrong-state', `${move} rollout ${id}: it is ${state}`, {
    details: { rollout: id, state },
  })
}
