import type { ReleaseDiffView } from '@berth/api'
import { BerthError, diffSpecs, messageOf, type Release, resolveSpec } from '@berth/core'
import { requireApp, requireRelease } from '../controllers/operations/lookup.ts'
import type { State } from '../records/index.ts'
import type { LogEntry, SourceStore } from '../source/source-store.ts'
import { defined } from '../views/view-context.ts'

const maxCommits = 100
/** A repository that takes longer to be read is not waited for: the rest is told without it. */
const readTimeoutMs = 10_000

export interface DiffOptions {
  readonly state: State
  readonly sources: Pick<SourceStore, 'fetch' | 'log'>
  readonly signal: AbortSignal
}

interface Commits {
  readonly added: readonly LogEntry[]
  readonly removed: readonly LogEntry[]
  readonly more: boolean
  readonly problem?: string
}

/** What a release would change in a pool, or what it changed since the one that is named. Reads the mirror of this server, or asks Subversion. Throws `app.not-found`, `release.not-found`. */
export async function releaseDiff(
  options: DiffOptions,
  wanted: { readonly app: string; readonly pool: string; readonly release: string; readonly from?: string },
): Promise<ReleaseDiffView> {
  const { state } = options
  const { app, pool } = wanted
  requireApp(state, app)
  const to = requireRelease(state, app, wanted.release)
  const current = state.pools.find(app, pool)
  const running = current?.release === undefined ? undefined : state.releases.find(app, current.release)
  const from = wanted.from === undefined ? running : requireRelease(state, app, wanted.from)
  const environment = current?.environment ?? pool
  const { added, removed, more, problem } = await commitsBetween(options, from, to)
  const before = from === undefined ? undefined : resolveSpec(from.spec, environment)
  return {
    ...{ app, pool, to: to.id, sameImage: from?.image === to.image },
    ...defined({ from: from?.id, problem }),
    ...{ added: [...added], removed: [...removed], more },
    changes: from === undefined ? [] : diffSpecs(before, resolveSpec(to.spec, environment)),
  }
}

async function commitsBetween(options: DiffOptions, from: Release | undefined, to: Release): Promise<Commits> {
  const none = { added: [], removed: [], more: false }
  if (from === undefined) return { ...none, problem: 'nothing runs there yet' }
  if (from.commit === to.commit) return none
  const { repository, vcs } = options.state.apps.get(to.app) ?? {}
  if (from.commit === undefined || to.commit === undefined || repository === undefined || vcs === undefined)
    return { ...none, problem: 'they are not both of a repository' }
  const { sources } = options
  const signal = AbortSignal.any([options.signal, AbortSignal.timeout(readTimeoutMs)])
  const fetch = (ref: string) => sources.fetch({ app: to.app, repository, vcs, ref, signal })
  try {
    // Of git both are in the mirror, but on a server that has just begun to lead.
    const [first, last] = [await fetch(from.commit), await fetch(to.commit)]
    const limit = maxCommits + 1
    const added = await sources.log({ from: first, to: last, limit }, { signal })
    const removed = await sources.log({ from: last, to: first, limit }, { signal })
    return {
      ...{ added: added.slice(0, maxCommits), removed: removed.slice(0, maxCommits) },
      more: added.length > maxCommits || removed.length > maxCommits,
    }
  } catch (error) {
    options.signal.throwIfAborted()
    const why = error instanceof BerthError ? messageOf(error) : 'the repository was not read in time'
    return { ...none, problem: why }
  }
}
