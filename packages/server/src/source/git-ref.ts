import { BerthError } from '@berth/core'
import { closest } from '@berth/core/spec/closest'

export interface GitRef {
  /** As the user wrote it. */
  readonly text: string
  /** `HEAD`, a branch, a tag, `refs/…` or a commit id. */
  readonly base: string
  /** `~2`, `^`, or empty. */
  readonly suffix: string
}

/** What a mirror takes from its repository, by the same names. */
export const branchesAndTags = ['+refs/heads/*:refs/heads/*', '+refs/tags/*:refs/tags/*'] as const

/** Where the mirror keeps what `HEAD` was at the last fetch that asked for it. */
export const headRef = 'refs/berth/head'
/** Keeps commits that were handed out from being collected. */
export const keptRef = (commit: string): string => `refs/berth/kept/${commit}`

/** The rules of `git check-ref-format`, and no more of git's revision language than counting ancestors. */
export function parseGitRef(text: string): GitRef {
  const match = /^([^~^]+)((?:~\d{0,4}|\^\d{0,2})*)$/.exec(text)
  const [, base = '', suffix = ''] = match ?? []
  const isBad =
    match === null ||
    text.length > 255 ||
    /[\0-\x20\x7f:?*[\\]|\.\.|@\{|\/\/|\/\.|\.lock(\/|$)/.test(base) ||
    /^[-./]|[./]$|^@$/.test(base)
  if (!isBad) return { text, base, suffix }
  const shown = JSON.stringify(text.slice(0, 100))
  throw new BerthError('source.bad-ref', `${shown} cannot name a commit: give a branch, a tag, a commit id or HEAD`)
}

export const isFullCommitId = (text: string): boolean => /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(text)

/** What a ref may mean in the mirror, in the order in which git itself looks. */
export function refCandidates({ base }: GitRef): string[] {
  if (base === 'HEAD') return [headRef]
  if (isFullCommitId(base)) return [base]
  const abbreviated = /^[0-9a-f]{4,63}$/.test(base) ? [base] : []
  if (/^refs\/(heads|tags)\//.test(base)) return [base]
  return [`refs/tags/${base}`, `refs/heads/${base}`, ...abbreviated]
}

/** `names`: branches and tags, newest first. */
export function commitNotFound(ref: GitRef, repository: string, names: readonly string[]): BerthError {
  const near = closest(ref.base.replace(/^(refs\/(heads|tags)\/|origin\/)/, ''), names)
  const recent = names.slice(0, 5).map((name) => `"${name}"`)
  const more = names.length > recent.length ? ` and ${names.length - recent.length} more` : ''
  const existing = names.length === 0 ? 'it has no branch and no tag' : `it has ${recent.join(', ')}${more}`
  const hint = near === undefined ? existing : `did you mean "${near}"? ${existing}`
  return new BerthError('source.commit-not-found', `${repository} has no commit ${JSON.stringify(ref.text)}: ${hint}`, {
    details: { ref: ref.text, near: near ?? null, refs: names.slice(0, 20) },
  })
}
