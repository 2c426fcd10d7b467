import type { CronRecord, CronRun } from '../model/cron-record.ts'
import type { ScheduleSpec } from '../model/placement-spec.ts'

/** When runs are due; what an expression means is told from outside. */
export interface CronTimes {
  /** The first after `at`; undefined: never again. */
  nextAfter(at: number): number | undefined
  /** The last at or before `at`. */
  lastUntil(at: number): number | undefined
}

/** How a run's instance stands. */
export interface RunOutcome {
  readonly ended: boolean
  readonly startedAt?: number
  readonly endedAt?: number
  readonly exitCode?: number
  /** Why it has not run well, when that is known. */
  readonly message?: string
}

export interface CronSnapshot {
  readonly schedule: ScheduleSpec
  /** Absent: the schedule is new. */
  readonly record?: CronRecord
  readonly key: Pick<CronRecord, 'app' | 'pool' | 'entrypoint'>
  readonly times: CronTimes
  /** Of the instance of a run; undefined: its record is gone. */
  readonly outcomeOf: (instance: string) => RunOutcome | undefined
}

export interface CronDecision {
  /** To be written in one transaction with what follows from it. Runs to begin are not in it yet: {@link enterRun} puts them in. */
  readonly record: CronRecord
  readonly begin: readonly { readonly dueAt: number }[]
  readonly stop: readonly { readonly instance: string; readonly reason: string }[]
  /** What happened that somebody may want to know: runs left out, runs that failed. */
  readonly notes: readonly CronRun[]
  /** Look again then. */
  readonly nextAt?: number
}

/** A run that begins no later than this has begun in time, whatever the grace. */
const inTimeMs = 30_000

/**
 * What to do about one schedule now. Everything up to `decidedUntil` has been decided, so that a due time is decided once: whoever writes
 * the record compares it with the one that was decided from.
 */
export function decideCron(snapshot: CronSnapshot, now: number): CronDecision {
  const { schedule, times } = snapshot
  const before = snapshot.record ?? { ...snapshot.key, cron: '', zone: '', decidedUntil: now, runs: [] }
  const isSame = before.cron === schedule.cron && before.zone === schedule.zone
  const started: CronRecord = { ...before, cron: schedule.cron, zone: schedule.zone }
  const { runs, failed } = settleRuns(before.runs, snapshot.outcomeOf, now)
  const settled = { ...started, runs, decidedUntil: isSame ? before.decidedUntil : now }
  const due = dueRun(settled, schedule, times, now)
  const decided = withDue(due.record, schedule, due.dueAt)
  const nextAt = times.nextAfter(Math.max(now, decided.record.decidedUntil))
  const { nextAt: _, ...rest } = decided.record
  return {
    record: trimmed(nextAt === undefined ? rest : { ...rest, nextAt }, schedule.history),
    begin: decided.begin,
    stop: decided.stop,
    notes: [...failed, ...due.notes, ...decided.notes],
    ...(nextAt === undefined ? {} : { nextAt }),
  }
}

/** A run that has begun: its instance is created in the same transaction. */
export const enterRun = (record: CronRecord, run: CronRun): CronRecord => ({ ...record, runs: [run, ...record.runs] })

const isActive = (run: CronRun): boolean => run.instance !== undefined && run.endedAt === undefined

function settleRuns(
  runs: readonly CronRun[],
  outcomeOf: CronSnapshot['outcomeOf'],
  now: number,
): { readonly runs: readonly CronRun[]; readonly failed: readonly CronRun[] } {
  const failed: CronRun[] = []
  const settled = runs.map((run) => {
    if (run.instance === undefined || run.endedAt !== undefined) return run
    const next = settleRun(run, outcomeOf(run.instance), now)
    if (next.state === 'failed') failed.push(next)
    return next
  })
  return { runs: settled, failed }
}

