import {
  BerthError,
  type Build,
  type Instance,
  type InstanceStatus,
  type Pool,
  type Release,
  type ReleaseTests,
  resolveSpec,
  type TestRun,
} from '@berth/core'
import { type Records, type RecordTransaction, releaseId, type State } from '../records/index.ts'
import { writeJob } from './operations/job-instance.ts'

export interface ReleaseTestsOptions {
  readonly records: Records
  readonly state: State
  readonly now: () => number
  /** Of a job that says none. */
  readonly limitMs?: number
  /** For a node to be found, and the image to come to it. */
  readonly startMs?: number
}

/** Where tests run: a pool of the app that has no release of its own. Its environment is the app's `tests`, if it has one. */
export const testPool = 'tests'

const defaultLimitMs = 3_600_000
const defaultStartMs = 600_000
/** How much later than it should a job may be heard of. */
const lateMs = 60_000
const maxTailLines = 100
const maxTailCharacters = 8_000

/**
 * Runs the jobs of a release's `test:` in its image, one after the other, and writes down with the release what became of each. A run that
 * another server has begun is waited for, not begun again.
 */
export class ReleaseTestRunner {
  readonly #options: ReleaseTestsOptions
  readonly #state: State

  constructor(options: ReleaseTestsOptions) {
    this.#options = options
    this.#state = options.state
  }

  /** Throws `build.tests-failed` with the last lines of what failed; aborting stops the job that runs. */
  async run(build: Build, { app, id, spec }: Release, signal: AbortSignal): Promise<void> {
    for (const entrypoint of spec.test ?? []) {
      const known = this.#tests(app, id)?.runs.find((run) => run.entrypoint === entrypoint)
      if (known?.state === 'passed') continue
      const begun = known?.state === 'running' ? known : await this.#begin(build, app, id, entrypoint)
      const ended = await this.#untilEnded(begun, { app, id, entrypoint }, signal)
      await this.#write(app, id, (tests) => withRun(tests, ended, this.#options.now()))
      if (ended.state === 'failed') throw failed(app, id, ended)
    }
    await this.#write(app, id, (tests) => ({ ...tests, state: 'passed', endedAt: this.#options.now() }))
  }

  #tests = (app: string, id: string): ReleaseTests | undefined => this.#state.releases.find(app, id)?.tests

