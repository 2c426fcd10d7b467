import type { Pipeline, SeenRefs } from '../model/pipeline.ts'
import { isWatched } from './ref-pattern.ts'

export interface RefsSnapshot {
  readonly pipeline: Pick<Pipeline, 'branches' | 'tags'>
  /** What the last look showed; undefined: nobody has looked yet. */
  readonly seen: SeenRefs['refs'] | undefined
  /** What the repository says now: branches and tags with the commits that they lead to. */
  readonly remote: ReadonlyMap<string, string>
  /** Refs that somebody says were pushed just now. */
  readonly hinted: ReadonlySet<string>
}

export interface RefsDecision {
  /** To be built, branches before tags. */
  readonly build: readonly { readonly ref: string; readonly commit: string }[]
  /** Changed as well, but too many at once. */
  readonly skipped: readonly string[]
  readonly refs: SeenRefs['refs']
  /** `refs` differ from what was seen. */
  readonly changed: boolean
}

/** A push of a hundred tags is a mistake or a new copy of a repository, and no wish for a hundred images. */
export const maxBuildsPerLook = 10
export const maxWatchedRefs = 1000

/**
 * What a look at a repository leads to. Only what differs from the look before is built, so the same news told twice, by whomever, builds
 * once. The very first look only remembers (but for what was pushed just now): setting a pipeline up builds nothing by itself.
 */
export function decideRefs({ pipeline, seen, remote, hinted }: RefsSnapshot): RefsDecision {
  const watched = [...remote].filter(([ref]) => isWatched(pipeline, ref)).sort(byKindAndName)
  const refs = Object.fromEntries(watched)
  const news = watched.filter(([ref, commit]) =>
    seen === undefined ? hinted.has(ref) : !(Object.hasOwn(seen, ref) && seen[ref] === commit),
  )
  const build = news.slice(0, maxBuildsPerLook).map(([ref, commit]) => ({ ref, commit }))
  const skipped = news.slice(maxBuildsPerLook).map(([ref]) => ref)
  return { build, skipped, refs, changed: seen === undefined || !isSame(seen, refs) }
}

/** Branches first; of tags those that come last by name, which are the highest versions. */
function byKindAndName([a]: readonly [string, string], [b]: readonly [string, string]): number {
  const isTag = (ref: string): number => (ref.startsWith('refs/tags/') ? 1 : 0)
  if (isTag(a) !== isTag(b)) return isTag(a) - isTag(b)
  const order = a < b ? -1 : a > b ? 1 : 0
  return isTag(a) === 1 ? -order : order
}

function isSame(a: SeenRefs['refs'], b: SeenRefs['refs']): boolean {
  const names = Object.keys(a)
  return names.length === Object.keys(b).length && names.every((ref) => Object.hasOwn(b, ref) && a[ref] === b[ref])
}
