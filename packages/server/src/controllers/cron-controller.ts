import {
  type CronDecision,
  type CronRecord,
  type CronRun,
  type CronTimes,
  decideCron,
  enterRun,
  type Instance,
  type Pool,
  type RunOutcome,
  type ScheduleSpec,
} from '@berth/core'
import type { Logger } from 'pino'
import { cronTimes } from '../cron/cron-times.ts'
import { schedulesOf } from '../cron/schedules-of.ts'
import {
  entrypointId,
  poolId,
  type Records,
  type RecordTransaction,
  type State,
  type StateChange,
} from '../records/index.ts'
import { KeyLoop } from './key-loop.ts'
import { writeJob } from './operations/job-instance.ts'

export interface CronControllerOptions {
  readonly records: Records
  readonly state: State
  readonly log: Logger
  readonly now?: () => number
}

const actor = 'system:cron'

/**
 * Runs jobs by the clock. What is due is decided in `core/cron`, and written in one transaction with the instance that comes of it, which
 * fails when somebody else has decided meanwhile: a due time is run once, however often servers start.
 */
export class CronController implements AsyncDisposable {
  readonly #options: CronControllerOptions
  readonly #state: State
  readonly #now: () => number
  readonly #loop: KeyLoop
  readonly #unsubscribe: () => void
  readonly #times = new Map<string, CronTimes>()

