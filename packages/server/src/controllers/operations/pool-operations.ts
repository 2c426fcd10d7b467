import {
  BerthError,
  type EventType,
  type Instance,
  isSystem,
  type Pool,
  type Release,
  type ReplicaCount,
  type Rollout,
  resolveSpec,
  sizedSpec,
} from '@berth/core'
import { groupProblems, quotaProblems } from '../../groups/group-checks.ts'
import type { RecordTransaction, State } from '../../records/index.ts'

import type { CallContext, Operations, PoolArguments, ScaleArguments } from '../operations.ts'
import { attachNetwork, detachNetwork } from './attach-network.ts'
import { runCron, runJob } from './job-operations.ts'
import { requireInstance, requireLivePool, requireRelease } from './lookup.ts'
import { movePool } from './move-pool.ts'
import type { OperationsContext } from './operations-context.ts'
import { publishPort, unpublishPort } from './publish-port.ts'
import { removeApp, removePool } from './removal.ts'
import { resizeInstance } from './resize-instance.ts'
import { resizePool } from './resize-pool.ts'
import { rollbackRollout } from './rollback-rollout.ts'
import { moveRollout, writeMove } from './rollout-moves.ts'
import { startRollout } from './start-rollout.ts'

type Others = 'planRebalance' | 'startRebalance' | 'stopRebalance' | 'startBuild' | 'cancelBuild' | 'promote'
type PoolOperations = Omit<Operations, 'deploy' | 'plan' | 'applyPlan' | 'capacity' | Others>

/** Everything that people may have done to pools, rollouts and instances that exist. */
export function createPoolOperations(context: OperationsContext): PoolOperations {
  return {
    scale: (scale, call) => scalePool(context, scale, call),
    resize: (resize, call) => resizePool(context, resize, call),
    resizeInstance: (resize, call) => resizeInstance(context, resize, call),
    restart: (pool, call) => restartPool(context, pool, call),
    rollback: (pool, call) => rollbackPool(context, pool, call),
    movePool: (move, call) => movePool(context, move, call),
    removeApp: (app, call) => removeApp(context, app, call),
    removePool: (pool, call) => removePool(context, pool, call),
    runJob: (job, call) => runJob(context, job, call),
    runCron: (cron, call) => runCron(context, cron, call),
    pauseRollout: (id, call) => moveRollout(context, id, call, 'pause'),
    resumeRollout: (id, call) => moveRollout(context, id, call, 'resume'),
    abortRollout: (id, call) => moveRollout(context, id, call, 'abort'),
    approveRollout: (id, call) => moveRollout(context, id, call, 'approve'),
    skipStage: (id, call) => moveRollout(context, id, call, 'skip'),
    continueRollout: (id, call) => moveRollout(context, id, call, 'continue'),
    rollbackRollout: (id, call) => rollbackRollout(context, id, call),
    restartInstance: (id, call) => restartInstance(context, id, call),
    publishPort: (id, port, call, listening) => publishPort(context, id, port, call, listening),
    unpublishPort: (id, port, call) => unpublishPort(context, id, port, call),
    attachNetwork: (id, network, call) => attachNetwork(context, id, network, call),
    detachNetwork: (id, network, call) => detachNetwork(context, id, network, call),
    stopInstance: (id, call) => stopInstance(context, id, call),
  }
}

async function scalePool(
  { records, state }: OperationsContext,
  scale: ScaleArguments,
  call: CallContext,
): Promise<Pool> {
  const decide = (tx?: RecordTransaction): Pool => {
    const pool = requireLivePool(state, scale.app, scale.pool)
    refuseSystem(state, pool, Object.keys(scale.replicas))
    const replicas = { ...pool.replicas }
    for (const [name, count] of Object.entries(scale.replicas)) replicas[name] = scaled(pool, name, count)
    refuseTooMany(state, pool, replicas, call.actor)
    const { planned: _, ...unplanned } = pool
    const next = { ...unplanned, replicas }
    const { app, name } = pool
    const counts = Object.entries(scale.replicas).map(
      ([each, count]) => `${each} ${pool.replicas[each]?.count} → ${count}`,
    )
    tx?.put('pools', next, { ifUnchanged: true })
    tx?.event({ type: 'pool.scaled', subject: { app, pool: name }, message: `${app}/${name}: ${counts.join(', ')}` })
    return next
  }
  if (scale.dryRun) return decide()
  return (await records.commit(call.actor, decide, call)).value
}

/** What runs on every node has no count of its own. */
function refuseSystem(state: State, pool: Pool, names: readonly string[]): void {
  const release = pool.release === undefined ? undefined : state.releases.find(pool.app, pool.release)
  if (release === undefined) return
  const { entrypoints } = resolveSpec(release.spec, pool.environment)
  const name = names.find((each) => entrypoints[each] !== undefined && isSystem(entrypoints[each]))
  if (name === undefined) return
  throw new BerthError(
    'entrypoint.not-counted',
    `scale ${pool.app}/${pool.name}: ${name} runs on every node that matches; change its placement in berth.yaml ({each: 2} for two on each)`,
    { details: { entrypoint: name } },
  )
}

