import type { Logger } from 'pino'
import type { Records, State } from '../records/index.ts'
import { KeyLoop } from './key-loop.ts'

const recordsPerCommit = 50

/** Removes what is left of an app that is being removed once its last pool is gone: releases, builds, rollouts, secrets, the app. */
export class AppReaper implements AsyncDisposable {
  readonly #records: Records
  readonly #state: State
  readonly #loop: KeyLoop
  readonly #unsubscribe: () => void

  constructor(options: { readonly records: Records; readonly state: State; readonly log: Logger }) {
    this.#records = options.records
    this.#state = options.state
    this.#loop = new KeyLoop({ name: 'app', process: (app) => this.#process(app), log: options.log })
    this.#unsubscribe = options.state.changes.subscribe((change) => {
      if (change.kind === 'apps') this.#loop.mark(change.id)
      else if (change.kind === 'pools' && change.after === undefined && change.before !== undefined)
        this.#loop.mark(change.before.app)
    })
    for (const app of options.state.apps.values()) if (app.removing === true) this.#loop.mark(app.name)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#unsubscribe()
    await this.#loop[Symbol.asyncDispose]()
  }

  async #process(name: string): Promise<undefined> {
    const app = this.#state.apps.get(name)
    if (app?.removing !== true || this.#state.pools.byApp(name).length > 0) return
    const doomed = this.#recordsOf(name)
    await this.#records.commit('system:apps', (tx) => {
      for (const { kind, id } of doomed.slice(0, recordsPerCommit)) tx.delete(kind, id)
      if (doomed.length > recordsPerCommit) return
      tx.delete('apps', name, { ifUnchanged: true })
      tx.event({ type: 'app.removed', subject: { app: name }, message: `${name} is removed` })
    })
    if (doomed.length > recordsPerCommit) this.#loop.mark(name)
  }

  #recordsOf(app: string) {
    const { releases, builds, rollouts, secrets } = this.#state
    return [
      ...releases.byApp(app).map((each) => ({ kind: 'releases' as const, id: `${app}/${each.id}` })),
      ...builds.byApp(app).map((each) => ({ kind: 'builds' as const, id: each.id })),
      ...rollouts.byApp(app).map((each) => ({ kind: 'rollouts' as const, id: each.id })),
      ...secrets
        .byApp(app)
        .map((each) => ({ kind: 'secrets' as const, id: `${app}/${each.environment ?? '_'}/${each.name}` })),
    ]
  }
}
