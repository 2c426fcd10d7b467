import { BerthError, type Rollout } from '@berth/core'
import type { CallContext } from '../operations.ts'
import { requireLivePool, requireRelease, requireRollout } from './lookup.ts'
import type { OperationsContext } from './operations-context.ts'
import { writeMove } from './rollout-moves.ts'
import { startRollout } from './start-rollout.ts'

/**
 * To where the rollout came from. Under way it turns round; one that has ended is undone by a rollout of its own, which takes over from
 * whatever holds the pool by then. Throws `rollout.nothing-before` where nothing served before.
 */
export async function rollbackRollout(context: OperationsContext, id: string, call: CallContext): Promise<Rollout> {
  const { records, state, defaultPool, now } = context
  const { value } = await records.commit(
    call.actor,
    (tx) => {
      const rollout = requireRollout(state, id)
      if (rollout.endedAt === undefined)
        return rollout.state === 'rolling-back' ? rollout : writeMove(tx, context, rollout, call.actor, 'abort')
      const { app, pool, from } = rollout
      requireLivePool(state, app, pool)
      if (from === undefined)
        throw new BerthError('rollout.nothing-before', `roll back ${id}: nothing served in ${app}/${pool} before it`, {
          details: { rollout: id },
        })
      const release = requireRelease(state, app, from)
      const start = { release, pool, reason: 'rollback', createdBy: call.actor, force: true, defaultPool } as const
      return startRollout(tx, state, { ...start, now: now() })
    },
    call,
  )
  return value
}
