import type { SavedPlan } from '@berth/api'
import {
  type AppSpec,
  awaitingPeople,
  BerthError,
  newStages,
  type Pool,
  type Release,
  type Rollout,
  type RolloutReason,
  restoreCounts,
} from '@berth/core'
import { approvalRulesFor } from '../../approvals/approval-rules.ts'
import { refuseFrozen } from '../../freezes/freeze-times.ts'
import { type AwaitedApproval, askForApprovals, awaitedApprovals, wishText } from '../../groups/group-checks.ts'
import { type RecordTransaction, releaseId, type State } from '../../records/index.ts'
import { newId } from '../../records/new-id.ts'
import { checkEnvironment, refuseProblems } from './check-release.ts'
import { refuseRemoving } from './lookup.ts'
import { newPool, reckonRollout, sizesFor } from './reckon-rollout.ts'
import { refuseUnproven } from './unproven.ts'

export interface RolloutStart {
  readonly release: Release
  readonly pool: string
  readonly reason: RolloutReason
  readonly createdBy: string
  /** Takes the place of a rollout under way. */
  readonly force: boolean
  readonly defaultPool: string
  readonly now: number
  /** Moves the pool to this node group with it; null: to where its spec says. */
  readonly moveTo?: string | null
  /** Why it goes there although the environment before has not seen it succeed. */
  readonly insists?: string
  /** Why deploys go on although they are frozen. */
  readonly overrideFreeze?: string | undefined
  /** As a plan has it: where instances go, and how many. */
  readonly planned?: Pick<SavedPlan, 'slots' | 'replicas'>
}

/** What a rollout's records are made of. */
type Beginning = Pick<RolloutStart, 'pool' | 'reason' | 'createdBy' | 'now'> & {
  readonly release: Pick<Release, 'id' | 'app'>
}

/** The records that a deploy would begin with, with nothing checked and nothing written; `spec`: as its environment has it. */
export function imagineRollout(
  state: State,
  start: Beginning,
  spec: AppSpec,
  replicas: Pool['replicas'],
): { readonly pool: Pool; readonly rollout: Rollout } {
  const pool = state.pools.find(start.release.app, start.pool) ?? newPool(start.release.app, start.pool, start.now)
  const held = pool.rollout === undefined ? undefined : state.rollouts.get(pool.rollout)
  const { now: sizes } = sizesFor(state, pool, spec, start)
  const rollout = newRollout(pool, held, start, spec)
  return { pool: begunPool(pool, rollout, sizes, replicas), rollout }
}

/** Checks and writes a new rollout into the transaction. Throws, writing nothing, when the release could not run in the pool. */
export function startRollout(tx: RecordTransaction, state: State, start: RolloutStart): Rollout {
  const { release } = start
  const before = state.pools.find(release.app, start.pool) ?? newPool(release.app, start.pool, start.now)
  const pool = start.moveTo === undefined ? before : inGroup(before, start.moveTo)
  refuseRemoving(state, release.app, pool.name)
  checkEnvironment(release.spec, pool.name, start.defaultPool)
  refuseUnproven(state, start, pool)
  const { spec, sizes, replicas, problems } = reckonRollout(state, pool, release.spec, start)
  refuseProblems(`${release.app} ${release.id} to ${pool.name}`, problems)
  const frozen =
    start.reason === 'deploy'
      ? refuseFrozen(state, { app: pool.app, pool: pool.name, override: start.overrideFreeze, now: start.now })
      : []
  const held = supersede(tx, state, pool, start)
  claim(tx, state, release, pool)
  const awaited = awaitedApprovals(state, pool, spec)
  askForApprovals(tx, pool, awaited, { by: start.createdBy, at: start.now })
  const started = {
    ...newRollout(pool, held, start, spec),
    ...(sizes.before === undefined ? {} : { sizesBefore: sizes.before }),
  }
  const waiting = waitingFor(withFreezes(started, frozen, start), awaited)
  const rollout = withGroupBefore(withPeople(waiting, state, spec, start), before, held, start)
  tx.put(
    'pools',
    {
      ...begunPool(pool, rollout, sizes.now, replicas),
      ...(sizes.awaited === undefined ? {} : { awaitedSizes: sizes.awaited }),
      ...(start.planned === undefined
        ? {}
        : { planned: { generation: rollout.toGeneration, slots: start.planned.slots } }),
    },
    { ifUnchanged: true },
  )
  tx.create('rollouts', rollout)
  tx.event({
    type: 'rollout.started',
    subject: { app: pool.app, pool: pool.name, rollout: rollout.id, release: release.id },
    message: `${pool.app}/${pool.name}: ${start.reason} ${rollout.from === undefined ? '' : `from ${rollout.from} `}to ${rollout.to}`,
  })
  return rollout
}

/** Rollbacks and restarts ask nobody. */
const withPeople = (rollout: Rollout, state: State, spec: AppSpec, { reason, now }: RolloutStart): Rollout =>
  reason === 'deploy'
    ? awaitingPeople(rollout, spec.rollout.approvals ?? 0, now, approvalRulesFor(state, rollout.app, rollout.pool))
    : rollout