function settleRun(run: CronRun, outcome: RunOutcome | undefined, now: number): CronRun {
  if (outcome === undefined)
    return { ...run, state: run.state === 'replaced' ? run.state : 'failed', endedAt: now, message: 'it was removed' }
  const { ended, startedAt, endedAt = now, exitCode, message } = outcome
  const seen = { ...run, ...(startedAt === undefined ? {} : { startedAt }) }
  if (!ended) return seen
  const state = run.state === 'replaced' ? run.state : exitCode === 0 ? 'succeeded' : 'failed'
  return {
    ...seen,
    state,
    endedAt,
    ...(exitCode === undefined ? {} : { exitCode }),
    ...(state === 'failed' && message !== undefined ? { message } : {}),
  }
}

interface Due {
  readonly record: CronRecord
  readonly dueAt?: number
  readonly notes: readonly CronRun[]
}

/** The run that is due now; of several that were missed only the last is made up for, and only within the grace. */
function dueRun(record: CronRecord, { graceMs }: ScheduleSpec, times: CronTimes, now: number): Due {
  const last = times.lastUntil(now)
  if (last === undefined || last <= record.decidedUntil) return { record, notes: [] }
  const first = times.nextAfter(record.decidedUntil) ?? last
  const decided = { ...record, decidedUntil: last }
  const isLate = now - last > Math.max(graceMs, inTimeMs)
  const missed: CronRun[] =
    first < last || isLate ? [{ dueAt: first, state: 'missed', message: missedText(first, last, isLate) }] : []
  const next = { ...decided, runs: [...missed, ...decided.runs] }
  return isLate ? { record: next, notes: missed } : { record: next, notes: missed, dueAt: last }
}

function missedText(first: number, last: number, isLate: boolean): string {
  const why = 'no server was there in time'
  if (first === last) return why
  const until = isLate ? 'with all up to' : 'with all before'
  return `${why}, ${until} ${new Date(last).toISOString()}`
}

type Decided = Pick<CronDecision, 'record' | 'begin' | 'stop' | 'notes'>

function withDue(record: CronRecord, { overlap }: ScheduleSpec, dueAt: number | undefined): Decided {
  const active = record.runs.filter(isActive)
  const nothing = { stop: [], notes: [] }
  if (dueAt === undefined) return active.length === 0 ? beginWaiting(record) : { record, begin: [], ...nothing }
  if (overlap === 'allow' || active.length === 0) {
    const { waiting: _, ...rest } = record
    return { record: rest, begin: [{ dueAt }], ...nothing }
  }
  if (overlap === 'skip') return skip(record, dueAt, `${active[0]?.instance} was still running`)
  return replace(record, dueAt)
}

/** The run that took another's place begins when that one has ended. */
function beginWaiting(record: CronRecord): Decided {
  const { waiting, ...rest } = record
  return { record: rest, begin: waiting === undefined ? [] : [waiting], stop: [], notes: [] }
}

function skip(record: CronRecord, dueAt: number, message: string): Decided {
  const run: CronRun = { dueAt, state: 'skipped', message }
  return { record: { ...record, runs: [run, ...record.runs] }, begin: [], stop: [], notes: [run] }
}

function replace(record: CronRecord, dueAt: number): Decided {
  const reason = `replaced by the run of ${new Date(dueAt).toISOString()}`
  const stop = record.runs
    .filter((run) => isActive(run) && run.state === 'running')
    .map(({ instance = '' }) => ({ instance, reason }))
  const runs = record.runs.map((run) => (isActive(run) ? { ...run, state: 'replaced' as const, message: reason } : run))
  const { waiting } = record
  const next = { ...record, runs, waiting: { dueAt } }
  if (waiting === undefined) return { record: next, begin: [], stop, notes: [] }
  return { ...skip(next, waiting.dueAt, 'the run before it had not ended when the next was due'), stop }
}

/** Those that ran and those that never began each keep their newest, so that many of one kind do not push out the other. */
function trimmed(record: CronRecord, history: number): CronRecord {
  const left = { ran: history, never: history }
  const runs = record.runs.filter((run) => {
    if (isActive(run)) return true
    const kind = run.instance === undefined ? 'never' : 'ran'
    left[kind] -= 1
    return left[kind] >= 0
  })
  return { ...record, runs }
}