  constructor(options: CronControllerOptions) {
    this.#options = options
    this.#state = options.state
    this.#now = options.now ?? Date.now
    this.#loop = new KeyLoop({
      name: 'cron',
      process: (pool, signal) => this.#process(pool, signal),
      log: options.log,
      now: this.#now,
    })
    this.#unsubscribe = this.#state.changes.subscribe((change) => this.#onChange(change))
    for (const id of this.#state.pools.ids()) this.#loop.mark(id)
    for (const { app, pool } of this.#state.crons.values()) this.#loop.mark(poolId(app, pool))
  }

  idle = (): Promise<void> => this.#loop.idle()

  async [Symbol.asyncDispose](): Promise<void> {
    this.#unsubscribe()
    await this.#loop[Symbol.asyncDispose]()
  }

  #onChange(change: StateChange): void {
    if (change.kind === 'pools') this.#onPool(change.id, change.before, change.after)
    else if (change.kind === 'instances') this.#onInstance(change.after ?? change.before)
    else if (change.kind === 'statuses' && this.#state.instances.field(change.id, 'dueAt') !== undefined)
      this.#onInstance(this.#state.instances.get(change.id))
  }

  /** Counts and ordinals change all the time, and mean nothing here. */
  #onPool(id: string, before: Pool | undefined, after: Pool | undefined): void {
    const same = before?.release === after?.release && before?.removing === after?.removing && before !== undefined
    if (!same) this.#loop.mark(id)
  }

  #onInstance(instance: Instance | undefined): void {
    if (instance?.dueAt !== undefined) this.#loop.mark(poolId(instance.app, instance.pool))
  }

  async #process(id: string, signal: AbortSignal): Promise<number | undefined> {
    const schedules = schedulesOf(this.#state, id)
    const [app = '', name = ''] = id.split('/')
    for (const { entrypoint } of this.#state.crons.byPool(app, name))
      if (!schedules.has(entrypoint)) await this.#forget(entrypointId(app, name, entrypoint), signal)
    let next: number | undefined
    for (const entrypoint of schedules.keys()) {
      const at = await this.#decide(id, entrypoint, signal)
      next = next === undefined ? at : Math.min(next, at ?? next)
    }
    return next
  }

  async #forget(id: string, signal: AbortSignal): Promise<void> {
    await this.#options.records.commit(
      actor,
      (tx) => {
        if (this.#state.crons.has(id)) tx.delete('crons', id, { ifUnchanged: true })
      },
      { signal },
    )
  }

  async #decide(id: string, entrypoint: string, signal: AbortSignal): Promise<number | undefined> {
    const { value } = await this.#options.records.commit(actor, (tx) => this.#decideIn(tx, id, entrypoint), { signal })
    return value
  }

  #decideIn(tx: RecordTransaction, id: string, entrypoint: string): number | undefined {
    const pool = this.#state.pools.get(id)
    const schedule = schedulesOf(this.#state, id).get(entrypoint)
    if (pool?.release === undefined || schedule === undefined) return undefined
    const key = { app: pool.app, pool: pool.name, entrypoint }
    const before = this.#state.crons.find(pool.app, pool.name, entrypoint)
    const decision = decideCron(
      {
        ...{ schedule, key, times: this.#timesOf(schedule) },
        ...(before === undefined ? {} : { record: before }),
        outcomeOf: (instance) => outcomeOf(this.#state, instance),
      },
      this.#now(),
    )
    this.#write(tx, pool, pool.release, before, decision)
    return decision.nextAt
  }

  #write(
    tx: RecordTransaction,
    pool: Pool,
    release: string,
    before: CronRecord | undefined,
    { record, begin, stop, notes }: CronDecision,
  ): void {
    let next = record
    for (const { dueAt } of begin) {
      const { entrypoint } = record
      const { id } = writeJob(tx, pool, { entrypoint, release, createdBy: actor, now: this.#now(), dueAt })
      next = enterRun(next, { dueAt, state: 'running', instance: id })
    }
    for (const { instance, reason } of stop) stopRun(tx, this.#state, instance, reason)
    for (const run of notes) tell(tx, record, run)
    if (JSON.stringify(next) !== JSON.stringify(before)) tx.put('crons', next, { ifUnchanged: true })
  }

  #timesOf(schedule: ScheduleSpec): CronTimes {
    const key = `${schedule.cron} ${schedule.zone}`
    const known = this.#times.get(key)
    if (known !== undefined) return known
    const times = cronTimes(schedule)
    this.#times.set(key, times)
    return times
  }
}

function outcomeOf(state: State, id: string): RunOutcome | undefined {
  const instance = state.instances.get(id)
  if (instance === undefined) return undefined
  const status = state.statuses.get(id)
  const { startedAt, endedAt, lastExit } = status ?? {}
  const isOver = status?.phase === 'ended' || (instance.node === undefined && instance.desired === 'stop')
  const message = lastExit?.outOfMemory === true ? 'it ran out of memory' : (status?.message ?? instance.stopReason)
  return {
    ended: isOver,
    ...(startedAt === undefined ? {} : { startedAt }),
    ...(endedAt === undefined ? {} : { endedAt }),
    ...(lastExit === undefined ? {} : { exitCode: lastExit.code }),
    ...(message === undefined ? {} : { message }),
  }
}

function stopRun(tx: RecordTransaction, state: State, id: string, stopReason: string): void {
  const instance = state.instances.get(id)
  if (instance?.desired !== 'run') return
  tx.put('instances', { ...instance, desired: 'stop', stopReason }, { ifUnchanged: true })
  const { app, pool } = instance
  tx.event({ type: 'instance.stop', subject: { app, pool, instance: id }, message: `${id} is stopped: ${stopReason}` })
}

function tell(tx: RecordTransaction, { app, pool, entrypoint }: CronRecord, run: CronRun): void {
  const { state, instance, dueAt, exitCode, message } = run
  const why = message ?? (exitCode === undefined ? '' : `exit code ${exitCode}`)
  tx.event({
    type: `cron.${state}`,
    subject: { app, pool, ...(instance === undefined ? {} : { instance }) },
    message: `${app}/${pool}: the run of ${entrypoint} due at ${new Date(dueAt).toISOString()} ${verbs[state]}${why === '' ? '' : `: ${why}`}`,
  })
}

const verbs: Readonly<Record<CronRun['state'], string>> = {
  running: 'runs',
  succeeded: 'succeeded',
  failed: 'failed',
  replaced: 'was replaced',
  skipped: 'was skipped',
  missed: 'was missed',
}
