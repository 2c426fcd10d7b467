import type { Pool } from '@berth/core'
import { entrypointId, type RecordTransaction, type State } from '../../records/index.ts'
import type { CallContext, PoolArguments } from '../operations.ts'
import { requireApp, requirePool } from './lookup.ts'
import type { OperationsContext } from './operations-context.ts'

/** An entrypoint has one at most; what is left over goes with the app. */
const approvalsPerCommit = 50

export async function removePool(
  { records, state, now }: OperationsContext,
  { app, pool }: PoolArguments,
  call: CallContext,
): Promise<void> {
  const decide = (tx: RecordTransaction): void => {
    markRemoving(tx, state, requirePool(state, app, pool), now())
    const approvals = state.approvals.byPool(app, pool).slice(0, approvalsPerCommit)
    for (const { entrypoint } of approvals) tx.delete('approvals', entrypointId(app, pool, entrypoint))
  }
  await records.commit(call.actor, decide, call)
}

/** The app's own record says so first; its pools, however many there are, are marked by the reaper. */
export async function removeApp({ records, state }: OperationsContext, name: string, call: CallContext): Promise<void> {
  await records.commit(
    call.actor,
    (tx) => {
      const app = requireApp(state, name)
      tx.put('apps', { ...app, removing: true }, { ifUnchanged: true })
      tx.event({ type: 'app.removing', subject: { app: name }, message: `${name} is being removed` })
    },
    call,
  )
}

/** Everything in the pool drains and stops from now on, and no rollout holds it any more. */
export function markRemoving(tx: RecordTransaction, state: State, pool: Pool, now: number): void {
  const { rollout: held, ...rest } = pool
  const message = `${pool.app}/${pool.name} is being removed`
  tx.put('pools', { ...rest, removing: true }, { ifUnchanged: true })
  tx.event({ type: 'pool.removing', subject: { app: pool.app, pool: pool.name }, message })
  const rollout = held === undefined ? undefined : state.rollouts.get(held)
  if (rollout === undefined) return
  tx.put('rollouts', { ...rollout, state: 'aborted', message, updatedAt: now, endedAt: now }, { ifUnchanged: true })
  const subject = { app: pool.app, pool: pool.name, rollout: rollout.id, release: rollout.to }
  tx.event({ type: 'rollout.aborted', subject, message })
}
