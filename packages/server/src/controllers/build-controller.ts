import { type App, BerthError, type Build, messageOf, type Release } from '@berth/core'
import type { Logger } from 'pino'
import { type Records, type RecordTransaction, releaseId, type State, type StateChange } from '../records/index.ts'
import type { BuildOutcome, BuildRunner } from './build-port.ts'
import { KeyLoop } from './key-loop.ts'
import { startRollout } from './operations/start-rollout.ts'

export interface BuildControllerOptions {
  readonly records: Records
  readonly state: State
  readonly runner: BuildRunner
  readonly defaultPool: string
  /** Builds at once; each of them may burn a node's build share. */
  readonly concurrency: number
  readonly log: Logger
  readonly now?: () => number
}

const actor = 'system:builds'
const nodeWaitMs = 60_000
const nodeLookMs = 500

const isNodeMissing = (error: unknown): boolean => error instanceof BerthError && error.code === 'build.no-node'

/**
 * Runs queued builds and turns their results into releases and rollouts. A build found running at the start belonged to a server
 * that died: it is run again, since equal inputs give the same image.
 */
export class BuildController implements AsyncDisposable {
  readonly #options: BuildControllerOptions
  readonly #now: () => number
  readonly #loop: KeyLoop
  readonly #unsubscribe: () => void
  readonly #running = new Map<string, AbortController>()
  readonly #listeningSince: number
  #free: number
  readonly #waiting: (() => void)[] = []