  async #write(app: string, id: string, change: (tests: ReleaseTests) => ReleaseTests): Promise<void> {
    await this.#options.records.commit('system:builds', (tx) => {
      const release = this.#state.releases.find(app, id)
      if (release?.tests === undefined) return
      const tests = change(release.tests)
      tx.put('releases', { ...release, tests }, { ifUnchanged: true })
      if (tests.state === release.tests.state) return
      const message = `${app} ${id}: its tests ${tests.state === 'passed' ? 'have passed' : 'have failed'}`
      tx.event({ type: `release.tests-${tests.state}`, subject: { app, release: id }, message })
    })
  }

  async #begin(build: Build, app: string, id: string, entrypoint: string): Promise<TestRun> {
    const { records, now } = this.#options
    const { value } = await records.commit('system:builds', (tx) => {
      const release = this.#state.releases.find(app, id)
      if (release?.tests === undefined) throw new BerthError('release.not-found', `test ${app} ${id}: it is gone`)
      const pool = this.#pool(tx, app)
      const job = writeJob(tx, pool, { entrypoint, release: id, createdBy: build.createdBy, now: now() })
      const run: TestRun = { entrypoint, instance: job.id, state: 'running', logTail: [], startedAt: now() }
      tx.put('releases', { ...release, tests: withRun(release.tests, run, now()) }, { ifUnchanged: true })
      return run
    })
    return value
  }

  #pool(tx: RecordTransaction, app: string): Pool {
    const pool = this.#state.pools.find(app, testPool)
    if (pool?.removing === true)
      throw new BerthError(
        'pool.removing',
        `test ${app}: ${app}/${testPool} is being removed; build again when it is gone`,
      )
    if (pool !== undefined) return pool
    tx.require('apps', app)
    return {
      ...{ app, name: testPool, environment: testPool, generation: 0, nextGeneration: 1 },
      ...{ replicas: {}, nextOrdinal: {}, createdAt: this.#options.now() },
    }
  }

  async #untilEnded(
    run: TestRun,
    of: { app: string; id: string; entrypoint: string },
    signal: AbortSignal,
  ): Promise<TestRun> {
    const spec = this.#state.releases.get(releaseId(of.app, of.id))?.spec
    const own = spec === undefined ? undefined : resolveSpec(spec, testPool).entrypoints[of.entrypoint]
    const limitMs = (own?.jobTimeoutMs ?? 0) || (this.#options.limitMs ?? defaultLimitMs)
    const began = this.#options.now()
    for (;;) {
      const instance = this.#state.instances.get(run.instance)
      const status = this.#state.statuses.get(run.instance)
      const ended = outcomeOf(run, instance, status, this.#options.now())
      if (ended !== undefined) return ended
      const startedAt = status?.startedAt === undefined ? undefined : run.startedAt
      const until =
        startedAt === undefined ? began + (this.#options.startMs ?? defaultStartMs) : startedAt + limitMs + lateMs
      // The server stops: the next one goes on with it.
      if (signal.aborted && !(signal.reason instanceof BerthError)) throw signal.reason
      if (signal.aborted || this.#options.now() >= until) {
        await this.#stop(run.instance, signal.aborted ? 'the build was ended' : 'it took too long')
        if (signal.aborted)
          return {
            ...run,
            state: 'failed',
            message: 'the build was ended',
            logTail: tailOf(status),
            endedAt: this.#options.now(),
          }
        const message =
          startedAt === undefined
            ? `did not start: ${instance?.unplaced ?? status?.message ?? 'no report from its node'}`
            : 'did not end within its time limit'
        return { ...run, state: 'failed', message, logTail: tailOf(status), endedAt: this.#options.now() }
      }
      await this.#nextNews(run.instance, until - this.#options.now(), signal)
    }
  }

  /** Something was heard of the job, or it is time to look again. */
  async #nextNews(instance: string, waitMs: number, signal: AbortSignal): Promise<void> {
    const news = Promise.withResolvers<void>()
    const unsubscribe = this.#state.changes.subscribe(({ kind, id }) => {
      if ((kind === 'statuses' || kind === 'instances') && id === instance) news.resolve()
    })
    const timer = setTimeout(news.resolve, Math.min(waitMs, lateMs))
    signal.addEventListener('abort', () => news.resolve(), { once: true })
    try {
      if (!signal.aborted) await news.promise
    } finally {
      clearTimeout(timer)
      unsubscribe()
    }
  }

  async #stop(id: string, stopReason: string): Promise<void> {
    await this.#options.records.commit('system:builds', (tx) => {
      const instance = this.#state.instances.get(id)
      if (instance?.desired === 'run')
        tx.put('instances', { ...instance, desired: 'stop', stopReason }, { ifUnchanged: true })
    })
  }
}

function outcomeOf(
  run: TestRun,
  instance: Instance | undefined,
  status: InstanceStatus | undefined,
  now: number,
): TestRun | undefined {
  const over = { ...run, logTail: tailOf(status), endedAt: status?.endedAt ?? now }
  if (instance === undefined) return { ...over, state: 'failed', message: 'was removed before it had ended' }
  if (instance.desired !== 'run') return { ...over, state: 'failed', message: instance.stopReason ?? 'was stopped' }
  if (status?.phase !== 'ended') return undefined
  const code = status.lastExit?.code
  if (code === 0) return { ...over, state: 'passed' }
  const memory = status.lastExit?.outOfMemory === true ? ', out of memory' : ''
  return {
    ...over,
    state: 'failed',
    message:
      status.lastExit === undefined ? (status.message ?? 'ended without an exit code') : `exit code ${code}${memory}`,
  }
}

/** Bounded: it is kept with the release. */
function tailOf(status: InstanceStatus | undefined): string[] {
  const lines: string[] = []
  let characters = 0
  for (const line of (status?.logTail ?? []).slice(-maxTailLines).toReversed()) {
    characters += line.length
    if (characters > maxTailCharacters) break
    lines.unshift(line)
  }
  return lines
}

function withRun(tests: ReleaseTests, run: TestRun, now: number): ReleaseTests {
  const runs = [...tests.runs.filter(({ entrypoint }) => entrypoint !== run.entrypoint), run]
  return run.state === 'failed' ? { ...tests, runs, state: 'failed', endedAt: now } : { ...tests, runs }
}

const failed = (app: string, id: string, { entrypoint, instance, message, logTail }: TestRun): BerthError =>
  new BerthError(
    'build.tests-failed',
    `${app} ${id} is built, and its test ${entrypoint} failed (${instance}: ${message ?? 'it failed'}); it cannot be rolled out`,
    { details: { app, release: id, logTail: [...logTail] } },
  )
