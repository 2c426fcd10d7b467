import { BerthError, type Rollout } from '@berth/core'
import type { CallContext } from '../operations.ts'
import { requireRollout } from './lookup.ts'
import type { OperationsContext } from './operations-context.ts'

export type RolloutMove = 'pause' | 'resume' | 'abort'

export async function moveRollout(
  { records, state, now }: OperationsContext,
  id: string,
  call: CallContext,
  move: RolloutMove,
): Promise<Rollout> {
  const { value } = await records.commit(
    call.actor,
    (tx) => {
      const rollout = requireRollout(state, id)
      const next = moved(rollout, move, call.actor, now())
      tx.put('rollouts', next, { ifUnchanged: true })
      tx.event({
        type: `rollout.${move}`,
        subject: { app: rollout.app, pool: rollout.pool, rollout: id },
        message: `${rollout.app}/${rollout.pool}: ${next.message}`,
      })
      return next
    },
    call,
  )
  return value
}

function moved(rollout: Rollout, move: RolloutMove, actor: string, now: number): Rollout {
  const { id, state } = rollout
  if (move === 'pause' && state === 'running')
    return { ...rollout, state: 'paused', message: `paused by ${actor}`, updatedAt: now }
  if (move === 'resume' && state === 'paused')
    return { ...rollout, state: 'running', message: `resumed by ${actor}`, updatedAt: now }
  if (move === 'abort' && (state === 'running' || state === 'paused')) {
    const back = rollout.from === undefined ? 'removing it' : `going back to ${rollout.from}`
    return { ...rollout, state: 'rolling-back', message: `stopped by ${actor}; ${back}`, updatedAt: now }
  }
  throw new BerthError('rollout.wrong-state', `${move} rollout ${id}: it is ${state}`, {
    details: { rollout: id, state },
  })
}
