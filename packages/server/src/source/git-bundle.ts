import { BerthError } from '@berth/core'
import type { GitMirror } from './git-mirror.ts'
import { branchesAndTags, headRef } from './git-ref.ts'
import { oneLine } from './source-store.ts'

const fetchTimeoutMs = 600_000

/** Fetches all branches, tags and the HEAD of a bundle into the mirror. The caller holds the mirror's lock. */
export async function takeBundle(mirror: GitMirror, file: string, signal: AbortSignal | undefined): Promise<void> {
  await mirror.prepare(signal)
  const heads = await readHeads(mirror, file, signal)
  const usable = heads.some((name) => name === 'HEAD' || /^refs\/(heads|tags)\//.test(name))
  if (!usable)
    throw invalid('it names no branch, no tag and no HEAD: make it with `git bundle create FILE HEAD --branches`')
  const refspecs = [...branchesAndTags, ...(heads.includes('HEAD') ? [`+HEAD:${headRef}`] : [])]
  const flags = ['--quiet', '--no-tags', '--no-recurse-submodules', '--no-write-fetch-head', '--force']
  const call = { signal, timeoutMs: fetchTimeoutMs }
  const { code, stderr } = await mirror.attempt(['fetch', ...flags, '--', file, ...refspecs], 'read the bundle', call)
  if (code === 0) return
  const lacks = /lacks these prerequisite/i.test(stderr)
  throw invalid(
    lacks ? 'it builds on commits that the server does not have: upload a complete one' : clean(stderr, file),
  )
}

async function readHeads(mirror: GitMirror, file: string, signal: AbortSignal | undefined): Promise<string[]> {
  const { code, stdout, stderr } = await mirror.attempt(['bundle', 'list-heads', file], 'read the bundle', { signal })
  if (code !== 0) throw invalid(clean(stderr, file))
  return stdout
    .toString()
    .split('\n')
    .map((line) => line.slice(line.indexOf(' ') + 1))
    .filter((name) => name !== '')
}

/** The uploader does not know the file's name on the server. */
const clean = (stderr: string, file: string): string =>
  oneLine(stderr.replaceAll(file, 'the upload').replace(/^(fatal|error): /, '')) || 'git cannot read it'

const invalid = (reason: string): BerthError =>
  new BerthError('source.bundle-invalid', `the uploaded git bundle cannot be used: ${reason}`)
