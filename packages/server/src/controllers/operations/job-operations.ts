import { BerthError, type Instance, type Pool, type Release, resolveSpec } from '@berth/core'
import { type RecordTransaction, releaseId } from '../../records/index.ts'
import type { CallContext, JobArguments } from '../operations.ts'
import { requireLivePool, requireRelease } from './lookup.ts'
import type { OperationsContext } from './operations-context.ts'

/** Runs a job once, beside whatever else runs in the pool. */
export async function runJob(context: OperationsContext, job: JobArguments, call: CallContext): Promise<Instance> {
  const { records, state } = context
  const decide = (tx: RecordTransaction): Instance => {
    const pool = requireLivePool(state, job.app, job.pool)
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
    tx.require('releases', releaseId(release.app, release.id))
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
