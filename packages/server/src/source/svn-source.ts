import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { BerthError } from '@berth/core'
import { batchSsh, inheritedEnvironment } from './git-environment.ts'
import { type Credentials, parseRepository, redactorOf } from './repository-location.ts'
import { CommandTimeoutError, runCommand, streamCommand } from './run-command.ts'
import { sourceFailure, sourceTimeout } from './source-failure.ts'
import {
  type CommitRange,
  type LogEntry,
  oneLine,
  type SourceAdapter,
  type SourceCommit,
  type SourceFile,
  type SourceRequest,
} from './source-store.ts'
import { logEntries } from './svn-log.ts'
import { foldersOf, refsOfFolders, svnLayout } from './svn-refs.ts'
import { attribute, elements, elementText } from './svn-xml.ts'

export interface SvnSourceOptions {
  /** Holds the client's configuration and, for as long as an archive is read, its export. */
  readonly dir: string
  readonly timeoutMs: number
}

interface SvnRef {
  readonly path: string
  readonly revision: string
}

/** Where a commit that was handed out is to be read; kept in memory only, since it may hold a password. */
interface Place {
  readonly url: string
  readonly revision: string
  readonly credentials: Credentials | undefined
  readonly redact: (text: string) => string
  /** Only asked what there is, which takes less time than reading it. */
  readonly isGlance?: true
}

/** Asking costs a repository little, so one that does not answer within this time is away. */
const maxGlanceMs = 60_000
/** Some ten thousand branches. */
const maxGlanceBytes = 4 * 1024 * 1024
/** Of two branches so many revisions of each are compared. */
const maxCompared = 1000

export class SvnSource implements SourceAdapter {
  readonly #options: SvnSourceOptions
  readonly #places = new WeakMap<SourceCommit, Place>()

  constructor(options: SvnSourceOptions) {
    this.#options = options
  }

  async fetch(request: SourceRequest): Promise<SourceCommit> {
    const location = parseRepository(request.repository, 'svn')
    const ref = parseSvnRef(request.ref)
    if (location.type !== 'url') throw new BerthError('source.bad-repository', 'svn repositories have a URL or a path')
    const redact = redactorOf(location.credentials)
    const { credentials } = location
    const asked: Place = { url: below(location.url, ref.path), revision: ref.revision, credentials, redact }
    const shown = redact(request.repository)
    const info = await this.#info(asked, ref, shown, request.signal)
    const revision = attribute(info, 'commit', 'revision') ?? ''
    const place = { ...asked, revision: attribute(info, 'entry', 'revision') ?? revision }
    const log = await this.#xml(['log', '-r', revision, '-l', '1'], place, `read revision ${revision}`, request.signal)
    const commit: SourceCommit = {
      app: request.app,
      vcs: 'svn',
      repository: shown,
      commit: ref.path === '' ? `r${revision}` : `${ref.path}@${revision}`,
      subject: oneLine(elementText(log, 'msg') ?? ''),
      author: oneLine(elementText(info, 'author') ?? ''),
      at: Date.parse(elementText(info, 'date') ?? '') || 0,
      tree: treeOf(elementText(info, 'uuid'), elementText(info, 'relative-url'), revision),
    }
    this.#places.set(commit, place)
    return commit
  }

