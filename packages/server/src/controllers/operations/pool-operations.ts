import {
  BerthError,
  type Instance,
  type Pool,
  type Release,
  type ReplicaCount,
  type Rollout,
  resolveSpec,
} from '@berth/core'
import type { RecordTransaction } from '../../records/index.ts'

import type { CallContext, JobArguments, Operations, PoolArguments, ScaleArguments } from '../operations.ts'
import { requireApp, requireInstance, requirePool, requireRelease, requireRollout } from './lookup.ts'
import type { OperationsContext } from './operations-context.ts'
import { startRollout } from './start-rollout.ts'

type PoolOperations = Omit<Operations, 'deploy' | 'plan' | 'startBuild' | 'cancelBuild'>

/** Everything that people may have done to pools, rollouts and instances that exist. */
export function createPoolOperations(context: OperationsContext): PoolOperations {
  return {
    scale: (scale, call) => scalePool(context, scale, call),
    restart: (pool, call) => restartPool(context, pool, call),
    rollback: (pool, call) => rollbackPool(context, pool, call),
    removeApp: (app, call) => removeApp(context, app, call),
    removePool: (pool, call) => removePool(context, pool, call),
    runJob: (job, call) => runJob(context, job, call),
    pauseRollout: (id, call) => moveRollout(context, id, call, 'pause'),
    resumeRollout: (id, call) => moveRollout(context, id, call, 'resume'),
    abortRollout: (id, call) => moveRollout(context, id, call, 'abort'),
    restartInstance: (id, call) => restartInstance(context, id, call),
    stopInstance: (id, call) => stopInstance(context, id, call),
  }
}

async function scalePool(
  { records, state }: OperationsContext,
  scale: ScaleArguments,
  call: CallContext,
): Promise<Pool> {
  const decide = (tx?: RecordTransaction): Pool => {
    const pool = requirePool(state, scale.app, scale.pool)
    const replicas = { ...pool.replicas }
    for (const [name, count] of Object.entries(scale.replicas)) replicas[name] = scaled(pool, name, count)
    const next = { ...pool, replicas }
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
      const current = requirePool(context.state, app, pool)
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
  const held = requirePool(context.state, args.app, args.pool).rollout
  if (held !== undefined && args.to === undefined) return moveRollout(context, held, call, 'abort')
  const { value } = await context.records.commit(
    call.actor,
    (tx) => {
      const pool = requirePool(context.state, args.app, args.pool)
      const release = requireRelease(context.state, args.app, args.to ?? releaseBefore(context, pool))
      return start(tx, context, release, args.pool, 'rollback', call.actor)
    },
    call,
  )
  return value
}

function releaseBefore({ state }: OperationsContext, pool: Pool): string {
  const served = state.rollouts
    .byPool(pool.app, pool.name)
    .filter((rollout) => rollout.state === 'succeeded')
    .sort((a, b) => (b.endedAt ?? 0) - (a.endedAt ?? 0))
    .flatMap((rollout) => [rollout.to, rollout.from ?? []].flat())
  const before = served.find((release) => release !== pool.release)
  if (before !== undefined) return before
  throw new BerthError(
    'release.none-before',
    `roll back ${pool.app}/${pool.name}: no other release has served there; name one with --to, \`berth releases ${pool.app}\` lists them`,
  )
}

async function removePool(
  { records, state }: OperationsContext,
  { app, pool }: PoolArguments,
  call: CallContext,
): Promise<void> {
  await records.commit(call.actor, (tx) => markRemoving(tx, requirePool(state, app, pool)), call)
}

async function removeApp({ records, state }: OperationsContext, name: string, call: CallContext): Promise<void> {
  await records.commit(
    call.actor,
    (tx) => {
      const app = requireApp(state, name)
      tx.put('apps', { ...app, removing: true }, { ifUnchanged: true })
      for (const pool of state.pools.byApp(name)) markRemoving(tx, pool)
      tx.event({ type: 'app.removing', subject: { app: name }, message: `${name} is being removed` })
    },
    call,
  )
}

function markRemoving(tx: RecordTransaction, pool: Pool): void {
  const { rollout: _, ...rest } = pool
  tx.put('pools', { ...rest, removing: true }, { ifUnchanged: true })
  tx.event({
    type: 'pool.removing',
    subject: { app: pool.app, pool: pool.name },
    message: `${pool.app}/${pool.name} is being removed`,
  })
}

async function runJob(context: OperationsContext, job: JobArguments, call: CallContext): Promise<Instance> {
  const { records, state } = context
  const decide = (tx: RecordTransaction): Instance => {
    const pool = requirePool(state, job.app, job.pool)
    const release = requireRelease(state, job.app, job.release ?? pool.release ?? noRelease(pool))
    const entrypoint = jobEntrypoint(release, pool, job)
    const ordinal = pool.nextOrdinal[entrypoint] ?? 1
    const instance: Instance = {
      id: `${pool.app}.${pool.name}.${entrypoint}-${ordinal}`,
      app: pool.app,
      pool: pool.name,
      entrypoint,
      ordinal,
      release: release.id,
      generation: pool.generation,
      type: 'job',
      ...(job.command === undefined ? {} : { command: job.command }),
      desired: 'run',
      restartNonce: 0,
      createdAt: context.now(),
      createdBy: call.actor,
    }
    tx.create('instances', instance)
    tx.put('pools', { ...pool, nextOrdinal: { ...pool.nextOrdinal, [entrypoint]: ordinal + 1 } }, { ifUnchanged: true })
    tx.event({
      type: 'job.started',
      subject: { app: pool.app, pool: pool.name, instance: instance.id },
      message: `${instance.id} runs ${release.id}`,
    })
    return instance
  }
  return (await records.commit(call.actor, decide, call)).value
}

function noRelease(pool: Pool): never {
  throw new BerthError(
    'pool.empty',
    `run a job in ${pool.app}/${pool.name}: no release runs there yet; deploy one first or name one with --release`,
  )
}

/** The one named, else the only job of the release, else (with a command of one's own) its first service. */
function jobEntrypoint(release: Release, pool: Pool, job: JobArguments): string {
  const { entrypoints } = resolveSpec(release.spec, pool.environment)
  const names = Object.keys(entrypoints)
  if (job.entrypoint !== undefined) {
    const spec = entrypoints[job.entrypoint]
    if (spec === undefined)
      throw new BerthError(
        'entrypoint.not-found',
        `run ${job.entrypoint}: ${release.app} ${release.id} has ${names.join(', ')}`,
      )
    if (spec.type === 'job' || job.command !== undefined) return job.entrypoint
    throw new BerthError(
      'entrypoint.not-a-job',
      `run ${job.entrypoint}: it is a service; give a command to run beside it: berth run ${release.app} ${job.entrypoint} -- COMMAND`,
    )
  }
  const jobs = names.filter((name) => entrypoints[name]?.type === 'job')
  const only = job.command === undefined ? (jobs.length === 1 ? jobs[0] : undefined) : names[0]
  if (only !== undefined) return only
  throw new BerthError(
    'entrypoint.ambiguous',
    `run a job of ${release.app}: name one of its entrypoints (${names.join(', ')}) or give a command after --`,
  )
}

type RolloutMove = 'pause' | 'resume' | 'abort'

async function moveRollout(
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
  type: string,
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
