import {
  BerthError,
  type Build,
  type BuildTrigger,
  decideRefs,
  maxWatchedRefs,
  type Pipeline,
  type RefsDecision,
  refName,
  shortCommit,
  supersededBy,
} from '@berth/core'
import type { Records, RecordTransaction, State } from '../records/index.ts'
import { newId } from '../records/new-id.ts'
import { redactUrls } from '../source/repository-location.ts'
import type { SourceStore } from '../source/source-store.ts'

export interface RepositoryLooksOptions {
  readonly records: Records
  readonly state: State
  readonly sources: Pick<SourceStore, 'listRefs'>
  readonly now?: () => number
}

export interface LookRequest {
  readonly by: BuildTrigger['by']
  /** Refs that were pushed just now, for all that somebody says. */
  readonly hinted: readonly string[]
  readonly signal?: AbortSignal
}

export interface LookResult {
  readonly builds: readonly Build[]
  /** Branches and tags that moved as well, but too many at once. */
  readonly skipped: readonly string[]
}

const actor = 'system:pipelines'
const nothing: LookResult = { builds: [], skipped: [] }

/**
 * Asks a repository where its branches and tags are, and queues a build for each that has moved since the last look. What was seen and
 * what is built for it are one transaction, so the same news, told once or ten times, builds once.
 */
export class RepositoryLooks {
  readonly #options: RepositoryLooksOptions
  readonly #now: () => number
  /** By app: looks follow one another. */
  readonly #last = new Map<string, Promise<unknown>>()
  /** By app: the look that has not begun yet, which all that ask meanwhile share. */
  readonly #next = new Map<string, { readonly hinted: Set<string>; readonly result: Promise<LookResult> }>()

  constructor(options: RepositoryLooksOptions) {
    this.#options = options
    this.#now = options.now ?? Date.now
  }

  /** Throws `pipeline.not-found`, `pipeline.too-many-refs`, `app.no-source` and what reading a repository throws. */
  look(app: string, request: LookRequest): Promise<LookResult> {
    const waiting = this.#next.get(app)
    if (waiting !== undefined) {
      for (const ref of request.hinted) waiting.hinted.add(ref)
      return waiting.result
    }
    const hinted = new Set(request.hinted)
    const before = this.#last.get(app) ?? Promise.resolve()
    const result = before.then(() => {
      this.#next.delete(app)
      return this.#look(app, { ...request, hinted: [...hinted] })
    })
    this.#next.set(app, { hinted, result })
    const over = result.then(
      () => undefined,
      () => undefined,
    )
    this.#last.set(app, over)
    void over.then(() => {
      if (this.#last.get(app) === over) this.#last.delete(app)
    })
    return result
  }

  async #look(app: string, request: LookRequest): Promise<LookResult> {
    const { state, sources, records } = this.#options
    const pipeline = this.#requirePipeline(app)
    if (pipeline.branches.length + pipeline.tags.length === 0) return nothing
    const { repository, vcs = 'git' } = state.apps.get(app) ?? {}
    if (repository === undefined)
      throw new BerthError(
        'app.no-source',
        `look for pushes to ${app}: no repository is known; deploy it once, or register it with one`,
      )
    const remote = await sources.listRefs({
      ...{ app, repository, vcs },
      ...(request.signal === undefined ? {} : { signal: request.signal }),
    })
    const { value } = await records.commit(
      actor,
      (tx) => this.#write(tx, app, { repository, remote, request }),
      request.signal === undefined ? {} : { signal: request.signal },
    )
    return value
  }

  #requirePipeline(app: string): Pipeline {
    const pipeline = this.#options.state.pipelines.get(app)
    if (pipeline !== undefined) return pipeline
    throw new BerthError(
      'pipeline.not-found',
      `look for pushes to ${app}: it has no pipeline; see: berth pipeline set --help`,
    )
  }

  #write(
    tx: RecordTransaction,
    app: string,
    {
      repository,
      remote,
      request,
    }: { readonly repository: string; readonly remote: ReadonlyMap<string, string>; readonly request: LookRequest },
  ): LookResult {
    const { state } = this.#options
    const pipeline = state.pipelines.get(app)
    const known = state.apps.get(app)
    // Neither the app nor its pipeline is what was looked for any more: what is now is looked at next.
    if (pipeline === undefined || known?.repository !== repository || known.removing === true) return nothing
    const before = state.seenRefs.get(app)
    const shown = redactUrls(repository)
    const seen = before?.repository === shown ? before.refs : undefined
    const decision = decideRefs({ pipeline, seen, remote, hinted: new Set(request.hinted) })
    refuseTooMany(app, decision)
    tx.require('pipelines', app)
    if (!decision.changed && decision.build.length === 0) return nothing
    tx.require('apps', app)
    tx.put('seenRefs', { app, repository: shown, refs: decision.refs, changedAt: this.#now() }, { ifUnchanged: true })
    const builds = decision.build.map((each) => this.#queue(tx, pipeline, each, request.by))
    if (decision.skipped.length > 0)
      tx.event({
        type: 'pipeline.skipped',
        subject: { app },
        message: `${app}: ${decision.skipped.length} more branches and tags moved at once and are not built by themselves: ${decision.skipped.slice(0, 10).map(refName).join(', ')}`,
      })
    return { builds, skipped: decision.skipped }
  }

  #queue(
    tx: RecordTransaction,
    { app, deploy }: Pipeline,
    { ref, commit }: { readonly ref: string; readonly commit: string },
    by: BuildTrigger['by'],
  ): Build {
    const { state } = this.#options
    const now = this.#now()
    const build: Build = {
      ...{ id: newId('b'), app, ref: commit, state: 'queued' },
      trigger: { ref, by, ...(deploy === undefined ? {} : { deploy }) },
      ...{ createdAt: now, createdBy: `pipeline:${app}` },
    }
    for (const old of supersededBy(state.builds.byApp(app), { app, ref })) {
      const message = `${build.id} builds what was pushed to ${refName(ref)} since`
      const error = { code: 'build.superseded', message }
      tx.put('builds', { ...old, state: 'cancelled', endedAt: now, error }, { ifUnchanged: true })
      tx.event({
        type: 'build.superseded',
        subject: { app, build: old.id },
        message: `build ${old.id} of ${app}: ${message}`,
      })
    }
    tx.create('builds', build)
    tx.event({
      type: 'build.queued',
      subject: { app, build: build.id },
      message: `build ${build.id} of ${app} at ${shortCommit(commit)}, pushed to ${refName(ref)}`,
    })
    return build
  }
}

function refuseTooMany(app: string, { refs }: RefsDecision): void {
  const count = Object.keys(refs).length
  if (count <= maxWatchedRefs) return
  throw new BerthError(
    'pipeline.too-many-refs',
    `look for pushes to ${app}: ${count} branches and tags match its patterns, at most ${maxWatchedRefs} are watched; narrow them: berth pipeline set ${app}`,
    { details: { app, count } },
  )
}
