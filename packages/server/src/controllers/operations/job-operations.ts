import { BerthError, enterRun, type Instance, type Pool, type Release, resolveSpec, sizedSpec } from '@berth/core'
import { awaitedApprovals, groupProblems, wishText } from '../../groups/group-checks.ts'
import type { RecordTransaction, State } from '../../records/index.ts'
import type { CallContext, CronArguments, JobArguments } from '../operations.ts'
import { writeJob } from './job-instance.ts'
import { requireLivePool, requireRelease } from './lookup.ts'
import type { OperationsContext } from './operations-context.ts'

/** Runs a job once, beside whatever else runs in the pool. */
export async function runJob(context: OperationsContext, job: JobArguments, call: CallContext): Promise<Instance> {
  const { records, state } = context
  const decide = (tx: RecordTransaction): Instance => {
    const pool = requireLivePool(state, job.app, job.pool)
    const release = requireRelease(state, job.app, job.release ?? pool.release ?? noRelease(pool))
    const entrypoint = jobEntrypoint(release, pool, job)
    refuseHere(state, pool, release, entrypoint, call.actor)
    const { command } = job
    const start = { entrypoint, release: release.id, createdBy: call.actor, now: context.now() }
    return writeJob(tx, pool, command === undefined ? start : { ...start, command })
  }
  return (await records.commit(call.actor, decide, call)).value
}

/** Begins a run of a schedule now, beside whatever the clock says. */
export async function runCron(context: OperationsContext, cron: CronArguments, call: CallContext): Promise<Instance> {
  const { records, state, now } = context
  const decide = (tx: RecordTransaction): Instance => {
    const { app, entrypoint } = cron
    const pool = requireLivePool(state, app, cron.pool)
    const record = state.crons.find(app, pool.name, entrypoint)
    if (record === undefined || pool.release === undefined)
      throw new BerthError(
        'cron.not-found',
        `${app}/${pool.name} has no job ${entrypoint} that runs by the clock; see: berth cron ls`,
        {
          details: { app, pool: pool.name, entrypoint },
        },
      )
    const release = requireRelease(state, app, pool.release)
    refuseHere(state, pool, release, entrypoint, call.actor)
    const start = { entrypoint, release: release.id, createdBy: call.actor, now: now(), dueAt: now() }
    const instance = writeJob(tx, pool, start)
    const run = { dueAt: start.dueAt, state: 'running', instance: instance.id, by: call.actor } as const
    tx.put('crons', enterRun(record, run), { ifUnchanged: true })
    return instance
  }
  return (await records.commit(call.actor, decide, call)).value
}

/** The node group is not for this caller, or the memory has not been approved. */
function refuseHere(state: State, pool: Pool, release: Release, entrypoint: string, actor: string): void {
  const spec = sizedSpec(resolveSpec(release.spec, pool.environment), pool.sizes)
  const own = spec.entrypoints[entrypoint]
  const only = { ...spec, entrypoints: own === undefined ? {} : { [entrypoint]: own } }
  const [problem] = groupProblems(state, pool, only, actor)
  if (problem !== undefined)
    throw new BerthError('group.not-allowed', `run ${entrypoint} in ${pool.app}/${pool.name}: ${problem}`)
  const [wish] = awaitedApprovals(state, pool, only)
  if (wish !== undefined)
    throw new BerthError('approval.required', `run ${entrypoint}: ${wishText(pool, wish)}`, { details: { entrypoint } })
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
      `run ${job.entrypoint}: it is a service; give a command to run beside it: berth run ${release.app}/${job.entrypoint} -- COMMAND`,
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
