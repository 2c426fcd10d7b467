/**
 * The memory of a job's schedule in one pool: what has been due, and what became of it. A run is entered in the same transaction that
 * creates its instance, so it happens once however often servers start. Key `/crons/<app>/<pool>/<entrypoint>`.
 */
export interface CronRecord {
  readonly app: string
  readonly pool: string
  readonly entrypoint: string
  /** As it was when this was written: with another one counting begins anew. */
  readonly cron: string
  readonly zone: string
  /** Everything that was due up to here has been decided. */
  readonly decidedUntil: number
  /** When the next run is due. */
  readonly nextAt?: number
  /** `overlap: replace`: this run begins as soon as the one before has ended. */
  readonly waiting?: { readonly dueAt: number }
  /** The newest first; of those that have ended, and of those that never began, as many as the schedule's `history`. */
  readonly runs: readonly CronRun[]
}

export interface CronRun {
  /** When the schedule said so; of a run that somebody asked for, when that was. */
  readonly dueAt: number
  /**
   * `running`; `succeeded`, `failed` (its exit code was not 0, or it never ran), `replaced` (stopped for the next one, and over once there
   * is `endedAt`); `skipped` (the one before was running), `missed` (no server was there within the grace).
   */
  readonly state: CronRunState
  readonly instance?: string
  /** Who asked for it; absent: the schedule. */
  readonly by?: string
  readonly startedAt?: number
  readonly endedAt?: number
  readonly exitCode?: number
  /** Why it was left out or has failed, one sentence. */
  readonly message?: string
}

export type CronRunState = 'running' | 'succeeded' | 'failed' | 'replaced' | 'skipped' | 'missed'
