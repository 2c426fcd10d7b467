import { BerthError, type Move, type Rebalance } from '@berth/core'
import { requireGroup } from '../../groups/groups.ts'
import type { RecordTransaction } from '../../records/index.ts'
import { proposeRebalance } from '../../schedule/propose-rebalance.ts'
import type { CallContext, RebalanceArguments } from '../operations.ts'
import { begin } from '../rebalance-controller.ts'
import type { OperationsContext } from './operations-context.ts'

/** What would be moved if it were done at once. */
export function planRebalance(
  context: OperationsContext,
  { group, moves }: Omit<RebalanceArguments, 'disruption'>,
): Move[] {
  requireGroup(context.state, group)
  return proposeRebalance(context, group, moves)
}

/** The controller does it, move by move, as long as each pays. Throws `rebalance.running`. */
export async function startRebalance(
  context: OperationsContext,
  { group, moves, disruption }: RebalanceArguments,
  call: CallContext,
): Promise<Rebalance> {
  const { records, state, now } = context
  const decide = (tx: RecordTransaction): Rebalance => {
    requireGroup(state, group)
    const before = state.rebalances.get(group)
    if (before?.state === 'running')
      throw new BerthError(
        'rebalance.running',
        `rebalance ${group}: it is being rebalanced since ${new Date(before.startedAt).toISOString()} (${before.done} moved); wait for its end or stop it with: berth rebalance --stop --group ${group}`,
        { details: { group } },
      )
    const message = `asked for by ${call.actor}`
    const begun = begin(before, { message, movesLeft: moves, disruption, now: now() })
    const rebalance = { ...begun, group, createdBy: call.actor }
    tx.put('rebalances', rebalance, { ifUnchanged: true })
    tx.event({ type: 'rebalance.started', subject: {}, message: `node group ${group} is rebalanced: ${message}` })
    return rebalance
  }
  return (await records.commit(call.actor, decide, call)).value
}

/** What has begun to leave goes on leaving; nothing else is moved. Throws `rebalance.not-running`. */
export async function stopRebalance(context: OperationsContext, group: string, call: CallContext): Promise<Rebalance> {
  const { records, state, now } = context
  const decide = (tx: RecordTransaction): Rebalance => {
    requireGroup(state, group)
    const before = state.rebalances.get(group)
    if (before?.state !== 'running')
      throw new BerthError('rebalance.not-running', `stop the rebalancing of ${group}: none is under way`, {
        details: { group },
      })
    const message = `stopped by ${call.actor}; ${before.done} moved`
    const ended: Rebalance = { ...before, state: 'ended', moves: [], message, endedAt: now() }
    tx.put('rebalances', ended, { ifUnchanged: true })
    tx.event({ type: 'rebalance.ended', subject: {}, message: `node group ${group}: ${message}` })
    return ended
  }
  return (await records.commit(call.actor, decide, call)).value
}
