import { type App, BerthError, type Build, isSameVersion, messageOf, type Release } from '@berth/core'
import { type Records, type RecordTransaction, releaseId, type State } from '../records/index.ts'
import type { BuildOutcome } from './build-port.ts'
import { startRollout } from './operations/start-rollout.ts'

export interface BuildRecordsOptions {
  readonly records: Records
  readonly state: State
  readonly defaultPool: string
  readonly now: () => number
}

const buildActor = 'system:builds'

/** What becomes of a build, written down: its progress, its failure, or its release and what is rolled out of it. */
export class BuildRecords {
  readonly #options: BuildRecordsOptions

  constructor(options: BuildRecordsOptions) {
    this.#options = options
  }

  /** Of a build that has not ended. */
  async patch(id: string, change: Partial<Build>): Promise<void> {
    await this.#options.records.commit(buildActor, (tx) => {
      const build = this.#options.state.builds.get(id)
      if (build !== undefined && !hasEnded(build)) tx.put('builds', { ...build, ...change }, { ifUnchanged: true })
    })
  }

  /** Release, rollout and the build's end are one transaction; a rollout that cannot start is said in the build. */
  async succeed(id: string, outcome: BuildOutcome): Promise<void> {
    const { records, state } = this.#options
    await records.commit(buildActor, (tx) => {
      const build = state.builds.get(id)
      const known = build === undefined ? undefined : state.apps.get(build.app)
      if (build === undefined || known === undefined || hasEnded(build)) return
      const app: App = { ...known, ...build.source }
      const release = this.#releaseFor(tx, app, build, outcome)
      const { commit, subject, inputs, image, reused, node } = outcome
      const ended: Build = {
        ...build,
        ...defined({ commit, subject, node }),
        inputs,
        image,
        reused,
        state: 'succeeded',
        release: release.id,
        endedAt: this.#options.now(),
      }
      tx.event({
        type: 'build.succeeded',
        subject: { app: app.name, build: id, release: release.id },
        message: `${app.name} ${release.id} is built${reused ? ' (same inputs, image reused)' : ''}`,
      })
      tx.put('builds', { ...ended, ...this.#rollOut(tx, build, release) }, { ifUnchanged: true })
    })
  }

  /** Same commit, image and spec as the newest release of that commit: it is that release. */
  #releaseFor(tx: RecordTransaction, app: App, build: Build, outcome: BuildOutcome): Release {
    const spec = JSON.stringify(outcome.spec)
    const known = this.#options.state.releases
      .byApp(app.name)
      .findLast(
        (each) => each.commit === outcome.commit && each.image === outcome.image && JSON.stringify(each.spec) === spec,
      )
    if (known !== undefined) {
      if (build.source !== undefined) tx.put('apps', app, { ifUnchanged: true })
      return known
    }
    const release: Release = {
      app: app.name,
      id: `v${app.nextRelease}`,
      ...defined({ commit: outcome.commit, subject: outcome.subject }),
      image: outcome.image,
      spec: outcome.spec,
      build: build.id,
      createdAt: this.#options.now(),
      createdBy: build.createdBy,
    }
    tx.create('releases', release)
    tx.put('apps', { ...app, nextRelease: app.nextRelease + 1 }, { ifUnchanged: true })
    tx.event({
      type: 'release.created',
      subject: { app: app.name, release: release.id },
      message: `${releaseId(app.name, release.id)} from ${outcome.commit?.slice(0, 12) ?? outcome.image}`,
    })
    return release
  }

  #rollOut(tx: RecordTransaction, build: Build, release: Release): Partial<Build> {
    const { state, defaultPool } = this.#options
    const pool = build.deployTo
    if (pool === undefined) return {}
    const current = state.pools.find(build.app, pool)
    if (current?.rollout === undefined && build.force !== true && this.#runs(current?.release, build, release))
      return {}
    try {
      const rollout = startRollout(tx, state, {
        release,
        pool,
        reason: 'deploy',
        createdBy: build.createdBy,
        force: build.force === true,
        defaultPool,
        now: this.#options.now(),
      })
      return { rollout: rollout.id }
    } catch (error) {
      if (!(error instanceof BerthError)) throw error
      return { error: { code: error.code, message: error.message } }
    }
  }

  /** After a push also what is the same under another number: replacing it would change nothing. */
  #runs(current: string | undefined, build: Build, release: Release): boolean {
    if (current === release.id) return true
    const running = current === undefined ? undefined : this.#options.state.releases.find(build.app, current)
    return build.trigger !== undefined && running !== undefined && isSameVersion(running, release)
  }

  async fail(build: Build, error: unknown): Promise<void> {
    const { records, state } = this.#options
    const code = error instanceof BerthError ? error.code : 'build.failed'
    const logTail =
      error instanceof BerthError && Array.isArray(error.details.logTail)
        ? (error.details.logTail as string[])
        : undefined
    await records.commit(buildActor, (tx) => {
      const current = state.builds.get(build.id)
      if (current === undefined || hasEnded(current)) return
      const failure = { code, message: messageOf(error), ...(logTail === undefined ? {} : { logTail }) }
      tx.put(
        'builds',
        { ...current, state: 'failed', endedAt: this.#options.now(), error: failure },
        { ifUnchanged: true },
      )
      tx.event({
        type: 'build.failed',
        subject: { app: build.app, build: build.id },
        message: `build ${build.id} of ${build.app} failed: ${failure.message}`,
      })
    })
  }
}

export const hasEnded = (build: Build): boolean => build.state !== 'queued' && build.state !== 'running'

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> }

const defined = <T extends object>(values: T): Defined<T> =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Defined<T>
