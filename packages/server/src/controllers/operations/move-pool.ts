import { BerthError, type Pool } from '@berth/core'
import { groupProblems } from '../../groups/group-checks.ts'
import { requireGroup } from '../../groups/groups.ts'
import type { RecordTransaction } from '../../records/index.ts'
import type { CallContext, MoveArguments, PoolMove } from '../operations.ts'
import { requireLivePool, requireRelease } from './lookup.ts'
import type { OperationsContext } from './operations-context.ts'
import { inGroup, startRollout } from './start-rollout.ts'

/** A pool is moved by replacing its instances batch by batch, as in a restart; if that fails, it is back where it was. */
export async function movePool(context: OperationsContext, move: MoveArguments, call: CallContext): Promise<PoolMove> {
  const { records, state, defaultPool, now } = context
  const decide = (tx: RecordTransaction): string | undefined => {
    const pool = requireLivePool(state, move.app, move.pool)
    if (move.group !== null) requireGroup(state, move.group)
    if ((pool.group ?? null) === move.group) return undefined
    const message = `${pool.app}/${pool.name} moves to ${move.group === null ? 'where its berth.yaml says' : `node group ${move.group}`}`
    tx.event({ type: 'pool.moved', subject: { app: pool.app, pool: pool.name }, message })
    if (pool.release === undefined) {
      refuseForeign(context, inGroup(pool, move.group), call.actor)
      tx.put('pools', inGroup(pool, move.group), { ifUnchanged: true })
      return undefined
    }
    const release = requireRelease(state, pool.app, pool.release)
    const { name } = pool
    const start = { release, pool: name, reason: 'restart', createdBy: call.actor, force: false, defaultPool } as const
    return startRollout(tx, state, { ...start, now: now(), moveTo: move.group }).id
  }
  const { value } = await records.commit(call.actor, decide, call)
  const rollout = value === undefined ? undefined : state.rollouts.get(value)
  return { pool: requireLivePool(state, move.app, move.pool), ...(rollout === undefined ? {} : { rollout }) }
}

/** A pool in which nothing has run yet: its rollout will ask again, by what it then runs. */
function refuseForeign({ state }: OperationsContext, pool: Pool, actor: string): void {
  const rollout = pool.rollout === undefined ? undefined : state.rollouts.get(pool.rollout)
  const release = rollout === undefined ? undefined : state.releases.find(pool.app, rollout.to)
  const [problem] = release === undefined ? [] : groupProblems(state, pool, release.spec, actor)
  if (problem !== undefined)
    throw new BerthError('group.not-allowed', `move ${pool.app}/${pool.name}: ${problem}`, {
      details: { app: pool.app, pool: pool.name },
    })
}
