import {
  type App,
  BerthError,
  type Build,
  isSameVersion,
  messageOf,
  type Release,
  type ReleaseTests,
  shortCommit,
} from '@berth/core'
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

  /** The release whose tests are to pass before it goes anywhere. Undefined when the build has ended meanwhile. */
  async candidate(id: string, outcome: BuildOutcome): Promise<Release | undefined> {
    const { records, state, now } = this.#options
    const { value } = await records.commit(buildActor, (tx) => {
      const build = state.builds.get(id)
      const known = build === undefined ? undefined : state.apps.get(build.app)
      if (build === undefined || known === undefined || hasEnded(build)) return undefined
      const release = this.#releaseFor(tx, { ...known, ...build.source }, build, outcome)
      const tests = this.#testsOf(release)
      const next = { ...release, tests }
      if (tests !== release.tests)
        tx.put(
          'releases',
          next,
          state.releases.find(release.app, release.id) === undefined ? {} : { ifUnchanged: true },
        )
      const { commit, subject, inputs, image, reused } = outcome
      const { node } = outcome
      tx.put(
        'builds',
        {
          ...build,
          ...defined({ commit, subject, node }),
          inputs,
          image,
          reused,
          release: release.id,
          testsSince: now(),
        },
        { ifUnchanged: true },
      )
      return next
    })
    return value
  }

  /** What passed for the same image and spec has passed; what failed is run again; what runs goes on. */
  #testsOf(release: Release): ReleaseTests {
    const { tests } = release
    if (tests?.state === 'passed' || tests?.state === 'running') return tests
    const now = this.#options.now()
    const same = this.#options.state.releases
      .byApp(release.app)
      .findLast((each) => each.tests?.state === 'passed' && isSameVersion(each, release))
    if (same !== undefined && tests === undefined)
      return { state: 'passed', runs: [], of: same.tests?.of ?? same.id, startedAt: now, endedAt: now }
    return { state: 'running', runs: [], startedAt: now }
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
      ...defined({ author: outcome.author, committedAt: outcome.committedAt }),
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
      message: `${releaseId(app.name, release.id)} from ${shortCommit(outcome.commit ?? outcome.image)}`,
    })
    return release
  }

  #rollOut(tx: RecordTransaction, build: Build, release: Release): Partial<Build> {
    const { state, defaultPool } = this.#options
    const pool = build.deployTo
    if (pool === undefined) return {}
    const current = state.pools.find(build.app, pool)
    if (current?.release === release.id && current.rollout === undefined && build.force !== true) return {}
    try {
      const rollout = startRollout(tx, state, {
        release,
        pool,
        reason: 'deploy',
        createdBy: build.createdBy,
        force: build.force === true,
        overrideFreeze: build.overrideFreeze,
        defaultPool,
        now: this.#options.now(),
      })
      return { rollout: rollout.id }
    } catch (error) {
      if (!(error instanceof BerthError)) throw error
      return { error: { code: error.code, message: error.message } }
    }
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