  constructor(options: BuildControllerOptions) {
    this.#options = options
    this.#now = options.now ?? Date.now
    this.#listeningSince = this.#now()
    this.#free = options.concurrency
    this.#loop = new KeyLoop({
      name: 'build',
      process: (id, signal) => this.#process(id, signal),
      log: options.log,
      now: this.#now,
    })
    this.#unsubscribe = options.state.changes.subscribe((change) => this.#onChange(change))
    for (const build of options.state.builds.values()) if (!hasEnded(build)) this.#loop.mark(build.id)
  }

  /** Ends the build if this server runs it; its record says `cancelled` already. */
  cancel(build: Build): void {
    this.#running.get(build.id)?.abort(new BerthError('build.cancelled', `build ${build.id} was cancelled`))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#unsubscribe()
    for (const abort of this.#running.values()) abort.abort()
    for (const wake of this.#waiting.splice(0)) wake()
    await this.#loop[Symbol.asyncDispose]()
  }

  #onChange(change: StateChange): void {
    if (change.kind === 'builds' && change.after?.state === 'queued') this.#loop.mark(change.id)
    if (change.kind !== 'apps' || change.after?.removing !== true) return
    for (const build of this.#options.state.builds.byApp(change.id))
      this.#running.get(build.id)?.abort(beingRemoved(build))
  }

  async #process(id: string, signal: AbortSignal): Promise<number | undefined> {
    await this.#acquire()
    try {
      const build = this.#options.state.builds.get(id)
      if (build === undefined || hasEnded(build) || signal.aborted) return undefined
      return await this.#run(build, signal)
    } finally {
      this.#release()
    }
  }

  /** Returns when to try again: a build that finds no node connected waits for one a while, as after an agent's restart. */
  async #run(build: Build, signal: AbortSignal): Promise<number | undefined> {
    const abort = new AbortController()
    this.#running.set(build.id, abort)
    try {
      await this.#build(build, AbortSignal.any([signal, abort.signal]))
    } catch (error) {
      if (signal.aborted) return undefined
      if (isNodeMissing(error) && this.#now() < this.#waitsUntil(build)) return this.#now() + nodeLookMs
      this.#options.log.info({ err: error, build: build.id }, `build ${build.id} of ${build.app}: ${messageOf(error)}`)
      await this.#fail(build, error)
    } finally {
      this.#running.delete(build.id)
    }
    return undefined
  }

  /** Agents need a moment to find a server that has just started, however long the build has waited before. */
  #waitsUntil = (build: Build): number => Math.max(build.startedAt ?? this.#now(), this.#listeningSince) + nodeWaitMs

  async #build(build: Build, signal: AbortSignal): Promise<void> {
    const { state, runner } = this.#options
    const app = state.apps.get(build.app)
    if (app?.repository === undefined)
      throw new BerthError('app.not-found', `build ${build.id}: app ${build.app} is gone, or has no repository`)
    if (app.removing === true) throw beingRemoved(build)
    await this.#patch(build.id, { state: 'running', startedAt: build.startedAt ?? this.#now() })
    const { name, repository, vcs } = app
    const source = { id: build.id, app: name, repository, vcs, ref: build.ref, noReuse: build.noReuse === true }
    const onProgress = (progress: Partial<Build>) => void this.#progress(build.id, progress)
    const outcome = await runner.run(source, { signal, onProgress })
    await this.#succeed(build.id, outcome)
  }

  #progress(id: string, progress: Partial<Build>): Promise<void> {
    return this.#patch(id, progress).catch((error) =>
      this.#options.log.warn({ err: error }, `build ${id}: ${messageOf(error)}`),
    )
  }

  async #patch(id: string, change: Partial<Build>): Promise<void> {
    await this.#options.records.commit(actor, (tx) => {
      const build = this.#options.state.builds.get(id)
      if (build !== undefined && !hasEnded(build)) tx.put('builds', { ...build, ...change }, { ifUnchanged: true })
    })
  }

  /** Release, rollout and the build's end are one transaction; a rollout that cannot start is said in the build. */
  async #succeed(id: string, outcome: BuildOutcome): Promise<void> {
    const { records, state } = this.#options
    await records.commit(actor, (tx) => {
      const build = state.builds.get(id)
      const app = build === undefined ? undefined : state.apps.get(build.app)
      if (build === undefined || app === undefined || hasEnded(build)) return
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
        endedAt: this.#now(),
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
    if (known !== undefined) return known
    const release: Release = {
      app: app.name,
      id: `v${app.nextRelease}`,
      ...defined({ commit: outcome.commit, subject: outcome.subject }),
      image: outcome.image,
      spec: outcome.spec,
      build: build.id,
      createdAt: this.#now(),
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
    if (current?.release === release.id && current.rollout === undefined && build.force !== true) return {}
    try {
      const rollout = startRollout(tx, state, {
        release,
        pool,
        reason: 'deploy',
        createdBy: build.createdBy,
        force: build.force === true,
        defaultPool,
        now: this.#now(),
      })
      return { rollout: rollout.id }
    } catch (error) {
      if (!(error instanceof BerthError)) throw error
      return { error: { code: error.code, message: error.message } }
    }
  }

  async #fail(build: Build, error: unknown): Promise<void> {
    const { records, state } = this.#options
    const code = error instanceof BerthError ? error.code : 'build.failed'
    const logTail =
      error instanceof BerthError && Array.isArray(error.details.logTail)
        ? (error.details.logTail as string[])
        : undefined
    await records.commit(actor, (tx) => {
      const current = state.builds.get(build.id)
      if (current === undefined || hasEnded(current)) return
      const failure = { code, message: messageOf(error), ...(logTail === undefined ? {} : { logTail }) }
      tx.put('builds', { ...current, state: 'failed', endedAt: this.#now(), error: failure }, { ifUnchanged: true })
      tx.event({
        type: 'build.failed',
        subject: { app: build.app, build: build.id },
        message: `build ${build.id} of ${build.app} failed: ${failure.message}`,
      })
    })
  }

  async #acquire(): Promise<void> {
    if (this.#free > 0) this.#free -= 1
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  #release(): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#free += 1
    else next()
  }
}

const beingRemoved = (build: Build): BerthError =>
  new BerthError('app.removing', `build ${build.id}: app ${build.app} is being removed`)

const hasEnded = (build: Build): boolean => build.state !== 'queued' && build.state !== 'running'

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> }

const defined = <T extends object>(values: T): Defined<T> =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Defined<T>
