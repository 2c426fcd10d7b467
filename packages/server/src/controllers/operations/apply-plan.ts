import type { SavedPlan } from '@berth/api'
import { BerthError, type Pool, type Rollout } from '@berth/core'
import type { RecordTransaction } from '../../records/index.ts'
import type { CallContext } from '../operations.ts'
import { requireLivePool, requireRelease } from './lookup.ts'
import type { OperationsContext } from './operations-context.ts'
import { refuseTooMany } from './pool-operations.ts'
import { startRollout } from './start-rollout.ts'

/** Does what was planned, node by node, or nothing: a plan is refused when anything that it stands on has changed. */
export async function applyPlan(
  context: OperationsContext,
  plan: SavedPlan,
  call: CallContext,
): Promise<{ readonly pool: Pool; readonly rollout?: Rollout }> {
  const { records, state, defaultPool, now } = context
  const decide = (tx: RecordTransaction): string | undefined => {
    refuseStale(context, plan)
    const release = requireRelease(state, plan.app, plan.release)
    const before = state.pools.find(plan.app, plan.pool)
    if (before !== undefined && before.release === plan.release && before.rollout === undefined) {
      const next = scaledPool(requireLivePool(state, plan.app, plan.pool), plan)
      // A saved plan is its bearer's word: whether it may be so is asked again.
      refuseTooMany(state, before, next.replicas, call.actor)
      tx.put('pools', next, { ifUnchanged: true })
      tx.event({
        type: 'pool.scaled',
        subject: { app: plan.app, pool: plan.pool },
        message: `${plan.app}/${plan.pool}: as planned, ${Object.entries(plan.replicas)
          .map(([name, count]) => `${name} ${before.replicas[name]?.count ?? 0} → ${count}`)
          .join(', ')}`,
      })
      return undefined
    }
    const { pool, slots, replicas } = plan
    const start = { release, pool, reason: 'deploy', createdBy: call.actor, force: false, defaultPool } as const
    return startRollout(tx, state, { ...start, now: now(), planned: { slots, replicas } }).id
  }
  const { value } = await records.commit(call.actor, decide, call)
  const rollout = value === undefined ? undefined : state.rollouts.get(value)
  return { pool: requireLivePool(state, plan.app, plan.pool), ...(rollout === undefined ? {} : { rollout }) }
}

function scaledPool(pool: Pool, plan: SavedPlan): Pool {
  const replicas = { ...pool.replicas }
  for (const [name, count] of Object.entries(plan.replicas)) {
    const held = replicas[name]
    if (held !== undefined && held.count !== count) replicas[name] = { ...held, count, setBy: 'scale' }
  }
  return { ...pool, replicas, planned: { generation: pool.generation, slots: plan.slots } }
}

function refuseStale({ state, books }: OperationsContext, plan: SavedPlan): void {
  const pool = state.pools.find(plan.app, plan.pool)
  const moved: string[] = []
  if ((pool?.generation ?? 0) !== plan.generation) moved.push(`${plan.app}/${plan.pool} runs another release`)
  if (pool?.rollout !== undefined) moved.push(`rollout ${pool.rollout} holds ${plan.app}/${plan.pool}`)
  for (const [node, digest] of Object.entries(plan.digests)) {
    if (!state.nodes.has(node)) moved.push(`${node} is gone`)
    else if (books.books.nodeDigest(node) !== digest) moved.push(`${node} has changed, or what is given out there`)
  }
  if (moved.length === 0) return
  const since = new Date(plan.plannedAt).toISOString()
  throw new BerthError('plan.stale', `apply the plan of ${since}: ${moved.join('; ')}; plan again`, {
    details: { moved },
  })
}
