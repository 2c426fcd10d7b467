import { BerthError, type Build, buildOrder, messageOf, refName, shortCommit } from '@berth/core'
import type { Logger } from 'pino'
import type { Records, State, StateChange } from '../records/index.ts'
import type { BuildOutcome, BuildRunner } from './build-port.ts'
import { BuildRecords, hasEnded } from './build-records.ts'
import { KeyLoop } from './key-loop.ts'
import { ReleaseTestRunner } from './release-tests.ts'

export interface BuildControllerOptions {
  readonly records: Records
  readonly state: State
  readonly runner: BuildRunner
  /** This server's name: it has the output. */
  readonly server: string
  readonly defaultPool: string
  /** Builds at once; each of them may burn a node's build share. */
  readonly concurrency: number
  readonly log: Logger
  readonly now?: () => number
}

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
  readonly #outcomes: BuildRecords
  readonly #tests: ReleaseTestRunner
  readonly #loop: KeyLoop
  readonly #unsubscribe: () => void
  readonly #running = new Map<string, AbortController>()
  readonly #listeningSince: number
  #free: number
  /** By the id of the build that waits. */
  readonly #waiting = new Map<string, () => void>()

  constructor(options: BuildControllerOptions) {
    this.#options = options
    this.#now = options.now ?? Date.now
    this.#outcomes = new BuildRecords({ ...options, now: this.#now })
    this.#tests = new ReleaseTestRunner({ ...options, now: this.#now })
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
    for (const wake of this.#waiting.values()) wake()
    this.#waiting.clear()
    await this.#loop[Symbol.asyncDispose]()
  }

  #onChange(change: StateChange): void {
    if (change.kind === 'builds' && change.after?.state === 'queued') this.#loop.mark(change.id)
    // Asked for at another server.
    if (change.kind === 'builds' && change.after?.state === 'cancelled') this.cancel(change.after)
    if (change.kind !== 'apps' || change.after?.removing !== true) return
    for (const build of this.#options.state.builds.byApp(change.id))
      this.#running.get(build.id)?.abort(beingRemoved(build))
  }

  async #process(id: string, signal: AbortSignal): Promise<number | undefined> {
    await this.#acquire(id)
    let isFree = false
    const free = (): void => {
      if (!isFree) this.#release()
      isFree = true
    }
    try {
      const build = this.#options.state.builds.get(id)
      if (build === undefined || hasEnded(build) || signal.aborted) return undefined
      return await this.#run(build, signal, free)
    } finally {
      free()
    }
  }

  /** Returns when to try again: a build that finds no node connected waits for one a while, as after an agent's restart. */
  async #run(build: Build, signal: AbortSignal, free: () => void): Promise<number | undefined> {
    const abort = new AbortController()
    this.#running.set(build.id, abort)
    try {
      await this.#build(build, AbortSignal.any([signal, abort.signal]), free)
    } catch (error) {
      if (signal.aborted) return undefined
      if (isNodeMissing(error) && this.#now() < this.#waitsUntil(build)) return this.#now() + nodeLookMs
      this.#options.log.info({ err: error, build: build.id }, `build ${build.id} of ${build.app}: ${messageOf(error)}`)
      await this.#outcomes.fail(build, explained(build, error))
    } finally {
      this.#running.delete(build.id)
    }
    return undefined
  }

  /** Agents need a moment to find a server that has just started, however long the build has waited before. */
  #waitsUntil = (build: Build): number => Math.max(build.startedAt ?? this.#now(), this.#listeningSince) + nodeWaitMs

  /** `free`: its image is made, so another build may begin. */
  async #build(build: Build, signal: AbortSignal, free: () => void): Promise<void> {
    const { state, runner, server } = this.#options
    const app = state.apps.get(build.app)
    const { repository, vcs } = build.source ?? app ?? {}
    if (app === undefined || repository === undefined || vcs === undefined)
      throw new BerthError('app.not-found', `build ${build.id}: app ${build.app} is gone, or has no repository`)
    if (app.removing === true) throw beingRemoved(build)
    await this.#outcomes.patch(build.id, { state: 'running', startedAt: build.startedAt ?? this.#now(), server })
    const source = { id: build.id, app: app.name, repository, vcs, ref: build.ref, noReuse: build.noReuse === true }
    const onProgress = (progress: Partial<Build>) => void this.#progress(build.id, progress)
    const outcome = await runner.run(source, { signal, onProgress })
    if ((outcome.spec.test ?? []).length > 0) {
      free()
      await this.#test(build, outcome, signal)
    }
    await this.#outcomes.succeed(build.id, outcome)
  }

  async #test(build: Build, outcome: BuildOutcome, signal: AbortSignal): Promise<void> {
    const release = await this.#outcomes.candidate(build.id, outcome)
    if (release === undefined || release.tests?.state === 'passed') return
    await this.#tests.run(build, release, signal)
  }

  #progress(id: string, progress: Partial<Build>): Promise<void> {
    return this.#outcomes
      .patch(id, progress)
      .catch((error) => this.#options.log.warn({ err: error }, `build ${id}: ${messageOf(error)}`))
  }

  async #acquire(id: string): Promise<void> {
    if (this.#free > 0) this.#free -= 1
    else await new Promise<void>((resolve) => this.#waiting.set(id, resolve))
  }

  /** Whose turn is next is looked at when there is one: a push since may have changed it. */
  #release(): void {
    const next = this.#nextWaiting()
    const wake = next === undefined ? undefined : this.#waiting.get(next)
    if (next === undefined || wake === undefined) {
      this.#free += 1
      return
    }
    this.#waiting.delete(next)
    wake()
  }

  #nextWaiting(): string | undefined {
    const { state } = this.#options
    const builds = [...this.#waiting.keys()].flatMap((id) => state.builds.get(id) ?? [])
    // One that has ended meanwhile has nothing to do, and is over at once.
    const ended = [...this.#waiting.keys()].find((id) => {
      const build = state.builds.get(id)
      return build === undefined || hasEnded(build)
    })
    if (ended !== undefined) return ended
    const running = [...this.#running.keys()].flatMap((id) => state.builds.get(id) ?? [])
    return buildOrder(builds, running)[0]?.id
  }
}

/** A commit that was seen at a branch and is not there any more was pushed over. */
function explained({ trigger, ref }: Build, error: unknown): unknown {
  if (trigger === undefined || !(error instanceof BerthError) || error.code !== 'source.commit-not-found') return error
  const message = `commit ${shortCommit(ref)}, which was pushed to ${refName(trigger.ref)}, is gone: it was pushed over before it was fetched; what took its place has a build of its own`
  return new BerthError(error.code, message, { details: error.details, cause: error })
}

const beingRemoved = (build: Build): BerthError =>
  new BerthError('app.removing', `build ${build.id}: app ${build.app} is being removed`)