  /**
   * Branches and tags with what last changed in them, named as git's (`refs/heads/trunk`, `refs/heads/winter`, `refs/tags/v1`). A URL with a
   * folder `trunk` has branches and tags in the folders beside it; any other is a trunk itself, and has no more.
   */
  async listRefs(request: Omit<SourceRequest, 'ref' | 'vcs'>): Promise<ReadonlyMap<string, string>> {
    const location = parseRepository(request.repository, 'svn')
    if (location.type !== 'url') throw new BerthError('source.bad-repository', 'svn repositories have a URL or a path')
    const { url, credentials } = location
    const redact = redactorOf(credentials)
    const place: Place = { url, revision: 'HEAD', credentials, redact, isGlance: true }
    const what = `list the branches of ${redact(request.repository)}`
    const folders = async (path: string) =>
      foldersOf(await this.#xml(['list'], { ...place, url: below(url, path) }, what, request.signal))
    const top = await folders('')
    const trunk = top.get(svnLayout.trunk)
    if (trunk === undefined) {
      const revision = attribute(await this.#xml(['info'], place, what, request.signal), 'commit', 'revision') ?? ''
      return new Map([['refs/heads/trunk', `r${revision}`]])
    }
    const inside = async (name: string) => (top.has(name) ? await folders(name) : new Map<string, string>())
    return refsOfFolders({
      ...{ trunk, branches: await inside(svnLayout.branches), tags: await inside(svnLayout.tags) },
    })
  }

  async readFile(at: SourceCommit, path: string, maxBytes: number, signal?: AbortSignal): Promise<string | undefined> {
    const place = this.#placeOf(at)
    const parent = path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : ''
    const name = path.slice(parent === '' ? 0 : parent.length + 1)
    const listed = await this.#entries(place, parent, ['list'], signal)
    if (!listed.some((entry) => entry.path === name)) return undefined
    const args = ['cat', target({ ...place, url: below(place.url, path) })]
    return (await this.#run(args, place, `read ${path} of ${at.commit}`, signal, maxBytes)).toString('utf8')
  }

  async list(at: SourceCommit, folder: string, signal?: AbortSignal): Promise<SourceFile[]> {
    const entries = await this.#entries(this.#placeOf(at), folder, ['list', '--recursive'], signal)
    return entries.map(({ path, revision }) => ({ path, mode: 0o644, digest: `r${revision}` }))
  }

  /** Newest first. On one way only the revisions between are asked for; else both ways are compared as far as they are read. */
  async log({ from, to, limit }: CommitRange, signal?: AbortSignal): Promise<LogEntry[]> {
    const [before, after] = [this.#placeOf(from), this.#placeOf(to)]
    const [first, last] = [revisionOf(from), revisionOf(to)]
    const what = `list the revisions from ${from.commit} to ${to.commit}`
    if (before.url === after.url)
      return last <= first ? [] : this.#logOf(after, ['-r', `${last}:${first + 1}`, '-l', String(limit)], what, signal)
    const most = ['-l', String(maxCompared)]
    const [known, own] = [
      await this.#logOf(before, ['-r', `${first}:1`, ...most], what, signal),
      await this.#logOf(after, ['-r', `${last}:1`, ...most], what, signal),
    ]
    const commits = new Set(known.map(({ commit }) => commit))
    // What is older than all that was read of the other is not told.
    const oldest = known.length < maxCompared ? 0 : revisionOf(known.at(-1) ?? from)
    return own.filter((each) => !commits.has(each.commit) && revisionOf(each) > oldest).slice(0, limit)
  }

  async #logOf(
    place: Place,
    range: readonly string[],
    what: string,
    signal: AbortSignal | undefined,
  ): Promise<LogEntry[]> {
    return logEntries(await this.#xml(['log', ...range], place, what, signal))
  }

  archive(at: SourceCommit, folder: string | undefined, signal?: AbortSignal): Readable {
    const place = this.#placeOf(at)
    const from = folder === undefined ? place : { ...place, url: below(place.url, folder) }
    const what = `read the files of ${at.commit}`
    const exported = this.#exported(from, what, signal)
    return Readable.from(exported, { objectMode: false })
  }

  /** svn keeps nothing here between calls. */
  async removeApp(): Promise<void> {}

  async *#exported(place: Place, what: string, signal: AbortSignal | undefined): AsyncGenerator<Buffer> {
    await mkdir(this.#options.dir, { recursive: true, mode: 0o700 })
    const dir = await mkdtemp(join(this.#options.dir, 'export-'))
    try {
      const args = ['export', '--quiet', '--force', '--ignore-externals', target(place), dir]
      await this.#run(args, place, what, signal)
      const tar = [
        'tar',
        '--create',
        '--format=pax',
        '--sort=name',
        '--owner=0',
        '--group=0',
        '--numeric-owner',
        '--mode=go-w',
      ]
      const options = { env: { ...inheritedEnvironment(), LC_ALL: 'C.UTF-8' }, signal }
      yield* streamCommand([...tar, '-C', dir, '.'], options, ({ stderr }) => sourceFailure('svn', what, stderr))
    } finally {
      await rm(dir, { recursive: true, force: true })
    }
  }

  async #info(place: Place, ref: SvnRef, shown: string, signal: AbortSignal | undefined): Promise<string> {
    const what = `read ${shown}`
    try {
      return await this.#xml(['info'], place, what, signal)
    } catch (error) {
      const isMissing = error instanceof BerthError && error.code === 'source.repository-not-found'
      const noRevision = error instanceof BerthError && /E160006|E195012/.test(error.message)
      if (noRevision) throw notFound(shown, ref, 'it has no such revision')
      if (!isMissing || ref.path === '') throw error
      const names = await this.#topNames(place, ref, signal)
      throw notFound(shown, ref, names.length === 0 ? 'there is no such path' : `at its top are ${names.join(', ')}`)
    }
  }

  async #topNames(place: Place, ref: SvnRef, signal: AbortSignal | undefined): Promise<string[]> {
    const url = place.url.slice(0, place.url.length - below('', ref.path).length)
    const xml = await this.#xml(['list'], { ...place, url }, 'list the repository', signal)
    return elements(xml, 'entry')
      .map((entry) => elementText(entry, 'name') ?? '')
      .slice(0, 10)
  }

  async #entries(place: Place, folder: string, command: readonly string[], signal: AbortSignal | undefined) {
    const listed = { ...place, url: below(place.url, folder) }
    try {
      const xml = await this.#xml(command, listed, `list ${folder === '' ? 'the files' : folder}`, signal)
      return elements(xml, 'entry')
        .filter((entry) => attribute(entry, 'entry', 'kind') === 'file')
        .map((entry) => ({
          path: elementText(entry, 'name') ?? '',
          revision: attribute(entry, 'commit', 'revision') ?? '',
        }))
    } catch (error) {
      if (error instanceof BerthError && error.code === 'source.repository-not-found') return []
      throw error
    }
  }

  async #xml(command: readonly string[], place: Place, what: string, signal: AbortSignal | undefined): Promise<string> {
    return (await this.#run([...command, '--xml', target(place)], place, what, signal)).toString('utf8')
  }

  /** The password goes through standard input; nothing is asked, nothing is remembered, no user's configuration is read. */
  async #run(args: readonly string[], place: Place, what: string, signal?: AbortSignal, maxOutputBytes?: number) {
    const { dir } = this.#options
    const { credentials, isGlance } = place
    const timeoutMs = isGlance ? Math.min(maxGlanceMs, this.#options.timeoutMs) : this.#options.timeoutMs
    const login = credentials === undefined ? [] : ['--username', credentials.username, '--password-from-stdin']
    const [command = '', ...rest] = args
    const argv = [
      'svn',
      command,
      '--non-interactive',
      '--no-auth-cache',
      '--config-dir',
      join(dir, 'config'),
      ...login,
      ...rest,
    ]
    const env = { ...inheritedEnvironment(), LC_ALL: 'C.UTF-8', SVN_SSH: batchSsh }
    const input = credentials === undefined ? {} : { input: `${credentials.password}\n` }
    const limit = { maxOutputBytes: maxOutputBytes ?? (isGlance ? maxGlanceBytes : 64 * 1024 * 1024) }
    try {
      const result = await runCommand(argv, { env, signal, timeoutMs, ...input, ...limit })
      if (result.code === 0) return result.stdout
      throw sourceFailure('svn', what, place.redact(result.stderr))
    } catch (error) {
      throw error instanceof CommandTimeoutError ? sourceTimeout(what, timeoutMs) : error
    }
  }

  #placeOf(at: SourceCommit): Place {
    const place = this.#places.get(at)
    if (place !== undefined) return place
    throw new BerthError('source.commit-not-found', `${at.commit} of ${at.app} must be fetched before it is read`)
  }
}

/** The `@` at the end keeps one in the path from being read as a revision. */
const target = ({ url, revision }: Place): string => `${url}@${revision}`

const below = (url: string, path: string): string =>
  path === '' ? url : `${url.replace(/\/+$/, '')}/${path.split('/').map(encodeURIComponent).join('/')}`

/** The number in `r123` and `branches/x@123`. */
const revisionOf = ({ commit }: Pick<SourceCommit, 'commit'>): number => Number(/\d+$/.exec(commit)?.[0] ?? 0)

const treeOf = (...parts: readonly (string | undefined)[]): string =>
  createHash('sha256').update(JSON.stringify(parts)).digest('hex')

function parseSvnRef(text: string): SvnRef {
  const revision = /^(?:HEAD|r?(\d{1,10}))$/.exec(text)
  if (revision !== null) return { path: '', revision: revision[1] ?? 'HEAD' }
  const [, path = '', at] = /^([^@]+)(?:@(?:r?(\d{1,10})|HEAD))?$/.exec(text) ?? []
  const segments = path.split('/')
  const isBad = segments.some(
    (segment) => segment === '' || segment === '.' || segment === '..' || /\p{Cc}/u.test(segment),
  )
  if (!isBad && text.length <= 255 && !path.startsWith('-')) return { path, revision: at ?? 'HEAD' }
  const shown = JSON.stringify(text.slice(0, 100))
  throw new BerthError('source.bad-ref', `${shown} cannot name a commit: give HEAD, r123, branches/x or branches/x@123`)
}

const notFound = (shown: string, ref: SvnRef, hint: string): BerthError => {
  const text = ref.path === '' ? `r${ref.revision}` : `${ref.path}@${ref.revision}`
  return new BerthError('source.commit-not-found', `${shown} has no ${text}: ${hint}`, { details: { ref: text } })
}
