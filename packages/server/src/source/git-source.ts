import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { BerthError } from '@berth/core'
import type { Logger } from 'pino'
import { credentialEnvironment } from './git-environment.ts'
import { type GitCall, GitMirror, isCorrupt } from './git-mirror.ts'
import {
  branchesAndTags,
  commitNotFound,
  type GitRef,
  headRef,
  isFullCommitId,
  keptRef,
  parseGitRef,
  refCandidates,
} from './git-ref.ts'
import { listRemoteRefs } from './git-remote-refs.ts'
import type { KeyedLock } from './keyed-lock.ts'
import { parseRepository, type RepositoryLocation, redactorOf, uploadPrefix } from './repository-location.ts'
import { streamCommand } from './run-command.ts'
import { sourceFailure } from './source-failure.ts'
import {
  type CommitRange,
  type LogEntry,
  oneLine,
  type SourceAdapter,
  type SourceCommit,
  type SourceFile,
  type SourceRequest,
} from './source-store.ts'

export interface GitSourceOptions {
  /** One bare mirror an app below it. */
  readonly dir: string
  readonly env: Readonly<Record<string, string>>
  readonly locks: KeyedLock
  readonly fetchTimeoutMs: number
  readonly log: Logger
}

/** Asking costs a repository little, so one that does not answer within this time is away. */
const maxListMs = 60_000

/** One fetch under way: where from, in words for messages, and how text from git is cleaned. */
interface Origin {
  readonly location: RepositoryLocation
  readonly shown: string
  readonly redact: (text: string) => string
}

export class GitSource implements SourceAdapter {
  readonly #options: GitSourceOptions

  constructor(options: GitSourceOptions) {
    this.#options = options
  }

