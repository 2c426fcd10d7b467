import type { Instance, Pool } from '@berth/core'
import type { RecordTransaction } from '../../records/index.ts'
import { releaseId } from '../../records/index.ts'

export interface JobStart {
  readonly entrypoint: string
  readonly release: string
  readonly command?: readonly string[]
  readonly createdBy: string
  readonly now: number
  /** A run of a schedule. */
  readonly dueAt?: number
}

/** Writes one run of a job into the transaction, which fails when the pool or the release has changed since. */
export function writeJob(tx: RecordTransaction, pool: Pool, job: JobStart): Instance {
  const { entrypoint, release, command, createdBy, now, dueAt } = job
  const ordinal = pool.nextOrdinal[entrypoint] ?? 1
  const instance: Instance = {
    id: `${pool.app}.${pool.name}.${entrypoint}-${ordinal}`,
    app: pool.app,
    pool: pool.name,
    entrypoint,
    ordinal,
    release,
    generation: pool.generation,
    type: 'job',
    ...(command === undefined ? {} : { command }),
    ...(dueAt === undefined ? {} : { dueAt }),
    desired: 'run',
    restartNonce: 0,
    createdAt: now,
    createdBy,
  }
  tx.require('releases', releaseId(pool.app, release))
  tx.create('instances', instance)
  tx.put('pools', { ...pool, nextOrdinal: { ...pool.nextOrdinal, [entrypoint]: ordinal + 1 } }, { ifUnchanged: true })
  tx.event({
    type: 'job.started',
    subject: { app: pool.app, pool: pool.name, instance: instance.id },
    message: `${instance.id} runs ${release}${dueAt === undefined ? '' : `, due at ${new Date(dueAt).toISOString()}`}`,
  })
  return instance
}
