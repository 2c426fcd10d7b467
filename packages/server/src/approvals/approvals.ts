import {
  type Approval,
  awaitsPeople,
  BerthError,
  mayApprove,
  peopleText,
  type Rollout,
  withoutSizes,
} from '@berth/core'
import type { CallContext } from '../controllers/operations.ts'
import { callerOf } from '../groups/caller-of.ts'
import { requireGroup } from '../groups/groups.ts'
import { entrypointId, type Records, type RecordTransaction, type State } from '../records/index.ts'

export interface ApprovalArguments {
  readonly app: string
  readonly pool: string
  readonly entrypoint: string
  readonly decision: 'approve' | 'deny'
}

/** What a person says to a wish for much memory. The rollout that waits for it goes on with the last yes, and ends with the first no. */
export class Approvals {
  readonly #records: Records
  readonly #state: State
  readonly #now: () => number

  constructor(records: Records, now: () => number = Date.now) {
    this.#records = records
    this.#state = records.state
    this.#now = now
  }

  async decide(args: ApprovalArguments, context: CallContext): Promise<Approval> {
    const { value } = await this.#records.commit(context.actor, (tx) => this.#decide(tx, args, context.actor), context)
    return value
  }

  #decide(tx: RecordTransaction, { app, pool, entrypoint, decision }: ApprovalArguments, actor: string): Approval {
    const id = entrypointId(app, pool, entrypoint)
    const before = this.#state.approvals.get(id)
    if (before === undefined)
      throw new BerthError('approval.not-found', `nothing of ${id} waits for approval; see: berth approve`, {
        details: { id },
      })
    this.#refuseForeign(before, actor)
    const state = decision === 'approve' ? 'approved' : 'denied'
    const approval: Approval = { ...before, state, decidedAt: this.#now(), decidedBy: actor }
    tx.put('approvals', approval, { ifUnchanged: true })
    const message = `${app}/${pool}: ${state} ${Math.ceil(before.memoryBytes / 1024 ** 2)} MiB of memory for ${entrypoint} in group ${before.group}`
    tx.event({ type: `approval.${state}`, subject: { app, pool }, message })
    this.#settleSizes(tx, app, pool, entrypoint, state)
    const rollout = this.#rolloutOf(app, pool)
    if (rollout?.awaitsApproval?.includes(entrypoint) === true) this.#tell(tx, rollout, entrypoint, state, actor)
    return approval
  }

  #refuseForeign({ group: name, app, pool, entrypoint }: Approval, actor: string): void {
    const group = requireGroup(this.#state, name)
    if (mayApprove(group, callerOf(this.#state, actor))) return
    const who = group.memoryApproval?.approvers.join(', ') || 'an admin'
    throw new BerthError(
      'approval.forbidden',
      `approve ${app}/${entrypoint}@${pool}: for node group ${name} that is up to ${who}`,
      {
        details: { group: name },
      },
    )
  }

  /** Sizes that waited for this are set, or given up. */
  #settleSizes(tx: RecordTransaction, app: string, name: string, entrypoint: string, state: Approval['state']): void {
    const pool = this.#state.pools.find(app, name)
    const set = pool?.awaitedSizes?.[entrypoint]
    if (pool === undefined || set === undefined) return
    const { awaitedSizes, ...rest } = pool
    const left = withoutSizes(awaitedSizes, entrypoint)
    const next = left === undefined ? rest : { ...rest, awaitedSizes: left }
    const sizes = { ...pool.sizes, [entrypoint]: set }
    tx.put('pools', state === 'approved' ? { ...next, sizes } : next, { ifUnchanged: true })
    if (state !== 'approved') return
    const message = `${app}/${name}: ${entrypoint} gets what was asked for it`
    tx.event({ type: 'pool.resized', subject: { app, pool: name }, message })
  }

  #rolloutOf(app: string, pool: string): Rollout | undefined {
    const id = this.#state.pools.find(app, pool)?.rollout
    return id === undefined ? undefined : this.#state.rollouts.get(id)
  }

  #tell(tx: RecordTransaction, rollout: Rollout, entrypoint: string, state: Approval['state'], actor: string): void {
    const { awaitsApproval = [], ...rest } = rollout
    const left = awaitsApproval.filter((each) => each !== entrypoint)
    const next = decided(rest, left, state, actor, this.#now())
    tx.put('rollouts', next, { ifUnchanged: true })
    const { app, pool, id } = rollout
    tx.event({
      type: `rollout.${next.state}`,
      subject: { app, pool, rollout: id },
      message: `${app}/${pool}: ${next.message}`,
    })
  }
}

function decided(
  rollout: Rollout,
  left: readonly string[],
  state: Approval['state'],
  actor: string,
  now: number,
): Rollout {
  const base = { ...rollout, updatedAt: now }
  if (state === 'denied') return { ...base, state: 'rolling-back', message: `its memory was denied by ${actor}` }
  if (left.length === 0 && awaitsPeople(base)) return { ...base, message: peopleText(base) }
  if (left.length === 0) return { ...base, state: 'running', message: `approved by ${actor}` }
  return { ...base, awaitsApproval: left, message: `waits for approval of the memory of ${left.join(', ')}` }
}
