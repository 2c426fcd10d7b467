import { messageOf, type Rollout } from '@berth/core'
import type { Logger } from 'pino'
import { poolId, type RecordKind, type Records, releaseId, type State } from '../records/index.ts'
import { lastSucceeded, unneededReleases } from './kept-releases.ts'

export interface RetentionOptions {
  readonly records: Records
  readonly log: Logger
  /** The output of a build goes with its record. */
  readonly removeBuildOutput: (build: string) => Promise<void>
  readonly limits?: Partial<RetentionLimits>
  readonly intervalMs?: number
}

export interface RetentionLimits {
  readonly events: number
  /** Of each app, among those that have ended. */
  readonly buildsPerApp: number
  /** Of each pool, among those that have ended. */
  readonly rolloutsPerPool: number
  /** Of each pool, how many that succeeded are kept, with their releases, however many have ended since: the way back. */
  readonly rolloutsBack: number
  /** The newest of each app. */
  readonly releasesPerApp: number
}

const defaults: RetentionLimits = {
  events: 2_000,
  buildsPerApp: 200,
  rolloutsPerPool: 100,
  rolloutsBack: 20,
  releasesPerApp: 20,
}
const watched: ReadonlySet<RecordKind> = new Set(['events', 'builds', 'rollouts', 'releases'])
const defaultIntervalMs = 5_000
const deletionsPerCommit = 90
const actor = 'system:retention'

/**
 * Keeps what only history grows bounded: events, ended builds and rollouts, and releases that are not needed any more (their images
 * go after them: `images/`). The newest stay.
 */
export class Retention implements AsyncDisposable {
  readonly #options: RetentionOptions
  readonly #state: State
  readonly #limits: RetentionLimits
  readonly #timer: NodeJS.Timeout
  readonly #closing = new AbortController()
  readonly #unsubscribe: () => void
  #dirty = true
  #running: Promise<void> = Promise.resolve()

  constructor(options: RetentionOptions) {
    this.#options = options
    this.#state = options.records.state
    this.#limits = { ...defaults, ...options.limits }
    this.#unsubscribe = this.#state.changes.subscribe(({ kind, after }) => {
      if (after !== undefined && watched.has(kind)) this.#dirty = true
    })
    this.#timer = setInterval(() => this.#look(), options.intervalMs ?? defaultIntervalMs)
    this.#timer.unref()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer)
    this.#unsubscribe()
    this.#closing.abort()
    await this.#running
  }

  #look(): void {
    if (!this.#dirty) return
    this.#dirty = false
    this.#running = this.#running
      .then(() => this.#run())
      .catch((error: unknown) => {
        this.#dirty = true
        if (!this.#closing.signal.aborted)
          this.#options.log.error({ err: error }, `remove old records: ${messageOf(error)}`)
      })
  }

  async #run(): Promise<void> {
    await this.#remove('events', this.#oldEvents())
    const builds = this.#oldBuilds()
    await this.#remove('builds', builds)
    for (const build of builds) await this.#options.removeBuildOutput(build)
    await this.#remove('rollouts', this.#oldRollouts())
    for (const app of this.#state.apps.ids()) await this.#removeReleases(app)
  }

  /** Decided in the commit, which fails when a pool or the app has changed: what is deployed at this moment is not removed. */
  async #removeReleases(app: string): Promise<void> {
    const { rolloutsBack, releasesPerApp: newest } = this.#limits
    const pools = this.#state.pools.byApp(app)
    const most = deletionsPerCommit - pools.length
    const { value: more } = await this.#options.records.commit(
      actor,
      (tx) => {
        const unneeded = unneededReleases(this.#state, app, { newest, rolloutsBack })
        for (const id of unneeded.slice(0, most)) tx.delete('releases', releaseId(app, id))
        tx.require('apps', app)
        for (const pool of this.#state.pools.byApp(app)) tx.require('pools', poolId(app, pool.name))
        return unneeded.length > most
      },
      { signal: this.#closing.signal },
    )
    if (more) await this.#removeReleases(app)
  }

  async #remove(kind: RecordKind, ids: readonly string[]): Promise<void> {
    for (let from = 0; from < ids.length; from += deletionsPerCommit) {
      const some = ids.slice(from, from + deletionsPerCommit)
      await this.#options.records.commit(
        actor,
        (tx) => {
          for (const id of some) tx.delete(kind, id)
        },
        { signal: this.#closing.signal },
      )
    }
  }

  #oldEvents(): string[] {
    const ids = [...this.#state.events.ids()]
    return ids.length <= this.#limits.events ? [] : ids.sort().slice(0, ids.length - this.#limits.events)
  }

  #oldBuilds(): string[] {
    const ended = this.#state.builds.all().filter((build) => build.endedAt !== undefined)
    return beyond(ended, (build) => build.app, this.#limits.buildsPerApp)
  }

  #oldRollouts(): string[] {
    const ended = this.#state.rollouts.all().filter((rollout) => rollout.endedAt !== undefined)
    const poolOf = ({ app, pool }: Rollout): string => poolId(app, pool)
    const back = [...Map.groupBy(ended, poolOf).values()].flatMap((each) =>
      lastSucceeded(each, this.#limits.rolloutsBack).map((rollout) => rollout.id),
    )
    const kept = new Set(back)
    return beyond(ended, poolOf, this.#limits.rolloutsPerPool).filter((id) => !kept.has(id))
  }
}

interface Dated {
  readonly id: string
  readonly createdAt: number
}

/** Ids of all but the newest `limit` of each group. */
function beyond<T extends Dated>(items: readonly T[], groupOf: (item: T) => string, limit: number): string[] {
  const groups = Map.groupBy(items, groupOf)
  return [...groups.values()].flatMap((group) =>
    group.length <= limit
      ? []
      : group
          .sort((a, b) => b.createdAt - a.createdAt)
          .slice(limit)
          .map((item) => item.id),
  )
}
