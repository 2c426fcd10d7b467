import { type App, BerthError, checkName } from '@berth/core'
import type { CallContext } from '../controllers/operations.ts'
import type { Records, State } from '../records/index.ts'
import { parseRepository, redactUrls } from '../source/repository-location.ts'

export interface CreateApp {
  readonly name: string
  readonly repository?: string | undefined
  readonly vcs: 'git' | 'svn'
}

export class Apps {
  readonly #records: Records
  readonly #state: State
  readonly #now: () => number

  constructor(records: Records, now: () => number = Date.now) {
    this.#records = records
    this.#state = records.state
    this.#now = now
  }

  /** Throws `app.exists`, `app.name-taken`, `name.invalid`, `source.bad-repository`. */
  async create(input: CreateApp, context: CallContext): Promise<App> {
    checkName('app', input.name)
    const { name, repository, vcs } = input
    if (repository !== undefined) parseRepository(repository, vcs)
    const base = { name, vcs, createdAt: this.#now(), createdBy: context.actor, nextRelease: 1 }
    const app: App = repository === undefined ? base : { ...base, repository }
    await this.#records.commit(
      context.actor,
      (tx) => {
        if (this.#state.apps.has(name))
          throw new BerthError('app.exists', `there is an app ${name} already`, { details: { app: name } })
        if (this.#state.externals.has(name))
          throw new BerthError(
            'app.name-taken',
            `make app ${name}: an external service is called so; remove it first: berth external rm ${name}`,
            { details: { app: name } },
          )
        tx.create('apps', app)
        const from = repository === undefined ? '' : ` from ${redactUrls(repository)}`
        tx.event({ type: 'app.created', subject: { app: name }, message: `app ${name}${from}` })
      },
      context,
    )
    return app
  }
}