/** More than the node groups give; fewer is always possible. */
export function refuseTooMany(state: State, pool: Pool, replicas: Pool['replicas'], actor: string): void {
  const grows = Object.entries(replicas).some(([name, { count }]) => count > (pool.replicas[name]?.count ?? 0))
  const release = pool.release === undefined ? undefined : state.releases.find(pool.app, pool.release)
  if (!grows || release === undefined) return
  const spec = sizedSpec(resolveSpec(release.spec, pool.environment), pool.sizes)
  const [problem] = [...groupProblems(state, pool, spec, actor), ...quotaProblems(state, pool, spec, replicas)]
  if (problem !== undefined)
    throw new BerthError('group.not-allowed', `scale ${pool.app}/${pool.name}: ${problem}`, {
      details: { app: pool.app, pool: pool.name },
    })
}

function scaled(pool: Pool, name: string, count: number): ReplicaCount {
  const held = pool.replicas[name]
  if (held !== undefined) return { count, setBy: 'scale', specCount: held.specCount }
  const known = Object.keys(pool.replicas)
  const list = known.length === 0 ? 'it has none yet' : `it has ${known.join(', ')}`
  throw new BerthError(
    'entrypoint.not-found',
    `scale ${pool.app}/${pool.name}: no service entrypoint ${name}; ${list}`,
    {
      details: { entrypoint: name },
    },
  )
}

async function restartPool(
  context: OperationsContext,
  { app, pool }: PoolArguments,
  call: CallContext,
): Promise<Rollout> {
  const { value } = await context.records.commit(
    call.actor,
    (tx) => {
      const current = requireLivePool(context.state, app, pool)
      if (current.release === undefined)
        throw new BerthError('pool.empty', `restart ${app}/${pool}: no release runs there yet; deploy one first`)
      const release = requireRelease(context.state, app, current.release)
      return start(tx, context, release, pool, 'restart', call.actor)
    },
    call,
  )
  return value
}

function start(
  tx: RecordTransaction,
  context: OperationsContext,
  release: Release,
  pool: string,
  reason: Rollout['reason'],
  actor: string,
): Rollout {
  const { state, defaultPool, now } = context
  return startRollout(tx, state, { release, pool, reason, createdBy: actor, force: false, defaultPool, now: now() })
}

/** With a rollout under way, rolling back means stopping it; else it goes to the release that served before, or to the one named. */
async function rollbackPool(
  context: OperationsContext,
  args: PoolArguments & { readonly to?: string },
  call: CallContext,
): Promise<Rollout> {
  const { records, state } = context
  const decide = (tx: RecordTransaction): Rollout => {
    const pool = requireLivePool(state, args.app, args.pool)
    const held = pool.rollout === undefined ? undefined : state.rollouts.get(pool.rollout)
    if (held === undefined || args.to !== undefined) {
      const release = requireRelease(state, args.app, args.to ?? releaseBefore(context, pool))
      return start(tx, context, release, args.pool, 'rollback', call.actor)
    }
    return held.state === 'rolling-back' ? held : writeMove(tx, context, held, call.actor, 'abort')
  }
  return (await records.commit(call.actor, decide, call)).value
}

function releaseBefore({ state }: OperationsContext, pool: Pool): string {
  const served = state.rollouts
    .byPool(pool.app, pool.name)
    .filter((rollout) => rollout.state === 'succeeded')
    .sort((a, b) => (b.endedAt ?? 0) - (a.endedAt ?? 0))
    .flatMap((rollout) => [rollout.to, rollout.from ?? []].flat())
  const before = served.find((id) => id !== pool.release && state.releases.find(pool.app, id) !== undefined)
  if (before !== undefined) return before
  throw new BerthError(
    'release.none-before',
    `roll back ${pool.app}/${pool.name}: no other release has served there; name one with --to, \`berth releases ${pool.app}\` lists them`,
  )
}

async function restartInstance(
  { records, state }: OperationsContext,
  id: string,
  call: CallContext,
): Promise<Instance> {
  return changeInstance(records, call, 'instance.restart', () => {
    const instance = requireInstance(state, id)
    if (instance.type === 'job')
      throw new BerthError('instance.is-a-job', `restart ${id}: a job runs once; run it again with \`berth run\``)
    return { ...instance, restartNonce: instance.restartNonce + 1 }
  })
}

async function stopInstance(
  { records, state, now }: OperationsContext,
  id: string,
  call: CallContext,
): Promise<Instance> {
  return changeInstance(records, call, 'instance.stop', () => {
    const instance = requireInstance(state, id)
    const stopReason = `stopped by ${call.actor}`
    if (instance.desired !== 'run') return instance
    if (instance.type === 'job' || instance.node === undefined) return { ...instance, desired: 'stop', stopReason }
    return { ...instance, desired: 'drain', drainSince: now(), stopReason }
  })
}

async function changeInstance(
  records: OperationsContext['records'],
  call: CallContext,
  type: EventType,
  change: () => Instance,
): Promise<Instance> {
  const { value } = await records.commit(
    call.actor,
    (tx) => {
      const instance = change()
      tx.put('instances', instance, { ifUnchanged: true })
      const { app, pool, id } = instance
      tx.event({
        type,
        subject: { app, pool, instance: id },
        message: `${id}: ${type.slice('instance.'.length)} asked for`,
      })
      return instance
    },
    call,
  )
  return value
}
