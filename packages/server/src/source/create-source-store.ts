import { createWriteStream } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { join, posix, relative } from 'node:path'
import { type Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { BerthError, checkName, isName } from '@berth/core'
import type { Logger } from 'pino'
import { takeBundle } from './git-bundle.ts'
import { prepareGit } from './git-environment.ts'
import { GitSource } from './git-source.ts'
import { KeyedLock } from './keyed-lock.ts'
import { parseRepository, uploadPrefix } from './repository-location.ts'
import type { SourceAdapter, SourceCommit, SourceRequest, SourceStore } from './source-store.ts'
import { SvnSource } from './svn-source.ts'

export interface SourceStoreOptions {
  /** Mirrors, uploads under way and exports; all of it can be made again, but for uploaded commits. */
  readonly dir: string
  readonly log: Logger
  /** Only repositories below these folders may be named by path or `file://`. Absent: any that the server can read. */
  readonly localRoots?: readonly string[]
  readonly fetchTimeoutMs?: number
  readonly maxBundleBytes?: number
}

const defaultFetchTimeoutMs = 600_000
const defaultMaxBundleBytes = 2 * 1024 ** 3
const defaultMaxFileBytes = 1024 * 1024

export async function createSourceStore(options: SourceStoreOptions): Promise<SourceStore> {
  const { dir, log, fetchTimeoutMs = defaultFetchTimeoutMs } = options
  const uploads = join(dir, 'uploads')
  const exports = join(dir, 'svn')
  // What a killed server left behind.
  for (const each of [uploads, exports]) await rm(each, { recursive: true, force: true })
  for (const each of [uploads, exports]) await mkdir(each, { recursive: true, mode: 0o700 })
  const env = await prepareGit(dir)
  const locks = new KeyedLock()
  const git = new GitSource({ dir: join(dir, 'git'), env, locks, fetchTimeoutMs, log })
  const svn = new SvnSource({ dir: exports, timeoutMs: fetchTimeoutMs })
  const adapters: Readonly<Record<'git' | 'svn', SourceAdapter>> = { git, svn }
  const of = (at: SourceCommit): SourceAdapter => adapters[at.vcs]
  return {
    async fetch(request) {
      checkName('app', request.app)
      checkLocation(request, options.localRoots)
      return adapters[request.vcs].fetch(request)
    },
    async listRefs(request) {
      checkName('app', request.app)
      checkLocation({ ...request, ref: 'HEAD' }, options.localRoots)
      return adapters[request.vcs].listRefs(request)
    },
    readFile: async (at, path, { maxBytes = defaultMaxFileBytes, signal } = {}) =>
      of(at).readFile(at, checkPath(path), maxBytes, signal),
    log: async (range, { signal } = {}) => of(range.to).log(range, signal),
    list: async (at, folder, { signal } = {}) => of(at).list(at, checkPath(folder), signal),
    archive: (at, { folder, signal } = {}) =>
      of(at).archive(at, folder === undefined ? undefined : checkPath(folder), signal),
    async acceptBundle(app, bundle, { signal } = {}) {
      checkName('app', app)
      const file = join(uploads, `${app}-${crypto.randomUUID()}.bundle`)
      try {
        await saveBounded(bundle, file, options.maxBundleBytes ?? defaultMaxBundleBytes, signal)
        await locks.run(`git/${app}`, () => takeBundle(git.mirror(app), file, signal), signal)
      } finally {
        await rm(file, { force: true })
      }
      log.info({ app }, 'took in an uploaded bundle')
      return { repository: `${uploadPrefix}${app}` }
    },
    isOnServerDisk: (repository, vcs) => options.localRoots === undefined && pathOf(repository, vcs) !== undefined,
    async removeApp(app) {
      if (!isName(app)) return
      for (const adapter of Object.values(adapters)) await adapter.removeApp(app)
    },
  }
}

function checkLocation({ app, repository, vcs }: SourceRequest, roots: readonly string[] | undefined): void {
  const location = parseRepository(repository, vcs)
  if (location.type === 'upload' && location.app !== app)
    throw new BerthError('source.bad-repository', `${repository} was uploaded for another app than ${app}`)
  const path = pathOf(repository, vcs)
  if (path === undefined || roots === undefined || roots.some((root) => isBelow(root, path))) return
  const allowed = roots.length === 0 ? 'none is allowed' : `allowed are those below ${roots.join(', ')}`
  throw new BerthError(
    'source.path-not-allowed',
    `the server does not read local repositories such as ${path}: ${allowed}`,
  )
}

/** On the server's own disk; undefined for what is elsewhere. */
function pathOf(repository: string, vcs: 'git' | 'svn'): string | undefined {
  const location = parseRepository(repository, vcs)
  if (location.type === 'path') return location.path
  return location.type === 'url' && location.url.startsWith('file:') ? fileURLToPath(location.url) : undefined
}

function isBelow(root: string, path: string): boolean {
  const way = relative(root, path)
  return way === '' || !(way === '..' || way.startsWith('../'))
}

/** Paths inside a commit: relative, forward only. */
function checkPath(path: string): string {
  const isPlain = path !== '' && posix.normalize(path) === path && !/^(\.\.(\/|$)|\/|\.$)|\/$|\0/.test(path)
  if (isPlain) return path
  throw new BerthError('source.bad-path', `${JSON.stringify(path)} is no path inside a repository`)
}

async function saveBounded(from: Readable, file: string, maxBytes: number, signal?: AbortSignal): Promise<void> {
  let size = 0
  const limit = new Transform({
    transform(chunk: Buffer, _, done) {
      size += chunk.length
      if (size <= maxBytes) return done(null, chunk)
      const message = `the uploaded bundle has more than ${maxBytes} bytes: let the server fetch the repository instead`
      return done(new BerthError('source.bundle-too-large', message))
    },
  })
  await pipeline(from, limit, createWriteStream(file, { mode: 0o600 }), signal === undefined ? {} : { signal })
}