  async fetch(request: SourceRequest): Promise<SourceCommit> {
    const ref = parseGitRef(request.ref)
    const location = parseRepository(request.repository, 'git')
    const redact = redactorOf(location.type === 'url' ? location.credentials : undefined)
    const origin: Origin = { location, redact, shown: redact(request.repository) }
    try {
      return await this.#options.locks.run(
        `git/${request.app}`,
        () => this.#fetchOrRebuild(request, ref, origin),
        request.signal,
      )
    } catch (error) {
      throw redacted(error, redact)
    }
  }

  /** As the repository says it at this moment; a tag leads to the commit that it names. Throws as {@link fetch} does. */
  async listRefs(request: Omit<SourceRequest, 'ref' | 'vcs'>): Promise<ReadonlyMap<string, string>> {
    const location = parseRepository(request.repository, 'git')
    const redact = redactorOf(location.type === 'url' ? location.credentials : undefined)
    const origin: Origin = { location, redact, shown: redact(request.repository) }
    try {
      return await listRemoteRefs(origin.shown, from(origin), {
        ...{ env: { ...this.#options.env, ...credentialEnvironment(location) }, signal: request.signal },
        timeoutMs: Math.min(this.#options.fetchTimeoutMs, maxListMs),
      })
    } catch (error) {
      throw redacted(error, redact)
    }
  }

  async readFile(at: SourceCommit, path: string, maxBytes: number, signal?: AbortSignal): Promise<string | undefined> {
    const mirror = this.mirror(at.app)
    const args = ['ls-tree', '-l', '-z', '--full-tree', at.commit, '--', path]
    const [entry] = parseTree(await mirror.run(args, `look for ${path} in ${at.commit}`, { signal }))
    if (entry === undefined || entry.path !== path || entry.type !== 'blob' || entry.mode === 0o120000) return undefined
    if (entry.size > maxBytes) throw tooLarge(path, at, entry.size, maxBytes)
    const call = { signal, maxOutputBytes: entry.size }
    const content = await mirror.run(['cat-file', 'blob', entry.id], `read ${path} of ${at.commit}`, call)
    return content.toString('utf8')
  }

  async list(at: SourceCommit, folder: string, signal?: AbortSignal): Promise<SourceFile[]> {
    const args = ['ls-tree', '-r', '-l', '-z', '--full-tree', at.commit, '--', `${folder}/`]
    const call: GitCall = { signal, maxOutputBytes: 64 * 1024 * 1024 }
    const entries = parseTree(await this.mirror(at.app).run(args, `list ${folder} of ${at.commit}`, call))
    return entries
      .filter(({ type, path }) => type === 'blob' && path.startsWith(`${folder}/`))
      .map(({ path, mode, id }) => ({ path: path.slice(folder.length + 1), mode, digest: id }))
  }

  async log(
    { from: { commit: from }, to: { app, commit: to }, limit }: CommitRange,
    signal?: AbortSignal,
  ): Promise<LogEntry[]> {
    const format = '--format=%H%x00%an <%ae>%x00%ct%x00%s%x00'
    const flags = ['--no-show-signature', '--no-color', '--encoding=UTF-8', `--max-count=${limit}`]
    const args = ['log', ...flags, format, '--end-of-options', `${from}..${to}`]
    const output = (await this.mirror(app).run(args, `list commits from ${from} to ${to}`, { signal })).toString('utf8')
    return output.split('\0\n').flatMap((line) => {
      const [commit = '', author = '', seconds = '0', subject = ''] = line.split('\0')
      return commit === ''
        ? []
        : [{ commit, author: oneLine(author), at: Number(seconds) * 1000, subject: oneLine(subject) }]
    })
  }

  archive(at: SourceCommit, folder: string | undefined, signal?: AbortSignal): Readable {
    const tree = folder === undefined ? at.commit : `${at.commit}:${folder}`
    const { argv, env } = this.mirror(at.app).command(['archive', '--format=tar', tree])
    return streamCommand(argv, { env, signal }, ({ stderr }) =>
      sourceFailure('git', `read the files of ${tree}`, stderr),
    )
  }

  async removeApp(app: string): Promise<void> {
    await this.#options.locks.run(`git/${app}`, () => this.mirror(app).remove())
  }

  mirror(app: string): GitMirror {
    return new GitMirror(join(this.#options.dir, `${app}.git`), this.#options.env)
  }

  async #fetchOrRebuild(request: SourceRequest, ref: GitRef, origin: Origin): Promise<SourceCommit> {
    try {
      return await this.#fetchLocked(request, ref, origin)
    } catch (error) {
      if (!isCorrupt(error) || origin.location.type === 'upload') throw error
      this.#options.log.warn({ app: request.app }, 'the mirror of a repository is broken and is made anew')
      await this.mirror(request.app).remove()
      return await this.#fetchLocked(request, ref, origin)
    }
  }

  async #fetchLocked(request: SourceRequest, ref: GitRef, origin: Origin): Promise<SourceCommit> {
    const { signal } = request
    const mirror = this.mirror(request.app)
    await mirror.prepare(signal)
    const held = isFullCommitId(ref.base) ? await mirror.resolve([ref.base], ref.suffix, { signal }) : undefined
    const commit = held ?? (await this.#update(mirror, ref, origin, signal))
    await mirror.run(['update-ref', keptRef(commit), commit], `keep ${commit}`, { signal })
    return { ...(await this.#describe(mirror, commit, signal)), app: request.app, vcs: 'git', repository: origin.shown }
  }

  /** Brings the mirror up to date and finds the commit in it. */
  async #update(mirror: GitMirror, ref: GitRef, origin: Origin, signal: AbortSignal | undefined): Promise<string> {
    if (origin.location.type !== 'upload') await this.#fetchRefs(mirror, ref, origin, signal)
    const found = await mirror.resolve(refCandidates(ref), ref.suffix, { signal })
    const commit = found ?? (await this.#fetchUnnamed(mirror, ref, origin, signal))
    if (commit !== undefined) return commit
    throw commitNotFound(ref, origin.shown, await mirror.refNames({ signal }))
  }

  async #fetchRefs(mirror: GitMirror, ref: GitRef, origin: Origin, signal: AbortSignal | undefined): Promise<void> {
    const args = ['--prune', ...from(origin), ...branchesAndTags]
    if (ref.base !== 'HEAD') return this.#fetchFrom(mirror, origin, args, signal)
    try {
      await this.#fetchFrom(mirror, origin, [...args, `+HEAD:${headRef}`], signal)
    } catch (error) {
      if (!(error instanceof BerthError) || !/couldn't find remote ref/.test(error.message)) throw error
      // An empty repository, or a HEAD that names a branch which is not there.
      await this.#fetchFrom(mirror, origin, args, signal)
      throw commitNotFound(ref, origin.shown, await mirror.refNames({ signal }))
    }
  }

  /** A commit that no branch or tag leads to, such as one of a pull request; most servers give it when asked by its full id. */
  async #fetchUnnamed(mirror: GitMirror, ref: GitRef, origin: Origin, signal: AbortSignal | undefined) {
    if (!isFullCommitId(ref.base) || origin.location.type === 'upload') return undefined
    try {
      await this.#fetchFrom(mirror, origin, [...from(origin), `+${ref.base}:${keptRef(ref.base)}`], signal)
    } catch (error) {
      if (error instanceof BerthError && !error.retryable) return undefined
      throw error
    }
    return mirror.resolve([ref.base], ref.suffix, { signal })
  }

  async #fetchFrom(mirror: GitMirror, origin: Origin, args: readonly string[], signal: AbortSignal | undefined) {
    const flags = ['--quiet', '--no-tags', '--no-recurse-submodules', '--no-write-fetch-head', '--force']
    const timeoutMs = this.#options.fetchTimeoutMs
    const call = { signal, timeoutMs, env: credentialEnvironment(origin.location) }
    await mirror.run(['fetch', ...flags, ...args], `fetch ${origin.shown}`, call)
  }

  async #describe(mirror: GitMirror, commit: string, signal: AbortSignal | undefined) {
    const format = '--format=%T%x00%an <%ae>%x00%ct%x00%s'
    const args = ['log', '-1', '--no-show-signature', '--no-color', '--encoding=UTF-8', format, commit]
    const text = (await mirror.run(args, `read commit ${commit}`, { signal })).toString('utf8')
    const [tree = '', author = '', seconds = '0', subject = ''] = text.split('\0')
    return { commit, tree, author: oneLine(author), at: Number(seconds) * 1000, subject: oneLine(subject) }
  }
}

/** The repository's address behind `--`, so that it can never be an option. */
function from({ location }: Origin): string[] {
  if (location.type === 'upload')
    throw new BerthError('source.bad-repository', `${uploadPrefix}${location.app} has no address`)
  return ['--', location.type === 'path' ? location.path : location.url]
}

interface TreeEntry {
  readonly mode: number
  readonly type: string
  readonly id: string
  readonly size: number
  readonly path: string
}

/** `ls-tree -l -z`: `100644 blob <id>     <size>\t<path>\0` */
const parseTree = (output: Buffer): TreeEntry[] =>
  output
    .toString('utf8')
    .split('\0')
    .flatMap((line) => {
      const match = /^(\d+) (\w+) ([0-9a-f]+) +(-|\d+)\t(.*)$/s.exec(line)
      if (match === null) return []
      const [, mode = '', type = '', id = '', size = '', path = ''] = match
      return [{ mode: fileMode(Number.parseInt(mode, 8)), type, id, size: Number(size) || 0, path }]
    })

const fileMode = (mode: number): number => (mode === 0o120000 ? mode : mode & 0o777)

const tooLarge = (path: string, at: SourceCommit, size: number, maxBytes: number): BerthError =>
  new BerthError('source.output-too-large', `${path} of ${at.commit} has ${size} bytes; at most ${maxBytes} are read`)

/** The same error with no password in it, whatever the program printed. */
function redacted(error: unknown, redact: (text: string) => string): unknown {
  if (!(error instanceof BerthError)) return error
  const { code, retryable, details, cause } = error
  return new BerthError(
    code,
    redact(error.message),
    cause === undefined ? { retryable, details } : { retryable, details, cause },
  )
}
