import type { Readable } from 'node:stream'

/** A commit of an app's repository whose content the store holds or can get. Free of secrets. */
export interface SourceCommit {
  readonly app: string
  readonly vcs: 'git' | 'svn'
  /** As given, without passwords. */
  readonly repository: string
  /** Git: the full commit id. svn: `r123`, or `branches/x@123` for a path below the repository that the app names. */
  readonly commit: string
  /** First line of its message, at most 200 characters, no control characters. */
  readonly subject: string
  readonly author: string
  /** Milliseconds since the epoch. */
  readonly at: number
  /** Equal trees have equal content: git's tree id; for svn a digest of repository, path and last changed revision. */
  readonly tree: string
}

export interface SourceRequest {
  readonly app: string
  /** Absolute path, URL, or what {@link SourceStore.acceptBundle} answered. */
  readonly repository: string
  readonly vcs: 'git' | 'svn'
  /** Git: `HEAD`, branch, tag or commit, also with `~2` or `^`. svn: `HEAD`, `r123`, `branches/x`, `branches/x@123`. */
  readonly ref: string
  readonly signal?: AbortSignal | undefined
}

/** One of the commits between two others. */
export interface LogEntry {
  readonly commit: string
  readonly subject: string
  readonly author: string
  /** Milliseconds since the epoch. */
  readonly at: number
}

export interface SourceFile {
  /** Below the folder that was listed. */
  readonly path: string
  /** 0o644, 0o755 or 0o120000 for a symbolic link; svn does not say and always has 0o644. */
  readonly mode: number
  readonly digest: string
}

export interface CommitRange {
  readonly from: SourceCommit
  readonly to: SourceCommit
  readonly limit: number
}

interface CallOptions {
  readonly signal?: AbortSignal | undefined
}

/**
 * Reads repositories. Nothing of a repository is ever executed: no checkout, no hook, no submodule, no filter. Commits that `fetch` has
 * answered stay readable for the lifetime of the store, also when their branch is gone.
 *
 * Errors: `source.bad-repository`, `source.path-not-allowed`, `source.bad-ref`, `source.commit-not-found`,
 * `source.repository-not-found`, `source.unreachable`, `source.auth-required`, `source.timeout`, `source.failed`; for uploads
 * `source.bundle-invalid`, `source.bundle-too-large`.
 */
export interface SourceStore {
  fetch(request: SourceRequest): Promise<SourceCommit>
  /** Branches and tags with the commits that they lead to (`refs/heads/main`; of svn `refs/heads/trunk`); nothing is fetched. */
  listRefs(request: Omit<SourceRequest, 'ref'>): Promise<ReadonlyMap<string, string>>
  /** A regular file's text; undefined where there is none. `source.output-too-large` above `maxBytes` (1 MiB). */
  readFile(at: SourceCommit, path: string, options?: CallOptions & { maxBytes?: number }): Promise<string | undefined>
  /**
   * Commits that `to` has and `from` has not, newest first, at most `limit`; both are what `fetch` has answered, of one app and one repository. Of svn
   * those of the way to where `to` is, over copies, without what was merged from elsewhere.
   */
  log(range: CommitRange, options?: CallOptions): Promise<LogEntry[]>
  /** Every file below a folder; none when there is no such folder. */
  list(at: SourceCommit, folder: string, options?: CallOptions): Promise<SourceFile[]>
  /** A tar of the commit, or of one folder of it; names are relative to that folder. Starts with the first read. */
  archive(at: SourceCommit, options?: CallOptions & { folder?: string }): Readable
  /** Takes in a git bundle; answers the `repository` by which `fetch` finds its commits. */
  acceptBundle(app: string, bundle: Readable, options?: CallOptions): Promise<{ readonly repository: string }>
  /** True for a path or file URL, unless the store is bound to folders that are meant for it. Throws `source.bad-repository`. */
  isOnServerDisk(repository: string, vcs: 'git' | 'svn'): boolean
  /** Forgets all that is kept of an app's source. */
  removeApp(app: string): Promise<void>
}

/** One version control system. The store checks and locks; `at` is always what this one's `fetch` answered. */
export interface SourceAdapter {
  fetch(request: SourceRequest): Promise<SourceCommit>
  listRefs(request: Omit<SourceRequest, 'ref' | 'vcs'>): Promise<ReadonlyMap<string, string>>
  readFile(at: SourceCommit, path: string, maxBytes: number, signal?: AbortSignal): Promise<string | undefined>
  list(at: SourceCommit, folder: string, signal?: AbortSignal): Promise<SourceFile[]>
  log(range: CommitRange, signal?: AbortSignal): Promise<LogEntry[]>
  archive(at: SourceCommit, folder: string | undefined, signal?: AbortSignal): Readable
  removeApp(app: string): Promise<void>
}

/** For people and terminals: one line, no control characters. */
export function oneLine(text: string, maxLength = 200): string {
  const clean =
    text
      .split(/\r?\n/, 1)[0]
      ?.replace(/\p{Cc}/gu, ' ')
      .trim() ?? ''
  return clean.length > maxLength ? `${clean.slice(0, maxLength - 1)}…` : clean
}