const withoutPlan = ({ planned: _, sizes: _s, awaitedSizes: _a, ...pool }: Pool): Pool => pool

const begunPool = (pool: Pool, rollout: Rollout, sizes: Pool['sizes'], replicas: Pool['replicas']): Pool => ({
  ...withoutPlan(pool),
  ...(sizes === undefined ? {} : { sizes }),
  ...{ replicas, rollout: rollout.id, nextGeneration: rollout.toGeneration + 1 },
})

export function inGroup(pool: Pool, group: string | null): Pool {
  const { group: _, ...rest } = pool
  return group === null ? rest : { ...rest, group }
}

const withFreezes = (rollout: Rollout, freezes: readonly string[], { overrideFreeze }: RolloutStart): Rollout =>
  freezes.length === 0 || overrideFreeze === undefined
    ? rollout
    : { ...rollout, frozen: { freezes, reason: overrideFreeze } }

/** It begins when everything it waits for has been approved. */
function waitingFor(rollout: Rollout, awaited: readonly AwaitedApproval[]): Rollout {
  if (awaited.length === 0) return rollout
  const names = awaited.map(({ entrypoint }) => entrypoint)
  const wishes = awaited.map((each) => wishText({ app: rollout.app, name: rollout.pool }, each))
  return { ...rollout, state: 'paused', awaitsApproval: names, message: `waits for approval: ${wishes.join('; ')}` }
}

/** One that takes over from a move goes back to where that one came from. */
function withGroupBefore(rollout: Rollout, before: Pool, held: Rollout | undefined, { moveTo }: RolloutStart): Rollout {
  if (held?.groupBefore !== undefined) return { ...rollout, groupBefore: held.groupBefore }
  return moveTo === undefined ? rollout : { ...rollout, groupBefore: before.group ?? null }
}

/**
 * Neither app nor release may go at this moment. A new pool is seen by nobody yet, so it touches the app's record, which those compare
 * who remove releases; a release that is made by this transaction is safe from them.
 */
function claim(tx: RecordTransaction, state: State, release: Release, pool: Pool): void {
  const app = state.apps.get(release.app)
  const isMade = state.releases.find(release.app, release.id) === undefined
  tx.require('releases', releaseId(release.app, release.id))
  if (app === undefined || isMade || state.pools.find(pool.app, pool.name) !== undefined)
    tx.require('apps', release.app)
  else tx.put('apps', app, { ifUnchanged: true })
}

/** One that takes over from another has the counts of before that one to go back to. */
function newRollout(pool: Pool, held: Rollout | undefined, start: Beginning, spec: AppSpec): Rollout {
  const { release, reason, createdBy, now } = start
  return {
    id: newId('r'),
    app: pool.app,
    pool: pool.name,
    reason,
    ...(pool.release === undefined ? {} : { from: pool.release }),
    to: release.id,
    fromGeneration: pool.generation,
    toGeneration: pool.nextGeneration,
    state: 'running',
    message: `${release.id}: starting`,
    progress: {},
    replicasBefore: held === undefined ? pool.replicas : restoreCounts(pool.replicas, held.replicasBefore),
    jobsDone: [],
    ...stagesFor(pool, start, spec),
    createdAt: now,
    updatedAt: now,
    createdBy,
  }
}

/** Where nothing serves yet there is nothing to compare with; and going back must not wait. */
function stagesFor(
  pool: Pool,
  { reason }: Pick<RolloutStart, 'reason'>,
  { rollout }: AppSpec,
): Pick<Rollout, 'stages'> {
  const { stages = [] } = rollout
  return reason !== 'deploy' || pool.release === undefined || stages.length === 0 ? {} : { stages: newStages(stages) }
}

/** One rollout holds a pool. With force the new one takes over: all that the old one made counts as old from then on. */
function supersede(tx: RecordTransaction, state: State, pool: Pool, start: RolloutStart): Rollout | undefined {
  const held = heldBy(state, pool)
  if (held === undefined) return undefined
  if (!start.force) throw inProgress(held)
  tx.put(
    'rollouts',
    {
      ...held,
      state: 'aborted',
      message: `superseded by ${start.createdBy}`,
      updatedAt: start.now,
      endedAt: start.now,
    },
    { ifUnchanged: true },
  )
  return held
}

const heldBy = (state: State, pool: Pool | undefined): Rollout | undefined =>
  pool?.rollout === undefined ? undefined : state.rollouts.get(pool.rollout)

function inProgress({ id, app, pool, to, createdBy, createdAt }: Rollout): BerthError {
  const since = new Date(createdAt).toISOString()
  return new BerthError(
    'rollout.in-progress',
    `${app}/${pool} is held by rollout ${id} to ${to} of ${createdBy} since ${since}; wait for it (berth rollout watch ${id}), stop it (berth rollout abort ${id}) or take over with --force`,
    { retryable: true, details: { rollout: id, holder: createdBy, since: createdAt } },
  )
}

/** Throws `rollout.in-progress`, unless the new one would take over. */
export function refuseHeldPool(state: State, wanted: { app: string; pool: string; force: boolean }): void {
  const held = heldBy(state, state.pools.find(wanted.app, wanted.pool))
  if (held !== undefined && !wanted.force) throw inProgress(held)
}
