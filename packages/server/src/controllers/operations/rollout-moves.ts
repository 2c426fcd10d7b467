import {
  approve,
  awaitsPeople,
  BerthError,
  beginPause,
  continueStage,
  cutStage,
  endPause,
  type Rollout,
  skipStage,
} from '@berth/core'
import { callerOf } from '../../groups/caller-of.ts'
import type { RecordTransaction } from '../../records/index.ts'
import type { CallContext } from '../operations.ts'
import { requireRollout } from './lookup.ts'
import type { OperationsContext } from './operations-context.ts'

export type RolloutMove = 'pause' | 'resume' | 'abort' | 'skip' | 'continue' | 'approve'

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
  { now, state }: OperationsContext,
  rollout: Rollout,
  actor: string,
  how: RolloutMove,
): Rollout {
  const { app, pool, id } = rollout
  const next = moved(rollout, how, actor, now(), callerOf(state, actor).isAdmin)
  tx.put('rollouts', next, { ifUnchanged: true })
  tx.event({ type: `rollout.${how}`, subject: { app, pool, rollout: id }, message: `${app}/${pool}: ${next.message}` })
  return next
}

function moved(rollout: Rollout, move: RolloutMove, actor: string, now: number, isAdmin: boolean): Rollout {
  const { id, state } = rollout
  const isUnderWay = state === 'running' || state === 'paused'
  if (move === 'pause' && state === 'running') {
    const message = `paused by ${actor}`
    return { ...beginPause(rollout, message, now), state: 'paused', message, updatedAt: now }
  }
  if (move === 'approve') return approved(rollout, actor, now, isAdmin)
  const waits = rollout.awaitsApproval !== undefined || (awaitsPeople(rollout) && state === 'paused')
  if ((move === 'resume' || move === 'continue') && waits)
    throw new BerthError('approval.required', `${move} rollout ${id}: it ${rollout.message}`, {
      details: { rollout: id },
    })
  if (move === 'resume' && state === 'paused')
    return { ...endPause(rollout, now), state: 'running', message: `resumed by ${actor}`, updatedAt: now }
  if (move === 'abort' && isUnderWay) {
    const back = rollout.from === undefined ? 'removing it' : `going back to ${rollout.from}`
    const { awaitsApproval: _, ...rest } = cutStage(endPause(rollout, now), now)
    return { ...rest, state: 'rolling-back', message: `stopped by ${actor}; ${back}`, updatedAt: now }
  }
  if ((move === 'skip' || move === 'continue') && isUnderWay) return movedStage(rollout, move, actor, now)
  throw new BerthError('rollout.wrong-state', `${move} rollout ${id}: ${whyNot(rollout)}`, {
    details: { rollout: id, state },
  })
}

/** With what can be done instead. */
function whyNot({ id, state, from, endedAt }: Rollout): string {
  if (endedAt !== undefined && state === 'succeeded' && from !== undefined)
    return `it has succeeded; to go back to ${from}: berth rollout rollback ${id}`
  if (endedAt !== undefined) return `it has ended (${state})`
  if (state === 'rolling-back') return `it is going back already; wait for it: berth rollout watch ${id}`
  return state === 'paused'
    ? `it is paused; to go on: berth rollout resume ${id}`
    : `it is ${state}; to have it stand still: berth rollout pause ${id}`
}

function approved(rollout: Rollout, actor: string, now: number, isAdmin: boolean): Rollout {
  const { id, createdBy, message } = rollout
  const outcome = approve(rollout, actor, now, isAdmin)
  if ('rollout' in outcome) return outcome.rollout
  const details = { details: { rollout: id } }
  switch (outcome.refused) {
    case 'none':
      throw new BerthError(
        'rollout.no-such-step',
        `approve rollout ${id}: it waits for nobody’s yes: ${message}`,
        details,
      )
    case 'own':
      throw new BerthError(
        'approval.own',
        `approve rollout ${id}: ${createdBy} asked for it, so somebody else has to`,
        details,
      )
    case 'twice':
      throw new BerthError(
        'approval.twice',
        `approve rollout ${id}: ${actor} has said yes already; ${message}`,
        details,
      )
  }
}

function movedStage(rollout: Rollout, move: 'skip' | 'continue', actor: string, now: number): Rollout {
  const next = move === 'skip' ? skipStage(rollout, actor) : continueStage(rollout, actor, now)
  if (next !== undefined) return { ...next, updatedAt: now }
  const { id, stages, message } = rollout
  const why =
    stages === undefined
      ? 'it has no stages'
      : move === 'skip'
        ? 'its stage is skipped already, or there is none left'
        : `it does not wait for a person now: ${message}`
  throw new BerthError('rollout.no-such-step', `${move} rollout ${id}: ${why}`, { details: { rollout: id } })
}
