import { type AutomaticRollout, automaticRollouts, BerthError, messageOf, refName } from '@berth/core'
import type { Logger } from 'pino'
import type { Records, RecordTransaction, State, StateChange } from '../records/index.ts'
import { historyOf } from './app-history.ts'
import { KeyLoop } from './key-loop.ts'
import { startRollout } from './operations/start-rollout.ts'

export interface PipelineControllerOptions {
  readonly records: Records
  readonly state: State
  readonly defaultPool: string
  readonly log: Logger
  readonly now?: () => number
}

const maxTold = 1_000

/**
 * Rolls out by itself what pipelines say: what pushes have made, and what has succeeded in the environment before. A pool that is held is
 * waited for; what has been tried is not tried again, so a rollout that went back stays back.
 */
export class PipelineController implements AsyncDisposable {
  readonly #options: PipelineControllerOptions
  readonly #now: () => number
  readonly #loop: KeyLoop
  readonly #unsubscribe: () => void
  /** Refusals that an event tells of already, by what was refused. */
  readonly #told = new Map<string, string>()

  constructor(options: PipelineControllerOptions) {
    this.#options = options
    this.#now = options.now ?? Date.now
    this.#loop = new KeyLoop({
      name: 'pipeline',
      process: (app, signal) => this.#process(app, signal),
      log: options.log,
      now: this.#now,
    })
    this.#unsubscribe = options.state.changes.subscribe((change) => this.#onChange(change))
    for (const app of options.state.pipelines.ids()) this.#loop.mark(app)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#unsubscribe()
    await this.#loop[Symbol.asyncDispose]()
  }

  #onChange({ kind, id, before, after }: StateChange): void {
    if (kind === 'pipelines') this.#loop.mark(id)
    if (kind !== 'builds' && kind !== 'rollouts' && kind !== 'secrets' && kind !== 'releases') return
    const app = (after ?? before)?.app
    if (app !== undefined && this.#options.state.pipelines.has(app)) this.#loop.mark(app)
  }

  async #process(app: string, signal: AbortSignal): Promise<undefined> {
    const { state } = this.#options
    const pipeline = state.pipelines.get(app)
    if (pipeline === undefined || state.apps.get(app)?.removing === true) return undefined
    for (const wanted of automaticRollouts(pipeline, historyOf(state, app), state.builds.byApp(app)))
      await this.#begin(app, wanted, signal)
    return undefined
  }

  /** Decided anew in the commit: somebody may have been faster. */
  async #begin(app: string, wanted: AutomaticRollout, signal: AbortSignal): Promise<void> {
    const what = `${app}/${wanted.pool} ${wanted.release}`
    try {
      await this.#options.records.commit(`pipeline:${app}`, (tx) => this.#write(tx, app, wanted), { signal })
      this.#told.delete(what)
    } catch (error) {
      if (!(error instanceof BerthError) || error.code === 'record.conflict' || signal.aborted) throw error
      // It is looked at again when something changes that may let it go.
      if (this.#told.get(what) === error.message) return
      if (this.#told.size >= maxTold) this.#told.clear()
      this.#told.set(what, error.message)
      await this.#tell(app, wanted, error.message, signal)
    }
  }

  #write(tx: RecordTransaction, app: string, wanted: AutomaticRollout): void {
    const { state, defaultPool } = this.#options
    const pipeline = state.pipelines.get(app)
    const builds = state.builds.byApp(app)
    const still =
      pipeline !== undefined &&
      automaticRollouts(pipeline, historyOf(state, app), builds).some(
        ({ pool, release }) => pool === wanted.pool && release === wanted.release,
      )
    const release = state.releases.find(app, wanted.release)
    if (!still || release === undefined) return
    tx.require('pipelines', app)
    const rollout = startRollout(tx, state, {
      ...{ release, pool: wanted.pool, reason: 'deploy', createdBy: `pipeline:${app}` },
      ...{ force: false, defaultPool, now: this.#now() },
    })
    const build = builds.find(({ id }) => id === wanted.build)
    if (build !== undefined) tx.put('builds', { ...build, rollout: rollout.id }, { ifUnchanged: true })
    const why =
      wanted.from === undefined
        ? `was pushed to ${refName(build?.trigger?.ref ?? '')}`
        : `has succeeded in ${wanted.from}`
    tx.event({
      type: 'release.promoted',
      subject: { app, pool: wanted.pool, release: release.id, rollout: rollout.id },
      message: `${app} ${release.id} goes to ${wanted.pool} by itself: it ${why}`,
    })
  }

  async #tell(app: string, { pool, release }: AutomaticRollout, message: string, signal: AbortSignal): Promise<void> {
    const { records, log } = this.#options
    const subject = { app, pool, release }
    await records
      .commit('system:pipelines', (tx) => tx.event({ type: 'pipeline.refused', subject, message }), { signal })
      .catch((error: unknown) =>
        log.warn({ err: error, app }, `write that ${release} was refused: ${messageOf(error)}`),
      )
  }
}
