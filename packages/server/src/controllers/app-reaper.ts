import type { Logger } from 'pino'
import { entrypointId, type Records, type RecordTransaction, type State, type StateChange } from '../records/index.ts'
import { KeyLoop } from './key-loop.ts'
import { markRemoving } from './operations/removal.ts'

const recordsPerCommit = 50
/** Each takes up to six operations and compares of a transaction. */
const poolsPerCommit = 12

export interface AppReaperOptions {
  readonly records: Records
  readonly state: State
  readonly log: Logger
  readonly now?: () => number
}

/**
 * Takes an app that is being removed apart: first its pools, each of which ends by itself, then what is left: releases, builds, rollouts,
 * secrets, and the app.
 */
export class AppReaper implements AsyncDisposable {
  readonly #records: Records
  readonly #state: State
  readonly #now: () => number
  readonly #loop: KeyLoop
  readonly #unsubscribe: () => void

  constructor(options: AppReaperOptions) {
    this.#records = options.records
    this.#state = options.state
    this.#now = options.now ?? Date.now
    this.#loop = new KeyLoop({
      name: 'app',
      process: (app, signal) => this.#process(app, signal),
      log: options.log,
      now: this.#now,
    })
    this.#unsubscribe = options.state.changes.subscribe((change) => this.#onChange(change))
    for (const app of options.state.apps.ids()) this.#markRemoving(app)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#unsubscribe()
    await this.#loop[Symbol.asyncDispose]()
  }

  #onChange(change: StateChange): void {
    if (change.kind === 'apps') this.#markRemoving(change.id)
    const pool = change.kind === 'pools' ? (change.after ?? change.before) : undefined
    if (pool !== undefined) this.#markRemoving(pool.app)
  }

  #markRemoving(app: string): void {
    if (this.#state.apps.get(app)?.removing === true) this.#loop.mark(app)
  }

  async #process(name: string, signal: AbortSignal): Promise<undefined> {
    let more = false
    const takeApart = (tx: RecordTransaction): void => {
      more = this.#takeApart(tx, name)
    }
    await this.#records.commit('system:apps', takeApart, { signal })
    if (more) this.#loop.mark(name)
  }

  /** True when there is more to do that nothing else will tell of. */
  #takeApart(tx: RecordTransaction, name: string): boolean {
    if (this.#state.apps.get(name)?.removing !== true) return false
    const pools = this.#state.pools.byApp(name)
    const living = pools.filter((pool) => pool.removing !== true)
    for (const pool of living.slice(0, poolsPerCommit)) markRemoving(tx, this.#state, pool, this.#now())
    if (pools.length > 0) return living.length > poolsPerCommit
    const doomed = this.#recordsOf(name)
    for (const { kind, id } of doomed.slice(0, recordsPerCommit)) tx.delete(kind, id)
    if (doomed.length > recordsPerCommit) return true
    tx.delete('apps', name, { ifUnchanged: true })
    tx.event({ type: 'app.removed', subject: { app: name }, message: `${name} is removed` })
    return false
  }

  #recordsOf(app: string) {
    const { pipelines, seenRefs, releases, builds, rollouts, secrets, approvals, crons, externals } = this.#state
    return [
      ...releases.byApp(app).map((each) => ({ kind: 'releases' as const, id: `${app}/${each.id}` })),
      ...builds.byApp(app).map((each) => ({ kind: 'builds' as const, id: each.id })),
      ...rollouts.byApp(app).map((each) => ({ kind: 'rollouts' as const, id: each.id })),
      ...secrets
        .byApp(app)
        .map((each) => ({ kind: 'secrets' as const, id: `${app}/${each.environment ?? '_'}/${each.name}` })),
      ...approvals.byApp(app).map((each) => ({ kind: 'approvals' as const, id: idOf(each) })),
      ...(pipelines.has(app) ? [{ kind: 'pipelines' as const, id: app }] : []),
      ...(seenRefs.has(app) ? [{ kind: 'seenRefs' as const, id: app }] : []),
      ...crons.byApp(app).map((each) => ({ kind: 'crons' as const, id: idOf(each) })),
      ...[...externals.ids()].filter((id) => id.endsWith(`.${app}`)).map((id) => ({ kind: 'externals' as const, id })),
    ]
  }
}

const idOf = (record: { readonly app: string; readonly pool: string; readonly entrypoint: string }): string =>
  entrypointId(record.app, record.pool, record.entrypoint)
